package cmd

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

// Times of a probe (SPEC §6), with --profile too: whoever waits for it sits before a screen.
const (
	probeConnect   = 10 * time.Second
	probeGreeting  = 30 * time.Second
	probeCommand   = 15 * time.Second
	probeHandshake = 10 * time.Second
	probeDomain    = 60 * time.Second
	probePolicy    = 20 * time.Second
	probePause     = 5 * time.Second

	probeDomains = 32 // at once
)

func probeTimeouts() config.Timeouts {
	return config.Timeouts{
		Connect: probeConnect, Greeting: probeGreeting, Handshake: probeHandshake, Command: probeCommand,
		DataStart: probeCommand, DataBlock: probeCommand, DataDone: probeCommand, DNS: 5 * time.Second,
	}
}

// probing is a prober's configuration and what must be closed after it.
type probing struct {
	probe.Config
	close func()
}

// opening is what probe and preflight begin with, before they look at their own flags.
func (a *app) opening() (*ui.Output, *config.Config, error) {
	out, err := a.output()
	if err != nil {
		return nil, nil, err
	}
	cfg, err := a.configuration()
	return out, cfg, err
}

// within does something in the sandbox that the flags ask for, or on the real network (nil).
func (a *app) within(f *sandboxFlags, do func(*sandboxNetwork) error) error {
	box, err := f.open(a.flags.state)
	if err != nil {
		return err
	}
	if box != nil {
		defer func() { _ = box.close() }()
	}
	return do(box)
}

// probing makes what a prober needs, on the real network or in a sandbox. Its connections,
// those of the profiles' verdicts too, share one limit for each address.
func (a *app) probing(cfg *config.Config, box *sandboxNetwork) (*probing, error) {
	s := cfg.Settings
	dial, timeouts, pause := courier.Dial(courier.NetDial), probeTimeouts(), probePause
	var roots *x509.CertPool
	var err error
	if box == nil {
		roots, err = publicRoots()
	} else {
		dial, timeouts, pause = box.Dial, hurried(timeouts, sandboxSpeed), probePause/sandboxSpeed
		roots, err = tlsauth.ParseRoots(box.ca)
	}
	if err != nil {
		return nil, err
	}
	resolver, err := a.resolver(cfg, box)
	if err != nil {
		return nil, err
	}
	trace, err := a.openTrace()
	if err != nil {
		return nil, err
	}
	p := &probing{close: func() {}}
	if trace != nil {
		p.close = func() { _ = trace.Close() }
	}
	limiter := probe.NewLimiter(dial, timeouts.Connect)
	session := sessionOptions(s, timeouts, trace)
	p.Config = probe.Config{
		Resolver: resolver, Dial: limiter.Dial, Port: uint16(s.Delivery.Port), Session: session,
		Hostname: a.hostname(cfg, box), Roots: roots, AllowPrivate: s.Delivery.AllowPrivateAddresses,
		Random: randomOctets, Pause: pause, PerDomain: probeDomain,
		Policy: policyFetcher(resolver, dial, roots).Fetch,
	}
	session.Timeouts.Connect = probeDomain // the limiter sees to it, once there is a place
	p.Courier = courier.New(courier.Config{
		Resolver: resolver, Dial: limiter.Dial, Port: p.Port, Session: session, Hostname: p.Hostname,
		Pools: pools(s), PublicRoots: roots, AllowPrivate: p.AllowPrivate, Pass: probeDomain,
	})
	return p, nil
}

func randomOctets() (r [32]byte) {
	_, _ = rand.Read(r[:]) // never fails (crypto/rand)
	return r
}

// policyFetcher fetches MTA-STS policies by the same resolver and dialer.
func policyFetcher(resolver *route.Resolver, dial courier.Dial, roots *x509.CertPool) *mtasts.Fetcher {
	return &mtasts.Fetcher{
		TXT: func(ctx context.Context, name string) ([]string, error) {
			set, err := resolver.TXT(ctx, name)
			return set.Texts, err
		},
		Addresses: func(ctx context.Context, host string) ([]netip.Addr, error) {
			found, err := resolver.Addresses(ctx, host)
			return found.Addrs, err
		},
		Dial: func(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
			return dial(ctx, netip.Addr{}, target)
		},
		Refuse: route.Prohibited, Roots: roots, Clock: time.Now, Timeout: probePolicy,
	}
}

// profileOf is a sender profile as a prober wants it: what it comes to without any rule.
func profileOf(sender policy.Sender) probe.Profile {
	d := policy.For(sender, nil, policy.Facts{}, mail.Address{})
	return probe.Profile{Name: sender.Name, Requirement: d.Requirement, Offer: d.Offer, Pool: d.Pool}
}
