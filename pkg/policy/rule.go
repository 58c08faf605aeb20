package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Pattern is one value of a rule's to or from: "example.com" is exactly that domain,
// ".example.com" its subdomains at any depth, "a@example.com" one address.
type Pattern struct {
	local      string
	domain     string
	subdomains bool
}

// ParsePattern reads a pattern; the domain is folded to lower-case A-labels and a final dot dropped.
func ParsePattern(s string) (Pattern, error) {
	switch {
	case strings.ContainsAny(s, "*?"):
		return Pattern{}, fmt.Errorf("%q: there are no wildcards; write .example.com for the subdomains of example.com", s)
	case strings.HasPrefix(s, "@"):
		return Pattern{}, fmt.Errorf("%q: write the domain without @: %s", s, s[1:])
	case strings.Contains(s, "@"):
		a, err := mail.ParseAddress(s)
		if err != nil {
			return Pattern{}, err
		}
		return Pattern{local: a.Local, domain: a.Domain}, nil
	}
	bare, sub := strings.CutPrefix(s, ".")
	domain, err := mail.CanonicalDomain(bare)
	if err != nil {
		return Pattern{}, err
	}
	return Pattern{domain: domain, subdomains: sub}, nil
}

// Match reports whether the address is what the pattern names. Local parts are compared
// without regard to case, for a rule must not be evaded by writing CFO@ for cfo@.
func (p Pattern) Match(a mail.Address) bool {
	switch {
	case p.domain == "" || a.Domain == "":
		return false
	case p.local != "":
		return a.Domain == p.domain && strings.EqualFold(a.Local, p.local)
	case p.subdomains:
		return strings.HasSuffix(a.Domain, "."+p.domain)
	}
	return a.Domain == p.domain
}

// String is the pattern as it is written.
func (p Pattern) String() string {
	switch {
	case p.local != "":
		return mail.Address{Local: p.local, Domain: p.domain}.String()
	case p.subdomains:
		return "." + p.domain
	}
	return p.domain
}

// Rule demands encryption for the messages and recipients that it matches (SPEC §2). Values
// of one field are alternatives, the fields must all match; an empty field matches anything.
type Rule struct {
	Name        string
	Description string
	Enabled     bool
	To          []Pattern
	From        []Pattern
	Subject     []string
	Profile     *Profile // a forced profile whose duties apply instead of the basic ones; nil for these
}

// Facts is what rules look at, besides the recipient.
type Facts struct {
	ReversePath mail.Address
	Authors     []mail.Address // From and Sender addresses
	Subjects    []string       // every Subject field, raw and decoded
}

// Requirement is what the rule demands: encryption with TLS 1.2 to 1.3 and the suites that Go
// deems secure, or its forced profile's duties.
func (r *Rule) Requirement() Requirement { return r.requirement("") }

// requirementFor is what the rule demands of a recipient whom it matches; its cause tells by what.
func (r *Rule) requirementFor(f Facts, recipient mail.Address) Requirement {
	return r.requirement(" (" + r.matched(f, recipient) + ")")
}

func (r *Rule) requirement(by string) Requirement {
	req := Requirement{
		Encrypt:        true,
		BarredVersions: tlsnames.VersionsOf(tlsnames.TLS10, tlsnames.TLS11),
		BarredSuites:   tlsnames.AllSuites().Without(tlsnames.SecureSuites()),
		OnFailure:      FailureBounce,
	}
	text := "rule " + r.Name + by + " demands "
	if r.Profile != nil {
		req = r.Profile.duties()
		text += "what profile " + r.Profile.Name + " does: "
	}
	req.Because = []Cause{{Source: SourceRule, Name: r.Name, Text: text + req.Demands()}}
	return req
}

// matched names the values by which the rule matches. What a subject must contain is not told,
// for causes are kept and sent to people, and a subject may be health data.
func (r *Rule) matched(f Facts, recipient mail.Address) string {
	var parts []string
	if i := slices.IndexFunc(r.To, func(p Pattern) bool { return p.Match(recipient) }); i >= 0 {
		parts = append(parts, "to "+r.To[i].String())
	}
	if i := slices.IndexFunc(r.From, f.from); i >= 0 {
		parts = append(parts, "from "+r.From[i].String())
	}
	if len(r.Subject) > 0 {
		parts = append(parts, "by its subject")
	}
	return strings.Join(parts, ", ")
}

func patternTexts(ps []Pattern) []string {
	out := make([]string, len(ps))
	for i, p := range ps {
		out[i] = p.String()
	}
	return out
}

// Matches reports whether the rule's criteria fit, whether or not it is enabled.
func (r *Rule) Matches(f Facts, recipient mail.Address) bool {
	return r.matchesTo(recipient) && r.matchesFrom(f) && r.matchesSubject(f)
}

func (r *Rule) matchesTo(recipient mail.Address) bool {
	return len(r.To) == 0 || slices.ContainsFunc(r.To, func(p Pattern) bool { return p.Match(recipient) })
}

func (r *Rule) matchesFrom(f Facts) bool {
	return len(r.From) == 0 || slices.ContainsFunc(r.From, f.from)
}

// from reports whether the pattern names the reverse-path or an author.
func (f Facts) from(p Pattern) bool {
	return p.Match(f.ReversePath) || slices.ContainsFunc(f.Authors, p.Match)
}

func (r *Rule) matchesSubject(f Facts) bool {
	return len(r.Subject) == 0 || slices.ContainsFunc(r.Subject, func(want string) bool {
		folded := strings.ToLower(want)
		return slices.ContainsFunc(f.Subjects, func(s string) bool { return strings.Contains(strings.ToLower(s), folded) })
	})
}
