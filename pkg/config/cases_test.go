package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sendctl/sendctl/pkg/policy"
)

// loaded is a configuration without errors.
func loaded(t *testing.T, f files) *Config {
	t.Helper()
	dir := f.write(t)
	c, problems := Load(dir)
	if len(problems.Errors) > 0 {
		t.Fatal(told(dir, problems.Errors))
	}
	return c
}

func caseFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cases.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func caseConfig(t *testing.T) *Config {
	return loaded(t, files{
		"rules/bank.toml": ruleTOML("bank", "to = ['bank.example']\nfrom = ['clinic.example']", "profile = 'pci'", true),
		"rules/off.toml":  ruleTOML("off", "to = ['.bank.example']", "", false),
		"sendctl.toml":    "null_profile = 'newsletter'\n",
	})
}

// A file of cases is read strictly: every fault has its place and what to write instead.
func TestCaseErrors(t *testing.T) {
	t.Parallel()
	one := func(lines string) string { return "[[case]]\nname = 'x'\nto = 'a@bank.example'\n" + lines }
	const expect = "expect = { encrypt = true }"
	c := caseConfig(t)
	for _, tt := range []struct{ name, in, want string }{
		{"syntax", "[[case]", "1:"},
		{"empty", "", "1:1: there is no case [write [[case]]"},
		{"not tables", "case = 5", "1:8: case: tables are wanted, this is an integer"},
		{"a table", "[case]\nname = 'x'", "1:2: case: tables are wanted, this is a table"},
		{"mixed", "case = [5]", "1:9: case: a table is wanted, this is an integer"},
		{"top key", "[[cases]]", "1:3: unknown key cases [did you mean case?]"},
		{"unknown key", one("tow = 'x'\n" + expect), "4:1: unknown key case.0.tow [did you mean to?]"},
		{"no name", "[[case]]\nto = 'a@b.example'\n" + expect, "1:3: case.0.name is missing"},
		{"empty name", "[[case]]\nname = ''\nto = 'a@b.example'\n" + expect, "2:8: case.0.name: the name is empty"},
		{"the name twice", one(expect) + "\n" + one(expect), `6:8: case.1.name: "x" is the name of the case in line 1 already`},
		{"no to", "[[case]]\nname = 'x'\n" + expect, `1:3: case.0.to is missing [write to = "someone@example.com"]`},
		{"to a list", "[[case]]\nname = 'x'\nto = ['a@b.example']\n" + expect, "3:6: case.0.to: an address is wanted, this is an array"},
		{"to no address", "[[case]]\nname = 'x'\nto = 'bank.example'\n" + expect, "3:6: case.0.to: address"},
		{"to null", "[[case]]\nname = 'x'\nto = '<>'\n" + expect, "3:6: case.0.to: address"},
		{"from no address", one("from = 'x'\n" + expect), "4:8: case.0.from: address"},
		{"subject a number", one("subject = 5\n" + expect), "4:11: case.0.subject: text is wanted"},
		{"profile unknown", one("profile = 'hippa'\n" + expect), "4:11: case.0.profile: there is no profile hippa [did you mean hipaa?]"},
		{"profile empty", one("profile = ''\n" + expect), "4:11: case.0.profile: the profile's name is empty"},
		{"profile a number", one("profile = 5\n" + expect), "4:11: case.0.profile: text is wanted"},
		{"no expect", one(""), "1:3: case.0.expect is missing"},
		{"expect empty", one("expect = {}"), "4:10: case.0.expect: nothing is expected"},
		{"expect a text", one("expect = 'forced'"), "4:10: case.0.expect: a table is wanted"},
		{"expect key", one("expect = { mode = 'forced' }"), "4:12: unknown key case.0.expect.mode [known here: profile, tls_mode"},
		{"mode", one("[case.expect]\ntls_mode = 'force'"), `5:12: case.0.expect.tls_mode: "force" is not known here [accepted: forced, opportunistic or none]`},
		{"encrypt", one("expect = { encrypt = 'yes' }"), "4:22: case.0.expect.encrypt: true or false is wanted"},
		{"protocols", one("expect = { protocols = ['TLSv1.2', '1.3'] }"), `4:36: case.0.expect.protocols: "1.3" is not a protocol version`},
		{"ciphers", one("expect = { ciphers = ['AES'] }"), "4:23: case.0.expect.ciphers: "},
		{"certificate", one("expect = { certificate = 'any' }"), "4:26: case.0.expect.certificate: "},
		{"rule", one("expect = { rules = ['bnak'] }"), "4:21: case.0.expect.rules: there is no rule bnak [did you mean bank?]"},
		{"on failure", one("expect = { on_tls_failure = 'wait' }"), "4:29: case.0.expect.on_tls_failure: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := caseFile(t, tt.in)
			_, problems := LoadCases(path, c)
			got := strings.ReplaceAll(strings.Join(told(filepath.Dir(path), problems.Errors), "\n"), "cases.toml:", "")
			if !strings.HasPrefix(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCasesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	c := caseConfig(t)
	for path, want := range map[string]string{
		filepath.Join(t.TempDir(), "missing.toml"): "there is no such file",
		t.TempDir(): "it is a directory, not a regular file",
	} {
		if _, problems := LoadCases(path, c); len(problems.Errors) != 1 || problems.Errors[0].Message != want {
			t.Errorf("%s: %+v", path, problems.Errors)
		}
	}
	strict := loaded(t, nil) // require_profile
	_, problems := LoadCases(caseFile(t, "[[case]]\nname = 'x'\nto = 'a@b.example'\nexpect = { encrypt = true }"), strict)
	if got := told("", problems.Errors); len(got) != 1 || !strings.Contains(got[0], ":1:3: case.0.profile: a profile is required") {
		t.Error(got)
	}
}

// Each key of expect is held against the decision that a send would make.
func TestCheckCases(t *testing.T) {
	t.Parallel()
	c := caseConfig(t)
	const text = `
[[case]]
name = "the bank gets what pci demands"
profile = "newsletter"
from = "Ward@CLINIC.example"
to = "x@Bank.Example."
[case.expect]
profile = "newsletter"
tls_mode = "forced"
encrypt = true
protocols = ["TLSv1.3", "TLSv1.2"]
certificate = "default"
rules = ["bank"]
on_tls_failure = "bounce"

[[case]]
name = "another sender is not the rule's, and null_profile applies"
to = "x@bank.example"
subject = "hello"
expect = { profile = "-", tls_mode = "opportunistic", encrypt = false, protocols = [], ciphers = [], certificate = "none", rules = [] }

[[case]]
name = "wrong in everything"
from = "<>"
to = "x@sub.bank.example"
expect = { profile = "hipaa", tls_mode = "forced", encrypt = true, protocols = ["TLSv1.3"], ciphers = ["ECDHE-RSA-AES256-GCM-SHA384"], certificate = "custom", rules = ["off", "bank", "off"], on_tls_failure = "defer" }
`
	cases, problems := LoadCases(caseFile(t, text), c)
	if len(problems.Errors)+len(problems.Warnings) > 0 || len(cases) != 3 {
		t.Fatal(problems, len(cases))
	}
	if cases[0].Line != 2 || cases[1].Line != 16 || cases[1].Profile != policy.NullProfile {
		t.Errorf("%+v", cases[:2])
	}
	for _, good := range cases[:2] {
		if diff, err := c.Check(good); err != nil || len(diff) > 0 {
			t.Errorf("%s: %v, %v", good.Name, diff, err)
		}
	}
	diffs, err := c.Check(cases[2])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range diffs {
		got = append(got, d.String())
	}
	want := []string{
		"profile is -, not hipaa",
		"tls_mode is opportunistic, not forced",
		"encrypt is false, not true",
		"protocols is empty, not TLSv1.3",
		"ciphers is empty, not TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
		"certificate is none, not custom",
		"rules is empty, not bank off",
		"on_tls_failure is not set, not defer",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := c.Check(Case{Profile: "hippa"}); err == nil {
		t.Error("a profile that is not there was checked")
	}
}

// Whatever the bytes, nothing panics, faults have places, and what is accepted can be checked.
func FuzzCases(f *testing.F) {
	f.Add([]byte("[[case]]\nname = 'x'\nto = 'a@b.example'\nexpect = { tls_mode = 'forced', rules = [] }"))
	f.Add([]byte("case = [{ name = 'x', from = '<>', to = 'a@b.example', expect = { protocols = ['TLSv1.2'] } }]"))
	f.Add([]byte("case = [5, []]"))
	c, _ := Load("")
	f.Fuzz(func(t *testing.T, data []byte) {
		var problems Problems
		cases := c.readCases(report{"cases.toml", &problems}, data)
		for _, p := range problems.Errors {
			if p.Message == "" || p.Line < 1 || p.Column < 1 {
				t.Fatalf("%q: %+v", data, p)
			}
		}
		if len(problems.Errors) > 0 {
			return
		}
		for _, test := range cases {
			if _, err := c.Check(test); err != nil || test.Name == "" || test.To.IsNull() || len(test.Expect) == 0 || test.Line < 1 {
				t.Fatalf("%q was accepted as %+v (%v)", data, test, err)
			}
		}
	})
}
