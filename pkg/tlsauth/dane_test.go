package tlsauth_test

import (
	"bytes"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/tlsauth"
)

func about(c *issued, usage, selector, matching uint8) tlsauth.Association {
	return tlsauth.Association{Usage: usage, Selector: selector, MatchingType: matching, Data: digest(c, selector, matching)}
}

// FAULTS D13: match, mismatch and unusable records.
func TestMatchTLSA(t *testing.T) {
	t.Parallel()
	p, other := newPKI(t), newPKI(t)
	names := []string{"example.com", "mx.example.com"}
	old := issue(t, p.between, expired(host("mx.example.com")))
	elsewhere := issue(t, p.between, host("elsewhere.example"))
	with := func(leaf *issued) []*x509.Certificate {
		return []*x509.Certificate{leaf.Certificate, p.between.Certificate, p.root.Certificate}
	}
	for name, tt := range map[string]struct {
		records []tlsauth.Association
		chain   []*x509.Certificate
		usable  int
		ok      bool
		text    string
	}{
		"3 1 1":                         {records: []tlsauth.Association{about(p.leaf, 3, 1, 1)}, usable: 1, ok: true},
		"3 0 1":                         {records: []tlsauth.Association{about(p.leaf, 3, 0, 1)}, usable: 1, ok: true},
		"3 1 2":                         {records: []tlsauth.Association{about(p.leaf, 3, 1, 2)}, usable: 1, ok: true},
		"3 1 0":                         {records: []tlsauth.Association{about(p.leaf, 3, 1, 0)}, usable: 1, ok: true},
		"3 0 0":                         {records: []tlsauth.Association{about(p.leaf, 3, 0, 0)}, usable: 1, ok: true},
		"3 1 1, another key":            {records: []tlsauth.Association{about(other.leaf, 3, 1, 1)}, usable: 1, text: "key is not the published one"},
		"3 0 1, another":                {records: []tlsauth.Association{about(other.leaf, 3, 0, 1)}, usable: 1, text: "the certificate is not the published one"},
		"3 1 1 ignores dates":           {records: []tlsauth.Association{about(old, 3, 1, 1)}, chain: with(old), usable: 1, ok: true},
		"3 1 1 ignores names":           {records: []tlsauth.Association{about(elsewhere, 3, 1, 1)}, chain: with(elsewhere), usable: 1, ok: true},
		"rollover, the second":          {records: []tlsauth.Association{about(other.leaf, 3, 1, 1), about(p.leaf, 3, 1, 1)}, usable: 2, ok: true},
		"3 1 1 of the issuer":           {records: []tlsauth.Association{about(p.between, 3, 1, 1)}, usable: 1, text: "not the published one"},
		"2 0 1, intermediate":           {records: []tlsauth.Association{about(p.between, 2, 0, 1)}, usable: 1, ok: true},
		"2 1 1, intermediate":           {records: []tlsauth.Association{about(p.between, 2, 1, 1)}, usable: 1, ok: true},
		"2 0 1, root that was sent":     {records: []tlsauth.Association{about(p.root, 2, 0, 1)}, chain: with(p.leaf), usable: 1, ok: true},
		"2 0 1, root that was not sent": {records: []tlsauth.Association{about(p.root, 2, 0, 1)}, usable: 1, text: "trust anchor"},
		"2 0 0, root that was not sent": {records: []tlsauth.Association{about(p.root, 2, 0, 0)}, usable: 1, ok: true},
		"2 1 0, root's key alone":       {records: []tlsauth.Association{about(p.root, 2, 1, 0)}, usable: 1, ok: true},
		"2 1 0, another key":            {records: []tlsauth.Association{about(other.root, 2, 1, 0)}, usable: 1, text: "trust anchor"},
		"2 0 0, another root":           {records: []tlsauth.Association{about(other.root, 2, 0, 0)}, usable: 1, text: "does not verify"},
		"2 0 0, garbage":                {records: []tlsauth.Association{{Usage: 2, Data: []byte("x")}}, usable: 1, text: "trust anchor"},
		"2 0 1 of the leaf":             {records: []tlsauth.Association{about(p.leaf, 2, 0, 1)}, usable: 1, text: "trust anchor"},
		"2 1 1 minds dates":             {records: []tlsauth.Association{about(p.between, 2, 1, 1)}, chain: with(old), usable: 1, text: "expired"},
		"2 1 1 minds names":             {records: []tlsauth.Association{about(p.between, 2, 1, 1)}, chain: with(elsewhere), usable: 1, text: "elsewhere.example"},
		"PKIX-TA and PKIX-EE":           {records: []tlsauth.Association{about(p.root, 0, 0, 1), about(p.leaf, 1, 1, 1)}, text: "none of the TLSA records"},
		"PKIX-EE beside DANE-EE":        {records: []tlsauth.Association{about(p.leaf, 1, 1, 1), about(p.leaf, 3, 1, 1)}, usable: 1, ok: true},
		"unknown numbers":               {records: []tlsauth.Association{{4, 1, 1, make([]byte, 32)}, {3, 2, 1, make([]byte, 32)}, {3, 1, 3, make([]byte, 32)}}, text: "none of"},
		"digest too short (rdata of 3)": {records: []tlsauth.Association{{3, 1, 1, []byte{}}, {3, 1, 1, make([]byte, 31)}, {3, 1, 2, make([]byte, 32)}}, text: "none of"},
		"no chain":                      {records: []tlsauth.Association{about(p.leaf, 3, 1, 1)}, chain: []*x509.Certificate{}, usable: 1, text: "no certificate"},
	} {
		chain := tt.chain
		if chain == nil {
			chain = p.chain()
		}
		got := tlsauth.MatchTLSA(tt.records, chain, names, now())
		if got.Usable != tt.usable || got.OK != tt.ok || !strings.Contains(got.Text, tt.text) || got.OK != (got.Text == "") {
			t.Errorf("%s: %+v; want %d usable, ok %v, %q", name, got, tt.usable, tt.ok, tt.text)
		}
		if got.OK && !bytes.Equal(got.Matched.Data, tt.records[len(tt.records)-1].Data) {
			t.Errorf("%s: matched %s", name, got.Matched)
		}
	}
}

// RFC 7672 §3.2.2: the certificate may carry the recipient domain's name, for usage 2.
func TestMatchTLSANames(t *testing.T) {
	t.Parallel()
	p := newPKI(t)
	leaf := issue(t, p.between, host("example.com"))
	got := tlsauth.MatchTLSA([]tlsauth.Association{about(p.between, 2, 1, 1)},
		[]*x509.Certificate{leaf.Certificate, p.between.Certificate}, []string{"mx.example.net", "example.com"}, now())
	if !got.OK {
		t.Error(got.Text)
	}
}
