// The negative serial numbers of old appliances are let through as the program does (main.go).
//
//go:debug x509negativeserial=1
package send_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/spool"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// TestMain runs more tests at once than there are cores, since most of them wait for a
// timeout, and holds that in the end no goroutine and no descriptor is left.
func TestMain(m *testing.M) {
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if !set["test.parallel"] {
		_ = flag.Set("test.parallel", "16")
	}
	warmUp()
	before := descriptors()
	goleak.VerifyTestMain(tests{m}, goleak.Cleanup(func(code int) {
		if after := descriptors(); after > before && !set["test.cpuprofile"] && !set["test.trace"] {
			fmt.Fprintf(os.Stderr, "%d descriptors are open, %d were in the beginning\n", after, before)
			code = max(code, 1)
		}
		os.Exit(code)
	}))
}

// tests closes what the tests share when they are over.
type tests struct{ *testing.M }

func (m tests) Run() int {
	code := m.M.Run()
	for {
		select {
		case s := <-spools:
			if err := errors.Join(s.Close(), os.RemoveAll(s.Dir())); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = max(code, 1)
			}
		default:
			return code
		}
	}
}

// spools holds those that no test uses at the moment: to open one takes longer than most tests.
var spools = make(chan *spool.Spool, 64)

// borrow gives a test a spool for its own use. Other tests used it before.
func borrow(t testing.TB) *spool.Spool {
	t.Helper()
	var s *spool.Spool
	select {
	case s = <-spools:
	default:
		dir, err := os.MkdirTemp("", spoolPrefix) //nolint:usetesting // it outlives the test
		if err == nil {
			s, err = spool.Open(dir, spool.Options{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { spools <- s })
	return s
}

// warmUp makes the runtime open what it keeps for all network connections.
func warmUp() {
	if l, err := net.Listen("tcp4", "127.0.0.1:0"); err == nil {
		_ = l.Close()
	}
}

// descriptors counts the process's open descriptors, those of the tests' spools aside, which
// open connections to their database when they need them; -1 where that cannot be told.
func descriptors() int {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1
	}
	n := 0
	for _, e := range entries {
		// What cannot be read was closed since it was listed: by a spool that tidies up.
		if name, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && !strings.Contains(name, spoolPrefix) {
			n++
		}
	}
	return n
}

const spoolPrefix = "sendctl-test-spool-"

// marker is in every reverse-path, recipient, subject and body that the tests send, so that
// one search of the cleartext finds any of them.
const marker = "zq7secret"

// brief is the timeout of the stage under test. All others are patient: to wait for one of
// them is a fault that the clock of every case shows.
const (
	brief    = 500 * time.Millisecond * patience
	patient  = 60 * time.Second * patience
	promptly = 10 * time.Second * patience // by when a case is over, unless it says otherwise
)

func timeouts(edit ...func(*smtp.Timeouts)) smtp.Timeouts {
	t := smtp.Timeouts{
		Connect: patient, Greeting: patient, Handshake: patient, Command: patient,
		DataStart: patient, DataBlock: patient, DataDone: patient,
	}
	for _, e := range edit {
		e(&t)
	}
	return t
}

// way is one of the ways in which the faults are met.
type way string

const (
	hipaa      way = "hipaa"      // forced, certificate none
	strict     way = "strict"     // forced, certificate default
	custom     way = "custom"     // forced, certificate custom: the sandbox's authority
	newsletter way = "newsletter" // opportunistic
	null       way = "-"          // the null profile, not set
)

// sender is the profile of a way.
func (l *lab) sender(w way) policy.Sender {
	p := &policy.Profile{
		Name: string(w), Pool: policy.DefaultPool, Mode: policy.ModeForced, Certificate: policy.CertificateNone,
		Versions: tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13),
		Ciphers: append(tlsnames.TLS13Suites().List(),
			suite("ECDHE-ECDSA-AES128-GCM-SHA256"), suite("ECDHE-RSA-AES128-GCM-SHA256"), suite("ECDHE-ECDSA-AES256-GCM-SHA384"),
			suite("ECDHE-RSA-AES256-GCM-SHA384"), suite("ECDHE-ECDSA-CHACHA20-POLY1305"), suite("ECDHE-RSA-CHACHA20-POLY1305")),
	}
	switch w {
	case strict:
		p.Certificate = policy.CertificateDefault
	case custom:
		p.Certificate, p.Roots = policy.CertificateCustom, &policy.Roots{ID: "sandbox", Name: "sandbox.pem", PEM: l.CA()}
	case newsletter:
		p.Mode, p.Versions, p.Ciphers = policy.ModeOpportunistic, tlsnames.AllVersions, nil
	case null:
		p = nil
	case hipaa:
	}
	return policy.Sender{Name: string(w), Profile: p}
}

func suite(name string) tlsnames.Suite {
	s, _ := tlsnames.ParseSuite(name)
	return s
}

// plan is what a lab is made of.
type plan struct {
	hosts    []sandbox.Host   // of fault.test, in order of preference
	domains  []sandbox.Domain // further ones
	timeouts smtp.Timeouts    // zero: patient ones
	noGroups bool             // no PIPELINING
	most     smtp.Pace        // zero: as fast as the hosts allow
	proven   int              // transactions in flight that the hosts are taken to cope with
	lanes    int              // connections per destination; zero: 4
	keep     sandbox.Keep
	edit     func(*courier.Config)
}

// pace is how the lab talks: as fast as the hosts allow, or one command at a time.
func (p plan) pace() smtp.Pace {
	switch {
	case p.noGroups:
		return smtp.OneByOne
	case p.most != 0:
		return p.most
	}
	return smtp.Windowed
}

// lab is a sandbox and a courier that can reach nothing else.
type lab struct {
	*sandbox.Sandbox
	courier *courier.Courier
	spool   *spool.Spool
	lanes   int
	// perSession is how many messages a session carries.
	perSession int
	dialled    atomic.Int64
	open       atomic.Int64 // dialled and not closed by our side
}

func newLab(t testing.TB, p plan) *lab {
	t.Helper()
	domains := p.domains
	if p.hosts != nil {
		domains = append([]sandbox.Domain{{Name: "fault.test", Hosts: p.hosts}}, domains...)
	}
	box, err := sandbox.Start(sandbox.Options{Domains: domains, Keep: p.keep})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	if p.timeouts == (smtp.Timeouts{}) {
		p.timeouts = timeouts()
	}
	l := &lab{Sandbox: box, spool: borrow(t), lanes: p.lanes, perSession: 100}
	if l.lanes == 0 {
		l.lanes = 4
	}
	cfg := courier.Config{
		Resolver:    route.New(route.Options{Servers: []string{box.DNS()}, Shuffle: func(int, func(i, j int)) {}}),
		Dial:        l.dial,
		Port:        25,
		Session:     smtp.Options{Timeouts: p.timeouts, Pace: p.pace(), Window: 16, Proven: p.proven, Clock: time.Now},
		Hostname:    "mta1.clinic.test",
		PublicRoots: box.Authority().Pool(),
	}
	if p.edit != nil {
		p.edit(&cfg)
	}
	l.courier = courier.New(cfg)
	return l
}

// usePools gives the default pool these sources; EHLO says name from there, "" for the lab's.
func usePools(name string, sources ...string) func(*courier.Config) {
	return func(c *courier.Config) {
		for _, s := range sources {
			c.Pools = map[string][]courier.Source{policy.DefaultPool: append(c.Pools[policy.DefaultPool], courier.Source{Address: netip.MustParseAddr(s), EHLO: name})}
		}
	}
}

// dial counts the connections and whether they are closed.
func (l *lab) dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	c, err := l.Dial(ctx, source, target)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(*sandbox.Conn)
	if !ok {
		return nil, fmt.Errorf("the sandbox gave a %T", c)
	}
	l.dialled.Add(1)
	l.open.Add(1)
	return &tracked{Conn: conn, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

// tracked tells when it is closed.
type tracked struct {
	*sandbox.Conn
	closed func()
}

func (c *tracked) Close() error {
	c.closed()
	return c.Conn.Close()
}

// letter is a message whose header and body hold the marker with its name.
func letter(name string, size int, to ...string) send.Input {
	var b strings.Builder
	tag := marker + "-" + name
	fmt.Fprintf(&b, "From: <%s@clinic.test>\r\nTo: %s\r\nSubject: %s\r\n", tag, strings.Join(to, ",\r\n "), tag)
	fmt.Fprintf(&b, "Message-ID: <%s@clinic.test>\r\nDate: Sat, 31 Jan 2026 09:00:00 +0000\r\n\r\n%s\r\n", tag, tag)
	const line = "All work and no play makes a dull test of what is sent here, line by line.\r\n"
	for b.Len() < size {
		b.WriteString(line)
	}
	return send.Input{Name: name + ".eml", Data: []byte(b.String())}
}

// to names recipients at a domain.
func to(domain string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("r%d-%s@%s", i+1, marker, domain)
	}
	return all
}

// run is one batch that was sent.
type run struct {
	*lab
	*send.Report
	inputs  []send.Input
	watcher *watcher
	elapsed time.Duration
	before  map[string]int // connections of each host that were there before
	// odd says that the hosts were made to see violations, froze and so on.
	odd oddities
}

// oddities are what checks have to overlook.
type oddities struct {
	violations bool // the host's keywords lie, so that it notes violations
	frozen     bool // the host never sees the end of a connection
	status     bool // a server's code does not match the status (552 to RCPT)
}

// send sends letters and holds that every promise about a batch was kept.
func (l *lab) send(t *testing.T, opts send.Options, odd oddities, inputs ...send.Input) *run {
	t.Helper()
	r := l.begin(odd, inputs)
	opts.Again = true // whatever was sent in another test
	began := time.Now()
	r.Report = send.Send(t.Context(), l.config(r.watcher), opts, inputs)
	r.elapsed = time.Since(began)
	r.check(t)
	return r
}

// begin notes what was there before a run.
func (l *lab) begin(odd oddities, inputs []send.Input) *run {
	r := &run{lab: l, inputs: inputs, odd: odd, watcher: &watcher{settled: map[string]int{}}, before: map[string]int{}}
	for _, s := range l.Servers() {
		r.before[s.Name()] = s.Connected()
	}
	return r
}

// connections are those of the run.
func (r *run) connections() []sandbox.Connection {
	return slices.DeleteFunc(r.Connections(), func(c sandbox.Connection) bool { return c.Number <= r.before[c.Host] })
}

func (l *lab) config(o send.Observer) send.Config {
	return send.Config{
		Spool: l.spool, Schedule: delivery.DefaultSchedule(), Courier: l.courier, Clock: time.Now, Hostname: "mta1.clinic.test", Connections: 50,
		ConnectionsPerDestination: l.lanes, MessagesPerConnection: l.perSession, Observer: o,
	}
}

// watcher counts what it is told. It has no lock: it is told one thing at a time.
type watcher struct {
	planned int
	settled map[string]int
	refused int
}

func (w *watcher) Planned(n int)        { w.planned += n }
func (w *watcher) Refused(send.Refusal) { w.refused++ }
func (w *watcher) Settled(rows ...*send.Row) {
	for _, r := range rows {
		w.settled[rowKey(r.File, r.Recipient)]++
	}
}

func rowKey(file string, rcpt mail.Address) string { return file + " " + rcpt.String() }
