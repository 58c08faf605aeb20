package cmd

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// Port 25 is tried with EHLO and QUIT, and nothing else is ever said.
func TestDoctorEgress(t *testing.T) {
	t.Parallel()
	box, err := sandbox.Start(sandbox.Options{Domains: []sandbox.Domain{
		{Name: "good.test", Hosts: []sandbox.Host{{IPv6: true}}},
		{Name: "plain.test", Hosts: []sandbox.Host{{NoSTARTTLS: true}}},
		{Name: "backup.test", Hosts: []sandbox.Host{{Reach: sandbox.Refuses}, {}}},
		{Name: "dead.test", Hosts: []sandbox.Host{{Reach: sandbox.Refuses}, {Reach: sandbox.Unreachable}}},
		{Name: "filtered.test", Hosts: []sandbox.Host{{Reach: sandbox.Silent}}},
		{Name: "stalls.test", Hosts: []sandbox.Host{{Script: sandbox.On(sandbox.Connect, sandbox.Hang(sandbox.Stall))}}},
		{Name: "dislikes.test", Hosts: []sandbox.Host{{Script: sandbox.On(sandbox.Connect, sandbox.Reply("554 5.7.1 no"))}}},
		{Name: "picky.test", Hosts: []sandbox.Host{{Script: sandbox.On("EHLO", sandbox.Reply("550 5.7.1 bad name"))}}},
		{Name: "implicit.test", Implicit: true, Hosts: []sandbox.Host{{}}},
		{Name: "null.test", NullMX: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p := wholesome(t, box.DNS())
	p.dial, p.connect, p.replies = box.Dial, 300*time.Millisecond, 300*time.Millisecond
	for _, tt := range []struct {
		host  string
		want  verdict
		found string
	}{
		{"good.test", verdictOK, "mx.good.test ["},
		{"mx.good.test", verdictOK, "mx.good.test ["}, // no MX: the host itself
		{"implicit.test", verdictOK, "implicit.test ["},
		{"backup.test", verdictOK, "mx2.backup.test ["},
		{"plain.test", verdictWarning, "no STARTTLS"},
		{"dead.test", verdictFault, "mx2.dead.test"},
		{"filtered.test", verdictFault, "let port 25 out"},
		{"stalls.test", verdictWarning, "port 25 is open, but"},
		{"dislikes.test", verdictWarning, "port 25 is open, but"},
		{"picky.test", verdictWarning, "EHLO name mta1.clinic.example"},
		{"null.test", verdictUnknown, "takes no mail"},
		{"nobody.test", verdictUnknown, "nobody.test"},
	} {
		t.Run(tt.host, func(t *testing.T) {
			found := p.tryEgress(t.Context(), egressTarget{tt.host, 25})
			if len(found) != 1 || found[0].Name != "egress "+tt.host+":25" {
				t.Fatalf("findings %+v", found)
			}
			says(t, found[0], tt.want, tt.found)
		})
	}
	if err := box.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range box.Connections() {
		for _, line := range c.Commands {
			if verb, _, _ := strings.Cut(line, " "); !slices.Contains([]string{"EHLO", "QUIT"}, verb) {
				t.Errorf("%s heard %q", c.Host, line)
			}
		}
	}
	if err := box.Close(); err != nil {
		t.Fatal(err)
	}
}

// watched tells when it is closed.
type watched struct {
	net.Conn
	closed func()
}

func (c *watched) Close() error {
	c.closed()
	return c.Conn.Close()
}

// Each address of the pools is tried, a few at a time, and not without end.
func TestDoctorEgressSources(t *testing.T) {
	t.Parallel()
	box, err := sandbox.Start(sandbox.Options{Domains: []sandbox.Domain{{Name: "four.test", Hosts: []sandbox.Host{{}}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	p := wholesome(t, box.DNS())
	// Counted on our side: a host notices the end of a connection a moment later.
	var open, most atomic.Int64
	p.dial = func(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
		c, err := box.Dial(ctx, source, target)
		if err != nil {
			return nil, err
		}
		for n := open.Add(1); ; {
			if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
				break
			}
		}
		return &watched{c, sync.OnceFunc(func() { open.Add(-1) })}, nil
	}
	var sources []config.Source
	for i := range 10 {
		sources = append(sources, config.Source{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(20 + i)})})
	}
	p.cfg.Settings.Pools = map[string]config.Pool{"default": {Sources: append([]config.Source{{Address: netip.MustParseAddr("2001:db8::1")}}, sources...)}}
	found := p.tryEgress(t.Context(), egressTarget{"four.test", 25})
	if len(found) != egressSources+1 {
		t.Fatalf("%d findings: %+v", len(found), found)
	}
	for i, f := range found[:egressSources] {
		says(t, f, verdictOK)
		if want := "egress four.test:25 from " + sources[i].Address.String(); f.Name != want {
			t.Errorf("%s, want %s", f.Name, want)
		}
	}
	says(t, found[egressSources], verdictUnknown, "3 more addresses")
	if n := most.Load(); n > egressAtOnce {
		t.Errorf("%d connections at once", n)
	}

	p.cfg.Settings.Pools["default"] = config.Pool{Sources: []config.Source{{Address: netip.MustParseAddr("2001:db8::1")}}}
	says(t, p.tryEgress(t.Context(), egressTarget{"four.test", 25})[0], verdictUnknown, "same family")
}

func TestParseEgress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"example.com":      "example.com:25",
		"Example.COM.:587": "example.com:587",
		"192.0.2.1":        "192.0.2.1:25",
		"192.0.2.1:2525":   "192.0.2.1:2525",
		"2001:db8::1":      "[2001:db8::1]:25",
		"[2001:db8::1]:26": "[2001:db8::1]:26",
		"bücher.example":   "xn--bcher-kva.example:25",
	} {
		got, err := parseEgress(text, 25)
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":25", "example.com:", "example.com:0", "example.com:65536", "example.com:smtp", "a b.example", "[::1", "mx..example"} {
		if got, err := parseEgress(text, 25); err == nil {
			t.Errorf("%q was taken as %s", text, got)
		}
	}
}
