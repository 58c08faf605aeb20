package config

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
	"github.com/sendctl/sendctl/profiles"
)

// Whatever the bytes, nothing panics, and what is accepted is a profile that can be sent with.
func FuzzProfile(f *testing.F) {
	f.Add([]byte(commented))
	f.Add([]byte(profileTOML("x", `ciphers = ["TLS_AES_256_GCM_SHA384"]`)))
	f.Add([]byte("name = 'x'\ncreated = 2026-01-31T09:00:00Z\ntls = { mode = 'opportunistic', protocols = ['TLSv1.0'] }"))
	entries, err := profiles.FS.ReadDir(".")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		data, err := profiles.FS.ReadFile(e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &loader{dir: dir, now: time.Unix(1e9, 0), config: &Config{Settings: DefaultSettings()}}
		p := l.profile(l.report(filepath.Join(dir, "profiles", "bank.toml")), data)
		for _, problem := range append(l.problems.Errors, l.problems.Warnings...) {
			if problem.Message == "" || problem.Line < 1 || problem.Column < 1 {
				t.Fatalf("%q: %+v", data, problem)
			}
		}
		if len(l.problems.Errors) > 0 {
			return
		}
		ok := p.Name == "bank" && ValidName(p.Pool) && p.Versions != 0 && p.Versions.Consecutive() && p.Suites() != 0 &&
			(p.Mode == policy.ModeForced || p.Mode == policy.ModeOpportunistic) &&
			(p.Certificate == policy.CertificateCustom) == (p.Roots != nil) &&
			(p.OnFailure == policy.FailureUnset) == (p.Mode == policy.ModeOpportunistic) &&
			tlsnames.SuitesOf(p.Ciphers...).Without(tlsnames.AllSuites()) == 0 &&
			len(slices.Compact(slices.Sorted(slices.Values(p.Ciphers)))) == len(p.Ciphers)
		if req := p.Requirement(); !ok || req.Encrypt != (p.Mode == policy.ModeForced) || !req.Conflict().Satisfied() {
			t.Fatalf("%q was accepted as %+v", data, p)
		}
	})
}

// The same for rules and settings.
func FuzzRuleAndSettings(f *testing.F) {
	f.Add([]byte(ruleTOML("r", "to = ['a.example', '.b.example', 'c@d.example']\nsubject = ['x']", "profile = 'pci'", true)))
	f.Add([]byte("hostname = 'a.example'\n[pools.x]\nsources = [{ address = '192.0.2.1' }]\n[delivery]\nretry = ['5m']\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		l := &loader{dir: dir, now: time.Unix(1e9, 0), config: &Config{Settings: DefaultSettings()}}
		l.shipped()
		rule, doc := l.rule(l.report("r.toml"), data)
		if doc.doc != nil && l.resolve(&rule, doc) && len(l.problems.Errors) == 0 {
			if len(rule.To)+len(rule.From)+len(rule.Subject) == 0 || !rule.Requirement().Encrypt {
				t.Fatalf("%q was accepted as %+v", data, rule)
			}
		}
		l.problems = Problems{}
		s, _ := l.settings(l.report("sendctl.toml"), data)
		d := s.Delivery
		if d.Port < 1 || d.Connections < 1 || d.Window < 1 || len(d.Retry) == 0 || slices.Min(d.Retry) <= 0 || s.Timeouts.Connect <= 0 {
			t.Fatalf("%q was accepted as %+v", data, s)
		}
		if _, ok := s.Pools[policy.DefaultPool]; !ok {
			t.Fatalf("%q lost the default pool", data)
		}
	})
}
