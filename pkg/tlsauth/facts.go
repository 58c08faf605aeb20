package tlsauth

import (
	"crypto/dsa" //nolint:staticcheck // certificates with such keys are met, and named
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Trust is what the roots say of a chain, dates and name apart.
type Trust string

// What trust may come to.
const (
	TrustOK           Trust = "ok"
	SelfSigned        Trust = "self-signed"
	Untrusted         Trust = "untrusted"
	IntermediateGap   Trust = "intermediate-missing"
	maxNamesDescribed       = 100
)

// Facts is a server's certificate as a report shows it: each verdict by itself, so that an
// expired certificate for another name shows both faults.
type Facts struct {
	Subject, Issuer string
	Names           []string // DNS names and IP addresses, at most 100; never nil
	NotBefore       time.Time
	NotAfter        time.Time
	SHA256          string // of the leaf's DER, in hexadecimal
	Key             string // "RSA 2048", "ECDSA P-256", "Ed25519"
	Signature       string // "SHA256-RSA"
	Trust           Trust
	TrustText       string // what is wrong, "" with TrustOK
	NameMatch       bool
	Expired         bool
	NotYetValid     bool
}

// Describe tells the facts of a chain, leaf first and not empty, that the server named host
// presented, against a set of roots and at a time.
func Describe(chain []*x509.Certificate, host string, pool *x509.CertPool, now time.Time) Facts {
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	f := Facts{
		Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Names: []string{},
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		SHA256: hex.EncodeToString(sum[:]), Key: keyOf(leaf.PublicKey), Signature: leaf.SignatureAlgorithm.String(),
		NameMatch: name(leaf, host).OK, Expired: now.After(leaf.NotAfter), NotYetValid: now.Before(leaf.NotBefore),
	}
	f.Names = append(f.Names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		f.Names = append(f.Names, ip.String())
	}
	f.Names = f.Names[:min(len(f.Names), maxNamesDescribed)]
	f.Trust, f.TrustText = trustOf(chain, pool, now)
	return f
}

// OK reports a certificate without fault.
func (f Facts) OK() bool {
	return f.Trust == TrustOK && f.NameMatch && !f.Expired && !f.NotYetValid
}

func trustOf(chain []*x509.Certificate, pool *x509.CertPool, now time.Time) (Trust, string) {
	err := verifyTrust(chain, pool, now)
	if err == nil {
		return TrustOK, ""
	}
	text := untrusted(chain, err)
	var unknown x509.UnknownAuthorityError
	leaf, last := chain[0], chain[len(chain)-1]
	switch {
	case !errors.As(err, &unknown):
		return Untrusted, text
	case leaf.Subject.String() == leaf.Issuer.String():
		return SelfSigned, text
	case last.Subject.String() != last.Issuer.String() && (len(chain) == 1 || len(last.IssuingCertificateURL) > 0):
		// RFC 8446 §4.4.2: a server sends its chain up to, not with, the root. One that ends
		// at a certificate which a known root did not issue has a gap, or another root.
		return IntermediateGap, text
	}
	return Untrusted, text
}

func keyOf(key any) string {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	case *dsa.PublicKey:
		return fmt.Sprintf("DSA %d", k.P.BitLen())
	}
	return "unknown"
}
