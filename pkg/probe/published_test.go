package probe_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// keyDigest is the SHA-256 of the key that the hosts of a world have.
func keyDigest(t *testing.T, w *world) string {
	t.Helper()
	// The authority shares one key among its certificates: any of them has the host's key.
	pair, err := w.box.Authority().Issue("any.test", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	d := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(d[:])
}

// signed is a world of one host in a signed zone.
func signed(t *testing.T, h sandbox.Host) *world {
	t.Helper()
	zone := &sandbox.Zone{Authentic: func(string) bool { return true }}
	return newWorld(t, sandbox.Options{Domains: []sandbox.Domain{{Name: "example.test", Hosts: []sandbox.Host{h}}}, Zone: zone}, nil)
}

// FAULTS D13: what TLSA records come to.
func TestDANE(t *testing.T) {
	t.Parallel()
	const name = "_25._tcp.mx.example.test. IN TLSA "
	wrong := strings.Repeat("ab", 32)
	for title, tt := range map[string]struct {
		host    sandbox.Host
		records func(key string) string
		dane    string
		grade   probe.Grade
		warned  bool
	}{
		"match":          {records: func(k string) string { return name + "3 1 1 " + k }, dane: "ok", grade: probe.GradeAPlus},
		"mismatch":       {records: func(string) string { return name + "3 1 1 " + wrong }, dane: "fail", grade: probe.GradeC},
		"unusable":       {records: func(k string) string { return name + "1 1 1 " + k }, dane: "none", grade: probe.GradeA},
		"none":           {records: func(string) string { return "" }, dane: "none", grade: probe.GradeA},
		"no STARTTLS":    {host: sandbox.Host{NoSTARTTLS: true}, records: func(string) string { return name + "3 1 1 " + wrong }, dane: "fail", grade: probe.GradeF, warned: true},
		"names are moot": {host: sandbox.Host{TLS: sandbox.TLS{Certificate: sandbox.WrongName}}, records: func(k string) string { return name + "3 1 1 " + k }, dane: "ok", grade: probe.GradeAPlus},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			// The authority's key is its own, so the record is made by asking the running world.
			w := signed(t, tt.host)
			w.cfg.Resolver = resolving(w.cfg.Resolver, tt.records(keyDigest(t, w)))
			res := w.ask(t, "example.test")
			if !res.DNSSEC || res.MX[0].DANE != tt.dane || res.Grade != tt.grade || (len(res.Warnings) > 0) != tt.warned {
				t.Errorf("DANE %s, grade %s %v, warnings %v, DNSSEC %v; %+v", res.MX[0].DANE, res.Grade, res.GradeReasons, res.Warnings, res.DNSSEC, res.MX[0].Evidence)
			}
		})
	}
}

// MTA-STS: what a policy comes to, and what one that cannot be had does (FAULTS P1, P2).
func TestMTASTS(t *testing.T) {
	t.Parallel()
	policy := func(mode mtasts.Mode, mx ...string) func(context.Context, string) (mtasts.Fetched, error) {
		return func(context.Context, string) (mtasts.Fetched, error) {
			return mtasts.Fetched{ID: "1", Policy: mtasts.Policy{Mode: mode, MX: mx}}, nil
		}
	}
	fails := func(err error) func(context.Context, string) (mtasts.Fetched, error) {
		return func(context.Context, string) (mtasts.Fetched, error) { return mtasts.Fetched{}, err }
	}
	for title, tt := range map[string]struct {
		host   sandbox.Host
		policy func(context.Context, string) (mtasts.Fetched, error)
		sts    string
		grade  probe.Grade
		object bool
		warned bool
	}{
		"enforce":             {policy: policy(mtasts.Enforce, "mx.example.test"), sts: "ok", grade: probe.GradeAPlus, object: true},
		"enforce, wildcard":   {policy: policy(mtasts.Enforce, "*.example.test"), sts: "ok", grade: probe.GradeAPlus, object: true},
		"enforce, not named":  {policy: policy(mtasts.Enforce, "mail.example.test"), sts: "fail", grade: probe.GradeC, object: true},
		"enforce, wrong name": {host: sandbox.Host{TLS: sandbox.TLS{Certificate: sandbox.WrongName}}, policy: policy(mtasts.Enforce, "mx.example.test"), sts: "fail", grade: probe.GradeC, object: true},
		"enforce, no TLS":     {host: sandbox.Host{NoSTARTTLS: true}, policy: policy(mtasts.Enforce, "mx.example.test"), sts: "fail", grade: probe.GradeF, object: true, warned: true},
		"testing":             {policy: policy(mtasts.Testing, "mail.example.test"), sts: "testing", grade: probe.GradeA, object: true},
		"mode none":           {policy: policy(mtasts.None), sts: "none", grade: probe.GradeA, object: true},
		"no record":           {policy: fails(mtasts.ErrNoRecord), sts: "none", grade: probe.GradeA},
		"not to be had":       {policy: fails(&mtasts.Error{Domain: "example.test", Err: errors.New("404")}), sts: "unknown", grade: probe.GradeA, object: true},
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			w := oneHost(t, tt.host, func(p *probe.Config, _ *courier.Config) { p.Policy = tt.policy })
			res := w.ask(t, "example.test")
			if res.MX[0].MTASTS != tt.sts || res.Grade != tt.grade || (res.MTASTS != nil) != tt.object || (len(res.Warnings) > 0) != tt.warned {
				t.Errorf("MTA-STS %s, grade %s %v, %+v, warnings %v", res.MX[0].MTASTS, res.Grade, res.GradeReasons, res.MTASTS, res.Warnings)
			}
		})
	}
}

func TestTLSRPT(t *testing.T) {
	t.Parallel()
	zone, err := sandbox.ParseZone("_smtp._tls.example.test. IN TXT \"v=TLSRPTv1; rua=mailto:tls@example.test\"\n")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Domains: []sandbox.Domain{{Name: "example.test", Hosts: []sandbox.Host{{}}}}, Zone: zone}, nil)
	if got := w.ask(t, "example.test").TLSRPT; got != "v=TLSRPTv1; rua=mailto:tls@example.test" {
		t.Errorf("%q", got)
	}
}

// A private address is not asked, and said to be one.
func TestPrivateAddress(t *testing.T) {
	t.Parallel()
	zone, err := sandbox.ParseZone("inner.test. IN MX 10 mx.inner.test.\nmx.inner.test. IN A 127.0.0.1\n")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Zone: zone}, nil)
	res := w.ask(t, "inner.test")
	if res.Grade != probe.GradeUnknown || res.MX[0].Connections != 0 || !strings.Contains(strings.Join(res.GradeReasons, ""), "allow_private_addresses") {
		t.Errorf("%+v", res)
	}
}
