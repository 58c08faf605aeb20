package courier

import (
	"context"
	"net/netip"
	"slices"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/route"
)

// Limits of one pass (SPEC §4).
const (
	maxHosts     = 10
	maxAddresses = 20
)

// target is one address of one mail host.
type target struct {
	host       string
	preference uint16
	addr       netip.Addr
}

func (t target) key() string { return t.host + "|" + t.addr.String() }

// targets resolves a domain into the addresses to try, best first, and notes as attempts
// what stood in the way of others.
func (w *Walk) resolve(ctx context.Context) {
	w.resolved = true
	r, err := w.c.cfg.Resolver.Lookup(ctx, w.dest.Domain)
	if w.dest.Hosts != nil && (err != nil || hostsKey(r.Hosts) != hostsKey(w.dest.Hosts)) {
		r, err = route.Route{Hosts: w.dest.Hosts}, nil // the domain moved; what is sent here goes here
	}
	if err != nil {
		w.note(dnsAttempt(w.dest.Domain, err))
		return
	}
	if r.Null {
		w.note(delivery.Attempt{
			Stage: delivery.StageDNS, Reason: policy.NullMX, Definitive: true,
			Text: w.dest.Domain + " says in the DNS that it takes no mail (null MX)",
		})
		return
	}
	var nameless []delivery.Attempt
	for i, h := range r.Hosts {
		if i == maxHosts || len(w.targets) >= maxAddresses {
			break
		}
		addrs, err := w.c.cfg.Resolver.Addresses(ctx, h.Name)
		switch {
		case err != nil && route.KindOf(err) == route.NoAddress:
			// An MX name without an address is skipped.
			nameless = append(nameless, delivery.Attempt{
				MX: h.Name, Stage: delivery.StageDNS, Reason: policy.NoMailHost, Definitive: true, Text: mail.Clean(err.Error()),
			})
		case err != nil:
			a := dnsAttempt(h.Name, err)
			a.MX = h.Name
			w.note(a)
		default:
			w.add(h, addrs.Addrs)
		}
	}
	w.preferAgain()
	if len(w.targets) == 0 && len(w.attempts) == 0 {
		for _, a := range nameless {
			w.note(a)
		}
		if len(nameless) == 0 {
			w.note(delivery.Attempt{Stage: delivery.StageDNS, Reason: policy.NoMailHost, Definitive: true, Text: "there is no usable mail host"})
		}
	}
}

// preferAgain puts the address that wants to be asked once more first.
func (w *Walk) preferAgain() {
	i := slices.IndexFunc(w.targets, func(t target) bool { return t.addr == w.dest.Again.Addr })
	if i > 0 {
		again := w.targets[i]
		w.targets = slices.Insert(slices.Delete(w.targets, i, i+1), 0, again)
	}
}

// add takes a host's addresses as targets: those of the families that the pool has, private
// ones refused unless allowed.
func (w *Walk) add(h route.Host, addrs []netip.Addr) {
	usable := w.families(addrs)
	if len(usable) == 0 && len(addrs) > 0 {
		usable = addrs // connecting says why there is no source for them
	}
	for _, a := range usable {
		if len(w.targets) >= maxAddresses {
			return
		}
		a = a.Unmap()
		if w.loops(a) {
			w.note(delivery.Attempt{
				MX: h.Name, IP: a.String(), Stage: delivery.StageDNS, Reason: policy.MailLoop, Definitive: true,
				Text: h.Name + " has the address " + a.String() + ", which leads back to this host or into a private network" +
					" (allow_private_addresses in [delivery] of sendctl.toml permits that)",
			})
			continue
		}
		w.targets = append(w.targets, target{h.Name, h.Preference, a})
	}
}

// families keeps the addresses that the pool can reach. A pool without sources uses IPv4, and
// IPv6 only where the host has nothing else.
func (w *Walk) families(addrs []netip.Addr) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	sources := w.c.cfg.Pools[w.dest.Pool]
	if len(sources) == 0 {
		if len(v4) > 0 {
			return v4
		}
		return v6
	}
	has := func(is4 bool) bool {
		return slices.ContainsFunc(sources, func(s Source) bool { return s.Address.Is4() == is4 })
	}
	var out []netip.Addr
	if has(true) {
		out = append(out, v4...)
	}
	if has(false) {
		out = append(out, v6...)
	}
	return out
}

// loops reports an address that must not be a recipient's mail host.
func (w *Walk) loops(a netip.Addr) bool {
	if w.c.cfg.AllowPrivate {
		return false
	}
	return route.Prohibited(a) || slices.ContainsFunc(w.c.cfg.Pools[w.dest.Pool], func(s Source) bool { return s.Address == a })
}

// dnsAttempt words a failed lookup: only NXDOMAIN and NODATA are answers.
func dnsAttempt(name string, err error) delivery.Attempt {
	a := delivery.Attempt{Stage: delivery.StageDNS, Reason: policy.DNSFailure, Text: mail.Clean(err.Error())}
	switch route.KindOf(err) {
	case route.NoSuchDomain:
		a.Reason, a.Definitive, a.Text = policy.NoSuchDomain, true, "the domain "+mail.Clean(name)+" does not exist"
	case route.NoMailHost:
		a.Reason, a.Definitive, a.Text = policy.NoMailHost, true, "the domain "+mail.Clean(name)+" has no mail host (neither MX nor address)"
	case route.NoAddress, route.Temporary:
	}
	return a
}
