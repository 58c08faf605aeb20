package tlsnames

import (
	"fmt"
	"strings"
)

// Suite is a cipher suite's number (IANA TLS Cipher Suites registry).
type Suite uint16

// property says what kind of suite it is.
type property uint8

const (
	legacy property = 1 << iota // RSA key exchange, RC4, 3DES or CBC with SHA-256: not deemed secure by Go
	aead
	tls13
)

// usable is every suite that Go's TLS can negotiate. The order is part of SuiteSet's
// representation in memory only: sets are stored and shown by name.
var usable = [...]struct {
	id            Suite
	iana, openssl string
	is            property
}{
	{0x1301, "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", aead | tls13},
	{0x1302, "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", aead | tls13},
	{0x1303, "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", aead | tls13},
	{0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256", aead},
	{0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256", aead},
	{0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384", aead},
	{0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", aead},
	{0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", aead},
	{0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305", aead},
	{0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA", 0},
	{0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA", 0},
	{0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA", 0},
	{0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA", 0},
	{0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256", legacy},
	{0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256", legacy},
	{0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", aead | legacy},
	{0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", aead | legacy},
	{0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", legacy},
	{0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", legacy},
	{0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", legacy},
	{0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "ECDHE-RSA-DES-CBC3-SHA", legacy},
	{0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "DES-CBC3-SHA", legacy},
	{0xc007, "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "ECDHE-ECDSA-RC4-SHA", legacy},
	{0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA", "ECDHE-RSA-RC4-SHA", legacy},
	{0x0005, "TLS_RSA_WITH_RC4_128_SHA", "RC4-SHA", legacy},
}

// ParseSuite reads an IANA or OpenSSL name of a suite that Go's TLS can use, exactly spelt.
func ParseSuite(name string) (Suite, bool) {
	for _, u := range usable {
		if u.iana == name || u.openssl == name {
			return u.id, true
		}
	}
	return 0, false
}

// String is the IANA name, or hexadecimal for a suite that is not known here.
func (s Suite) String() string {
	if i := s.index(); i >= 0 {
		return usable[i].iana
	}
	if s == 0 {
		return ""
	}
	if name := s.foreignName(); name != "" {
		return name
	}
	return fmt.Sprintf("0x%04x", uint16(s))
}

// OpenSSL is OpenSSL's name of the suite, or String's answer where there is none.
func (s Suite) OpenSSL() string {
	if i := s.index(); i >= 0 {
		return usable[i].openssl
	}
	return s.String()
}

// TLS13 reports whether the suite belongs to TLS 1.3, whose suites no older version can use,
// and Go's TLS can use it.
func (s Suite) TLS13() bool {
	i := s.index()
	return i >= 0 && usable[i].is&tls13 != 0
}

func (s Suite) index() int {
	for i, u := range usable {
		if u.id == s {
			return i
		}
	}
	return -1
}

// SuiteSet is a set of suites that Go's TLS can use; the zero value is the empty set.
type SuiteSet uint32

// SuitesOf makes a set; suites that Go's TLS cannot use are left out.
func SuitesOf(ids ...Suite) SuiteSet {
	var s SuiteSet
	for _, id := range ids {
		if i := id.index(); i >= 0 {
			s |= 1 << i
		}
	}
	return s
}

// AllSuites is every suite that Go's TLS can use, the insecure ones too.
func AllSuites() SuiteSet { return suitesWhere(0, 0) }

// TLS13Suites is the three suites of TLS 1.3 (RFC 8446 §B.4) that Go speaks.
func TLS13Suites() SuiteSet { return suitesWhere(tls13, 0) }

// SecureSuites is what Go deems secure (tls.CipherSuites), TLS 1.3 included.
func SecureSuites() SuiteSet { return suitesWhere(0, legacy) }

func suitesWhere(all, none property) SuiteSet {
	var s SuiteSet
	for i, u := range usable {
		if u.is&all == all && u.is&none == 0 {
			s |= 1 << i
		}
	}
	return s
}

// Has reports whether id is in the set.
func (s SuiteSet) Has(id Suite) bool { return s&SuitesOf(id) != 0 }

// Without is the set less the suites of t.
func (s SuiteSet) Without(t SuiteSet) SuiteSet { return s &^ t }

// Old is the part of the set that TLS 1.2 and older can use.
func (s SuiteSet) Old() SuiteSet { return s.Without(TLS13Suites()) }

// New is the part of the set that TLS 1.3 can use.
func (s SuiteSet) New() SuiteSet { return s & TLS13Suites() }

// List is the set's suites, the preferred ones first.
func (s SuiteSet) List() []Suite {
	var out []Suite
	for i, u := range usable {
		if s&(1<<i) != 0 {
			out = append(out, u.id)
		}
	}
	return out
}

// Names is the set's IANA names in List's order; never nil.
func (s SuiteSet) Names() []string {
	out := []string{}
	for _, id := range s.List() {
		out = append(out, id.String())
	}
	return out
}

// String joins the IANA names by commas.
func (s SuiteSet) String() string { return strings.Join(s.Names(), ",") }
