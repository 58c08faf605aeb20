//go:build peers && linux

package cmd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/sandbox"
)

// peersPKI makes the certificates of the mail hosts: public stands for the authorities that
// everybody trusts, partner for one that a single profile trusts.
type peersPKI struct {
	public, partner *sandbox.Authority
	now             time.Time
	rsa             *rsa.PrivateKey
	// The intermediate authority below public.
	between    *x509.Certificate
	betweenKey *ecdsa.PrivateKey
}

func newPeersPKI(t *testing.T) *peersPKI {
	t.Helper()
	p := &peersPKI{now: time.Now()}
	var err error
	check := func() {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p.public, err = sandbox.NewAuthority(p.now)
	check()
	p.partner, err = sandbox.NewAuthority(p.now)
	check()
	p.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	check()
	p.betweenKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check()
	authority := func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.DNSNames, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil, nil
	}
	issued, err := p.public.Issue("sandbox intermediate", authority, p.betweenKey)
	check()
	p.between, err = x509.ParseCertificate(issued.Certificate[0])
	check()
	return p
}

// certificate makes the certificate of a kind for a host, chain and all.
func (p *peersPKI) certificate(t *testing.T, kind, host string) *tls.Certificate {
	t.Helper()
	const day = 24 * time.Hour
	valid := func(from, to time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = p.now.Add(from), p.now.Add(to) }
	}
	var cert *tls.Certificate
	var err error
	switch kind {
	case "good":
		cert, err = p.public.Issue(host, nil, nil)
	case "rsa":
		cert, err = p.public.Issue(host, nil, p.rsa)
	case "partner":
		cert, err = p.partner.Issue(host, nil, nil)
	case "self":
		cert, err = p.public.SelfSign(host, nil, nil)
	case "expired":
		cert, err = p.public.Issue(host, valid(-120*day, -30*day), nil)
	case "notyet":
		cert, err = p.public.Issue(host, valid(30*day, 120*day), nil)
	case "wrong":
		cert, err = p.public.Issue("mx.elsewhere.test", nil, nil)
	case "chain", "nochain":
		cert, err = p.below(host)
		if kind == "nochain" && err == nil {
			cert.Certificate = cert.Certificate[:1]
		}
	default:
		t.Fatalf("there is no kind of certificate called %q", kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// below issues from the intermediate authority.
func (p *peersPKI) below(host string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(p.now.UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: p.now.Add(-time.Hour), NotAfter: p.now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, p.between, key.Public(), p.betweenKey)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, p.between.Raw}, PrivateKey: key}, nil
}

// pemOf is a certificate's key and its chain, each in PEM.
func pemOf(t *testing.T, cert *tls.Certificate) (key, chain []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, c := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return key, chain
}

// fingerprint is the SHA-256 of a certificate's leaf in hexadecimal.
func fingerprint(cert *tls.Certificate) string {
	sum := sha256.Sum256(cert.Certificate[0])
	return hex.EncodeToString(sum[:])
}
