package send_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// clientCertificate is one of an authority of its own, which hosts may trust or not.
func clientCertificate(t *testing.T) (*policy.ClientCertificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	authority := newLab(t, plan{hosts: hosts(host())}).Authority()
	c, err := authority.Issue("mta1.clinic.test", nil, key)
	if err != nil {
		t.Fatal(err)
	}
	return &policy.ClientCertificate{
		ID:   "client",
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, authority.Pool()
}

// TestClientCertificates is T14: hosts that ask for the client's certificate, want it, or do
// not like it, with TLS 1.2 and with TLS 1.3, where the refusal comes after the handshake.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, trusted := clientCertificate(t)
	_, others := clientCertificate(t)
	wants := bounced(policy.TLSHandshakeFailed, "550 5.7.5", "it wants a client certificate that it trusts")
	for _, c := range []struct {
		name string
		ask  tls.ClientAuthType
		cas  *x509.CertPool
		show *policy.ClientCertificate
		// what becomes of it when forced; opportunistic mail goes in clear where that is no delivery
		forced want
		sees   bool
	}{
		{"requested, none", tls.RequestClientCert, nil, nil, want{}, false},
		{"requested, shown", tls.RequestClientCert, nil, ours, want{}, true},
		{"required, none", tls.RequireAnyClientCert, nil, nil, wants, false},
		{"required, shown", tls.RequireAndVerifyClientCert, trusted, ours, want{}, true},
		{"required, not trusted", tls.RequireAndVerifyClientCert, others, ours, wants, true},
		{"not asked for, not shown", tls.NoClientCert, nil, ours, want{}, false},
	} {
		for _, version := range []tlsnames.Version{tlsnames.TLS12, tlsnames.TLS13} {
			inWays(t, "T14/"+c.name+"/"+version.String(), func(t *testing.T, w way) {
				l := newLab(t, plan{hosts: []sandbox.Host{{TLS: sandbox.TLS{Min: uint16(version), Max: uint16(version), ClientAuth: c.ask, ClientCAs: c.cas}}}})
				sender := l.sender(w)
				sender.Profile.Client = c.show
				r := l.send(t, send.Options{Sender: sender}, oddities{}, letter("a", 0, to("fault.test", 1)...))
				expected := c.forced
				if w == newsletter && c.forced.status != "" {
					expected = inClear("mx")
				}
				expected.check(t, r.Rows[0])
				if expected.status == "" && !expected.clear {
					if d := l.Received()[0]; (d.TLS.ClientCertificate != nil) != c.sees {
						t.Errorf("the host saw the certificate %v", d.TLS.ClientCertificate)
					}
				}
				if t.Failed() {
					r.explain(t)
				}
			})
		}
	}
}

// TestServerName is T14: SNI is the MX host's name, and a host that cannot bear it has no TLS.
func TestServerName(t *testing.T) {
	t.Parallel()
	right := func(a *sandbox.Authority, h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName != "mx.fault.test" {
			return a.Issue("default.test", nil, nil)
		}
		return a.Issue(h.ServerName, nil, nil)
	}
	sni := func(h sandbox.Hello) *sandbox.Action {
		if h.ServerName != "" {
			return sandbox.Alert(112)
		}
		return nil
	}
	runFaults(t, []fault{
		{name: "T14/certificate by SNI", hosts: shows(right), want: certified(delivered("mx"), delivered("mx"), delivered("mx")), also: verified("")},
		{name: "T14/no SNI borne", hosts: []sandbox.Host{{TLS: sandbox.TLS{Hello: sni}}},
			want: each(deferred(policy.TLSHandshakeFailed, "454 4.7.5", "unrecognized_name"), inClear("mx"))},
	})
}

// TestClientCertificateUnreadable: a client certificate that cannot be used sends nothing.
func TestClientCertificateUnreadable(t *testing.T) {
	t.Parallel()
	inWays(t, "client certificate", func(t *testing.T, w way) {
		l := newLab(t, plan{hosts: hosts(host())})
		sender := l.sender(w)
		sender.Profile.Client = &policy.ClientCertificate{ID: "bad", Cert: []byte("x"), Key: []byte("y")}
		r := l.send(t, send.Options{Sender: sender}, oddities{}, letter("a", 0, to("fault.test", 1)...))
		deferred(policy.TLSHandshakeFailed, "454 4.7.5", "reading the client certificate").check(t, r.Rows[0])
		if l.dialled.Load() != 0 {
			t.Error("a connection was made")
		}
	})
}

// TestResumption is T16: a TLS session is resumed under the demands and the offer under which
// it came about, with the address and from the source that it was with, and never otherwise.
// What was found of the certificate holds for it as well.
func TestResumption(t *testing.T) {
	t.Parallel()
	l := newLab(t, plan{hosts: hosts(host()), domains: []sandbox.Domain{{Name: "other.test", Hosts: []sandbox.Host{{}}}}, lanes: 1})
	seen := map[string]bool{}
	for _, domain := range []string{"fault.test", "other.test"} {
		for _, w := range []way{newsletter, hipaa, strict, newsletter, custom, strict, hipaa} {
			name := fmt.Sprintf("%s-%d", w, len(l.Received()))
			r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter(name, 0, name+"-"+marker+"@"+domain))
			first := !seen[domain+string(w)]
			seen[domain+string(w)] = true
			got := r.Rows[0].Outcome.Session
			if got == nil || got.Protection.Resumed == first {
				t.Errorf("%s to %s, the first time %v: %+v", w, domain, first, got)
				continue
			}
			if got.Protection.Certificate.SHA256 == "" || got.Verified != policy.VerifiedPKIX {
				t.Errorf("%s to %s, resumed %v: %+v", w, domain, !first, got)
			}
		}
	}
}
