package cmd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// egressTarget is a mail host, or a domain that has some, at which port 25 is tried.
type egressTarget struct {
	host string
	port uint16
}

func (t egressTarget) String() string { return net.JoinHostPort(t.host, strconv.Itoa(int(t.port))) }

// parseEgress reads HOST[:PORT]; an IPv6 address with a port has brackets.
func parseEgress(text string, port uint16) (egressTarget, error) {
	host := text
	if addr, err := netip.ParseAddr(text); err == nil {
		return egressTarget{addr.String(), port}, nil
	}
	if h, number, err := net.SplitHostPort(text); err == nil {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 {
			return egressTarget{}, fmt.Errorf("%q is no port", mail.Clean(number))
		}
		host, port = h, uint16(n)
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return egressTarget{host, port}, nil
	}
	domain, err := mail.CanonicalDomain(host)
	if err != nil {
		return egressTarget{}, err
	}
	return egressTarget{domain, port}, nil
}

// Limits that keep doctor from being a nuisance at somebody else's mail hosts.
const (
	egressHosts   = 3 // mail hosts of a domain
	egressAtOnce  = 2 // connections to one target
	egressSources = 8 // addresses of ours
)

// egressChecks try port 25 at each target from each address of the pools.
func (p *patient) egressChecks() []check {
	c := checkOf{"egress", exitDeferred}
	if len(p.egress) == 0 {
		return []check{func(context.Context) []finding {
			return []finding{c.is(verdictUnknown, "not tried: that takes a mail host to talk to", "sendctl doctor --egress DOMAIN, with a domain that you write to")}
		}}
	}
	all := make([]check, len(p.egress))
	for i, t := range p.egress {
		all[i] = func(ctx context.Context) []finding { return p.tryEgress(ctx, t) }
	}
	return all
}

func (p *patient) tryEgress(ctx context.Context, t egressTarget) []finding {
	c := checkOf{"egress " + t.String(), exitDeferred}
	hosts, err := p.mailHosts(ctx, t)
	if err != nil {
		return []finding{c.is(verdictUnknown, err.Error(), "name another domain or mail host with --egress")}
	}
	sources := p.sources()
	if p.unsourced() {
		sources = append([]config.Source{{EHLO: p.hostname}}, sources...)
	}
	left := max(0, len(sources)-egressSources)
	sources = sources[:len(sources)-left]
	each := make([]finding, len(sources))
	turns := make(chan struct{}, egressAtOnce)
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() {
			turns <- struct{}{}
			each[i] = p.greet(ctx, c.from(s), hosts, s)
			<-turns
		})
	}
	all.Wait()
	if left > 0 {
		each = slices.Concat(each, []finding{c.is(verdictUnknown, fmt.Sprintf("%d more addresses of the pools are not tried, to be gentle", left), "")})
	}
	return each
}

// from names the check of one source.
func (c checkOf) from(s config.Source) checkOf {
	if s.Address.IsValid() {
		c.name += " from " + s.Address.String()
	}
	return c
}

// mailHost is one address of a mail host.
type mailHost struct {
	smtp.Peer
	addr netip.AddrPort
}

// mailHosts are the first addresses of the mail hosts of a target: of its MX hosts where it is
// a domain, else its own.
func (p *patient) mailHosts(ctx context.Context, t egressTarget) ([]mailHost, error) {
	if addr, err := netip.ParseAddr(t.host); err == nil {
		return []mailHost{{smtp.Peer{Host: t.host, IP: t.host}, netip.AddrPortFrom(addr, t.port)}}, nil
	}
	way, err := p.names.Lookup(ctx, t.host)
	if err != nil {
		return nil, err
	}
	if way.Null {
		return nil, fmt.Errorf("%s takes no mail (null MX)", t.host)
	}
	var out []mailHost
	var last error
	for _, h := range way.Hosts[:min(len(way.Hosts), egressHosts)] {
		got, err := p.names.Addresses(ctx, h.Name)
		if err != nil {
			last = err
			continue
		}
		// One of each family: doctor asks whether the way is open, not whether every host is up.
		for _, is4 := range []bool{true, false} {
			if i := slices.IndexFunc(got.Addrs, func(a netip.Addr) bool { return a.Is4() == is4 }); i >= 0 {
				out = append(out, mailHost{smtp.Peer{Host: h.Name, IP: got.Addrs[i].String()}, netip.AddrPortFrom(got.Addrs[i], t.port)})
			}
		}
	}
	if len(out) == 0 {
		return nil, last
	}
	return out, nil
}

// greet says EHLO and QUIT to the first of the hosts that can be reached from a source.
func (p *patient) greet(ctx context.Context, c checkOf, hosts []mailHost, s config.Source) finding {
	f := c.is(verdictUnknown, "none of its mail hosts has an address of the same family", "name another with --egress")
	for _, h := range hosts {
		if s.Address.IsValid() && s.Address.Is4() != h.addr.Addr().Is4() {
			continue
		}
		var reached bool
		if f, reached = p.greetHost(ctx, c, h, s); reached {
			return f
		}
		if ctx.Err() != nil {
			return c.is(verdictUnknown, "time was up", "")
		}
	}
	return f
}

// greetHost talks to one host; reached is false where no connection was made.
func (p *patient) greetHost(ctx context.Context, c checkOf, h mailHost, s config.Source) (f finding, reached bool) {
	short, stop := context.WithTimeout(ctx, p.connect)
	conn, err := p.dial(short, s.Address, h.addr)
	stop()
	if err != nil {
		return c.is(verdictFault, fmt.Sprintf("%s cannot be reached at port %d: %v", h, h.addr.Port(), err),
			"have firewall and provider let port 25 out; many providers open it on request only"), false
	}
	session, failure := smtp.Open(ctx, conn, h.Peer, smtp.Options{
		Timeouts: smtp.Timeouts{Greeting: p.replies, Command: p.replies}, Clock: time.Now,
	})
	if failure != nil {
		return c.is(verdictWarning, "port 25 is open, but: "+failure.Text, "try another host; where all say so, they do not like this address"), true
	}
	if failure := session.Hello(p.greeting(s)); failure != nil {
		session.Close()
		return c.is(verdictWarning, "port 25 is open, but: "+failure.Text, "servers may reject the EHLO name "+mail.Clean(p.greeting(s))), true
	}
	// RFC 3207 §4: what EHLO says before TLS can be cut out by whoever stands between.
	offered := session.Offers("STARTTLS")
	session.Quit()
	if !offered {
		return c.is(verdictWarning, h.String()+" answers and offers no STARTTLS: it has none, or a firewall takes it out",
			"try a host that is known to have it; where it is missing too, switch SMTP inspection off in the firewall"), true
	}
	return c.ok("%s answers and offers STARTTLS", h), true
}
