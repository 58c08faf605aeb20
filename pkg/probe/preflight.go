package probe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
)

// Recipient is one recipient of a batch and what its mail must get.
type Recipient struct {
	File        string
	Address     string
	Profile     string
	Destination courier.Destination
}

// Fate is what would become of a recipient's mail on the way to its server.
type Fate string

// The fates.
const (
	Encrypted Fate = "encrypted"
	InClear   Fate = "cleartext"
	Bounced   Fate = "bounce"
	Undecided Fate = "unknown" // nothing definite was learnt: it would be deferred
)

// Forecast is what sending to one recipient would come to, as far as its server's transport
// goes: whether it knows the recipient is not asked.
type Forecast struct {
	File      string    `json:"file"`
	Recipient string    `json:"recipient"`
	Domain    string    `json:"domain"`
	Profile   string    `json:"profile"`
	Fate      Fate      `json:"outlook"`
	MX        string    `json:"mx"`
	Version   string    `json:"version"`
	Cipher    string    `json:"cipher"`
	Verified  string    `json:"verified"`
	Reason    string    `json:"reason"`
	Text      string    `json:"text"`
	Asked     time.Time `json:"asked"`
	Age       int64     `json:"age"` // seconds since then

	Key string `json:"-"` // of the destination
}

// Answered is a verdict that was found out, and when.
type Answered struct {
	Verdict Verdict   `json:"verdict"`
	Asked   time.Time `json:"asked"`
}

// Memory is verdicts of earlier runs by destination (courier.Destination.Key).
type Memory map[string]Answered

// Usable is what of the memory is no older than maxAge.
func (m Memory) Usable(now time.Time, maxAge time.Duration) Memory {
	out := Memory{}
	for k, a := range m {
		// What lies in the future was asked under another clock.
		if age := now.Sub(a.Asked); age >= 0 && age <= maxAge {
			out[k] = a
		}
	}
	return out
}

// destinations at once; an address's own limit binds earlier.
const atOnce = 64

// Preflight tells for every recipient what sending would come to. Each destination (domain,
// duties, offer and pool) is asked once, by the very dial code of sending up to where MAIL would
// follow, several at the same time. done, if not nil, is called after each destination. known
// gets every definite verdict; what it holds already is not asked for again.
func (p *Prober) Preflight(ctx context.Context, recipients []Recipient, known Memory, done func()) []Forecast {
	var open []Recipient
	byKey := map[string]bool{}
	for _, r := range recipients {
		key := r.Destination.Key()
		if _, ok := known[key]; !ok && !byKey[key] {
			byKey[key] = true
			open = append(open, r)
		}
	}
	var mu sync.Mutex
	fresh := Memory{}
	Each(ctx, open, atOnce, func(r Recipient) {
		v := p.forecast(ctx, r)
		mu.Lock()
		fresh[r.Destination.Key()] = Answered{v, p.now()}
		mu.Unlock()
		if done != nil {
			done()
		}
	})
	for k, a := range fresh {
		if a.Verdict.Verdict != Defer {
			known[k] = a
		}
	}
	out := make([]Forecast, len(recipients))
	for i, r := range recipients {
		a, ok := fresh[r.Destination.Key()]
		if !ok {
			a, ok = known[r.Destination.Key()]
		}
		if !ok {
			a = Answered{Verdict{Verdict: Defer, Text: "interrupted before it was asked"}, p.now()}
		}
		out[i] = forecastOf(r, a, p.now())
	}
	return out
}

// forecast asks one destination, within the time for a domain. Domains with the very same
// hosts share the answer.
func (p *Prober) forecast(ctx context.Context, r Recipient) Verdict {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.PerDomain)
	defer cancel()
	d := r.Destination
	prof := Profile{Name: r.Profile, Requirement: d.Requirement, Offer: d.Offer, Pool: d.Pool}
	var rows []MX
	own := false
	if route, err := p.cfg.Resolver.Lookup(ctx, d.Domain); err == nil && !route.Null {
		for _, h := range route.Hosts {
			rows = append(rows, MX{Host: h.Name, Preference: h.Preference})
		}
		slices.SortFunc(rows, func(a, b MX) int {
			if a.Preference != b.Preference {
				return int(a.Preference) - int(b.Preference)
			}
			return strings.Compare(a.Host, b.Host) // equals come in any order
		})
		own = p.demands(ctx, d.Domain, route)
	}
	// The same hosts under other duties are another question.
	same := prof
	same.Name = strings.TrimPrefix(d.Key(), d.Domain)
	f := p.once(ctx, d.Domain, same, hostsKey(d.Domain, rows, own))
	v := f.whole
	v.Profile = r.Profile
	return v
}

func forecastOf(r Recipient, a Answered, now time.Time) Forecast {
	v := a.Verdict
	f := Forecast{
		File: r.File, Recipient: r.Address, Domain: r.Destination.Domain, Profile: r.Profile, Fate: Undecided,
		MX: v.MX, Version: v.Version, Cipher: v.Cipher, Verified: v.Verified, Reason: v.Reason, Text: v.Text,
		Asked: a.Asked, Age: int64(now.Sub(a.Asked).Seconds()), Key: r.Destination.Key(),
	}
	switch v.Verdict {
	case ByTLS:
		f.Fate = Encrypted
	case Cleartext:
		f.Fate = InClear
	case Bounce:
		f.Fate = Bounced
	case Defer:
	}
	return f
}

// Coverage counts what a batch would come to.
type Coverage struct {
	Recipients int     `json:"recipients"`
	Domains    int     `json:"domains"`
	Encrypted  int     `json:"encrypted"`
	Verified   int     `json:"verified"`
	Cleartext  int     `json:"cleartext"`
	Bounce     int     `json:"bounce"`
	Unknown    int     `json:"unknown"`
	Percent    float64 `json:"coverage"` // of recipients that would be encrypted; 100 of none
}

// Cover counts forecasts.
func Cover(all []Forecast) Coverage {
	c := Coverage{Recipients: len(all), Percent: 100}
	domains := map[string]bool{}
	for _, f := range all {
		domains[f.Domain] = true
		switch f.Fate {
		case Encrypted:
			c.Encrypted++
			if f.Verified != "none" && f.Verified != "" {
				c.Verified++
			}
		case InClear:
			c.Cleartext++
		case Bounced:
			c.Bounce++
		case Undecided:
			c.Unknown++
		}
	}
	c.Domains = len(domains)
	if c.Recipients > 0 {
		c.Percent = 100 * float64(c.Encrypted) / float64(c.Recipients)
	}
	return c
}

// String is the coverage in a line.
func (c Coverage) String() string {
	word := func(n int, one, many string) string {
		if n == 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %s", n, many)
	}
	// Rounded down, so that 100 % means all.
	tenths := int(c.Percent * 10)
	return fmt.Sprintf("%s in %s: %d encrypted (%d verified), %d cleartext, %d would bounce, %d unknown; coverage %d.%d %%",
		word(c.Recipients, "recipient", "recipients"), word(c.Domains, "domain", "domains"),
		c.Encrypted, c.Verified, c.Cleartext, c.Bounce, c.Unknown, tenths/10, tenths%10)
}
