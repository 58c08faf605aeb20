package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func text(s string) *string { return &s }

func list(s ...string) *[]string { return &s }

func flag(b bool) *bool { return &b }

func contentOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// undated replaces the moment of creation.
func undated(s string) string {
	return regexp.MustCompile(`(?m)^(created +=) \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).ReplaceAllString(s, "$1 NOW")
}

func TestCreateProfile(t *testing.T) {
	t.Parallel()
	const version123 = `protocols   = ["TLSv1.2", "TLSv1.3"]`
	for _, tt := range []struct {
		name   string
		fields ProfileFields
		want   string
	}{
		{"defaults", ProfileFields{}, "[tls]\nmode        = \"forced\"\n" + version123 + "\ncertificate = \"default\"\n"},
		{"opportunistic", ProfileFields{Mode: text("opportunistic")},
			"[tls]\nmode        = \"opportunistic\"\nprotocols   = [\"TLSv1.0\", \"TLSv1.1\", \"TLSv1.2\", \"TLSv1.3\"]\ncertificate = \"none\"\n"},
		{"all", ProfileFields{
			Mode: text("forced"), Protocols: list("TLSv1.2"), Certificate: text("none"),
			Ciphers: list("ECDHE-RSA-AES256-GCM-SHA384"), OnTLSFailure: text("defer"),
		}, "[tls]\nmode        = \"forced\"\nprotocols   = [\"TLSv1.2\"]\ncertificate = \"none\"\nciphers     = [\"ECDHE-RSA-AES256-GCM-SHA384\"]\non_tls_failure = \"defer\"\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new", "sendctl")
			tt.fields.Description = text(`said "so"`)
			path, err := CreateProfile(dir, "mine", tt.fields)
			if err != nil {
				t.Fatal(err)
			}
			want := "name        = \"mine\"\ndescription = \"said \\\"so\\\"\"\npool        = \"default\"\ncreated     = NOW\n\n" + tt.want
			if got := undated(contentOf(t, path)); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			info, err := os.Stat(path)
			if err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if info, err = os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("directory's mode %v, %v", info.Mode(), err)
			}
			c, problems := Load(dir)
			if p, ok := c.Profile("mine"); !ok || p.Created.IsZero() || problems.Err() != nil {
				t.Errorf("%+v, %v", p, problems)
			}
		})
	}
}

// Unless the result is valid nothing is written, not even a directory; what the caller asked
// for is a usage error, what it refers to one of the configuration.
func TestCreateProfileRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, profile string
		fields        ProfileFields
		usage         bool
		want, hint    string
	}{
		{"gap", "x", ProfileFields{Protocols: list("TLSv1.0", "TLSv1.2")}, true, "tls.protocols: there is a gap", "accepted: TLSv1.0"},
		{"no version", "x", ProfileFields{Protocols: list()}, true, "tls.protocols is missing", "protocols ="},
		{"mode", "x", ProfileFields{Mode: text("force")}, true, `"force" is not known here`, "forced or opportunistic"},
		{"cipher", "x", ProfileFields{Ciphers: list("DHE-RSA-AES256-SHA")}, true, "finite-field", ""},
		{"failure under opportunistic", "x", ProfileFields{Mode: text("opportunistic"), OnTLSFailure: text("bounce")}, true, "never fails", ""},
		{"bad name", "../x", ProfileFields{}, true, `"../x" is no name for a profile`, "accepted: up to 64"},
		{"null profile", "-", ProfileFields{}, true, `"-" is no name`, ""},
		{"not UTF-8", "x", ProfileFields{Description: text("\xff")}, true, "not UTF-8", ""},
		{"escape in the description", "x", ProfileFields{Description: text("\x1b[2J")}, true, "control characters", ""},
		{"ca_file missing", "x", ProfileFields{CAFile: text("ca.pem")}, false, "nothing was written: ", "relative to"},
		{"pool", "x", ProfileFields{Pool: text("nope")}, false, "there is no pool nope", "sendctl.toml"},
		{"shipped", "hipaa", ProfileFields{}, false, "hipaa is the name of a shipped profile", "another name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			_, err := CreateProfile(filepath.Join(parent, "sendctl"), tt.profile, tt.fields)
			wantError(t, err, tt.usage, tt.want, tt.hint)
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
	dir := files{"profiles/x.toml": "broken"}.write(t)
	_, err := CreateProfile(dir, "x", ProfileFields{})
	wantError(t, err, false, "there is a profile x already: ", "sendctl profile edit x")
	if got := contentOf(t, filepath.Join(dir, "profiles", "x.toml")); got != "broken" {
		t.Errorf("it became %q", got)
	}
	_, err = CreateProfile("", "x", ProfileFields{})
	wantError(t, err, false, "no configuration directory", "--config")
}

func wantError(t *testing.T, err error, usage bool, want, hint string) {
	t.Helper()
	var u *UsageError
	var e *Error
	switch {
	case errors.As(err, &u) && usage:
		if !strings.Contains(u.Message, want) || !strings.Contains(u.Hint, hint) {
			t.Errorf("got %q, hint %q", u.Message, u.Hint)
		}
	case errors.As(err, &e) && !usage:
		if !strings.Contains(e.Message, want) || !strings.Contains(e.Hint, hint) {
			t.Errorf("got %q, hint %q", e.Message, e.Hint)
		}
	default:
		t.Errorf("%#v, want usage error %v", err, usage)
	}
}

const commented = `# the bank asked for this
name = "bank" # do not rename
[tls]
  mode      = "forced"   # never less
  protocols = [
    "TLSv1.2", # until 2027
    "TLSv1.3",
  ]
  certificate = "none"
`

func TestEditProfile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fields  ProfileFields
		old, to string
	}{
		{"nothing", ProfileFields{}, "", ""},
		{"one value", ProfileFields{Certificate: text("default")}, `certificate = "none"`, `certificate = "default"`},
		{"the same", ProfileFields{Protocols: list("TLSv1.2", "TLSv1.3")}, "", ""},
		{"add", ProfileFields{OnTLSFailure: text("defer")}, "certificate = \"none\"\n", "certificate = \"none\"\n  on_tls_failure = \"defer\"\n"},
		{"add at the top", ProfileFields{Description: text("é")}, "rename\n", "rename\ndescription = \"é\"\n"},
		{"remove", ProfileFields{Certificate: text("")}, "  certificate = \"none\"\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files{"profiles/bank.toml": commented}.write(t)
			path, err := EditProfile(dir, "bank", tt.fields)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := contentOf(t, path), strings.Replace(commented, tt.old, tt.to, 1); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestEditProfileRefused(t *testing.T) {
	t.Parallel()
	dir := files{
		"profiles/bank.toml": commented, "profiles/other.toml": "name = ", "profiles/dotted.toml": "name = 'dotted'\ntls = 1\n",
		"rules/r.toml": ruleTOML("r", "to = ['a.example']", "profile = 'bank'", false),
	}.write(t)
	for _, tt := range []struct {
		name, profile string
		fields        ProfileFields
		usage         bool
		want, hint    string
	}{
		{"shipped", "hipaa", ProfileFields{Pool: text("x")}, false, "profile hipaa is shipped with sendctl and cannot be changed", "sendctl profile copy hipaa NAME"},
		{"unknown", "bnk", ProfileFields{}, false, "there is no profile bnk", "did you mean bank?"},
		{"path", "../profiles/bank", ProfileFields{}, false, "there is no profile", ""},
		{"gap", "bank", ProfileFields{Protocols: list("TLSv1.0", "TLSv1.3")}, true, "tls.protocols: there is a gap", ""},
		{"a rule names it", "bank", ProfileFields{Mode: text("opportunistic")}, false, "rules/r.toml:7:11: action.profile: bank is opportunistic", ""},
		{"broken", "other", ProfileFields{Pool: text("x")}, false, "editing ", "sendctl profile edit other without flags"},
		{"not to be spliced", "dotted", ProfileFields{Mode: text("forced")}, false, "cannot be edited safely", "without flags"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := EditProfile(dir, tt.profile, tt.fields)
			wantError(t, err, tt.usage, tt.want, tt.hint)
		})
	}
	t.Cleanup(func() {
		if got := contentOf(t, filepath.Join(dir, "profiles", "bank.toml")); got != commented {
			t.Errorf("it became %q", got)
		}
	})
}

// A fault in another file is no reason not to mend this one.
func TestEditBesideBroken(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/bank.toml": commented, "profiles/other.toml": "name = "}.write(t)
	if _, err := EditProfile(dir, "bank", ProfileFields{Certificate: text("default")}); err != nil {
		t.Error(err)
	}
	fixed := profileTOML("other")
	if _, err := ReplaceProfile(dir, "other", []byte("name = "), []byte(fixed)); err != nil {
		t.Error(err)
	}
	if _, problems := Load(dir); problems.Err() != nil {
		t.Error(problems)
	}
}

func TestReplaceProfile(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/bank.toml": commented}.write(t)
	_, err := ReplaceProfile(dir, "bank", []byte(commented), []byte("name = 'bank'\n[tls]\nmode = 1\n"))
	wantError(t, err, false, "bank.toml:2:2: tls.protocols is missing (and 1 more)", "write protocols =")
	var e *Error
	if errors.As(err, &e); len(e.Problems) != 2 {
		t.Errorf("%+v", e.Problems)
	}
	_, err = ReplaceProfile(dir, "bank", []byte("something else"), []byte(commented))
	wantError(t, err, false, "was changed by somebody else meanwhile", "begin again")
	_, err = ReplaceProfile(dir, "hipaa", nil, nil)
	wantError(t, err, false, "shipped", "copy")
	got, err := ProfileSource(dir, "bank")
	if err != nil || string(got) != commented {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ProfileSource("", "hipaa"); err != nil || !strings.Contains(string(got), "name        = \"hipaa\"") {
		t.Errorf("%q, %v", got, err)
	}
	_, err = ProfileSource(dir, "bnk")
	wantError(t, err, false, "there is no profile bnk", "bank")
}

func TestCopyProfile(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/bank.toml": commented}.write(t)
	path, err := CopyProfile(dir, "bank", "bank2")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(commented, `"bank" # do not rename`, "\"bank2\" # do not rename\ncreated = NOW", 1)
	if got := undated(contentOf(t, path)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := CopyProfile(dir, "hipaa", "ours"); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		from, to, want, hint string
		usage                bool
	}{
		{"none", "x", "there is no profile none", "", false},
		{"bank", "bank2", "there is a profile bank2 already", "edit", false},
		{"bank", "pci", "pci is the name of a shipped profile", "", false},
		{"bank", "A", "A", "accepted", true},
	} {
		_, err := CopyProfile(dir, tt.from, tt.to)
		wantError(t, err, tt.usage, tt.want, tt.hint)
	}
	if c, problems := Load(dir); problems.Err() != nil || len(c.Profiles) != 8 {
		t.Errorf("%v, %v", c.ProfileNames(), problems)
	}
}

// C13: not while anything names it, or while that cannot be told.
func TestDeleteProfile(t *testing.T) {
	t.Parallel()
	f := files{
		"profiles/free.toml": profileTOML("free"), "profiles/ruled.toml": profileTOML("ruled"), "profiles/null.toml": profileTOML("null"),
		"profiles/broken.toml": "name = ", "profiles/ruled-broken.toml": "name = ",
		"rules/a.toml": ruleTOML("a", "to = ['a.example']", "profile = 'ruled'", false), "rules/b.toml": ruleTOML("b", "to = ['b.example']", "profile = 'ruled'", true),
		"sendctl.toml": "null_profile = 'null'",
	}
	delete(f, "profiles/ruled-broken.toml")
	dir := f.write(t)
	for _, tt := range []struct{ name, want, hint string }{
		{"hipaa", "shipped", "copy"},
		{"ruled", "", ""},
		{"none", "there is no profile none", "known profiles"},
		{"free", "whether profile free is in use cannot be told: ", "sendctl validate"},
	} {
		if tt.name == "ruled" {
			tt.want, tt.hint = "profile ruled is in use by rule a, rule b", "another profile first"
		}
		_, err := DeleteProfile(dir, tt.name)
		wantError(t, err, false, tt.want, tt.hint)
	}
	if _, err := DeleteProfile(dir, "broken"); err != nil {
		t.Error(err)
	}
	_, err := DeleteProfile(dir, "null")
	wantError(t, err, false, "profile null is in use by null_profile in sendctl.toml", "")
	path, err := DeleteProfile(dir, "free")
	if _, statErr := os.Stat(path); err != nil || !errors.Is(statErr, fs.ErrNotExist) {
		t.Errorf("%s: %v, %v", path, err, statErr)
	}
	if c, problems := Load(dir); problems.Err() != nil || len(c.Profiles) != 7 {
		t.Errorf("%v, %v", c.ProfileNames(), problems)
	}
}

// A broken profile that a rule names stays.
func TestDeleteBrokenInUse(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/x.toml": "name = ", "rules/a.toml": ruleTOML("a", "to = ['a.example']", "profile = 'x'", true)}.write(t)
	_, err := DeleteProfile(dir, "x")
	wantError(t, err, false, "profile x is in use: ", "")
}

// C11: of many writers at once each change is there afterwards, and the file whole.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	dir := files{"profiles/bank.toml": commented}.write(t)
	var wg sync.WaitGroup
	for _, f := range []ProfileFields{
		{Description: text("d")}, {Pool: text("default")}, {Certificate: text("default")}, {OnTLSFailure: text("defer")},
		{Ciphers: list("ECDHE-RSA-AES256-GCM-SHA384")}, {Protocols: list("TLSv1.2")},
	} {
		wg.Go(func() {
			if _, err := EditProfile(dir, "bank", f); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := contentOf(t, filepath.Join(dir, "profiles", "bank.toml"))
	for _, want := range []string{`description = "d"`, `pool = "default"`, `certificate = "default"`, `on_tls_failure = "defer"`, `ciphers = [`, `protocols = ["TLSv1.2"]`, "# never less"} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sendctl")
	path, err := CreateRule(dir, "bank", RuleFields{Description: text("statements"), To: list("bank.example", ".bank.example"), Profile: text("hipaa-strict")})
	if err != nil {
		t.Fatal(err)
	}
	const want = `name        = "bank"
description = "statements"
enabled     = false
direction   = "outgoing"

[criteria]
to          = ["bank.example", ".bank.example"]

[action]
relay_with_tls = true
profile     = "hipaa-strict"
`
	if got := contentOf(t, path); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := EnableRule(dir, "bank", true); err != nil {
		t.Error(err)
	}
	if got := contentOf(t, path); got != strings.Replace(want, "= false", "= true", 1) {
		t.Errorf("enabled:\n%s", got)
	}
	if _, err := EditRule(dir, "bank", RuleFields{Subject: list("[secure]"), Profile: text("")}); err != nil {
		t.Error(err)
	}
	c, problems := Load(dir)
	if r, ok := c.Rule("bank"); !ok || !r.Enabled || r.Profile != nil || len(r.Subject) != 1 || problems.Err() != nil {
		t.Errorf("%+v, %v", r, problems)
	}
	source, err := RuleSource(dir, "bank")
	if err != nil {
		t.Fatal(err)
	}
	_, err = ReplaceRule(dir, "bank", source, []byte("name = 'bank'"))
	wantError(t, err, false, "the rule has no action (and 1 more)", "")
	for _, tt := range []struct {
		err        error
		usage      bool
		want, hint string
	}{
		{second(CreateRule(dir, "bank", RuleFields{To: list("x.example")})), false, "there is a rule bank already", "sendctl rule edit bank"},
		{second(CreateRule(dir, "x", RuleFields{})), true, "the rule has no criterion", `write to = `},
		{second(CreateRule(dir, "x", RuleFields{To: list("*.x")})), true, "there are no wildcards", ""},
		{second(CreateRule(dir, "x", RuleFields{To: list("x.example"), RelayWithTLS: flag(false)})), true, "only true is accepted", ""},
		{second(CreateRule(dir, "x", RuleFields{To: list("x.example"), Profile: text("hippa")})), false, "there is no profile hippa", "did you mean hipaa?"},
		{second(CreateRule(dir, "x", RuleFields{To: list("x.example"), Profile: text("newsletter")})), false, "opportunistic", ""},
		{second(EditRule(dir, "bank", RuleFields{To: list(), Subject: list()})), true, "the rule has no criterion", ""},
		{second(EditRule(dir, "bnk", RuleFields{})), false, "there is no rule bnk", "did you mean bank?"},
		{second(EnableRule(dir, "..", true)), false, `there is no rule ".."`, "known rules: bank"},
		{second(DeleteRule(dir, "none")), false, "there is no rule none", ""},
		{second(DeleteRule("", "none")), false, "there is no rule none", "there are no rules"},
	} {
		wantError(t, tt.err, tt.usage, tt.want, tt.hint)
	}
	if _, err := DeleteRule(dir, "bank"); err != nil {
		t.Error(err)
	}
	if c, problems := Load(dir); len(c.Rules) != 0 || problems.Err() != nil {
		t.Errorf("%v, %v", c.Rules, problems)
	}
}

func second(_ string, err error) error { return err }

// Checking says what creating would, and touches nothing.
func TestCheck(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "sendctl")
	if err := errors.Join(CheckProfile(dir, "x", ProfileFields{}), CheckRule(dir, "x", RuleFields{To: list("a.example")})); err != nil {
		t.Error(err)
	}
	wantError(t, CheckProfile(dir, "x", ProfileFields{Mode: text("m")}), true, "tls.mode", "forced or opportunistic")
	wantError(t, CheckProfile(dir, "pci", ProfileFields{}), false, "shipped", "")
	wantError(t, CheckRule(dir, "x", RuleFields{}), true, "no criterion", "")
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	dir = files{"rules/x.toml": ""}.write(t)
	wantError(t, CheckRule(dir, "x", RuleFields{To: list("a.example")}), false, "there is a rule x already", "")
}
