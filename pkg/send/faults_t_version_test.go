package send_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// TestVersions is T9: servers of one version against every consecutive set of versions.
func TestVersions(t *testing.T) {
	t.Parallel()
	var domains []sandbox.Domain
	for _, v := range tlsnames.Versions() {
		domains = append(domains, sandbox.Domain{Name: versionDomain(v), Hosts: []sandbox.Host{{TLS: sandbox.TLS{Min: uint16(v), Max: uint16(v)}}}})
	}
	domains = append(domains, sandbox.Domain{Name: "all.test", Hosts: []sandbox.Host{{TLS: sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS13}}}})
	for _, set := range consecutive() {
		for _, mode := range []policy.Mode{policy.ModeForced, policy.ModeOpportunistic} {
			t.Run(fmt.Sprintf("T9/%s/%s", set, mode), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, plan{domains: domains})
				sender := policy.Sender{Name: "p", Profile: &policy.Profile{Name: "p", Mode: mode, Versions: set, Certificate: policy.CertificateNone}}
				var in []send.Input
				for _, d := range domains {
					in = append(in, letter(d.Name, 0, to(d.Name, 1)...))
				}
				r := l.send(t, send.Options{Sender: sender}, oddities{}, in...)
				for i := range r.Rows {
					wantOfVersions(r.Rows[i].Recipient.Domain, set, mode).check(t, r.Rows[i])
				}
				if t.Failed() {
					r.explain(t)
				}
			})
		}
	}
}

func versionDomain(v tlsnames.Version) string {
	return strings.ReplaceAll(strings.ToLower(v.String()), ".", "") + ".test"
}

func consecutive() []tlsnames.VersionSet {
	var sets []tlsnames.VersionSet
	all := tlsnames.Versions()
	for lo := range all {
		for hi := lo; hi < len(all); hi++ {
			sets = append(sets, tlsnames.VersionsOf(all[lo:hi+1]...))
		}
	}
	return sets
}

// wantOfVersions: the highest version that both know, else what the mode says.
func wantOfVersions(domain string, set tlsnames.VersionSet, mode policy.Mode) want {
	if domain == "all.test" {
		return want{version: set.Max()}
	}
	i := slices.IndexFunc(tlsnames.Versions(), func(v tlsnames.Version) bool { return versionDomain(v) == domain })
	switch v := tlsnames.Versions()[i]; {
	case set.Has(v):
		return want{version: v}
	case mode == policy.ModeOpportunistic:
		return want{clear: true}
	}
	return bounced(policy.TLSVersionMismatch, "550 5.7.5", "proposed: "+set.String())
}

// rsaKey is one key for all that need one: it takes long to make.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// withRSA shows a certificate with an RSA key.
func withRSA(edit func(*tls.Certificate)) func(*sandbox.Authority, *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(a *sandbox.Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
		key, err := rsaKey()
		if err != nil {
			return nil, err
		}
		c, err := a.Issue("mx.fault.test", nil, key)
		if err == nil && edit != nil {
			edit(c)
		}
		return c, err
	}
}

// TestSuites is T12: servers with old suites only.
func TestSuites(t *testing.T) {
	t.Parallel()
	nothing := bounced(policy.TLSCipherMismatch, "550 5.7.5", "no cipher suite or group in common")
	v12 := want{mx: "mx", version: tlsnames.TLS12}
	cases := []fault{
		{name: "T12/SHA-1 signatures only", want: each(nothing, inClear("mx")), hosts: []sandbox.Host{{TLS: sandbox.TLS{Max: tls.VersionTLS12,
			Custom: withRSA(func(c *tls.Certificate) { c.SupportedSignatureAlgorithms = []tls.SignatureScheme{tls.PKCS1WithSHA1} })}}}},
		{name: "T12/TLS 1.0 and 3DES", hosts: []sandbox.Host{{TLS: sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS10, Custom: withRSA(nil),
			CipherSuites: []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}}}},
			want: each(bounced(policy.TLSVersionMismatch, "550 5.7.5", "proposed: TLSv1.2-1.3"), want{mx: "mx", version: tlsnames.TLS10})},
		{name: "T12/group", hosts: []sandbox.Host{{TLS: sandbox.TLS{Min: tls.VersionTLS13, Curves: []tls.CurveID{tls.CurveP521}}}},
			want: both(want{mx: "mx", version: tlsnames.TLS13})},
	}
	for name, id := range map[string]uint16{
		"RSA key exchange":      tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		"RSA key exchange, CBC": tls.TLS_RSA_WITH_AES_256_CBC_SHA,
		"3DES":                  tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
		"RC4":                   tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA,
		"CBC":                   tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	} {
		cases = append(cases, fault{name: "T12/" + name, want: each(nothing, v12), hosts: []sandbox.Host{{TLS: sandbox.TLS{
			Max: tls.VersionTLS12, Custom: withRSA(nil), CipherSuites: []uint16{id}}}}})
	}
	runFaults(t, cases)
}

