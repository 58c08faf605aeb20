package cmd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/route"
)

// signedZone is asked for to see whether a resolver validates: a zone that has been signed for
// long, and that every resolver of the world has at hand, so that nobody is bothered.
const signedZone = "org"

// resolvers asks each configured server by itself whether it answers and validates DNSSEC.
func (p *patient) resolvers(ctx context.Context) []finding {
	if p.serversErr != nil {
		c := checkOf{"resolvers", exitConfig}
		return []finding{c.is(verdictFault, p.serversErr.Error(), "name a resolver in [dns] servers of sendctl.toml")}
	}
	sets, errs := make([]route.TextSet, len(p.servers)), make([]error, len(p.servers))
	var all sync.WaitGroup
	for i, server := range p.servers {
		all.Go(func() { sets[i], errs[i] = p.resolver(server).TXT(ctx, signedZone) })
	}
	all.Wait()
	dead := !slices.Contains(errs, nil)
	found := make([]finding, 0, len(p.servers)+1)
	for i, server := range p.servers {
		c := checkOf{"resolver " + server, exitDeferred}
		switch {
		case errs[i] == nil:
			found = append(found, p.validates(c, server, sets[i].Authentic))
		case dead:
			found = append(found, c.is(verdictFault, errs[i].Error(), "mail cannot be sent without one: name one that answers in [dns] servers of sendctl.toml, or in /etc/resolv.conf"))
		default:
			found = append(found, c.is(verdictWarning, errs[i].Error(), "others answer, but lookups that begin here wait: take it out of [dns] servers or /etc/resolv.conf"))
		}
	}
	if len(p.servers) > 1 {
		found = append(found, p.trust())
	}
	return found
}

// believed reports a server whose authentic-data bit counts.
func (p *patient) believed(server string) bool {
	addr, err := netip.ParseAddrPort(server)
	return p.cfg.Settings.DNS.TrustAD || err == nil && addr.Addr().Unmap().IsLoopback()
}

// validates says what an answer for a signed zone tells of a resolver.
func (p *patient) validates(c checkOf, server string, authentic bool) finding {
	const local = "run a resolver that validates on this host, such as unbound"
	switch {
	case p.sandboxed:
		return c.ok("the sandbox's answers; it signs nothing")
	case authentic && p.believed(server):
		return c.ok("answers and validates DNSSEC")
	case authentic:
		return c.is(verdictWarning, "answers and validates DNSSEC, but is on another host, whose word could be forged on the way: DANE is not used",
			local+"; or, where nobody can tamper with the way, set trust_ad = true under [dns] in sendctl.toml")
	}
	return c.is(verdictWarning, "answers, but does not validate DNSSEC: DANE is not used", local)
}

// trust warns of a list in which some servers are believed and some are not.
func (p *patient) trust() finding {
	c := checkOf{"resolver list", exitDeferred}
	var yes, no []string
	for _, s := range p.servers {
		if p.believed(s) {
			yes = append(yes, s)
		} else {
			no = append(no, s)
		}
	}
	if len(yes) > 0 && len(no) > 0 {
		return c.is(verdictWarning, fmt.Sprintf("on DNSSEC %s is believed, %s not: what the latter answer is never authentic, and DANE comes and goes", joined(yes), joined(no)),
			"list resolvers on this host alone")
	}
	return c.ok("all alike: %s", joined(p.servers))
}

// ehlo is a name that EHLO says, and the pool addresses that it is said from.
type ehlo struct {
	name  string
	addrs []netip.Addr
}

// greetings are the names that EHLO says, sorted. In a sandbox the name that stands in where
// none is configured is nobody's business.
func (p *patient) greetings() []ehlo {
	byName := map[string][]netip.Addr{}
	if p.unsourced() && !(p.sandboxed && p.cfg.Settings.Hostname == "") {
		byName[p.hostname] = nil
	}
	for _, s := range p.sources() {
		byName[s.EHLO] = append(byName[s.EHLO], s.Address)
	}
	out := make([]ehlo, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, ehlo{name, byName[name]})
	}
	return out
}

