package cmd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/route"
)

// patient is what doctor looks at: everything that reaches out of the process is a value here.
type patient struct {
	uid     int
	getenv  func(string) string
	now     func() time.Time
	earlier time.Time // a time that must be past

	config           string // the configuration directory, "" for none
	configErr        error  // why it cannot be told
	cfg              *config.Config
	problems         config.Problems
	state            string
	stateErr         error
	servers          []string // resolvers, each "ip:port"
	serversErr       error
	hostname         string
	sandboxed        bool
	egress           []egressTarget
	connect, replies time.Duration // the longest wait for a connection, and for each reply

	// resolver makes one that asks these servers and tells the AD bit of each.
	resolver func(servers ...string) *route.Resolver
	names    *route.Resolver // asks all of them
	dial     courier.Dial
	// bind finds out whether connections can be made from an address of this host.
	bind func(context.Context, netip.Addr) error
	// source is the address from which the system would connect to target. Nothing is sent.
	source func(ctx context.Context, target netip.AddrPort) (netip.Addr, error)
	volume func(dir string) (volume, error)
	// clock says whether the system's clock is kept right by somebody; known is false where
	// the system does not tell.
	clock func() (synchronised, known bool)
}

// patient is this process's surroundings, or a sandbox's. Nothing in them is an error but how
// the command was called: what is wrong with them is what the checks are there to find.
func (a *app) patient(egress []string, box *sandboxNetwork) (*patient, error) {
	p := &patient{
		uid: a.uid, getenv: a.getenv, now: time.Now, earlier: buildTime(),
		connect: doctorConnect, replies: doctorReply,
		dial: courier.NetDial, bind: bindTo, source: sourceTo, volume: volumeOf, clock: clockState,
	}
	dirs, err := config.FindConfig(a.configEnv())
	p.config, p.configErr = dirs.Config, err
	p.state, p.stateErr = config.FindState(a.configEnv())
	p.cfg, p.problems = config.Load(dirs.Config)
	p.hostname = a.hostname(p.cfg, box)
	settings := p.cfg.Settings
	for _, s := range settings.DNS.Servers {
		p.servers = append(p.servers, s.String())
	}
	timeout := min(settings.Timeouts.DNS, doctorDNS)
	switch {
	case box != nil:
		p.inSandbox(box, a.flags.state == "")
	case len(p.servers) == 0:
		p.servers, p.serversErr = route.ServersFromResolvConf("/etc/resolv.conf")
	}
	p.resolver = func(servers ...string) *route.Resolver {
		return route.New(route.Options{Servers: servers, TrustAD: true, Timeout: timeout})
	}
	p.names = p.resolver(p.servers...)
	if len(egress) == 0 && p.sandboxed {
		egress = []string{"modern.test"}
	}
	for _, text := range egress {
		t, err := parseEgress(text, uint16(settings.Delivery.Port))
		if err != nil {
			return nil, usagef("name a host or a domain, and a port if it is not 25: --egress mx.example.com:25", "--egress: %w", err)
		}
		p.egress = append(p.egress, t)
	}
	return p, nil
}

// inSandbox puts the sandbox's network in the place of the real one; its mail hosts do not mind
// from where they are called.
func (p *patient) inSandbox(box *sandboxNetwork, itsState bool) {
	p.sandboxed, p.dial, p.servers = true, box.Dial, []string{box.dns.String()}
	p.bind = func(context.Context, netip.Addr) error { return nil }
	if itsState {
		p.state, p.stateErr = box.state, nil
	}
}

// checks are all of them, in the order in which they are shown.
func (p *patient) checks() []check {
	local := func(look func() finding) check { return func(context.Context) []finding { return []finding{look()} } }
	all := []check{
		local(p.stateDirectory), local(p.stateVolume), local(p.configDirectory), local(p.configuration),
		p.resolvers,
	}
	for _, n := range p.greetings() {
		all = append(all, func(ctx context.Context) []finding { return []finding{p.ehloName(ctx, n)} })
	}
	for _, s := range p.sources() {
		all = append(all,
			func(ctx context.Context) []finding { return []finding{p.bindable(ctx, s)} },
			func(ctx context.Context) []finding { return []finding{p.reverse(ctx, s)} })
	}
	if p.unsourced() && !p.sandboxed {
		all = append(all, func(ctx context.Context) []finding { return []finding{p.systemAddress(ctx)} })
	}
	all = append(all, p.egressChecks()...)
	return append(all, local(p.clockCheck), p.certificates, local(p.publicRoots), local(p.environment))
}

// sources are the addresses of all pools, each once.
func (p *patient) sources() []config.Source {
	var out []config.Source
	for _, pool := range p.cfg.Settings.Pools {
		for _, s := range pool.Sources {
			s.EHLO = p.greeting(s)
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	slices.SortFunc(out, func(a, b config.Source) int {
		if c := a.Address.Compare(b.Address); c != 0 {
			return c
		}
		return strings.Compare(a.EHLO, b.EHLO)
	})
	return out
}

// greeting is the EHLO name of a source.
func (p *patient) greeting(s config.Source) string {
	if s.EHLO == "" {
		return p.hostname
	}
	return s.EHLO
}

// unsourced reports a pool whose mail leaves from whatever address the system chooses.
func (p *patient) unsourced() bool {
	for _, pool := range p.cfg.Settings.Pools {
		if len(pool.Sources) == 0 {
			return true
		}
	}
	return false
}

// bindTo reserves a port at the address for a moment, which only works at an address of this host.
func bindTo(ctx context.Context, addr netip.Addr) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", netip.AddrPortFrom(addr, 0).String())
	if err != nil {
		return err
	}
	return l.Close()
}

// sourceTo asks the system's routing table; a UDP socket that is connected sends nothing.
func sourceTo(ctx context.Context, target netip.AddrPort) (netip.Addr, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", target.String())
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the socket's own address: %w", err)
	}
	return local.Addr().Unmap(), nil
}
