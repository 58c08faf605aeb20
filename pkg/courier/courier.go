// Package courier finds, for a recipient domain and a requirement, a mail host with a session that satisfies it, or says why every host fell short.
//
// A Walk is one pass of the host loop: its Next gives one usable link after the other, best
// host first, and its Attempts tell what went wrong with those that gave none. MX and address
// lookups, the choice of the source address, the ClientHello retries and the ladder from TLS
// to cleartext that an opportunistic offer allows all happen here, the same for sending and
// for probing.
package courier

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

// Resolver is the part of *route.Resolver that a courier needs.
type Resolver interface {
	Lookup(ctx context.Context, domain string) (route.Route, error)
	Addresses(ctx context.Context, host string) (route.Addresses, error)
}

// Dial opens a TCP connection from source (the zero Addr: whatever the system chooses) to target.
type Dial func(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error)

// NetDial is the Dial of the real network.
func NetDial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	var d net.Dialer
	if source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	return d.DialContext(ctx, "tcp", target.String())
}

// Source is one address of an IP pool, with the name that EHLO says from there.
type Source struct {
	Address netip.Addr
	EHLO    string
}

// Config is everything that a courier is made of.
type Config struct {
	Resolver Resolver
	Dial     Dial
	Port     uint16
	Session  smtp.Options
	// Hostname is what EHLO says from a pool without sources.
	Hostname string
	// Pools maps a pool's name to its sources; a pool without sources, or one that is not
	// named here, leaves from whatever address the system chooses.
	Pools        map[string][]Source
	PublicRoots  *x509.CertPool
	AllowPrivate bool          // MX hosts at loopback, private and similar addresses
	Pass         time.Duration // one pass of the host loop until a session is usable; 0 for no bound
}

// Courier makes walks. It is safe for concurrent use and keeps what it learnt about hosts
// for its own lifetime.
type Courier struct {
	cfg Config

	mu      sync.Mutex
	next    map[string]int        // per pool and family, for the round robin over its sources
	hellos  map[string]smtp.Hello // the hello that an address of a host needs under an offer
	tainted map[string]bool       // hosts that injected plaintext: nothing goes there in clear
	paces   map[string]pace       // how far ahead addresses may be talked to
	tickets map[string]tls.ClientSessionCache
	roots   map[string]*x509.CertPool // user-supplied roots by policy.Roots.ID
	clients map[string]*tls.Certificate
}

// New makes a courier.
func New(cfg Config) *Courier {
	return &Courier{
		cfg: cfg, next: map[string]int{}, hellos: map[string]smtp.Hello{}, tainted: map[string]bool{}, paces: map[string]pace{},
		tickets: map[string]tls.ClientSessionCache{},
		roots:   map[string]*x509.CertPool{}, clients: map[string]*tls.Certificate{},
	}
}

// Destination is where a message goes and under which policy.
type Destination struct {
	Domain string // the recipient domain, or that of some of the recipients
	// Hosts is the mail hosts that all recipients' domains have; nil: those of Domain.
	Hosts       []route.Host
	Requirement policy.Requirement
	Offer       policy.Offer
	Pool        string
	// Again is the address that put the recipient off by greylisting: it wants to be asked once
	// more, and by the same source. The zero value means that there is none.
	Again Again
}

// Again names a host's address and our own that once met.
type Again struct {
	Addr, Source netip.Addr
}

// String is empty where there is none.
func (a Again) String() string {
	if !a.Addr.IsValid() {
		return ""
	}
	return a.Addr.String() + "<" + a.Source.String()
}

// Key identifies destinations that may share sessions: the same hosts, duties, offer, pool,
// and the same wish to meet again.
func (d Destination) Key() string {
	sum := sha256.Sum256([]byte(d.Requirement.Key() + d.Offer.Key()))
	again := d.Again.String()
	where := d.Domain
	if d.Hosts != nil {
		where = hostsKey(d.Hosts)
	}
	return where + "|" + d.Pool + "|" + again + "|" + hex.EncodeToString(sum[:])
}

