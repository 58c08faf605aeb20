package config

import (
	"strings"
	"testing"
)

// C6, C7: what a rule may say.
func TestRuleErrors(t *testing.T) {
	t.Parallel()
	rule := func(criteria, action string) string {
		return "name = 'x'\nenabled = true\n[criteria]\n" + criteria + "\n[action]\n" + action + "\n"
	}
	const relay = "relay_with_tls = true"
	for _, tt := range []struct{ name, in, at, message string }{
		{"syntax", "name", "1:4", ""},
		{"no criterion", "name = 'x'\nenabled = true\n[action]\nrelay_with_tls = true", "1:1", `the rule has no criterion [write to = ["example.com"]`},
		{"empty criteria", rule("", relay), "3:2", `the rule has no criterion`},
		{"criteria not a table", "name = 'x'\nenabled = true\ncriteria = 1\n[action]\nrelay_with_tls = true", "3:12", `criteria: a table is wanted, this is an integer`},
		{"action not a table", "name = 'x'\nenabled = true\naction = 'tls'\n[criteria]\nto = ['a.example']", "3:10", `action: a table is wanted, this is text`},
		{"no action", "name = 'x'\nenabled = true\n[criteria]\nto = ['a.example']", "1:1", `the rule has no action [write relay_with_tls = true under [action]]`},
		{"profile without relay", rule("to = ['a.example']", "profile = 'pci'"), "5:2", `the rule has no action`},
		{"relay false", rule("to = ['a.example']", "relay_with_tls = false"), "6:18", `action.relay_with_tls: only true is accepted`},
		{"relay text", rule("to = ['a.example']", "relay_with_tls = 'yes'"), "6:18", `true is wanted, this is text`},
		{"enabled text", "enabled = 'on'\n" + strings.Replace(rule("to = ['a.example']", relay), "enabled = true\n", "", 1), "1:11", `enabled: true or false is wanted, this is text`},
		{"incoming", "direction = 'incoming'\n" + rule("to = ['a.example']", relay), "1:13", `direction: "incoming" is not known here [accepted: outgoing]`},
		{"unknown key", rule("too = ['a.example']\nto = ['a.example']", relay), "4:1", `unknown key criteria.too [did you mean to?]`},
		{"to a text", rule("to = 'a.example'", relay), "4:6", `criteria.to: an array of texts is wanted, this is text [write to = ["example.com"]]`},
		{"to empty", rule("to = []\nsubject = ['x']", relay), "4:6", `criteria.to: the list is empty`},
		{"wildcard", rule("to = ['a.example', '*.a.example']", relay), "4:20", `there are no wildcards; write .example.com for the subdomains of example.com [accepted: example.com (exactly that domain)`},
		{"domain with @", rule("to = ['@a.example']", relay), "4:7", `write the domain without @: a.example`},
		{"bad address", rule("to = ['a b@c.example']", relay), "4:7", `criteria.to: `},
		{"two dots", rule("to = ['a..example']", relay), "4:7", `criteria.to: `},
		{"a number", rule("to = [5]", relay), "4:7", `text is wanted, this is an integer`},
		{"subject empty", rule("subject = ['x', ' ']", relay), "4:17", `empty text is contained in every subject`},
		{"subject with a line end", rule(`subject = ["a\nb"]`, relay), "4:12", `control characters`},
		{"profile unknown", rule("to = ['a.example']", relay+"\nprofile = 'hippa'"), "7:11", `action.profile: there is no profile hippa [did you mean hipaa?]`},
		{"profile opportunistic", rule("to = ['a.example']", relay+"\nprofile = 'newsletter'"), "7:11", `action.profile: newsletter is opportunistic and demands nothing [name a forced profile]`},
		{"profile not a name", rule("to = ['a.example']", relay+"\nprofile = '-'"), "7:11", `action.profile: "-" is not a name`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files{"rules/x.toml": tt.in}.write(t)
			c, problems := Load(dir)
			wantAll(t, told(dir, problems.Errors), "rules/x.toml:"+tt.at+": ")
			if got := strings.Join(told(dir, problems.Errors), ""); !strings.Contains(got, tt.message) {
				t.Errorf("got  %s\nwant %s", got, tt.message)
			}
			if len(c.Rules) != 0 {
				t.Error("the rule is there all the same")
			}
		})
	}
}

