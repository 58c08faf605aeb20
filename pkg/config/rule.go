package config

import (
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
)

// Rule is an outgoing message rule as it was read, beside what policy makes of it.
type Rule struct {
	policy.Rule
	File        string
	ProfileName string // the profile whose demands apply, "" for the basic ones
	Updated     time.Time
}

// rule reads one rule; what is wrong with it is reported. Its profile is looked up later,
// when all are known.
func (l *loader) rule(r report, data []byte) (Rule, table) {
	rule := Rule{File: r.file}
	top, ok := r.parse(data, "name", "description", "enabled", "direction", "criteria", "action")
	if !ok {
		return rule, table{}
	}
	rule.Name = top.fileName()
	rule.Description = top.text("description")
	rule.Enabled = top.flag("enabled")
	if !top.has("enabled") {
		top.warnAt(top.doc.Key(), "write enabled = true or enabled = false", "enabled is not set, so the rule is off")
	}
	top.choice("direction", "outgoing", "outgoing")
	criteria := top.sub("criteria", "to", "from", "subject")
	rule.To = criteria.patterns("to")
	rule.From = criteria.patterns("from")
	rule.Subject = criteria.subjects()
	if len(criteria.m) == 0 && !criteria.notTable {
		top.errorAt(top.doc.Key("criteria"), `write to = ["example.com"], from or subject under [criteria]`, "the rule has no criterion")
	}
	rule.ProfileName = top.action()
	return rule, top
}

// patterns reads the values of to or from.
func (t table) patterns(key string) []policy.Pattern {
	const forms = "accepted: example.com (exactly that domain), .example.com (its subdomains), name@example.com"
	items := t.values(key, `["example.com"]`)
	seen := map[string]bool{}
	var out []policy.Pattern
	for _, it := range items {
		p, err := policy.ParsePattern(it.text)
		if err != nil {
			t.valuef(forms, it.path, "%s", err)
			continue
		}
		folded := strings.ToLower(p.String())
		switch {
		case seen[folded]:
			t.warnAt(t.doc.Value(it.path...), "remove one of them", "%s: %s is there twice", t.name(key), p)
			continue
		case !strings.ContainsAny(folded, ".@"):
			t.warnAt(t.doc.Value(it.path...), "write the whole domain, or ."+folded+" for what is below it",
				"%s: %s has no dot, and no address has such a domain", t.name(key), p)
		}
		seen[folded] = true
		out = append(out, p)
	}
	return out
}

// values reads the texts of a criterion, of which there must be one at least.
func (t table) values(key, example string) []item {
	if list, ok := t.m[key].([]any); ok && len(list) == 0 {
		t.valuef("name a value, or remove "+key, t.at(key), "the list is empty")
	}
	return t.texts(key, example)
}

func (t table) subjects() []string {
	var out []string
	for _, it := range t.values("subject", `["[secure]"]`) {
		if strings.TrimSpace(it.text) == "" {
			t.valuef("name what the subject must contain", it.path, "empty text is contained in every subject")
			continue
		}
		out = append(out, it.text)
	}
	return out
}

// action reads what the rule does, and gives the profile that it names.
func (t table) action() string {
	const want = "write relay_with_tls = true under [action]"
	action := t.sub("action", "relay_with_tls", "profile")
	switch v := action.m["relay_with_tls"].(type) {
	case bool:
		if !v {
			action.valuef("a rule only ever strengthens: remove it, or "+want, action.at("relay_with_tls"), "only true is accepted")
		}
	case nil:
		if action.notTable {
			break
		}
		action.errorAt(action.doc.Key(action.path...), want, "the rule has no action")
	default:
		action.wrongType("relay_with_tls", v, "true", "true")
	}
	if !action.has("profile") {
		return ""
	}
	name := action.text("profile")
	action.checkName("profile", name)
	return name
}

// resolve gives a rule the profile that it names; false where that cannot be had.
func (l *loader) resolve(rule *Rule, t table) bool {
	name := rule.ProfileName
	if name == "" || !ValidName(name) {
		return name == ""
	}
	at := t.doc.Value("action", "profile")
	p, ok := l.config.Profile(name)
	switch {
	case l.config.broken[name]:
		// Its own file says what is wrong.
	case !ok:
		t.errorAt(at, l.knownProfiles(name), "action.profile: there is no profile %s", name)
		t.elsewhere()
	case p.Mode == policy.ModeOpportunistic:
		t.errorAt(at, "name a forced profile", "action.profile: %s is opportunistic and demands nothing", name)
		t.elsewhere()
	default:
		rule.Profile = &p.Profile
		return true
	}
	return false
}
