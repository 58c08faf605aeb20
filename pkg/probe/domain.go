package probe

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

// Limits of one domain, those of sending (SPEC §4).
const (
	maxHosts     = 10
	maxAddresses = 20
)

// hostFacts is what the DNS says of one mail host.
type hostFacts struct {
	host    route.Host
	addrs   route.Addresses
	err     error // of its addresses
	tlsa    []tlsauth.Association
	skipped int // TLSA records that cannot be read
	tlsaErr error
}

// domainFacts is what a domain publishes.
type domainFacts struct {
	route    route.Route
	hosts    []hostFacts
	sts      mtasts.Fetched
	stsErr   error // mtasts.ErrNoRecord where there is none
	reports  string
	reportBy error
}

// Domain asks everything about one domain, in A-labels. It ends by itself within the time for
// a domain, and tells then what it knows.
func (p *Prober) Domain(ctx context.Context, domain string) *Result {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.PerDomain)
	defer cancel()
	res := &Result{Domain: domain, GradeReasons: []string{}, MX: []MX{}, Verdicts: []Verdict{}, Warnings: []string{}}
	var facts domainFacts
	var extras sync.WaitGroup
	extras.Go(func() { p.published(ctx, domain, &facts) })
	r, err := p.cfg.Resolver.Lookup(ctx, domain)
	if err != nil {
		extras.Wait()
		return p.without(ctx, res, err)
	}
	facts.route, res.DNSSEC = r, r.Authentic
	if r.Null {
		extras.Wait()
		res.Grade, res.NoMail = GradeNone, true
		res.Error = domain + " says in the DNS that it takes no mail (null MX)"
		res.Verdicts = p.foretell(ctx, domain, nil)
		return res
	}
	facts.hosts = p.hosts(ctx, r)
	res.MX = p.askHosts(ctx, facts.hosts)
	extras.Wait()
	res.judge(&facts, &p.cfg, p.now())
	if len(p.cfg.Profiles) > 0 {
		res.Verdicts = p.foretell(ctx, domain, res)
	}
	return res
}

// without is the result for a domain whose hosts the DNS does not tell.
func (p *Prober) without(ctx context.Context, res *Result, err error) *Result {
	res.Error = mail.Clean(err.Error())
	switch route.KindOf(err) {
	case route.NoSuchDomain, route.NoMailHost, route.NoAddress:
		res.Grade, res.NoMail = GradeNone, true
	default:
		res.Grade, res.Inconclusive = GradeUnknown, true
		res.GradeReasons = append(res.GradeReasons, "its mail hosts could not be looked up")
	}
	res.Verdicts = p.foretell(ctx, res.Domain, nil)
	return res
}

// published asks for what a domain publishes beside its hosts.
func (p *Prober) published(ctx context.Context, domain string, facts *domainFacts) {
	var wg sync.WaitGroup
	wg.Go(func() {
		facts.stsErr = mtasts.ErrNoRecord
		if p.cfg.Policy != nil {
			facts.sts, facts.stsErr = p.cfg.Policy(ctx, domain)
		}
	})
	wg.Go(func() {
		texts, err := p.cfg.Resolver.TXT(ctx, "_smtp._tls."+domain)
		facts.reportBy = err
		// RFC 8460 §3: with several records there is none.
		mine := slices.DeleteFunc(slices.Clone(texts.Texts), func(t string) bool { return !strings.HasPrefix(t, "v=TLSRPTv1") })
		if len(mine) == 1 {
			facts.reports = mail.Clean(mine[0])
		}
	})
	wg.Wait()
}

// hosts looks up addresses and TLSA records of a domain's hosts, at the same time.
func (p *Prober) hosts(ctx context.Context, r route.Route) []hostFacts {
	all := make([]hostFacts, min(len(r.Hosts), maxHosts))
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = p.host(ctx, r.Hosts[i]) })
	}
	wg.Wait()
	return all
}

