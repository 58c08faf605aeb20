package probe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/route"
)

// foretold is what a set of hosts came to under a profile, for every domain that has the same.
type foretold struct {
	done  chan struct{}
	whole Verdict
	each  map[string]Verdict // by host and address
}

// foretell gives the verdict of every profile on a domain, in order. res is what was found out
// about it, nil where it has no hosts.
func (p *Prober) foretell(ctx context.Context, domain string, res *Result) []Verdict {
	out := make([]Verdict, len(p.cfg.Profiles))
	hosts := ""
	if res != nil {
		hosts = hostsKey(domain, res.MX, res.own)
	}
	for i, prof := range p.cfg.Profiles {
		f := p.once(ctx, domain, prof, hosts)
		out[i] = f.whole
		if res == nil || !p.cfg.EachHost {
			continue
		}
		for j := range res.MX {
			m := &res.MX[j]
			if v, ok := f.each[m.Host+"|"+m.IP]; ok {
				m.Verdicts = append(m.Verdicts, v)
			}
		}
	}
	return out
}

// once runs the host loop for a domain, or takes what it came to for another domain with the
// very same hosts: their verdicts under one profile cannot differ. hosts is their hostsKey, ""
// where there are none.
func (p *Prober) once(ctx context.Context, domain string, prof Profile, hosts string) *foretold {
	f := &foretold{done: make(chan struct{})}
	if hosts != "" {
		key := prof.Name + " " + hosts
		p.mu.Lock()
		before, known := p.verdicts[key]
		if !known {
			p.verdicts[key] = f
		}
		p.mu.Unlock()
		if known {
			select {
			case <-before.done:
				return before
			case <-ctx.Done():
				return &foretold{whole: Verdict{Profile: prof.Name, Verdict: Defer, Reason: "connect-timeout", Text: "no time was left to ask"}}
			}
		}
	}
	f.whole, f.each = p.outlook(ctx, domain, prof)
	close(f.done)
	return f
}

// hostsKey tells sets of hosts apart: what the host loop sees of them. own says that demands are
// published for the domain, by MTA-STS or DANE: its verdicts are shared with no other, for what
// one domain demands of a host another may not (RFC 8461 §4, RFC 7672 §2.2.1).
func hostsKey(domain string, rows []MX, own bool) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	if own {
		b.WriteString(domain + "\n")
	}
	for i := range rows {
		b.WriteString(rows[i].Host + " " + rows[i].IP + " ")
		b.WriteByte(byte(rows[i].Preference>>8) + 1)
		b.WriteByte(byte(rows[i].Preference))
	}
	return b.String()
}

// demands reports whether a domain publishes what its mail must get, or may do so: what cannot
// be looked up might be there.
func (p *Prober) demands(ctx context.Context, domain string, r route.Route) bool {
	texts, err := p.cfg.Resolver.TXT(ctx, "_mta-sts."+domain)
	if err != nil {
		return true
	}
	if _, err := mtasts.ParseRecord(texts.Texts); !errors.Is(err, mtasts.ErrNoRecord) {
		return true
	}
	return slices.ContainsFunc(p.hosts(ctx, r), hostFacts.demand)
}

// demand reports TLSA records, or that whether there are any is not known.
func (h hostFacts) demand() bool { return len(h.tlsa)+h.skipped > 0 || h.tlsaErr != nil }

// outlook runs the host loop of sending up to where MAIL would follow. The first session that
// satisfies the profile decides for the domain, as it does in sending; the rest is walked over
// only where every host's verdict is wanted.
func (p *Prober) outlook(ctx context.Context, domain string, prof Profile) (Verdict, map[string]Verdict) {
	w := p.cfg.Courier.Walk(courier.Destination{Domain: domain, Requirement: prof.Requirement, Offer: prof.Offer, Pool: prof.Pool})
	defer w.Close()
	each := map[string]Verdict{}
	var whole *Verdict
	for {
		link, ok := w.Next(ctx)
		if !ok {
			break
		}
		v := usableBy(link, prof)
		each[link.Session.MX+"|"+link.Session.IP] = v
		link.Quit()
		if whole == nil {
			whole = &v
		}
		if !p.cfg.EachHost {
			break
		}
	}
	for _, a := range w.Attempts() {
		if key := a.MX + "|" + a.IP; a.IP != "" && each[key].Verdict == "" {
			each[key] = conclude([]delivery.Attempt{a}, prof)
		}
	}
	if whole == nil {
		v := conclude(w.Attempts(), prof)
		whole = &v
	}
	return *whole, each
}

func usableBy(link *courier.Link, prof Profile) Verdict {
	got := link.Session.Protection
	v := Verdict{Profile: prof.Name, Verdict: Cleartext, MX: link.Session.MX}
	if got.Encrypted {
		v.Verdict, v.Version, v.Cipher = ByTLS, got.Version.String(), got.Suite.String()
		v.Verified = string(link.Session.Verified)
	}
	return v
}

// conclude words a failure as sending would (delivery.Conclude).
func conclude(attempts []delivery.Attempt, prof Profile) Verdict {
	o := delivery.Conclude(attempts, prof.Requirement)
	v := Verdict{Profile: prof.Name, Verdict: Defer, Reason: string(o.Reason), Text: o.Text}
	if o.Status == delivery.Bounced {
		v.Verdict = Bounce
	}
	for _, a := range attempts {
		if a.Reason == o.Reason && a.MX != "" {
			v.MX = a.MX
			break
		}
	}
	return v
}

// Each runs do for every item, no more than limit at once, until all are done or ctx ends.
func Each[T any](ctx context.Context, items []T, limit int, do func(T)) {
	var wg sync.WaitGroup
	places := make(chan struct{}, max(limit, 1))
	for _, item := range items {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-places }()
			do(item)
		})
	}
	wg.Wait()
}
