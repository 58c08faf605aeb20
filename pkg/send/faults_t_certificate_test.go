package send_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"net"
	"slices"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// maker makes a host's certificate.
type maker = func(*sandbox.Authority, *tls.ClientHelloInfo) (*tls.Certificate, error)

// issued is a certificate of the authority for the host's name, with something changed.
func issued(edit func(*x509.Certificate)) maker {
	return func(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return a.Issue("mx.fault.test", edit, nil)
	}
}

// names is a certificate for these names alone.
func names(dns ...string) maker {
	return issued(func(c *x509.Certificate) { c.DNSNames = dns })
}

func shows(m maker) []sandbox.Host { return []sandbox.Host{{TLS: sandbox.TLS{Custom: m}}} }

// TestCertificates is T13: faults of certificates stop mail where a certificate is demanded,
// and are recorded as evidence where not.
func TestCertificates(t *testing.T) {
	t.Parallel()
	kind := func(k sandbox.Certificate) []sandbox.Host { return []sandbox.Host{{TLS: sandbox.TLS{Certificate: k}}} }
	at := delivered("mx")
	bad := func(r policy.Reason, says string) map[way]want {
		return certified(bounced(r, "550 5.7.5", says), at, at)
	}
	mismatch := func(says string) map[way]want { return bad(policy.CertificateHost, says) }
	many := make([]string, 10_000)
	for i := range many {
		many[i] = fmt.Sprintf("h%d.example.test", i)
	}
	cases := []fault{
		{name: "T13/right", hosts: kind(sandbox.Trusted), want: certified(at, at, at), also: verified("")},
		{name: "T13/expired", hosts: kind(sandbox.Expired), want: bad(policy.CertificateExpired, "the certificate expired on "), also: unverified("expired on")},
		{name: "T13/not yet valid", hosts: kind(sandbox.NotYetValid), also: unverified("not valid before"),
			want: certified(deferred(policy.CertificateExpired, "454 4.7.5", "is not valid before"), at, at)},
		{name: "T13/self-signed", hosts: kind(sandbox.SelfSigned), want: bad(policy.CertificateNotTrusted, "self-signed"), also: unverified("self-signed")},
		{name: "T13/wrong name", hosts: kind(sandbox.WrongName), want: mismatch("elsewhere.test"), also: unverified("elsewhere.test")},
		{name: "T13/wildcard", hosts: shows(names("*.fault.test")), want: certified(at, at, at), also: verified("")},
		{name: "T13/wildcard over two labels", hosts: shows(names("*.test")), want: mismatch("*.test")},
		{name: "T13/the domain's name", hosts: shows(names("fault.test")), want: mismatch("fault.test")},
		{name: "T13/common name only", hosts: shows(names()), want: mismatch("the common name mx.fault.test only")},
		{name: "T13/no name", hosts: shows(issued(func(c *x509.Certificate) { c.DNSNames, c.Subject = nil, pkix.Name{} })), want: mismatch("no host name")},
		{name: "T13/address", hosts: shows(issued(func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses = nil, []net.IP{net.IPv4(192, 0, 2, 10)}
		})), want: mismatch("192.0.2.10")},
		{name: "T13/10000 names", hosts: shows(names(slices.Concat(many, []string{"mx.fault.test"})...)), want: certified(at, at, at), also: verified("")},
		{name: "T13/10000 wrong names", hosts: shows(names(many...)), want: mismatch("9996 more names")},
		{name: "T13/hostile names", hosts: shows(issued(func(c *x509.Certificate) {
			c.DNSNames, c.Subject = []string{"\x1b[2Jevil\x07.test"}, pkix.Name{CommonName: "\u202eevil\x1b[31m\n"}
		})), want: mismatch("evil")},
		{name: "T13/1 MB chain", hosts: shows(longChain),
			want: certified(deferred(policy.TLSHandshakeFailed, "454 4.7.5", "exceeds maximum"), deferred(policy.TLSHandshakeFailed, "454 4.7.5", "exceeds maximum"), inClear("mx"))},
		{name: "T13/other roots", hosts: shows(foreign), want: bad(policy.CertificateNotTrusted, "is not trusted"), also: unverified("not trusted")},
		{name: "T13/of a client", hosts: shows(issued(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })),
			want: bad(policy.CertificateNotTrusted, "does not verify")},
	}
	// Let through (main.go), and then judged: no authority signed it.
	runFaults(t, append(cases, fault{name: "T13/negative serial", hosts: shows(negativeSerial), want: bad(policy.CertificateNotTrusted, "is not trusted")}))
}