func (p *Prober) host(ctx context.Context, h route.Host) hostFacts {
	f := hostFacts{host: h}
	f.addrs, f.err = p.cfg.Resolver.Addresses(ctx, h.Name)
	// RFC 7672 §2.2.2: TLSA records of hosts with insecure addresses are not even asked for.
	if f.err != nil || !f.addrs.Authentic {
		return f
	}
	// RFC 7672 §2.2.3: first where the alias leads, then the name itself.
	for _, name := range slices.Compact([]string{f.addrs.CanonicalName, h.Name}) {
		set, err := p.cfg.Resolver.TLSA(ctx, name, p.cfg.Port)
		if err != nil {
			f.tlsaErr = err
			return f
		}
		if !set.Authentic || len(set.Records)+set.Skipped == 0 {
			continue
		}
		for _, t := range set.Records {
			f.tlsa = append(f.tlsa, tlsauth.Association{Usage: t.Usage, Selector: t.Selector, MatchingType: t.MatchingType, Data: t.Data})
		}
		f.skipped = set.Skipped
		return f
	}
	return f
}

// askHosts asks every address of every host, at the same time.
func (p *Prober) askHosts(ctx context.Context, hosts []hostFacts) []MX {
	var rows []MX
	var wg sync.WaitGroup
	type asked struct{ host, addr int }
	var ask []asked
	for i, h := range hosts {
		if h.err != nil {
			rows = append(rows, nameless(h))
			ask = append(ask, asked{-1, 0})
			continue
		}
		for j := range h.addrs.Addrs {
			if len(rows) == maxAddresses {
				break
			}
			rows = append(rows, MX{Host: h.host.Name, Preference: h.host.Preference, IP: h.addrs.Addrs[j].Unmap().String()})
			ask = append(ask, asked{i, j})
		}
	}
	seen := make([]observation, len(rows))
	for i, q := range ask {
		if q.host < 0 {
			continue
		}
		wg.Go(func() {
			seen[i] = p.observeAllowed(ctx, hosts[q.host].host.Name, hosts[q.host].addrs.Addrs[q.addr].Unmap())
		})
	}
	wg.Wait()
	for i := range rows {
		if ask[i].host >= 0 {
			rows[i].take(seen[i])
		}
	}
	return rows
}

// observeAllowed asks an address, unless no mail host on the internet can have it.
func (p *Prober) observeAllowed(ctx context.Context, host string, addr netip.Addr) observation {
	if route.Prohibited(addr) && !p.cfg.AllowPrivate {
		why := host + " has the address " + addr.String() + ", which leads back to this host or into a private network" +
			" (allow_private_addresses in [delivery] of sendctl.toml permits that)"
		return observation{starttls: Unasked, versions: nothingKnown(), evidence: []Evidence{{Error: why}}, why: why}
	}
	return p.observe(ctx, host, addr)
}

// nameless is the row of a host without an address.
func nameless(h hostFacts) MX {
	why := mail.Clean(h.err.Error())
	m := MX{Host: h.host.Name, Preference: h.host.Preference}
	m.take(observation{
		starttls: Unasked, versions: nothingKnown(), evidence: []Evidence{{Error: why}}, why: why,
		inconclusive: route.KindOf(h.err) == route.Temporary,
	})
	return m
}

// take fills a row with what an address showed.
func (m *MX) take(o observation) {
	m.StartTLS, m.Versions, m.Best, m.Deep = o.starttls, o.versions, o.best, o.deep
	m.Evidence = append([]Evidence{}, o.evidence...)
	m.Connections, m.DurationMS = o.connections, o.took.Milliseconds()
	m.ClientCert, m.Throttled = o.clientCert, o.throttled
	m.inconclusive, m.unreachable, m.neverTLS, m.why = o.inconclusive, o.unreachable, o.neverTLS, o.why
	m.chain, m.traces = o.chain, o.traces
}

// stsOf is the policy as the result shows it; nil where there is no record.
func stsOf(facts *domainFacts) *STS {
	if errors.Is(facts.stsErr, mtasts.ErrNoRecord) {
		return nil
	}
	s := &STS{ID: facts.sts.ID, Mode: string(facts.sts.Policy.Mode), MX: append([]string{}, facts.sts.Policy.MX...), MaxAge: int64(facts.sts.Policy.MaxAge.Seconds())}
	if facts.stsErr != nil {
		s.Error = mail.Clean(facts.stsErr.Error())
	}
	return s
}
