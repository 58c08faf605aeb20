package config

import (
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// warnProfile warns of what is allowed in a profile but may not be meant.
func warnProfile(tls table, p *Profile) {
	if p.Mode == policy.ModeOpportunistic && p.Versions.Min() > tlsnames.TLS10 {
		tls.warnAt(tls.doc.Value(tls.at("protocols")...), `add "TLSv1.0" and what lies between, or write mode = "forced"`,
			"tls.protocols: under mode = \"opportunistic\" a server that only speaks versions older than %s gets the mail in clear", p.Versions.Min())
	}
	if len(p.Ciphers) == 0 || p.Versions == 0 {
		return
	}
	warn := func(hint, text string) {
		tls.warnAt(tls.doc.Value(tls.at("ciphers")...), hint, "tls.ciphers: %s", text)
	}
	list := tlsnames.SuitesOf(p.Ciphers...)
	if list.Without(tlsnames.SecureSuites()) == list {
		warn("add secure ones, such as ECDHE-RSA-AES256-GCM-SHA384", "Go deems every suite of the list insecure")
	}
	warnModern(p, list, warn)
	warnOld(p, list, warn)
}

// warnModern is about the suites of TLS 1.3.
func warnModern(p *Profile, list tlsnames.SuiteSet, warn func(hint, text string)) {
	allowed, all := p.Versions.Has(tlsnames.TLS13), tlsnames.TLS13Suites()
	switch {
	case !allowed && list.New() != 0:
		warn("remove "+strings.Join(list.New().Names(), ", ")+", or add TLSv1.3 to protocols", "suites of TLS 1.3 are listed, but protocols does not allow it")
	case allowed && list.New() == 0:
		warn("to say so in the list, add "+strings.Join(all.Names(), ", "), "no suite of TLS 1.3 is listed, so under TLSv1.3 all of them are allowed")
	case allowed && list.New() != all && p.Mode == policy.ModeForced:
		warn("add "+strings.Join(all.Without(list).Names(), ", ")+" unless such servers are to be refused",
			"Go cannot choose among the suites of TLS 1.3: it offers all, and a server that takes another than those listed is judged after the handshake, tried with TLSv1.2 where that is allowed, and else refused")
	}
}

// warnOld is about the suites of TLS 1.2 and older.
func warnOld(p *Profile, list tlsnames.SuiteSet, warn func(hint, text string)) {
	allowed := p.Versions.Min() < tlsnames.TLS13
	switch {
	case !allowed && list.Old() != 0:
		warn("remove "+strings.Join(list.Old().Names(), ", "), "suites of TLS 1.2 and older are listed, but protocols allows TLSv1.3 only")
	case allowed && list.Old() == 0:
		warn("to say so in the list, name suites such as ECDHE-RSA-AES256-GCM-SHA384", "no suite of TLS 1.2 and older is listed, so under these versions the default suites are allowed")
	case allowed && p.Versions.Min() < tlsnames.TLS12 && !slices.ContainsFunc(list.Old().List(), fitsTLS10):
		warn("add suites such as ECDHE-RSA-AES256-SHA, or remove the versions below TLSv1.2", "no suite of the list works with versions below TLSv1.2")
	}
	if p.Mode == policy.ModeOpportunistic && allowed && list.Old() != 0 && list.Old() != tlsnames.AllSuites().Old() {
		warn("leave ciphers out: weak encryption beats none", "under mode = \"opportunistic\" a server that has none of these suites gets the mail in clear")
	}
}

// fitsTLS10 tells suites that versions below 1.2 can use: those whose hash is SHA-1
// (RFC 5246 §1.2: GCM and SHA-256 came with TLS 1.2).
func fitsTLS10(s tlsnames.Suite) bool { return strings.HasSuffix(s.String(), "_SHA") }

// warnRules warns of rules that add nothing to another, and of disabled ones that an enabled
// one makes up for. Config.Rules and ruleDocs run in parallel.
func (l *loader) warnRules() {
	rules := l.config.Rules
	for i := range rules {
		for j := range rules {
			if i == j || !rules[j].Enabled || !covers(&rules[j].Rule, &rules[i].Rule) {
				continue
			}
			// Of two that are equal the later one is superfluous.
			if rules[i].Enabled && j > i && covers(&rules[i].Rule, &rules[j].Rule) {
				continue
			}
			l.warnCovered(i, rules[j].Name)
			break
		}
	}
}

func (l *loader) warnCovered(i int, by string) {
	r, doc := &l.config.Rules[i], l.ruleDocs[i]
	if r.Enabled {
		doc.warnAt(doc.doc.Key("criteria"), "remove one of them", "the rule adds nothing: rule %s demands the same or more for everything that it matches", by)
		return
	}
	doc.warnAt(doc.doc.Value("enabled"), "remove it unless it is kept for later",
		"the rule is disabled and would change nothing: rule %s demands the same or more for everything that it matches", by)
}

// covers tells that a matches whenever b does and demands at least as much.
func covers(a, b *policy.Rule) bool {
	demand := a.Requirement()
	if policy.Join(demand, b.Requirement()).Key() != demand.Key() {
		return false
	}
	return coversPatterns(a.To, b.To) && coversPatterns(a.From, b.From) && coversSubjects(a.Subject, b.Subject)
}

// coversPatterns tells that one of a matches whatever one of b does; none match everything.
func coversPatterns(a, b []policy.Pattern) bool {
	if len(a) == 0 {
		return true
	}
	return len(b) > 0 && !slices.ContainsFunc(b, func(narrow policy.Pattern) bool {
		return !slices.ContainsFunc(a, func(wide policy.Pattern) bool { return coversPattern(wide.String(), narrow.String()) })
	})
}

// coversPattern compares patterns as they are written: an address, a domain or a dot and a domain.
func coversPattern(wide, narrow string) bool {
	if strings.EqualFold(wide, narrow) {
		return true
	}
	domain := narrow[strings.LastIndexByte(narrow, '@')+1:]
	if strings.HasPrefix(wide, ".") {
		return strings.HasSuffix(domain, wide)
	}
	return domain == wide && domain != narrow
}

// coversSubjects tells that a subject which contains one of b contains one of a.
func coversSubjects(a, b []string) bool {
	if len(a) == 0 {
		return true
	}
	return len(b) > 0 && !slices.ContainsFunc(b, func(long string) bool {
		return !slices.ContainsFunc(a, func(short string) bool {
			return strings.Contains(strings.ToLower(long), strings.ToLower(short))
		})
	})
}