// ehloName holds that a name is public and leads to the addresses that greet with it
// (RFC 5321 §2.3.5, §4.1.4).
func (p *patient) ehloName(ctx context.Context, n ehlo) finding {
	c := checkOf{"EHLO name " + mail.Clean(n.name), exitDeferred}
	set := "set hostname in sendctl.toml, or ehlo of the pool's sources, to this host's public name"
	if !config.PublicName(n.name) {
		return c.is(verdictWarning, "no public host name: many servers reject it", set)
	}
	got, err := p.names.Addresses(ctx, n.name)
	switch kind := route.KindOf(err); {
	case err != nil && kind == route.Temporary:
		return c.is(verdictUnknown, err.Error(), "")
	case err != nil:
		return c.is(verdictFault, "it has no address in the DNS: many servers reject it", "publish A and AAAA records for it, or "+set)
	}
	leads := "leads to " + joinAddrs(got.Addrs)
	var missing []netip.Addr
	for _, a := range n.addrs {
		if !slices.Contains(got.Addrs, a.Unmap()) {
			missing = append(missing, a)
		}
	}
	if len(missing) > 0 {
		return c.is(verdictWarning, leads+", and not to "+joinAddrs(missing)+", which greets with it", "publish an address record for each, or give the source the name that leads to it")
	}
	return c.ok("%s", leads)
}

// bindable holds that a pool's address is one of this host (C10).
func (p *patient) bindable(ctx context.Context, s config.Source) finding {
	c := checkOf{"address " + s.Address.String(), exitDeferred}
	err := p.bind(ctx, s.Address)
	if err == nil {
		return c.ok("connections can be made from it")
	}
	text := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		text = errno.Error()
	}
	return c.is(verdictFault, "no connection can be made from it: "+text, "give it to an interface of this host, or take it out of [pools] in sendctl.toml")
}

// reverse holds that the PTR record of an address names the host that greets from there, and
// that this name leads back.
func (p *patient) reverse(ctx context.Context, s config.Source) finding {
	c := checkOf{"PTR " + s.Address.String(), exitDeferred}
	name := mail.Clean(strings.ToLower(strings.TrimSuffix(s.EHLO, ".")))
	if route.Prohibited(s.Address) {
		return c.is(verdictUnknown, "others never see this address: it is translated on the way, or leads nowhere",
			"find out which address they see, and have its PTR record name "+name)
	}
	set, err := p.names.PTR(ctx, s.Address)
	if err != nil {
		return c.is(verdictUnknown, err.Error(), "")
	}
	ask := "ask the provider of the address for the PTR record " + name
	if !config.PublicName(name) {
		ask = "ask the provider of the address for a PTR record with this host's public name"
	}
	if len(set.Names) == 0 {
		return c.is(verdictFault, "no PTR record: many servers reject mail from such an address", ask)
	}
	confirmed, unsure := p.leadBack(ctx, s.Address, set.Names)
	names := joined(set.Names)
	switch {
	case slices.Contains(confirmed, name):
		return c.ok("PTR record %s, which leads back", name)
	case len(confirmed) == 0 && unsure != nil:
		return c.is(verdictUnknown, unsure.Error(), "")
	case len(confirmed) == 0:
		return c.is(verdictFault, "PTR record "+names+", which does not lead back to the address", "publish its address record, or "+ask)
	}
	return c.is(verdictWarning, "EHLO says "+name+", the PTR record says "+names, "greet with that name (ehlo of the pool's source, or hostname, in sendctl.toml), or "+ask)
}

// maxNames is how many names of one address are followed back.
const maxNames = 5

// leadBack gives the names that lead to the address, and why that is not known of the others.
func (p *patient) leadBack(ctx context.Context, addr netip.Addr, names []string) (confirmed []string, unsure error) {
	for _, name := range names[:min(len(names), maxNames)] {
		got, err := p.names.Addresses(ctx, name)
		switch {
		case err == nil && slices.Contains(got.Addrs, addr.Unmap()):
			confirmed = append(confirmed, name)
		case err != nil && route.KindOf(err) == route.Temporary:
			unsure = err
		}
	}
	return confirmed, unsure
}

// systemAddress looks at the address that the system chooses for pools without sources.
func (p *patient) systemAddress(ctx context.Context) finding {
	c := checkOf{"address of this host", exitDeferred}
	// A documentation address (RFC 5737) has the route of everything far away, and nobody behind it.
	addr, err := p.source(ctx, netip.MustParseAddrPort("192.0.2.1:25"))
	if err != nil {
		return c.is(verdictFault, "there is no way to the IPv4 internet: "+err.Error(), "give this host a default route, or name addresses under [pools] in sendctl.toml")
	}
	f := p.reverse(ctx, config.Source{Address: addr, EHLO: p.hostname})
	f.Found = addr.String() + ": " + f.Found
	f.Name = c.name
	return f
}

func joinAddrs(addrs []netip.Addr) string {
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.String()
	}
	return joined(names)
}
