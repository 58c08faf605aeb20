package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Options of a sandbox. The zero value is the standard domains, all in memory.
type Options struct {
	// Dir is where sandbox.json says to others (Join) how to reach this sandbox; made where missing.
	// Empty: nobody can join.
	Dir string
	// MessageDir is where each accepted message is written as an .eml file; made where missing. Empty: nowhere.
	MessageDir string
	// StatePath is the file that keeps greylist.test's memory. Empty: it is lost with the sandbox.
	StatePath string
	// Domains instead of the standard ones.
	Domains []Domain
	// Zone is added to what the domains' own records are.
	Zone *Zone
	// Reach says what becomes of connections to addresses that no host has; others are refused.
	Reach map[netip.Addr]Reach
	// Keep says how much of what is received stays in memory, at most.
	Keep Keep
	// OnDelivery, if set, is called with each message after the host's own function of that name.
	OnDelivery func(Delivery) error
}

// Sandbox is a running network of mail hosts and DNS on the loopback.
type Sandbox struct {
	authority *Authority
	dns       *DNS
	servers   []*Server
	atlas     atlas
	info      []Info
	greylist  *Greylist
	stop      func() error
	remove    func() error // takes sandbox.json away
}

// Start runs a sandbox until Close.
func Start(o Options) (*Sandbox, error) {
	authority, err := NewAuthority(time.Now())
	if err != nil {
		return nil, err
	}
	s := &Sandbox{authority: authority, atlas: atlas{}, remove: func() error { return nil }}
	s.stop = sync.OnceValue(s.shut)
	if err := s.start(o); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the sandbox: %w", err), s.Close())
	}
	return s, nil
}

func (s *Sandbox) start(o Options) error {
	var err error
	if s.greylist, err = OpenGreylist(o.StatePath); err != nil {
		return err
	}
	domains := o.Domains
	if domains == nil {
		domains = Standard(s.greylist)
	}
	s.info = table(domains)
	write, err := openMailbox(o.MessageDir)
	if err != nil {
		return err
	}
	zone := &Zone{}
	addresses := &addresses{}
	for addr, reach := range o.Reach {
		s.atlas[addr] = place{reach: reach}
	}
	for i := range domains {
		zone.add(domains[i].zone())
		for n := range domains[i].Hosts {
			h := domains[i].host(n)
			h.Keep = max(h.Keep, o.Keep)
			h.OnDelivery = inTurn(h.OnDelivery, write, o.OnDelivery)
			if err := s.add(h, zone, addresses); err != nil {
				return err
			}
		}
	}
	zone.add(o.Zone)
	if s.dns, err = ServeDNS(zone); err != nil {
		return err
	}
	if o.Dir != "" {
		return s.publish(o.Dir)
	}
	return nil
}

// add runs a host and gives it its addresses.
func (s *Sandbox) add(h Host, zone *Zone, free *addresses) error {
	p := place{reach: h.Reach}
	if h.Reach == Answers {
		server, err := Serve(h, s.authority)
		if err != nil {
			return err
		}
		s.servers = append(s.servers, server)
		p.server, p.dial = server, server.Dial
	}
	v4, v6, err := free.next()
	if err != nil {
		return err
	}
	zone.Records = append(zone.Records, &dns.A{Hdr: header(h.Name, dns.TypeA), A: v4.AsSlice()})
	s.atlas[v4] = p
	if h.IPv6 {
		zone.Records = append(zone.Records, &dns.AAAA{Hdr: header(h.Name, dns.TypeAAAA), AAAA: v6.AsSlice()})
		s.atlas[v6] = p
	}
	return nil
}

// inTurn calls the functions that there are, until one fails; nil if there are none.
func inTurn(fs ...func(Delivery) error) func(Delivery) error {
	fs = slices.DeleteFunc(fs, func(f func(Delivery) error) bool { return f == nil })
	if len(fs) == 0 {
		return nil
	}
	return func(d Delivery) error {
		for _, f := range fs {
			if err := f(d); err != nil {
				return err
			}
		}
		return nil
	}
}

// addresses gives each host an address of the blocks for documentation (RFC 5737, RFC 3849).
type addresses struct{ used int }

func (a *addresses) next() (v4, v6 netip.Addr, err error) {
	blocks := [][3]byte{{192, 0, 2}, {198, 51, 100}, {203, 0, 113}}
	const first, per = 10, 240
	block, n := a.used/per, byte(first+a.used%per)
	if block >= len(blocks) {
		return v4, v6, fmt.Errorf("more than %d mail hosts", per*len(blocks))
	}
	a.used++
	b := blocks[block]
	v4 = netip.AddrFrom4([4]byte{b[0], b[1], b[2], n})
	v6 = netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 13: byte(block), 15: n})
	return v4, v6, nil
}

