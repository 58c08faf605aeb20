package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// files is a configuration directory in the making: content by name.
type files map[string]string

// quiet is a sendctl.toml that nothing is to be said about.
const quiet = "require_profile = true\n"

// write makes a configuration directory; one without sendctl.toml gets a quiet one.
func (f files) write(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, ok := f["sendctl.toml"]; !ok {
		f = maps.Clone(f)
		if f == nil {
			f = files{}
		}
		f["sendctl.toml"] = quiet
	}
	for name, content := range f {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// told writes problems as "profiles/x.toml:3:1: message [hint]".
func told(dir string, problems []Problem) []string {
	var out []string
	for _, p := range problems {
		s := strings.TrimPrefix(p.String(), dir+string(filepath.Separator))
		if p.Hint != "" {
			s += " [" + p.Hint + "]"
		}
		if dir != "" {
			s = strings.ReplaceAll(s, dir, "DIR")
		}
		out = append(out, s)
	}
	return out
}

// wantAll holds that each of want is part of one problem, in order, and that there are no others.
func wantAll(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
		return
	}
	for i := range got {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("problem %d:\n got %s\nwant %s", i, got[i], want[i])
		}
	}
}

// profileTOML is a valid profile, with lines of [tls] replaced or added.
func profileTOML(name string, tls ...string) string {
	lines := []string{`mode = "forced"`, `protocols = ["TLSv1.2", "TLSv1.3"]`}
	for _, line := range tls {
		key, _, _ := strings.Cut(line, " =")
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, key+" =") })
		lines = append(lines, line)
	}
	return fmt.Sprintf("name = %q\n[tls]\n%s\n", name, strings.Join(lines, "\n"))
}

// ruleTOML is a valid rule with the criteria given.
func ruleTOML(name, criteria, action string, enabled bool) string {
	return fmt.Sprintf("name = %q\nenabled = %t\n[criteria]\n%s\n[action]\nrelay_with_tls = true\n%s\n", name, enabled, criteria, action)
}

func TestLoadComplete(t *testing.T) {
	t.Parallel()
	dir := files{
		"profiles/medical.toml": `
name = "medical"
description = "diagnoses and lab results"
pool = "medical"
created = 2026-01-31T09:00:00Z
[tls]
mode = "forced"
protocols = ["TLSv1.3", "TLSv1.2"]
certificate = "none"
ciphers = ["TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"]
on_tls_failure = "defer"
`,
		"rules/first-national.toml": `
name = "first-national"
description = "bank statements"
enabled = true
direction = "outgoing"
[criteria]
to = ["FirstNational.com.", ".subsidiaries.example", "cfo@partner.org"]
from = ["clinic.example"]
subject = ["[secure]"]
[action]
relay_with_tls = true
profile = "hipaa-strict"
`,
		"sendctl.toml":    "null_profile = 'newsletter'\n[pools.medical]\nsources = [{ address = '192.0.2.10' }]\n",
		"profiles/README": "not ours", "profiles/.medical.toml.swp": "\x00", "profiles/old.toml~": "=",
	}.write(t)
	c, problems := Load(dir)
	if problems.Err() != nil {
		t.Fatal(told(dir, problems.Errors))
	}
	wantAll(t, told(dir, problems.Warnings), "profiles/medical.toml:10:11: tls.ciphers: Go cannot choose among the suites of TLS 1.3")
	if want := []string{"hipaa", "hipaa-strict", "medical", "modern", "newsletter", "pci"}; !slices.Equal(c.ProfileNames(), want) {
		t.Errorf("profiles %v, want %v", c.ProfileNames(), want)
	}
	p, ok := c.Profile("medical")
	if !ok || p.Type != TypeCustom || p.File != filepath.Join(dir, "profiles", "medical.toml") || p.Updated.IsZero() {
		t.Errorf("medical: %+v", p)
	}
	want := policy.Profile{
		Name: "medical", Description: "diagnoses and lab results", Pool: "medical", Mode: policy.ModeForced,
		Versions: tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13), Certificate: policy.CertificateNone,
		Ciphers: []tlsnames.Suite{0x1302, 0xc030}, OnFailure: policy.FailureDefer,
	}
	if diff := cmp.Diff(want, p.Profile); diff != "" {
		t.Error(diff)
	}
	if p.Created.UTC().String() != "2026-01-31 09:00:00 +0000 UTC" {
		t.Errorf("created %v", p.Created)
	}
	r, ok := c.Rule("first-national")
	if !ok || !r.Enabled || r.Profile == nil || r.Profile.Name != "hipaa-strict" || r.ProfileName != "hipaa-strict" {
		t.Fatalf("rule: %+v", r)
	}
	if got := fmt.Sprint(r.To, r.From, r.Subject); got != "[firstnational.com .subsidiaries.example cfo@partner.org] [clinic.example] [[secure]]" {
		t.Errorf("criteria %s", got)
	}
	if len(c.PolicyRules()) != 1 || len(c.PoolOf(&p.Profile).Sources) != 1 || len(c.PoolOf(nil).Sources) != 0 {
		t.Errorf("rules %v, pools %v", c.PolicyRules(), c.Settings.Pools)
	}
}

