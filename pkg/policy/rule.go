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

// why says in words why the pattern does not match an address that looks like it; "" where
// the two have nothing to do with each other.
func (p Pattern) why(a mail.Address) string {
	switch {
	case p.Match(a) || p.domain == "" || a.Domain == "":
		return ""
	case p.local != "" && a.Domain == p.domain:
		return p.String() + " is another address of that domain"
	case p.local != "":
		return ""
	case p.subdomains && a.Domain == p.domain:
		return p.String() + " means the subdomains only, not " + p.domain + " itself"
	case !p.subdomains && strings.HasSuffix(a.Domain, "."+p.domain):
		return p.domain + " means exactly that domain; its subdomains are ." + p.domain
	case strings.HasSuffix(a.Domain, p.domain):
		return a.Domain + " only ends in the same letters as " + p.domain + ", it is another domain"
	case strings.HasPrefix(a.Domain, p.domain+"."):
		return a.Domain + " only begins with " + p.domain + ", it is another domain"
	}
	return ""
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
func (r *Rule) Requirement() Requirement {
	req := Requirement{
		Encrypt:        true,
		BarredVersions: tlsnames.VersionsOf(tlsnames.TLS10, tlsnames.TLS11),
		BarredSuites:   tlsnames.AllSuites().Without(tlsnames.SecureSuites()),
		OnFailure:      FailureBounce,
	}
	if r.Profile != nil {
		req = r.Profile.duties()
	}
	req.Because = []Cause{{Source: SourceRule, Name: r.Name, Text: r.describe(req)}}
	return req
}

func (r *Rule) describe(req Requirement) string {
	text := "rule " + r.Name + " (" + r.criteria() + ") demands "
	if r.Profile != nil {
		text += "what profile " + r.Profile.Name + " does: "
	}
	return text + req.demands()
}

func (r *Rule) criteria() string {
	var parts []string
	add := func(field string, values []string) {
		if len(values) > 0 {
			parts = append(parts, field+" "+strings.Join(values, " or "))
		}
	}
	add("to", patternTexts(r.To))
	add("from", patternTexts(r.From))
	add("subject", r.Subject)
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
	return len(r.From) == 0 || slices.ContainsFunc(r.From, func(p Pattern) bool {
		return p.Match(f.ReversePath) || slices.ContainsFunc(f.Authors, p.Match)
	})
}

func (r *Rule) matchesSubject(f Facts) bool {
	return len(r.Subject) == 0 || slices.ContainsFunc(r.Subject, func(want string) bool {
		folded := strings.ToLower(want)
		return slices.ContainsFunc(f.Subjects, func(s string) bool { return strings.Contains(strings.ToLower(s), folded) })
	})
}

// NearMiss says why a rule that looks as if it applied does not.
type NearMiss struct {
	Rule string `json:"rule"`
	Why  string `json:"why"`
}

// whyNot explains a rule that does not apply: disabled, another domain that looks alike, or
// a field that does not match where the others do. "" where the rule is not near at all.
func (r *Rule) whyNot(f Facts, recipient mail.Address) string {
	if r.Matches(f, recipient) {
		if r.Enabled {
			return ""
		}
		return "it matches, but it is disabled: sendctl rule enable " + r.Name
	}
	if !r.matchesTo(recipient) {
		for _, p := range r.To {
			if why := p.why(recipient); why != "" {
				return why
			}
		}
		return ""
	}
	var fields []string
	if !r.matchesFrom(f) {
		fields = append(fields, "from does not match ("+strings.Join(patternTexts(r.From), " or ")+")")
	}
	if !r.matchesSubject(f) {
		fields = append(fields, "subject does not contain "+strings.Join(r.Subject, " or "))
	}
	if len(r.To) == 0 {
		return ""
	}
	return "to matches, but " + strings.Join(fields, " and ")
}
