package tlsauth_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/tlsauth"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	p, other := newPKI(t), newPKI(t)
	self := issue(t, nil, host("mx.example.com"))
	old := issue(t, p.between, expired(host("elsewhere.example")))
	early := issue(t, p.between, func(c *x509.Certificate) {
		host("mx.example.com")(c)
		c.NotBefore = now().Add(time.Hour)
	})
	chain := func(cs ...*issued) (out []*x509.Certificate) {
		for _, c := range cs {
			out = append(out, c.Certificate)
		}
		return out
	}
	for name, tt := range map[string]struct {
		chain               []*x509.Certificate
		trust               tlsauth.Trust
		match, expired, yet bool
	}{
		"good":                      {chain: p.chain(), trust: tlsauth.TrustOK, match: true},
		"root sent along":           {chain: chain(p.leaf, p.between, p.root), trust: tlsauth.TrustOK, match: true},
		"intermediate missing":      {chain: chain(p.leaf), trust: tlsauth.IntermediateGap, match: true},
		"self-signed":               {chain: chain(self), trust: tlsauth.SelfSigned, match: true},
		"another root, sent along":  {chain: chain(other.leaf, other.between, other.root), trust: tlsauth.Untrusted, match: true},
		"another root, not sent":    {chain: other.chain(), trust: tlsauth.Untrusted, match: true},
		"expired and another name":  {chain: chain(old, p.between), trust: tlsauth.TrustOK, expired: true},
		"not yet valid":             {chain: chain(early, p.between), trust: tlsauth.TrustOK, match: true, yet: true},
		"leaf that signs for hosts": {chain: chain(issue(t, p.leaf, named("child", host("mx.example.com"))), p.leaf, p.between), trust: tlsauth.Untrusted, match: true},
	} {
		f := tlsauth.Describe(tt.chain, "mx.example.com", p.pool(), now())
		if f.Trust != tt.trust || f.NameMatch != tt.match || f.Expired != tt.expired || f.NotYetValid != tt.yet {
			t.Errorf("%s: %+v", name, f)
		}
		if f.Key != "ECDSA P-256" || f.Signature != "ECDSA-SHA256" || len(f.SHA256) != 64 || f.Names == nil || (f.Trust == tlsauth.TrustOK) != (f.TrustText == "") {
			t.Errorf("%s: %+v", name, f)
		}
		if want := tt.trust == tlsauth.TrustOK && tt.match && !tt.expired && !tt.yet; f.OK() != want {
			t.Errorf("%s: OK is %v", name, f.OK())
		}
	}
}