// The shipped profiles are SPEC §2's, without fault or warning.
func TestShipped(t *testing.T) {
	t.Parallel()
	c, problems := Load("")
	wantAll(t, told("", problems.Errors))
	wantAll(t, told("", problems.Warnings), "null_profile is not set")
	aead := "TLS_AES_128_GCM_SHA256,TLS_AES_256_GCM_SHA384,TLS_CHACHA20_POLY1305_SHA256," +
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384," +
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
	var got []string
	for _, p := range c.Profiles {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %s", p.Name, p.Type, p.Mode, p.Versions, p.Certificate, p.OnFailure))
		if p.Description == "" || p.Pool != "default" || p.File != "" {
			t.Errorf("%s: %+v", p.Name, p)
		}
	}
	want := []string{
		"hipaa default forced TLSv1.2-1.3 none bounce",
		"hipaa-strict default forced TLSv1.2-1.3 default bounce",
		"modern default forced TLSv1.3 default bounce",
		"newsletter default opportunistic TLSv1.0-1.3 none ",
		"pci default forced TLSv1.2-1.3 default bounce",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, suites := range map[string]string{
		"hipaa": aead, "hipaa-strict": aead,
		"pci": tlsnames.SecureSuites().String(), "newsletter": tlsnames.AllSuites().String(), "modern": tlsnames.SecureSuites().String(),
	} {
		p, _ := c.Profile(name)
		if got := p.Suites().String(); got != suites {
			t.Errorf("%s allows %s, want %s", name, got, suites)
		}
	}
	if p, _ := c.Profile("hipaa"); !strings.Contains(p.Description, "hipaa-strict") || !strings.Contains(p.Description, "active attackers") {
		t.Errorf("hipaa does not say what it leaves open: %s", p.Description)
	}
}

// C4, C5: a name that is not there is never the null profile.
func TestSender(t *testing.T) {
	t.Parallel()
	plain, _ := Load("")
	null := load1(t, files{"sendctl.toml": "null_profile = 'newsletter'"})
	required := load1(t, files{"sendctl.toml": "require_profile = true\nnull_profile = 'newsletter'"})
	for _, tt := range []struct {
		c                   *Config
		name, shown, actual string
	}{
		{plain, "-", "-", ""},
		{plain, "hipaa", "hipaa", "hipaa"},
		{null, "-", "-", "newsletter"},
		{null, "pci", "pci", "pci"},
		{required, "pci", "pci", "pci"},
	} {
		s, err := tt.c.Sender(tt.name)
		if err != nil || s.Name != tt.shown {
			t.Errorf("%s: %+v, %v", tt.name, s, err)
		}
		if (s.Profile == nil) != (tt.actual == "") || s.Profile != nil && s.Profile.Name != tt.actual {
			t.Errorf("%s: profile %+v, want %q", tt.name, s.Profile, tt.actual)
		}
	}
	for _, tt := range []struct {
		c          *Config
		name, hint string
		usage      bool
	}{
		{plain, "", "- for the null profile", true},
		{required, "", "", true},
		{required, "-", "--profile", true},
		{plain, "hippa", "did you mean hipaa?", false},
		{plain, "HIPAA", "did you mean hipaa?", false},
		{plain, "../x", "known profiles: hipaa, ", false},
		{null, "x\x1b[2J", "known profiles", false},
	} {
		s, err := tt.c.Sender(tt.name)
		var usage *UsageError
		var config *Error
		switch {
		case s.Profile != nil || s.Name != "":
			t.Errorf("%q: %+v", tt.name, s)
		case tt.usage && (!errors.As(err, &usage) || !strings.Contains(usage.Hint, tt.hint)):
			t.Errorf("%q: %#v", tt.name, err)
		case !tt.usage && (!errors.As(err, &config) || !strings.Contains(config.Hint, tt.hint)):
			t.Errorf("%q: %#v", tt.name, err)
		case strings.ContainsRune(err.Error(), 0x1b):
			t.Errorf("escape character in %q", err)
		}
	}
}

func load1(t *testing.T, f files) *Config {
	t.Helper()
	c, problems := Load(f.write(t))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

// A broken profile is known, but cannot be sent with: nothing else takes its place.
func TestSenderBroken(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/mine.toml": "name = ", "rules/r.toml": ruleTOML("r", `to = ["x.example"]`, `profile = "mine"`, true), "sendctl.toml": "null_profile = 'mine'"}.write(t)
	c, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors), "profiles/mine.toml:1:7: expected value")
	for _, name := range []string{"mine", "-"} {
		var e *Error
		if s, err := c.Sender(name); !errors.As(err, &e) || s.Profile != nil || !strings.Contains(e.Message, "profile mine has errors") {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if len(c.Rules) != 0 {
		t.Errorf("a rule without the profile that it names: %+v", c.Rules)
	}
	err := problems.Err()
	if e := (*Error)(nil); !errors.As(err, &e) || len(e.Problems) != 1 {
		t.Errorf("%#v", err)
	}
}
