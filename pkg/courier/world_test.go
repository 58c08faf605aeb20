package courier_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a sandbox, and what a courier dialled in it.
type world struct {
	*sandbox.Sandbox
	cfg courier.Config

	mu      sync.Mutex
	dialled []string // "source>target", "-" for a source that the system chooses
}

// newWorld makes a sandbox with a domain fault.test that has these hosts, and these records besides.
func newWorld(t *testing.T, records string, hosts ...sandbox.Host) *world {
	t.Helper()
	return worldOf(t, zone(t, records), hosts)
}

// newFailingWorld is the same, with SERVFAIL for every question about a name.
func newFailingWorld(t *testing.T, records, failing string, hosts ...sandbox.Host) *world {
	t.Helper()
	z := zone(t, records)
	z.Rcodes = map[string]int{failing: dns.RcodeServerFailure}
	return worldOf(t, z, hosts)
}

func worldOf(t *testing.T, z *sandbox.Zone, hosts []sandbox.Host) *world {
	t.Helper()
	domains := []sandbox.Domain{}
	if len(hosts) > 0 {
		domains = append(domains, sandbox.Domain{Name: "fault.test", Hosts: hosts})
	}
	box, err := sandbox.Start(sandbox.Options{Domains: domains, Zone: z})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	const long = 20 * time.Second
	w := &world{Sandbox: box}
	w.cfg = courier.Config{
		Resolver: route.New(route.Options{Servers: []string{box.DNS()}, Shuffle: func(int, func(i, j int)) {}}),
		Dial:     w.dial, Port: 25, Hostname: "mta1.clinic.test", PublicRoots: box.Authority().Pool(),
		Session: smtp.Options{Clock: time.Now, Pace: smtp.Ahead, Timeouts: smtp.Timeouts{
			Connect: long, Greeting: long, Handshake: long, Command: long, DataStart: long, DataBlock: long, DataDone: long}},
	}
	return w
}

// zone reads records in the form of a zone file.
func zone(t *testing.T, records string) *sandbox.Zone {
	t.Helper()
	z := &sandbox.Zone{}
	p := dns.NewZoneParser(strings.NewReader(records), "test.", "")
	p.SetDefaultTTL(60)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		z.Records = append(z.Records, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	return z
}

func (w *world) dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	from := "-"
	if source.IsValid() {
		from = source.String()
	}
	w.mu.Lock()
	w.dialled = append(w.dialled, from+">"+target.Addr().String())
	w.mu.Unlock()
	return w.Dial(ctx, source, target)
}

// pool gives the pool "medical" these sources.
func (w *world) pool(addresses ...string) {
	w.cfg.Pools = map[string][]courier.Source{}
	for _, a := range addresses {
		addr, name, _ := strings.Cut(a, " ")
		w.cfg.Pools["medical"] = append(w.cfg.Pools["medical"], courier.Source{Address: netip.MustParseAddr(addr), EHLO: name})
	}
}

// forced and opportunistic are destinations in fault.test from the pool "medical".
func forced() courier.Destination {
	p := policy.Profile{Name: "f", Mode: policy.ModeForced, Versions: tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13)}
	return courier.Destination{Domain: "fault.test", Requirement: p.Requirement(), Offer: p.Offer(), Pool: "medical"}
}

func opportunistic() courier.Destination {
	p := policy.Profile{Name: "o", Mode: policy.ModeOpportunistic, Versions: tlsnames.AllVersions}
	return courier.Destination{Domain: "fault.test", Requirement: p.Requirement(), Offer: p.Offer(), Pool: "medical"}
}

// walk takes one pass for a destination and ends the link that it gives, if any.
func walk(t *testing.T, c *courier.Courier, d courier.Destination) (*courier.Link, delivery.Outcome) {
	t.Helper()
	w := c.Walk(d)
	defer w.Close()
	link, ok := w.Next(t.Context())
	if ok {
		link.Quit()
		return link, delivery.Outcome{Attempts: w.Attempts()}
	}
	return nil, delivery.Conclude(w.Attempts(), d.Requirement)
}

// content is a small message.
type content struct{ *strings.Reader }

func message() *smtp.Transaction {
	return &smtp.Transaction{
		From:       mail.Address{Local: "a", Domain: "clinic.test"},
		Recipients: []mail.Address{{Local: "b", Domain: "fault.test"}},
		Content:    content{strings.NewReader("Subject: x\r\n\r\nx\r\n")},
	}
}
