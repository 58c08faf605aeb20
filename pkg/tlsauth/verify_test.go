package tlsauth_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

// Each fault of a certificate is found apart (T13): the text names all, the reason the first
// of those that waiting does not cure.
func TestVerify(t *testing.T) {
	t.Parallel()
	const mx = "mx.example.com"
	p := newPKI(t)
	trusted := p.pool()
	early := func(c *x509.Certificate) {
		host(mx)(c)
		c.NotBefore = now().Add(time.Hour)
	}
	for _, c := range []struct {
		name    string
		leaf    *issued
		roots   *x509.CertPool
		host    string
		reason  policy.Reason // "" where all is well
		passing bool
		texts   []string
	}{
		{"sound", p.leaf, trusted, mx, "", false, nil},
		{"wrong name", p.leaf, trusted, "mx.example.org", policy.CertificateHost, false, []string{"is for mx.example.com, not for mx.example.org"}},
		{"unknown authority", p.leaf, x509.NewCertPool(), mx, policy.CertificateNotTrusted, false, []string{"is not trusted"}},
		{"no roots are not the machine's", p.leaf, nil, mx, policy.CertificateNotTrusted, false, []string{"is not trusted"}},
		{"expired", issue(t, p.between, expired(host(mx))), trusted, mx, policy.CertificateExpired, false, []string{"expired on 2026-06-01"}},
		{"expired, untrusted and wrong", issue(t, nil, expired(host(mx))), trusted, "mx.example.org", policy.CertificateExpired, false,
			[]string{"expired on", "self-signed", "not for mx.example.org"}},
		{"not valid yet", issue(t, p.between, early), trusted, mx, policy.CertificateExpired, true, []string{"not valid before"}},
		{"not valid yet, and of an unknown authority", issue(t, p.between, early), nil, mx, policy.CertificateNotTrusted, false,
			[]string{"not valid before", "is not trusted"}},
		{"not valid yet, and for another name", issue(t, p.between, early), trusted, "mx.example.org", policy.CertificateHost, false,
			[]string{"not valid before", "not for mx.example.org"}},
	} {
		got := tlsauth.Verify([]*x509.Certificate{c.leaf.Certificate, p.between.Certificate}, c.host, c.roots, now())
		if got.OK != (c.reason == "") || got.Reason != c.reason || got.Passing != c.passing {
			t.Errorf("%s: got %+v, want %q, passing %v", c.name, got, c.reason, c.passing)
		}
		for _, text := range c.texts {
			if !strings.Contains(got.Text, text) {
				t.Errorf("%s: the text does not say %q: %s", c.name, text, got.Text)
			}
		}
	}
}
