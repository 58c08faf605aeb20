package tlsauth

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Association is one TLSA record (RFC 6698 §2.1), as it stands in the DNS.
type Association struct {
	Usage, Selector, MatchingType uint8
	Data                          []byte
}

// String is the record as zone files have it: "3 1 1 0123…".
func (a Association) String() string {
	return fmt.Sprintf("%d %d %d %x", a.Usage, a.Selector, a.MatchingType, a.Data)
}

// The certificate usages, selectors and matching types that SMTP knows (RFC 7218).
const (
	usageTA, usageEE          = 2, 3
	selectorCert, selectorKey = 0, 1
	matchFull                 = 0
	matchSHA256               = 1
	matchSHA512               = 2
)

// Usable reports whether the record may authenticate a mail host: PKIX-TA(0) and PKIX-EE(1)
// may not (RFC 7672 §3.1.3), nor may what has numbers or a length of no known meaning.
func (a Association) Usable() bool {
	if a.Usage != usageTA && a.Usage != usageEE || a.Selector != selectorCert && a.Selector != selectorKey {
		return false
	}
	switch a.MatchingType {
	case matchFull:
		return len(a.Data) > 0
	case matchSHA256:
		return len(a.Data) == sha256.Size
	case matchSHA512:
		return len(a.Data) == sha512.Size
	}
	return false
}

// matches reports whether the record is about the certificate.
func (a Association) matches(c *x509.Certificate) bool {
	what := c.Raw
	if a.Selector == selectorKey {
		what = c.RawSubjectPublicKeyInfo
	}
	switch a.MatchingType {
	case matchFull:
		return bytes.Equal(a.Data, what)
	case matchSHA256:
		sum := sha256.Sum256(what)
		return bytes.Equal(a.Data, sum[:])
	case matchSHA512:
		sum := sha512.Sum512(what)
		return bytes.Equal(a.Data, sum[:])
	}
	return false
}

// DANE is what judging a chain by TLSA records came to. Neither OK nor a Text about a
// mismatch arises where Usable is zero: such records demand encryption without
// authentication (RFC 7672 §2.2).
type DANE struct {
	Usable  int         // how many of the records may authenticate a mail host
	OK      bool        // one of them does
	Matched Association // the one that does
	Text    string      // why none does; "" with OK
}

// MatchTLSA judges a chain, leaf first, by TLSA records (RFC 7672 §3): DANE-EE(3) is about the
// leaf alone, neither names nor dates count; DANE-TA(2) trusts a certificate of the chain, or
// one that the record holds in full, and demands valid dates and one of the names: those of
// the recipient domain and of the MX host, and what they are aliases of (§3.2.2).
func MatchTLSA(records []Association, chain []*x509.Certificate, names []string, now time.Time) DANE {
	var d DANE
	var why []string
	for _, a := range records {
		if !a.Usable() {
			continue
		}
		d.Usable++
		if len(chain) == 0 || d.OK {
			continue
		}
		text := ""
		if a.Usage == usageEE {
			if !a.matches(chain[0]) {
				text = "the certificate's key is not the published one"
				if a.Selector == selectorCert {
					text = "the certificate is not the published one"
				}
			}
		} else {
			text = a.anchors(chain, names, now)
		}
		if text == "" {
			d.OK, d.Matched = true, a
		} else if !slices.Contains(why, text) {
			why = append(why, text)
		}
	}
	switch {
	case d.OK:
	case d.Usable == 0:
		d.Text = "none of the TLSA records can be used for SMTP"
	case len(chain) == 0:
		d.Text = "the server presented no certificate"
	default:
		d.Text = strings.Join(why, "; ")
	}
	return d
}

// anchors judges a chain by a trust anchor record; "" is success (RFC 7672 §3.1.2, RFC 7671 §5.2).
func (a Association) anchors(chain []*x509.Certificate, names []string, now time.Time) string {
	anchor := a.anchor(chain)
	if anchor == nil {
		return "no certificate of the chain is the published trust anchor"
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(anchor)
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return "the chain does not verify from the published trust anchor: " + strings.TrimPrefix(err.Error(), "x509: ")
	}
	if !slices.ContainsFunc(names, func(n string) bool { return chain[0].VerifyHostname(n) == nil }) {
		return wrongName(chain[0], names)
	}
	return ""
}

// anchor is the certificate that the record makes a trust anchor: one that the server sent, or
// the record's own where it holds a whole one, or, for a bare key, the certificate that the key
// signed. nil where there is none.
func (a Association) anchor(chain []*x509.Certificate) *x509.Certificate {
	for _, c := range chain[1:] {
		if a.matches(c) {
			return c
		}
	}
	if a.MatchingType != matchFull {
		return nil // RFC 7672 §3.1.2: a digest helps only if the server sends the certificate
	}
	if a.Selector == selectorCert {
		if c, err := x509.ParseCertificate(a.Data); err == nil {
			return c
		}
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(a.Data)
	if err != nil {
		return nil
	}
	for _, c := range chain {
		signer := &x509.Certificate{PublicKey: key, PublicKeyAlgorithm: algorithmOf(c.SignatureAlgorithm)}
		if signer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil {
			return c
		}
	}
	return nil
}

// algorithmOf is the kind of key that makes such signatures.
func algorithmOf(s x509.SignatureAlgorithm) x509.PublicKeyAlgorithm {
	switch s {
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.ECDSAWithSHA1:
		return x509.ECDSA
	case x509.PureEd25519:
		return x509.Ed25519
	}
	return x509.RSA
}

func wrongName(leaf *x509.Certificate, wanted []string) string {
	return "the certificate is for " + names(leaf) + ", not for " + strings.Join(wanted, " or ")
}