// security is what sessions to the destination propose and verify.
func (c *Courier) security(d Destination) (smtp.Security, error) {
	offer := policy.Propose(d.Requirement, d.Offer)
	sec := smtp.Security{Offer: offer, Roots: tlsauth.Roots{Public: c.cfg.PublicRoots}}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range d.Requirement.Roots {
		pool, ok := c.roots[r.ID]
		if !ok {
			var err error
			if pool, err = tlsauth.ParseRoots(r.PEM); err != nil {
				return sec, fmt.Errorf("reading the roots of %s: %w", r.Name, err)
			}
			c.roots[r.ID] = pool
		}
		if sec.Roots.Custom == nil {
			sec.Roots.Custom = map[string]*x509.CertPool{}
		}
		sec.Roots.Custom[r.ID] = pool
	}
	if offer.Client == nil {
		return sec, nil
	}
	cert, ok := c.clients[offer.Client.ID]
	if !ok {
		pair, err := tls.X509KeyPair(offer.Client.Cert, offer.Client.Key)
		if err != nil {
			return sec, fmt.Errorf("reading the client certificate: %w", err)
		}
		cert = &pair
		c.clients[offer.Client.ID] = cert
	}
	sec.Client = cert
	return sec, nil
}

// helloFor is the hello that an address was seen to need under an offer: what one offer has
// to do without, such as TLS 1.3 for the sake of its suites, another may propose.
func (c *Courier) helloFor(t target, offer policy.Offer) smtp.Hello {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hellos[t.key()+"|"+offer.Key()]
}

// maxRemembered bounds what is kept about hosts; who comes later is met anew each time.
const maxRemembered = 10_000

func (c *Courier) rememberHello(t target, offer policy.Offer, h smtp.Hello) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.hellos) < maxRemembered {
		c.hellos[t.key()+"|"+offer.Key()] = h
	}
}

// taint notes a host behind whose answer to STARTTLS there was plaintext, at whatever address.
func (c *Courier) taint(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tainted[host] = true
}

func (c *Courier) isTainted(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tainted[host]
}

// pace is what was learnt about how far ahead of its answers an address may be talked to.
type pace struct {
	most   smtp.Pace
	proven int // transactions in flight that it coped with
}

// options are what a session with an address is opened with.
func (c *Courier) options(t target) smtp.Options {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.cfg.Session
	if p, ok := c.paces[t.key()]; ok {
		o.Pace, o.Proven = min(o.Pace, p.most), p.proven
	}
	return o
}

// rememberPace keeps what a session with an address showed: it never speeds up again.
func (c *Courier) rememberPace(t target, most smtp.Pace, proven int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := t.key()
	p, ok := c.paces[key]
	if !ok {
		if len(c.paces) >= maxRemembered {
			return
		}
		p.most = most
	}
	c.paces[key] = pace{min(p.most, most), proven}
}

// ticketsFor is where TLS sessions with an address are kept for resumption. Who demands or
// offers something else, or leaves from elsewhere, finds none of them: what a session was
// found fit for never passes to another requirement (T16).
func (c *Courier) ticketsFor(d Destination, t target, source string, sec smtp.Security) tls.ClientSessionCache {
	sum := sha256.Sum256([]byte(d.Requirement.Key() + "|" + sec.Offer.Key() + "|" + source + "|" + t.key()))
	key := string(sum[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	cache, ok := c.tickets[key]
	if !ok {
		if len(c.tickets) >= maxTickets {
			clear(c.tickets)
		}
		const each = 2 // one for each hello is more than enough: they are used again
		cache = tls.NewLRUClientSessionCache(each)
		c.tickets[key] = cache
	}
	return cache
}

// maxTickets bounds the addresses whose TLS sessions are kept.
const maxTickets = 1000