// TestSuitesOfTLS13: Go offers all suites of TLS 1.3, so a forced profile's list is held
// against what was chosen, and the host asked once more with TLS 1.2 where that is allowed.
func TestSuitesOfTLS13(t *testing.T) {
	t.Parallel()
	aes256 := []tlsnames.Suite{suite("TLS_AES_256_GCM_SHA384"), suite("ECDHE-ECDSA-AES256-GCM-SHA384")}
	only12 := sandbox.TLS{Max: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	for _, c := range []struct {
		name     string
		mode     policy.Mode
		versions tlsnames.VersionSet
		host     sandbox.Host
		want     want
		dialled  int64
	}{
		{"1.2 allowed", policy.ModeForced, v(tlsnames.TLS12, tlsnames.TLS13), host(), want{version: tlsnames.TLS12}, 2},
		{"1.2 allowed, not spoken", policy.ModeForced, v(tlsnames.TLS12, tlsnames.TLS13), sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS13}},
			bounced(policy.TLSCipherMismatch, "550 5.7.5", "the server chose TLS_AES_128_GCM_SHA256"), 2},
		{"1.2 allowed, offends too", policy.ModeForced, v(tlsnames.TLS12, tlsnames.TLS13),
			sandbox.Host{TLS: sandbox.TLS{CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}},
			bounced(policy.TLSCipherMismatch, "550 5.7.5", ""), 2},
		{"1.2 only", policy.ModeForced, v(tlsnames.TLS12, tlsnames.TLS13), sandbox.Host{TLS: only12}, bounced(policy.TLSCipherMismatch, "550 5.7.5", "in common"), 2},
		{"1.3 alone", policy.ModeForced, v(tlsnames.TLS13), host(), bounced(policy.TLSCipherMismatch, "550 5.7.5", "the server chose TLS_AES_128_GCM_SHA256"), 1},
		{"opportunistic", policy.ModeOpportunistic, v(tlsnames.TLS12, tlsnames.TLS13), host(), want{version: tlsnames.TLS13}, 1},
	} {
		t.Run("TLS 1.3 suites/"+c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, plan{hosts: hosts(c.host)})
			p := &policy.Profile{Name: "p", Mode: c.mode, Versions: c.versions, Ciphers: aes256, Certificate: policy.CertificateNone}
			r := l.send(t, send.Options{Sender: policy.Sender{Name: "p", Profile: p}}, oddities{}, letter("a", 0, to("fault.test", 2)...))
			for i := range r.Rows {
				c.want.check(t, r.Rows[i])
			}
			if n := l.dialled.Load(); n != c.dialled {
				t.Errorf("%d connections, want %d", n, c.dialled)
			}
			if t.Failed() {
				r.explain(t)
			}
		})
	}
}

func v(vs ...tlsnames.Version) tlsnames.VersionSet { return tlsnames.VersionsOf(vs...) }

// TestHelloMemory: what hello a host needs is remembered, for the policy that found it out:
// another policy still gets the highest version that the host accepts.
func TestHelloMemory(t *testing.T) {
	t.Parallel()
	t.Run("remembered", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, plan{hosts: []sandbox.Host{{TLS: sandbox.TLS{Hello: sandbox.Intolerant(tls.VersionTLS13, sandbox.Hang(sandbox.Close))}}}})
		opts := send.Options{Sender: l.sender(hipaa)}
		for i, dialled := range []int64{3, 4, 5} {
			r := l.send(t, opts, oddities{}, letter(fmt.Sprint("a", i), 0, fmt.Sprintf("r%d-%s@fault.test", i, marker)))
			want{version: tlsnames.TLS12}.check(t, r.Rows[0])
			if n := l.dialled.Load(); n != dialled {
				t.Errorf("message %d: %d connections, want %d", i+1, n, dialled)
			}
		}
	})
	t.Run("another policy", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, plan{hosts: hosts(host())})
		aes256 := &policy.Profile{Name: "p", Mode: policy.ModeForced, Versions: v(tlsnames.TLS12, tlsnames.TLS13), Certificate: policy.CertificateNone,
			Ciphers: []tlsnames.Suite{suite("TLS_AES_256_GCM_SHA384"), suite("ECDHE-ECDSA-AES256-GCM-SHA384")}}
		r := l.send(t, send.Options{Sender: policy.Sender{Name: "p", Profile: aes256}}, oddities{}, letter("a", 0, "a-"+marker+"@fault.test"))
		want{version: tlsnames.TLS12}.check(t, r.Rows[0])
		for _, w := range []way{hipaa, newsletter} {
			r = l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter(string(w), 0, string(w)+"-"+marker+"@fault.test"))
			want{version: tlsnames.TLS13}.check(t, r.Rows[0])
		}
	})
}

// TestConflict: duties that leave nothing to agree on are refused before anything is dialled.
func TestConflict(t *testing.T) {
	t.Parallel()
	l := newLab(t, plan{hosts: hosts(host())})
	p13 := &policy.Profile{Name: "modern", Mode: policy.ModeForced, Versions: v(tlsnames.TLS13), Certificate: policy.CertificateNone}
	p12 := &policy.Profile{Name: "old", Mode: policy.ModeForced, Versions: v(tlsnames.TLS12), Certificate: policy.CertificateNone}
	rule := policy.Rule{Name: "old", Enabled: true, To: []policy.Pattern{pattern(t, "fault.test")}, Profile: p12}
	r := l.send(t, send.Options{Sender: policy.Sender{Name: "modern", Profile: p13}, Rules: []policy.Rule{rule}}, oddities{}, letter("a", 0, to("fault.test", 1)...))
	r.counts(t, map[delivery.Status]int{delivery.Bounced: 1})
	bounced(policy.TLSVersionMismatch, "550 5.7.5", "profile modern").check(t, r.Rows[0])
	bounced(policy.TLSVersionMismatch, "550 5.7.5", "rule old").check(t, r.Rows[0])
	if n := l.dialled.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func pattern(t *testing.T, s string) policy.Pattern {
	t.Helper()
	p, err := policy.ParsePattern(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