// TestUnusableCertificates is T13: certificates that Go cannot use at all are a definite no.
func TestUnusableCertificates(t *testing.T) {
	t.Parallel()
	broken := func(says string) map[way]want {
		no := bounced(policy.TLSHandshakeFailed, "550 5.7.5", says)
		return certified(no, no, inClear("mx"))
	}
	for name, version := range map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13} {
		show := func(m maker) []sandbox.Host {
			return []sandbox.Host{{TLS: sandbox.TLS{Min: version, Max: version, Custom: m}}}
		}
		runFaults(t, []fault{
			{name: "T13/garbage/" + name, hosts: show(notDER), want: broken("its certificate cannot be read")},
			{name: "T13/RSA of 16384 bits/" + name, hosts: show(rsaOf(16384)), want: broken("RSA key that is too large")},
			{name: "T13/no certificate/" + name, hosts: show(noChain), want: broken("it presented no certificate")},
		})
	}
	runFaults(t, []fault{{name: "T13/RSA of 512 bits/1.2", want: broken("RSA key that is too small"),
		hosts: []sandbox.Host{{TLS: sandbox.TLS{Max: tls.VersionTLS12, Custom: rsaOf(512)}}}}})
}

// verified and unverified hold the evidence that is recorded in every mode.
func verified(string) func(*testing.T, *run) {
	return func(t *testing.T, r *run) {
		t.Helper()
		s := r.Rows[0].Outcome.Session
		if s == nil || s.Verified != policy.VerifiedPKIX || s.VerifyError != "" || r.Summary.Verified != 1 {
			t.Errorf("session %+v, summary %+v", s, r.Summary)
		}
	}
}

func unverified(why string) func(*testing.T, *run) {
	return func(t *testing.T, r *run) {
		t.Helper()
		s := r.Rows[0].Outcome.Session
		if s == nil {
			return // refused before there was a session, or sent in clear
		}
		delivered := r.Rows[0].Outcome.Status == delivery.Delivered
		if s.Verified != policy.VerifiedNone || !bytes.Contains([]byte(s.VerifyError), []byte(why)) || delivered != (r.Summary.Unverified == 1) {
			t.Errorf("session %+v, summary %+v", s, r.Summary)
		}
		if c := s.Protection.Certificate; len(c.SHA256) != 64 || c.NotAfter.IsZero() {
			t.Errorf("the evidence lacks the certificate: %+v", c)
		}
	}
}

// foreign is the certificate of an authority that nobody trusts, with the right name.
func foreign(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "somebody"}}
	var der []byte
	own, err := a.Issue("mx.fault.test", func(leaf *x509.Certificate) {
		der, err = x509.CreateCertificate(rand.Reader, leaf, root, key.Public(), key)
	}, nil)
	if err != nil {
		return nil, err
	}
	own.Certificate, own.PrivateKey = [][]byte{der}, key
	return own, nil
}

func longChain(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := a.Issue("mx.fault.test", nil, nil)
	for err == nil && len(c.Certificate) < 2000 {
		c.Certificate = append(c.Certificate, c.Certificate[0])
	}
	return c, err
}

func notDER(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := a.Issue("mx.fault.test", nil, nil)
	if err == nil {
		c.Certificate[0] = []byte("this is no certificate")
	}
	return c, err
}

func noChain(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
	c, err := a.Issue("mx.fault.test", nil, nil)
	if err == nil {
		c.Certificate = nil
	}
	return c, err
}

// rsaOf is a certificate with an RSA key of that size. Nobody has the key, so its signatures
// are random: the size is looked at first.
func rsaOf(bits int) maker {
	return func(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
		n := make([]byte, bits/8)
		_, _ = rand.Read(n) // never fails
		n[0] |= 0x80
		n[len(n)-1] |= 1
		return a.Issue("mx.fault.test", nil, forger{&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}})
	}
}

type forger struct{ key *rsa.PublicKey }

func (f forger) Public() crypto.PublicKey { return f.key }

func (f forger) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, f.key.Size()), nil
}

// negativeSerial is a certificate as old appliances make them, which Go would not sign.
func negativeSerial(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c, err := a.Issue("mx.fault.test", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x5a5a5a5a) }, key)
	if err != nil {
		return nil, err
	}
	var parts struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(c.Certificate[0], &parts); err != nil {
		return nil, err
	}
	parts.TBS.FullBytes = bytes.Replace(parts.TBS.FullBytes, []byte{0x5a, 0x5a, 0x5a, 0x5a}, []byte{0xda, 0x5a, 0x5a, 0x5a}, 1)
	sum := sha256.Sum256(parts.TBS.FullBytes)
	if parts.Signature.Bytes, err = ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
		return nil, err
	}
	parts.Signature.BitLength = 8 * len(parts.Signature.Bytes)
	c.Certificate[0], err = asn1.Marshal(parts)
	return c, err
}
