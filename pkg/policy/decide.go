package policy

import (
	"strings"
	"sync"

	"github.com/sendctl/sendctl/pkg/mail"
)

// Decision is what one recipient's copy of one message must get, and what is proposed for it.
type Decision struct {
	Profile     string // the profile's name, NullProfile where none was chosen
	Mode        Mode   // the effective mode: forced wherever a rule demands encryption
	Pool        string // the IP pool that its sessions leave from
	Requirement Requirement
	Offer       Offer
	Rules       []string // enabled rules that matched, in the order given
	NearMisses  []NearMiss
}

// DefaultPool is the name of the pool that always exists.
const DefaultPool = "default"

// Sender is the profile chosen for a run: its name as shown and what applies. Under an unset
// null profile the profile is nil and transport is unencrypted unless a rule demands more.
type Sender struct {
	Name    string
	Profile *Profile
}

// Decider decides for any number of recipients under one sender and one set of rules. It is
// safe for concurrent use; what it decides shares memory and must not be changed in place.
type Decider struct {
	base  Decision // what applies where no rule matches
	rules []Rule

	mu    sync.Mutex
	alike map[string]*Decision // by their causes
}

// maxAlike bounds what a decider keeps in order to share it.
const maxAlike = 1024

// NewDecider makes a decider.
func NewDecider(sender Sender, rules []Rule) *Decider {
	d := Decision{Profile: sender.Name, Mode: ModeNone, Pool: DefaultPool}
	if p := sender.Profile; p != nil {
		d.Mode, d.Requirement, d.Offer = p.Mode, p.Requirement(), p.Offer()
		if p.Pool != "" {
			d.Pool = p.Pool
		}
	} else {
		d.Requirement.Because = []Cause{{SourceProfile, NullProfile, "no profile is chosen and null_profile is not set: transport is unencrypted"}}
	}
	if d.Requirement.Encrypt {
		d.Mode = ModeForced
	}
	return &Decider{base: d, rules: rules, alike: map[string]*Decision{}}
}

// For decides for one recipient: the sender's duties joined with those of every enabled rule
// that matches. A rule only ever strengthens, and their order does not matter. Recipients for
// whom the same is decided by the same causes mostly share one decision.
func (x *Decider) For(facts Facts, recipient mail.Address) *Decision {
	d := &x.base
	own := func() *Decision {
		if d == &x.base {
			mine := x.base
			d = &mine
		}
		return d
	}
	for i := range x.rules {
		r := &x.rules[i]
		if r.Enabled && r.Matches(facts, recipient) {
			d := own()
			d.Rules = append(d.Rules, r.Name)
			d.Requirement = Join(d.Requirement, r.requirementFor(facts, recipient))
			d.Mode = ModeForced
			continue
		}
		if miss, near := r.nearMiss(facts, recipient); near {
			d := own()
			d.NearMisses = append(d.NearMisses, miss)
		}
	}
	if len(d.Rules) > 0 && len(d.NearMisses) == 0 {
		return x.shared(d)
	}
	return d
}

// shared gives the decision that is kept for the same causes.
func (x *Decider) shared(d *Decision) *Decision {
	var key strings.Builder
	for _, c := range d.Requirement.Because {
		key.WriteString(c.Text)
		key.WriteByte(0)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if kept, ok := x.alike[key.String()]; ok {
		return kept
	}
	if len(x.alike) < maxAlike {
		x.alike[key.String()] = d
	}
	return d
}

// For decides for one recipient alone, as a Decider does for many.
func For(sender Sender, rules []Rule, facts Facts, recipient mail.Address) Decision {
	return *NewDecider(sender, rules).For(facts, recipient)
}
