package sandbox

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"
)

const day = 24 * time.Hour

// Authority is a certificate authority that lives in memory: the one whose root a sandbox's users trust.
type Authority struct {
	now    time.Time
	root   *x509.Certificate
	key    *ecdsa.PrivateKey
	leaf   *ecdsa.PrivateKey // shared by all certificates: they are many, and nothing here is secret
	serial atomic.Int64
	alone  bool // every certificate signs itself
}

// NewAuthority makes an authority (ECDSA P-256) whose certificates are valid around now.
func NewAuthority(now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the sandbox authority's key: %w", err)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the sandbox hosts' key: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "sandbox root", Organization: []string{"sandbox"}},
		NotBefore:             now.Add(-365 * day),
		NotAfter:              now.Add(730 * day),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the sandbox authority's certificate: %w", err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the sandbox authority's certificate: %w", err)
	}
	a := &Authority{now: now, root: root, key: key, leaf: leaf}
	a.serial.Store(now.UnixNano())
	return a, nil
}

// PEM is the root certificate.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw})
}

// Pool holds the root certificate alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// Issue makes a certificate for the name, for servers and clients. edit, if not nil, may change anything
// before it is signed; key, if not nil, is the certificate's own instead of the authority's shared one.
func (a *Authority) Issue(name string, edit func(*x509.Certificate), key crypto.Signer) (*tls.Certificate, error) {
	if key == nil {
		key = a.leaf
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(a.serial.Add(1)),
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name},
		NotBefore:             a.now.Add(-day),
		NotAfter:              a.now.Add(365 * day),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if edit != nil {
		edit(template)
	}
	parent, signer := a.root, crypto.Signer(a.key)
	if a.alone {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %s: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// SelfSign makes a certificate like Issue's that is signed by its own key.
func (a *Authority) SelfSign(name string, edit func(*x509.Certificate), key crypto.Signer) (*tls.Certificate, error) {
	self := &Authority{now: a.now, leaf: a.leaf, alone: true}
	self.serial.Store(a.serial.Add(1))
	return self.Issue(name, edit, key)
}

// certificate makes one of the kind for a host.
func (a *Authority) certificate(kind Certificate, name string) (*tls.Certificate, error) {
	switch kind {
	case SelfSigned:
		return a.SelfSign(name, nil, nil)
	case WrongName:
		return a.Issue("elsewhere.test", nil, nil)
	case Expired:
		return a.Issue(name, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = a.now.Add(-120*day), a.now.Add(-30*day)
		}, nil)
	case NotYetValid:
		return a.Issue(name, func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = a.now.Add(30*day), a.now.Add(120*day)
		}, nil)
	case Trusted:
	}
	return a.Issue(name, nil, nil)
}