func TestRuleWarnings(t *testing.T) {
	t.Parallel()
	const bank = `to = ["bank.example", ".bank.example"]`
	for _, tt := range []struct {
		name  string
		rules files
		want  []string
	}{
		{"enabled not said", files{"rules/x.toml": "name = 'x'\n[criteria]\nto = ['a.example']\n[action]\nrelay_with_tls = true"},
			[]string{"rules/x.toml:1:1: enabled is not set, so the rule is off"}},
		{"twice", files{"rules/x.toml": ruleTOML("x", `to = ["a.example", "A.example.", "b@c.example", "B@c.example"]`, "", true)},
			[]string{"4:20: criteria.to: a.example is there twice", "criteria.to: B@c.example is there twice"}},
		{"no dot", files{"rules/x.toml": ruleTOML("x", `to = ["bank"]`, "", true)}, []string{"4:7: criteria.to: bank has no dot"}},
		{"disabled and covered", files{"rules/a.toml": ruleTOML("a", bank, "", true), "rules/b.toml": ruleTOML("b", `to = ["x@bank.example", "a.bank.example"]`, "", false)},
			[]string{"rules/b.toml:2:11: the rule is disabled and would change nothing: rule a demands"}},
		{"disabled, covered by a stronger one", files{"rules/a.toml": ruleTOML("a", bank, `profile = "hipaa-strict"`, true), "rules/b.toml": ruleTOML("b", `to = ["bank.example"]`, "", false)},
			[]string{"rules/b.toml:2:11: "}},
		{"disabled, covered by a weaker one", files{"rules/a.toml": ruleTOML("a", bank, "", true), "rules/b.toml": ruleTOML("b", `to = ["bank.example"]`, `profile = "hipaa-strict"`, false)}, nil},
		{"disabled, covered by a disabled one", files{"rules/a.toml": ruleTOML("a", bank, "", false), "rules/b.toml": ruleTOML("b", bank, "", false)}, nil},
		{"disabled, wider", files{"rules/a.toml": ruleTOML("a", `to = ["bank.example"]`, "", true), "rules/b.toml": ruleTOML("b", bank, "", false)}, nil},
		{"disabled, without the other's subject", files{"rules/a.toml": ruleTOML("a", bank+"\nsubject = ['x']", "", true), "rules/b.toml": ruleTOML("b", bank, "", false)}, nil},
		{"disabled, with a longer subject", files{"rules/a.toml": ruleTOML("a", bank+"\nsubject = ['Sec']", "", true), "rules/b.toml": ruleTOML("b", bank+"\nsubject = ['[secure]']", "", false)},
			[]string{"rules/b.toml:2:11: "}},
		{"two alike", files{"rules/a.toml": ruleTOML("a", bank, "", true), "rules/b.toml": ruleTOML("b", bank, "", true)},
			[]string{"rules/b.toml:3:2: the rule adds nothing: rule a demands"}},
		{"one within the other", files{"rules/a.toml": ruleTOML("a", `to = ["bank.example"]`, "", true), "rules/b.toml": ruleTOML("b", bank, "", true)},
			[]string{"rules/a.toml:3:2: the rule adds nothing: rule b demands"}},
		{"lookalikes", files{"rules/a.toml": ruleTOML("a", `to = ["bank.example"]`, "", true), "rules/b.toml": ruleTOML("b", `to = ["mybank.example", "bank.example.org", ".bank.example"]`, "", true)}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := tt.rules.write(t)
			_, problems := Load(dir)
			wantAll(t, told(dir, problems.Errors))
			wantAll(t, told(dir, problems.Warnings), tt.want...)
		})
	}
}
