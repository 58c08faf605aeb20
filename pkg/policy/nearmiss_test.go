package policy

import (
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Every rule that looks as if it applied says why it does not, and no other rule says anything.
func TestNearMisses(t *testing.T) {
	t.Parallel()
	to := func(texts ...string) (ps []Pattern) {
		for _, s := range texts {
			ps = append(ps, pattern(t, s))
		}
		return ps
	}
	facts := Facts{
		ReversePath: address(t, "bounces@mail.clinic.example"),
		Authors:     []mail.Address{address(t, "ward@clinic.example")},
		Subjects:    []string{"your results"},
	}
	for _, tt := range []struct {
		name     string
		rule     Rule
		why      string // contained; "" for no near miss
		disabled bool
	}{
		{"enabled and matching is no miss", Rule{Enabled: true, To: to("bank.example")}, "", false},
		{"disabled", Rule{To: to("bank.example")}, "it matches, but it is disabled: sendctl rule enable r", true},
		{"look-alike", Rule{Enabled: true, To: to("nk.example")}, "bank.example only ends in the same letters as nk.example", false},
		{"look-alike and disabled", Rule{To: to("nk.example")}, "it is another domain; it is disabled besides", false},
		{"subdomains only", Rule{Enabled: true, To: to("other.example", ".bank.example")}, "subdomains only", false},
		{"another address", Rule{Enabled: true, To: to("boss@bank.example")}, "another address", false},
		{"the same name elsewhere", Rule{Enabled: true, To: to("desk@other.example")}, "", false},
		{"from differs", Rule{Enabled: true, To: to("bank.example"), From: to("lab.example")}, "to matches, but from is not lab.example", false},
		{"subject differs", Rule{Enabled: true, To: to("bank.example"), Subject: []string{"[secure]", "secret"}},
			"to matches, but subject does not contain [secure] or secret", false},
		{"both differ", Rule{Enabled: true, To: to("bank.example"), From: to("lab.example"), Subject: []string{"[secure]"}},
			"to matches, but from is not lab.example and subject does not contain [secure]", false},
		{"from matches, subject does not", Rule{Enabled: true, From: to("clinic.example"), Subject: []string{"[secure]"}},
			"from matches, but subject does not contain [secure]", false},
		{"subject matches, from does not", Rule{Enabled: true, From: to("lab.example"), Subject: []string{"RESULTS"}},
			"subject matches, but from is not lab.example", false},
		{"from matches by the reverse-path", Rule{Enabled: true, From: to(".clinic.example.")}, "", false},
		{"one of two from matches", Rule{Enabled: true, From: to("mail.clinic.example", "inic.example")}, "", false},
		{"from almost", Rule{Enabled: true, From: to("inic.example")}, "clinic.example only ends in the same letters", false},
		{"subject alone is never near", Rule{Enabled: true, Subject: []string{"[secure]"}}, "", false},
		{"far away", Rule{To: to("far.example"), From: to("clinic.example")}, "", false},
	} {
		tt.rule.Name = "r"
		got := For(Sender{Name: NullProfile}, []Rule{tt.rule}, facts, address(t, "desk@bank.example")).NearMisses
		switch {
		case tt.why == "" && len(got) != 0:
			t.Errorf("%s: %+v, want none", tt.name, got)
		case tt.why != "" && (len(got) != 1 || !strings.Contains(got[0].Why, tt.why) || got[0].Disabled != tt.disabled):
			t.Errorf("%s: %+v, want %q, disabled %v", tt.name, got, tt.why, tt.disabled)
		}
	}
}

// A cause names the one value that matched, and never what a subject must contain: causes are
// stored and sent in bounce messages, and subjects may be health data.
func TestRuleCauses(t *testing.T) {
	t.Parallel()
	facts := Facts{ReversePath: address(t, "ward@clinic.example"), Subjects: []string{"your HIV test"}}
	rule := Rule{
		Name: "r", Enabled: true, Profile: pci, Subject: []string{"hiv test"},
		To:   []Pattern{pattern(t, "a.example"), pattern(t, ".b.example"), pattern(t, "c@c.example")},
		From: []Pattern{pattern(t, "lab.example"), pattern(t, "clinic.example")},
	}
	for rcpt, want := range map[string]string{
		"x@A.example.":     "rule r (to a.example, from clinic.example, by its subject) demands what profile pci does: encryption with",
		"x@deep.b.example": "rule r (to .b.example, from clinic.example, by its subject) demands",
		"C@c.example":      "rule r (to c@c.example, from clinic.example, by its subject) demands",
	} {
		d := For(Sender{Name: NullProfile}, []Rule{rule}, facts, address(t, rcpt))
		if got := d.Requirement.Causes(); !strings.Contains(got, want) || strings.Contains(strings.ToLower(got), "hiv") {
			t.Errorf("%s: %q, want %q", rcpt, got, want)
		}
	}
	if got := rule.Requirement().Causes(); !strings.HasPrefix(got, "rule r demands what profile pci does: ") {
		t.Errorf("without a recipient: %q", got)
	}
}

// Duties in words: nothing, encryption, and what nobody can give.
func TestDemands(t *testing.T) {
	t.Parallel()
	none := Join(modern.Requirement(), (&Profile{Name: "old", Mode: ModeForced, Versions: tlsnames.AllVersions.Without(tlsnames.VersionsOf(tlsnames.TLS13))}).Requirement())
	for _, tt := range []struct {
		req  Requirement
		want string
	}{
		{Requirement{}, "nothing"},
		{newsletter.Requirement(), "nothing"},
		{hipaa.Requirement(), "encryption with TLSv1.2-1.3"},
		{pci.Requirement(), "encryption with TLSv1.2-1.3, a publicly trusted certificate for the MX host's name"},
		{none, "encryption, but no TLS version is left that all allow"},
	} {
		if got := tt.req.Demands(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