// hostName is the name of the domain's nth host.
func (d *Domain) hostName(n int) string {
	switch {
	case d.Hosts[n].Name != "":
		return d.Hosts[n].Name
	case d.Implicit:
		return d.Name
	case len(d.Hosts) == 1:
		return "mx." + d.Name
	}
	return "mx" + strconv.Itoa(n+1) + "." + d.Name
}

// host is the domain's nth host with its defaults filled in.
func (d *Domain) host(n int) Host {
	h := d.Hosts[n]
	h.Name = d.hostName(n)
	if h.Preference == 0 {
		h.Preference = uint16(10 * (n + 1))
	}
	return h
}

// zone holds the domain's own records, those of its hosts' addresses apart.
func (d *Domain) zone() *Zone {
	z := &Zone{}
	if d.Rcode != 0 {
		z.Rcodes = map[string]int{d.Name: d.Rcode}
	}
	if d.NullMX {
		z.Records = append(z.Records, &dns.MX{Hdr: header(d.Name, dns.TypeMX), Mx: "."})
	}
	for n := range d.Hosts {
		if h := d.host(n); !d.Implicit {
			z.Records = append(z.Records, &dns.MX{Hdr: header(d.Name, dns.TypeMX), Preference: h.Preference, Mx: dns.Fqdn(h.Name)})
		}
	}
	return z
}

// Dial connects to the host at a documentation address; see [Network].
func (s *Sandbox) Dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	return s.atlas.dial(ctx, source, target)
}

// DialContext connects to the host at "address:port"; see [Network].
func (s *Sandbox) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return s.atlas.dialContext(ctx, network, address)
}

// DNS is the address of the name server, "127.0.0.1:port", for UDP and TCP.
func (s *Sandbox) DNS() string { return s.dns.Addr() }

// Questions are those that the name server was asked; see [DNS.Questions].
func (s *Sandbox) Questions() []string { return s.dns.Questions() }

// CA is the authority's root certificate in PEM.
func (s *Sandbox) CA() []byte { return s.authority.PEM() }

// Authority is the sandbox's own, which makes further certificates.
func (s *Sandbox) Authority() *Authority { return s.authority }

// Table describes the domains.
func (s *Sandbox) Table() []Info { return slices.Clone(s.info) }

// Servers are the running hosts in the order of the domains.
func (s *Sandbox) Servers() []*Server { return slices.Clone(s.servers) }

// Server is the host of that name, or nil.
func (s *Sandbox) Server(name string) *Server {
	for _, h := range s.servers {
		if h.Name() == name {
			return h
		}
	}
	return nil
}

// Received are the messages that all hosts accepted, by time.
func (s *Sandbox) Received() []Delivery {
	var all []Delivery
	for _, h := range s.servers {
		all = append(all, h.Received()...)
	}
	slices.SortStableFunc(all, func(a, b Delivery) int { return a.Time.Compare(b.Time) })
	return all
}

// Accepted counts the messages that all hosts accepted, whatever was kept of them.
func (s *Sandbox) Accepted() int {
	n := 0
	for _, h := range s.servers {
		n += h.Accepted()
	}
	return n
}

// Connections are what all hosts saw, host by host.
func (s *Sandbox) Connections() []Connection {
	var all []Connection
	for _, h := range s.servers {
		all = append(all, h.Connections()...)
	}
	return all
}

// Plaintext is every octet that any host received outside TLS.
func (s *Sandbox) Plaintext() []byte {
	var all []byte
	for _, c := range s.Connections() {
		all = append(all, c.Plaintext...)
	}
	return all
}

// Wait returns when every connection made by Dial is over, so that all that clients sent is recorded.
// It ends early, with an error, when the context does.
func (s *Sandbox) Wait(ctx context.Context) error {
	for _, h := range s.servers {
		if err := h.Wait(ctx); err != nil {
			return fmt.Errorf("waiting for the connections of %s to end: %w", h.Name(), err)
		}
	}
	return nil
}

// Close ends everything and returns when nothing of the sandbox runs any more.
func (s *Sandbox) Close() error { return s.stop() }

func (s *Sandbox) shut() error {
	errs := []error{s.remove()}
	for _, h := range s.servers {
		errs = append(errs, h.Close())
	}
	if s.dns != nil {
		errs = append(errs, s.dns.Close())
	}
	if s.greylist != nil {
		errs = append(errs, s.greylist.Close())
	}
	return errors.Join(errs...)
}
