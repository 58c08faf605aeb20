// Package tlsauth judges a certificate chain: trust, dates and name apart, against roots and at a time that are arguments.
package tlsauth

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
)

// Roots are the trust anchors to verify against.
type Roots struct {
	Public *x509.CertPool            // for the certificate demand "default"
	Custom map[string]*x509.CertPool // user-supplied sets by policy.Roots.ID
}

// ParseRoots reads PEM certificates into a pool; PEM without any certificate is an error.
func ParseRoots(pem []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no PEM certificate found")
	}
	return pool, nil
}

// Inspect verifies a chain, leaf first, that the server named host presented, against every
// set of roots, and tells the leaf's facts. No chain gives findings that are not OK.
func Inspect(chain []*x509.Certificate, host string, roots Roots, now time.Time) policy.PeerCertificate {
	if len(chain) == 0 {
		none := policy.Finding{Reason: policy.CertificateNotTrusted, Text: "the server presented no certificate"}
		return policy.PeerCertificate{Public: none}
	}
	leaf := chain[0]
	sum := sha256.Sum256(leaf.Raw)
	cert := policy.PeerCertificate{
		SHA256:   hex.EncodeToString(sum[:]),
		Subject:  leaf.Subject.String(),
		NotAfter: leaf.NotAfter,
		Public:   Verify(chain, host, roots.Public, now),
	}
	for id, pool := range roots.Custom {
		if cert.Custom == nil {
			cert.Custom = map[string]policy.Finding{}
		}
		cert.Custom[id] = Verify(chain, host, pool, now)
	}
	return cert
}

// Verify judges a chain, leaf first, for a host's name (RFC 5280 §6, RFC 6125 §6.4 as amended
// by RFC 9525: subject alternative names only, a wildcard stands for one label). Dates, trust
// and name are looked at apart, so that the finding's text names everything that is wrong; its
// reason is the first of: expired, not trusted, wrong name. What is not valid yet is Passing,
// and gives the reason only where nothing else is wrong.
func Verify(chain []*x509.Certificate, host string, pool *x509.CertPool, now time.Time) policy.Finding {
	if len(chain) == 0 {
		return policy.Finding{Reason: policy.CertificateNotTrusted, Text: "the server presented no certificate"}
	}
	var found []policy.Finding
	for _, f := range []policy.Finding{dates(chain[0], now), trust(chain, pool, now), name(chain[0], host)} {
		if !f.OK {
			found = append(found, f)
		}
	}
	if len(found) == 0 {
		return policy.Finding{OK: true}
	}
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = f.Text
	}
	// One fault that lasts makes the whole finding last.
	decider := found[0]
	if i := slices.IndexFunc(found, func(f policy.Finding) bool { return !f.Passing }); i >= 0 {
		decider = found[i]
	}
	return policy.Finding{Reason: decider.Reason, Passing: decider.Passing, Text: strings.Join(texts, "; ")}
}

// forgotten is how long a certificate has expired when one may doubt the clock instead.
const forgotten = 365 * 24 * time.Hour

func dates(leaf *x509.Certificate, now time.Time) policy.Finding {
	const day = "2006-01-02"
	switch {
	case now.After(leaf.NotAfter):
		text := "the certificate expired on " + leaf.NotAfter.UTC().Format(day)
		if now.Sub(leaf.NotAfter) > forgotten {
			text += fmt.Sprintf(" (this machine's clock says %s)", now.UTC().Format(day))
		}
		return policy.Finding{Reason: policy.CertificateExpired, Text: text}
	case now.Before(leaf.NotBefore):
		return policy.Finding{Reason: policy.CertificateExpired, Passing: true, Text: fmt.Sprintf(
			"the certificate is not valid before %s (this machine's clock says %s)", leaf.NotBefore.UTC().Format(day), now.UTC().Format(day))}
	}
	return policy.Finding{OK: true}
}

func name(leaf *x509.Certificate, host string) policy.Finding {
	if err := leaf.VerifyHostname(host); err == nil {
		return policy.Finding{OK: true}
	}
	return policy.Finding{Reason: policy.CertificateHost, Text: "the certificate is for " + names(leaf) + ", not for " + host}
}

// names lists what a certificate is for, cut to what fits a sentence.
func names(leaf *x509.Certificate) string {
	const most = 4
	all := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	switch {
	case len(all) == 0 && leaf.Subject.CommonName != "":
		return "the common name " + leaf.Subject.CommonName + " only"
	case len(all) == 0:
		return "no host name"
	case len(all) > most:
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more names", len(all)-most)
	}
	return strings.Join(all, ", ")
}

// trust verifies the chain without the name, at a time at which the leaf was valid, so that
// an expired certificate of a known authority is told from one that nobody vouches for.
func trust(chain []*x509.Certificate, pool *x509.CertPool, now time.Time) policy.Finding {
	err := verifyTrust(chain, pool, now)
	if err == nil {
		return policy.Finding{OK: true}
	}
	return policy.Finding{Reason: policy.CertificateNotTrusted, Text: untrusted(chain, err)}
}

func verifyTrust(chain []*x509.Certificate, pool *x509.CertPool, now time.Time) error {
	leaf := chain[0]
	at := now
	switch {
	case now.After(leaf.NotAfter):
		at = leaf.NotAfter.Add(-time.Second)
	case now.Before(leaf.NotBefore):
		at = leaf.NotBefore.Add(time.Second)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if pool == nil {
		// A nil pool would mean the system's roots, which nobody asked for.
		pool = x509.NewCertPool()
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: at})
	return err
}

func untrusted(chain []*x509.Certificate, err error) string {
	leaf := chain[0]
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown) && leaf.Subject.String() == leaf.Issuer.String():
		return "the certificate is self-signed"
	case errors.As(err, &unknown) && len(chain) == 1:
		return "the certificate's issuer (" + issuer(leaf) + ") is not trusted, and the server sent no intermediate certificate"
	case errors.As(err, &unknown):
		return "the certificate's issuer (" + issuer(chain[len(chain)-1]) + ") is not trusted"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "a certificate of the chain's issuers is not valid now"
	}
	return "the certificate does not verify: " + strings.TrimPrefix(err.Error(), "x509: ")
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return c.Issuer.CommonName
	}
	return c.Issuer.String()
}
