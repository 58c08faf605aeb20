package courier_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// The sources of a pool take turns, each with its own EHLO name; those of one family do not
// disturb the turns of the other.
func TestPoolTakesTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", sandbox.Host{})
	w.pool("192.0.2.201 one.clinic.test", "2001:db8::201 six.clinic.test", "192.0.2.202 two.clinic.test", "192.0.2.203")
	c := courier.New(w.cfg)
	var got []string
	for range 6 {
		link, o := walk(t, c, forced())
		if link == nil {
			t.Fatal(o)
		}
		got = append(got, link.Session.SourceIP+" "+link.EHLO)
	}
	turn := []string{"192.0.2.201 one.clinic.test", "192.0.2.202 two.clinic.test", "192.0.2.203 mta1.clinic.test"}
	if want := slices.Concat(turn, turn); !slices.Equal(got, want) {
		t.Errorf("sources %q, want %q", got, want)
	}
	for i, conn := range w.Connections() {
		if want := "EHLO " + strings.Fields(turn[i%3])[1]; conn.Commands[0] != want {
			t.Errorf("connection %d: %q, want %q", i+1, conn.Commands[0], want)
		}
	}
}

// A pool that is not named leaves the address to the system.
func TestPoolWithoutSources(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", sandbox.Host{IPv6: true})
	link, o := walk(t, courier.New(w.cfg), forced())
	if link == nil || link.EHLO != "mta1.clinic.test" || link.Session.SourceIP != "127.0.0.1" {
		t.Errorf("%+v %+v", link, o)
	}
	if len(w.dialled) != 1 || w.dialled[0] != "->192.0.2.10" {
		t.Errorf("dialled %q: IPv6 is for hosts that have nothing else", w.dialled)
	}
}

// realDial is the real network's Dial to the loopback addresses of the sandbox's hosts.
func (w *world) realDial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	w.dialled = append(w.dialled, source.String()+">"+target.Addr().String())
	w.mu.Unlock()
	return courier.NetDial(ctx, source, w.Servers()[0].Addr())
}

// A source that this host does not have is never replaced by an address outside the pool.
func TestPoolSourceThatCannotBeBound(t *testing.T) {
	t.Parallel()
	const absent, other, here = "203.0.113.1", "203.0.113.2", "127.0.0.1"
	t.Run("another of the pool", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "", sandbox.Host{})
		w.cfg.Dial = w.realDial
		w.pool(absent+" absent.clinic.test", here+" here.clinic.test", other)
		c := courier.New(w.cfg)
		for range 4 {
			link, o := walk(t, c, forced())
			if link == nil || link.Session.SourceIP != here || link.EHLO != "here.clinic.test" {
				t.Fatalf("%+v %+v", link, o)
			}
		}
		for _, conn := range w.Connections() {
			if conn.RemoteAddr.Addr().String() != here || conn.Commands[0] != "EHLO here.clinic.test" {
				t.Errorf("a connection from %s: %q", conn.RemoteAddr, conn.Commands)
			}
		}
	})
	t.Run("none left", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "", sandbox.Host{})
		w.cfg.Dial = w.realDial
		w.pool(absent, other)
		link, o := walk(t, courier.New(w.cfg), opportunistic())
		if link != nil || o.Status != delivery.Deferred || o.Reason != policy.ConnectFailed || o.Code != 451 || o.Enhanced.String() != "4.4.1" {
			t.Errorf("%+v %+v", link, o)
		}
		if !strings.Contains(o.Text, "pool medical") {
			t.Errorf("the text does not name the pool: %s", o.Text)
		}
		if len(w.dialled) != 2 || w.Servers()[0].Connected() != 0 {
			t.Errorf("dialled %q, %d connections", w.dialled, w.Servers()[0].Connected())
		}
	})
	t.Run("refused is no reason for another source", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, "", sandbox.Host{Reach: sandbox.Refuses})
		w.pool("192.0.2.201", "192.0.2.202")
		if link, o := walk(t, courier.New(w.cfg), forced()); link != nil || o.Reason != policy.ConnectFailed || o.Attempts[0].SourceIP != "192.0.2.201" {
			t.Errorf("%+v %+v", link, o)
		}
		if len(w.dialled) != 1 {
			t.Errorf("dialled %q", w.dialled)
		}
	})
}

// A pool reaches only hosts of its families; where a host has another one alone, mail waits.
func TestPoolFamilies(t *testing.T) {
	t.Parallel()
	const v6only = "fault MX 10 mx.six\nmx.six AAAA 2001:db8::99\n"
	const v4only = "fault MX 10 mx.four\nmx.four A 192.0.2.99\n"
	const both = "fault MX 10 mx.both\nmx.both A 192.0.2.99\nmx.both AAAA 2001:db8::99\n"
	for _, c := range []struct {
		name, zone string
		pool       []string
		want       string // dialled
		text       string
	}{
		{"IPv4 to IPv6", v6only, []string{"192.0.2.201"}, "", "pool medical has no IPv6 address to reach 2001:db8::99 from"},
		{"IPv6 to IPv4", v4only, []string{"2001:db8::201"}, "", "pool medical has no IPv4 address to reach 192.0.2.99 from"},
		{"IPv4 to both", both, []string{"192.0.2.201"}, "192.0.2.201>192.0.2.99", "refused"},
		{"IPv6 to both", both, []string{"2001:db8::201"}, "2001:db8::201>2001:db8::99", "refused"},
		{"both to both", both, []string{"2001:db8::201", "192.0.2.201"}, "192.0.2.201>192.0.2.99 2001:db8::201>2001:db8::99", "refused"},
		{"none to IPv6", v6only, nil, "->2001:db8::99", "refused"},
		{"none to both", both, nil, "->192.0.2.99", "refused"},
	} {
		for name, d := range map[string]courier.Destination{"forced": forced(), "opportunistic": opportunistic()} {
			t.Run(fmt.Sprintf("%s, %s", c.name, name), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, c.zone)
				w.pool(c.pool...)
				link, o := walk(t, courier.New(w.cfg), d)
				if link != nil || o.Status != delivery.Deferred || o.Reason != policy.ConnectFailed || o.Enhanced.String() != "4.4.1" || !strings.Contains(o.Text, c.text) {
					t.Errorf("%+v %+v", link, o)
				}
				if got := strings.Join(w.dialled, " "); got != c.want {
					t.Errorf("dialled %q, want %q", got, c.want)
				}
			})
		}
	}
}
