package cmd

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/route"
)

// dnsView is where the mail of a domain goes, as far as the DNS says.
type dnsView struct {
	Domain string `json:"domain"`
	// NullMX: the domain says that it takes no mail. ImplicitMX: it has no MX records and is
	// its own mail host. Authentic: the list of hosts is signed and was validated (DNSSEC).
	NullMX     bool     `json:"null_mx"`
	ImplicitMX bool     `json:"implicit_mx"`
	Authentic  bool     `json:"authentic"`
	MX         []mxView `json:"mx"`
	Notes      []string `json:"notes"`
	// Reason is why there is no host, in the words of send; "" where there is one.
	Reason policy.Reason `json:"reason"`
	Error  string        `json:"error"`
}

type mxView struct {
	Host       string   `json:"host"`
	Preference uint16   `json:"preference"`
	Authentic  bool     `json:"authentic"`
	Addresses  []string `json:"addresses"`
	Error      string   `json:"error"`
}

// lookup asks the DNS where mail goes, and talks to nobody else.
type lookup struct {
	resolver     *route.Resolver
	allowPrivate bool
	hostname     func() string // the EHLO name, which may have to be looked up
	close        func()
}

// lookup prepares for questions to the DNS, or to that of a sandbox. A sandbox of this run
// keeps what it keeps in a temporary directory, so that nothing is written.
func (a *app) lookup(f *sandboxFlags, cfg *config.Config) (*lookup, error) {
	box, err := (&sandboxFlags{at: f.at}).open("")
	if err != nil {
		return nil, err
	}
	l := &lookup{
		allowPrivate: cfg.Settings.Delivery.AllowPrivateAddresses,
		hostname:     func() string { return a.hostname(cfg, box) },
		close:        func() {},
	}
	if box != nil {
		l.close = func() { _ = box.close() } // it has received nothing
	}
	if l.resolver, err = a.resolver(cfg, box); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// fill adds to each recipient where its mail would go.
func (l *lookup) fill(ctx context.Context, list []explained) {
	found := l.all(ctx, list)
	for i := range list {
		list[i].DNS = found[list[i].address.Domain]
	}
}

// Limits of one explanation: how many domains are asked about at once, and of how many of a
// domain's hosts the addresses are asked for, which is how many a delivery tries.
const (
	maxLookups = 32
	maxHosts   = 10
)

// all looks up the domains of some recipients, each once.
func (l *lookup) all(ctx context.Context, list []explained) map[string]*dnsView {
	found := map[string]*dnsView{}
	slots := make(chan struct{}, maxLookups)
	var wg sync.WaitGroup
	for i := range list {
		domain := list[i].address.Domain
		if found[domain] != nil {
			continue
		}
		v := &dnsView{Domain: domain, MX: []mxView{}, Notes: []string{}}
		found[domain] = v
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			l.domain(ctx, v)
		})
	}
	wg.Wait()
	return found
}

func (l *lookup) domain(ctx context.Context, v *dnsView) {
	r, err := l.resolver.Lookup(ctx, v.Domain)
	if err != nil {
		v.Error, v.Reason = err.Error(), reasonOf(err)
		return
	}
	v.NullMX, v.ImplicitMX, v.Authentic = r.Null, r.Implicit, r.Authentic
	v.Notes = append(v.Notes, r.Notes...)
	if r.Null {
		v.Reason = policy.NullMX
		return
	}
	for i, h := range r.Hosts {
		m := mxView{Host: h.Name, Preference: h.Preference, Authentic: h.Authentic, Addresses: []string{}}
		if i < maxHosts {
			l.addresses(ctx, v, &m)
		} else if i == maxHosts {
			v.Notes = append(v.Notes, fmt.Sprintf("no more than %d hosts are tried", maxHosts))
		}
		v.MX = append(v.MX, m)
	}
}

func (l *lookup) addresses(ctx context.Context, v *dnsView, m *mxView) {
	found, err := l.resolver.Addresses(ctx, m.Host)
	if err != nil {
		m.Error = err.Error()
		return
	}
	v.Notes = append(v.Notes, found.Notes...)
	for _, addr := range found.Addrs {
		m.Addresses = append(m.Addresses, addr.String())
		if route.Prohibited(addr) && !l.allowPrivate {
			v.Notes = append(v.Notes, fmt.Sprintf("%s of %s is no address on the internet and is refused, unless allow_private_addresses is true", addr, m.Host))
		}
	}
}

func reasonOf(err error) policy.Reason {
	switch route.KindOf(err) {
	case route.NoSuchDomain:
		return policy.NoSuchDomain
	case route.NoMailHost, route.NoAddress:
		return policy.NoMailHost
	case route.Temporary:
	}
	return policy.DNSFailure
}

// hostsOf puts a lookup in words: a host a line, best first; nil where none was asked for.
func hostsOf(v *dnsView) []string {
	if v == nil {
		return nil
	}
	var out []string
	for _, m := range v.MX {
		text := fmt.Sprintf("%d %s", m.Preference, m.Host)
		if v.ImplicitMX {
			text = m.Host + " itself, for it has no MX"
		}
		if len(m.Addresses) > 0 {
			text += " [" + strings.Join(m.Addresses, ", ") + "]"
		}
		if m.Error != "" {
			text += ": " + m.Error
		}
		if m.Authentic {
			text += " (authentic)"
		}
		out = append(out, text)
	}
	switch {
	case v.NullMX:
		out = append(out, "none: "+v.Domain+" takes no mail (null MX)")
	case v.Error != "":
		out = append(out, "none ("+string(v.Reason)+"): "+v.Error)
	}
	return append(out, v.Notes...)
}
