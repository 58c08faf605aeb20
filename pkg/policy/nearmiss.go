package policy

import (
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
)

// NearMiss says why a rule that looks as if it applied does not.
type NearMiss struct {
	Rule string `json:"rule"`
	Why  string `json:"why"`
	// Disabled says that nothing else stands in the way: the rule matches, but it is off.
	Disabled bool `json:"-"`
}

// nearMiss explains a rule that does not apply although it is near: it is disabled, a domain
// only looks like the rule's, or one field matches and another does not.
func (r *Rule) nearMiss(f Facts, recipient mail.Address) (NearMiss, bool) {
	if r.Matches(f, recipient) {
		return NearMiss{r.Name, "it matches, but it is disabled: sendctl rule enable " + r.Name, true}, !r.Enabled
	}
	why := r.whyNot(f, recipient)
	if why != "" && !r.Enabled {
		why += "; it is disabled besides"
	}
	return NearMiss{Rule: r.Name, Why: why}, why != ""
}

// whyNot says which of the fields of a rule that does not match stands in the way; "" where
// the rule is not near at all.
func (r *Rule) whyNot(f Facts, recipient mail.Address) string {
	if !r.matchesTo(recipient) {
		return near(r.To, recipient)
	}
	var match, miss []string
	sort := func(stated, matches bool, field, why string) {
		switch {
		case !stated:
		case matches:
			match = append(match, field)
		default:
			miss = append(miss, why)
		}
	}
	sort(len(r.To) > 0, true, "to", "")
	sort(len(r.From) > 0, r.matchesFrom(f), "from", "from is not "+strings.Join(patternTexts(r.From), " or "))
	sort(len(r.Subject) > 0, r.matchesSubject(f), "subject", "subject does not contain "+strings.Join(r.Subject, " or "))
	switch len(match) {
	case 0:
	case 1:
		return match[0] + " matches, but " + strings.Join(miss, " and ")
	default:
		return strings.Join(match, " and ") + " match, but " + miss[0] // there are three fields in all
	}
	if len(r.From) > 0 && len(r.Subject) == 0 {
		return near(r.From, slices.Concat([]mail.Address{f.ReversePath}, f.Authors)...)
	}
	return ""
}

// near says why the first pattern that looks like one of the addresses does not match it.
func near(patterns []Pattern, addresses ...mail.Address) string {
	for _, p := range patterns {
		for _, a := range addresses {
			if why := p.why(a); why != "" {
				return why
			}
		}
	}
	return ""
}

// why says in words why the pattern does not match an address that looks like it; "" where
// the two have nothing to do with each other.
func (p Pattern) why(a mail.Address) string {
	switch {
	case p.Match(a) || p.domain == "" || a.Domain == "":
		return ""
	case p.local != "" && a.Domain == p.domain:
		return p.String() + " is another address of that domain"
	case p.local != "" && !strings.EqualFold(p.local, a.Local):
		return ""
	case p.subdomains && a.Domain == p.domain:
		return p.String() + " means the subdomains only, not " + p.domain + " itself"
	case strings.HasSuffix(a.Domain, "."+p.domain):
		if p.local != "" {
			return p.String() + " means that address only, not the one in the subdomain " + a.Domain
		}
		return p.domain + " means exactly that domain; its subdomains are ." + p.domain
	case strings.HasSuffix(a.Domain, p.domain):
		return a.Domain + " only ends in the same letters as " + p.domain + ", it is another domain"
	case strings.HasPrefix(a.Domain, p.domain+"."):
		return a.Domain + " only begins with " + p.domain + ", it is another domain"
	}
	return ""
}
