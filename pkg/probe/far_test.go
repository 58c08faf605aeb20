package probe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// far is a network that is so far away: connecting takes a round trip, and so does every answer.
type far struct {
	dial  courier.Dial
	trip  time.Duration
	mu    sync.Mutex
	open  map[netip.Addr]int
	peak  map[netip.Addr]int
	total int
}

func newFar(dial courier.Dial, trip time.Duration) *far {
	return &far{dial: dial, trip: trip, open: map[netip.Addr]int{}, peak: map[netip.Addr]int{}}
}

func (f *far) Dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	wait := time.NewTimer(f.trip)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	there, err := f.dial(ctx, source, target)
	if err != nil {
		return nil, err
	}
	f.count(target.Addr(), 1)
	near, end := net.Pipe()
	go func() { // there at once
		_, _ = io.Copy(there, end)
		_ = there.Close()
	}()
	go f.back(there, end, target.Addr())
	return near, nil
}

// back lets every octet arrive a round trip later.
func (f *far) back(from, to net.Conn, addr netip.Addr) {
	type arrival struct {
		octets []byte
		at     time.Time
	}
	under := make(chan arrival, 1024)
	go func() {
		for a := range under {
			time.Sleep(time.Until(a.at))
			if _, err := to.Write(a.octets); err != nil {
				_ = from.Close()
			}
		}
		_ = to.Close()
		f.count(addr, -1)
	}()
	for {
		buf := make([]byte, 16<<10)
		n, err := from.Read(buf)
		if n > 0 {
			under <- arrival{buf[:n], time.Now().Add(f.trip)}
		}
		if err != nil {
			close(under)
			return
		}
	}
}

func (f *far) count(addr netip.Addr, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open[addr] += n
	f.peak[addr] = max(f.peak[addr], f.open[addr])
	if n > 0 {
		f.total++
	}
}

// seen is how many connections there were, and the most at once to one address.
func (f *far) seen() (total, peak int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.peak {
		peak = max(peak, n)
	}
	return f.total, peak
}

// distant puts a world at a distance.
func distant(w *world, cc courier.Config, trip time.Duration) *far {
	f := newFar(w.box.Dial, trip)
	limiter := probe.NewLimiter(f.Dial, time.Minute)
	w.cfg.Dial, cc.Dial = limiter.Dial, limiter.Dial
	w.cfg.Courier = courier.New(cc)
	return f
}

// At 50 ms round trip a default probe of one host takes under 0.8 s and four connections at most.
func TestProbeFromAfar(t *testing.T) { // alone, for it measures time
	for name, tls := range map[string]sandbox.TLS{"modern": {}, "all versions": {Min: uint16(tlsnames.TLS10)}} {
		t.Run(name, func(t *testing.T) {
			var cc courier.Config
			w := oneHost(t, sandbox.Host{TLS: tls}, func(_ *probe.Config, c *courier.Config) { cc = *c })
			f := distant(w, cc, 50*time.Millisecond)
			began := time.Now()
			m := w.ask(t, "example.test").MX[0]
			took := time.Since(began)
			if total, _ := f.seen(); m.Best == nil || strings.Contains(versions(m), "?") || m.Connections > 4 || total != m.Connections {
				t.Errorf("%s by %d connections (%d seen)", versions(m), m.Connections, total)
			}
			t.Logf("%s: %s, %d connections", name, took.Round(time.Millisecond), m.Connections)
			// The goal is 0.8 s; a machine under load is given some more.
			if took > 1500*time.Millisecond {
				t.Errorf("took %s", took)
			}
		})
	}
}

// farm is so many domains, of which every tenth has no STARTTLS and every fifteenth only TLS 1.0.
func farm(n int) (domains []sandbox.Domain, encrypted int) {
	for i := range n {
		d := sandbox.Domain{Name: fmt.Sprintf("d%d.test", i), Hosts: []sandbox.Host{{}}}
		switch {
		case i%10 == 9:
			d.Hosts[0].NoSTARTTLS = true
		case i%15 == 7:
			d.Hosts[0].TLS = sandbox.TLS{Min: uint16(tlsnames.TLS10), Max: uint16(tlsnames.TLS10)}
		default:
			encrypted++
		}
		domains = append(domains, d)
	}
	return domains, encrypted
}

// A preflight of 500 recipients in 60 domains, far away, asks each domain once, says only what
// is polite, and has the right coverage.
func TestPreflightOfABatch(t *testing.T) {
	t.Parallel()
	const count, recipients = 60, 500
	domains, good := farm(count)
	var cc courier.Config
	w := newWorld(t, sandbox.Options{Domains: domains}, func(_ *probe.Config, c *courier.Config) { cc = *c })
	f := distant(w, cc, 50*time.Millisecond)
	demand := policy.Requirement{Encrypt: true, BarredVersions: tlsnames.VersionsOf(tlsnames.TLS10, tlsnames.TLS11)}
	var all []probe.Recipient
	want := 0
	for i := range recipients {
		d := domains[i%count]
		if !d.Hosts[0].NoSTARTTLS && d.Hosts[0].TLS.Max == 0 {
			want++
		}
		all = append(all, probe.Recipient{
			File: "a.eml", Address: fmt.Sprintf("r%d@%s", i, d.Name), Profile: "hipaa",
			Destination: courier.Destination{Domain: d.Name, Requirement: demand},
		})
	}
	memory := probe.Memory{}
	var mu sync.Mutex
	steps := 0
	began := time.Now()
	got := probe.New(w.cfg).Preflight(t.Context(), all, memory, func() { mu.Lock(); steps++; mu.Unlock() })
	took := time.Since(began)
	c := probe.Cover(got)
	if c.Encrypted != want || c.Verified != want || c.Bounce != recipients-want || c.Unknown != 0 || c.Domains != count || steps != count {
		t.Errorf("%s; %d steps, want %d encrypted", c, steps, want)
	}
	before, peak := f.seen()
	t.Logf("%s for %s, %d connections", took.Round(time.Millisecond), c, before)
	if took > 10*time.Second {
		t.Errorf("took %s", took)
	}
	if peak > 3 { // two, and one that is closed but whose last octets are still under way
		t.Errorf("%d connections to an address at once", peak)
	}
	w.polite(t)

	// Everything definite is remembered: asked again, nobody is talked to.
	if len(memory) != count || good == 0 {
		t.Errorf("%d of %d remembered", len(memory), count)
	}
	again := probe.New(w.cfg).Preflight(t.Context(), all, memory, nil)
	if after, _ := f.seen(); after != before || probe.Cover(again) != c {
		t.Errorf("%d connections more, %s", after-before, probe.Cover(again))
	}
}
