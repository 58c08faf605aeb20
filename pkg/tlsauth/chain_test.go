package tlsauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"
)

// now is the time at which all is judged; certificates are valid for a day around it.
func now() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

type issued struct {
	*x509.Certificate
	key crypto.Signer
}

// issue makes a certificate signed by another one, or by itself.
func issue(t *testing.T, by *issued, edit func(*x509.Certificate)) *issued {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: now().Add(-24 * time.Hour), NotAfter: now().Add(24 * time.Hour),
		BasicConstraintsValid: true,
	}
	edit(tmpl)
	parent, signer := tmpl, crypto.Signer(key)
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issued{c, key}
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	}
}

func host(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "host"}
		c.DNSNames = names
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		c.IssuingCertificateURL = []string{"http://ca.example/ca.der"}
	}
}

func expired(edit func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		edit(c)
		c.NotAfter = now().Add(-time.Hour)
	}
}

// pki is a root, an intermediate and a leaf for mx.example.com.
type pki struct{ root, between, leaf *issued }

func newPKI(t *testing.T) pki {
	t.Helper()
	root := issue(t, nil, authority("root"))
	between := issue(t, root, authority("between"))
	return pki{root, between, issue(t, between, host("mx.example.com"))}
}

func (p pki) chain() []*x509.Certificate {
	return []*x509.Certificate{p.leaf.Certificate, p.between.Certificate}
}

func (p pki) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.root.Certificate)
	return pool
}

// digest is what a TLSA record with these numbers holds about a certificate.
func digest(c *issued, selector, matching uint8) []byte {
	what := c.Raw
	if selector == 1 {
		what = c.RawSubjectPublicKeyInfo
	}
	switch matching {
	case 1:
		sum := sha256.Sum256(what)
		return sum[:]
	case 2:
		sum := sha512.Sum512(what)
		return sum[:]
	}
	return what
}

func named(name string, edit func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		edit(c)
		c.Subject.CommonName = name
	}
}
