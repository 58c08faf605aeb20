package probe_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// No more than two connections to an address at once; a third waits for a place, and for no
// longer than it may.
func TestLimiter(t *testing.T) {
	t.Parallel()
	l := probe.NewLimiter(func(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
		a, b := net.Pipe()
		_ = b.Close()
		return a, nil
	}, time.Minute)
	one, other := netip.MustParseAddrPort("192.0.2.1:25"), netip.MustParseAddrPort("192.0.2.2:25")
	var open []net.Conn
	for range 2 {
		c, err := l.Dial(t.Context(), netip.Addr{}, one)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	brief, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := l.Dial(brief, netip.Addr{}, one); err == nil {
		t.Error("a third connection")
	}
	if c, err := l.Dial(t.Context(), netip.Addr{}, other); err != nil {
		t.Errorf("another address: %v", err)
	} else {
		_ = c.Close()
	}
	_ = open[0].Close()
	_ = open[0].Close() // closing twice gives one place back
	c, err := l.Dial(t.Context(), netip.Addr{}, one)
	if err != nil {
		t.Fatal(err)
	}
	brief2, cancel2 := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel2()
	if _, err := l.Dial(brief2, netip.Addr{}, one); err == nil {
		t.Error("a place too many was given back")
	}
	_, _ = c.Close(), open[1].Close()
}

// A probe that never got a place says so, and not that the host did not answer.
func TestNoPlace(t *testing.T) {
	t.Parallel()
	w := oneHost(t, sandbox.Host{}, func(p *probe.Config, _ *courier.Config) { p.PerDomain = 300 * time.Millisecond })
	facts, err := w.cfg.Resolver.Addresses(t.Context(), "mx.example.test")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := w.cfg.Dial(t.Context(), netip.Addr{}, netip.AddrPortFrom(facts.Addrs[0].Unmap(), 25))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	res := w.ask(t, "example.test")
	if why := strings.Join(res.GradeReasons, " "); res.Grade != probe.GradeUnknown || !res.Inconclusive ||
		!strings.Contains(why, "no time was left to ask mx.example.test") || res.MX[0].Connections != 0 {
		t.Errorf("grade %s: %s; %+v", res.Grade, why, res.MX[0].Evidence)
	}
}

// Waiting for a place is no part of the time for connecting, which begins with the call.
func TestLimiterWaiting(t *testing.T) {
	t.Parallel()
	const connect = 10 * time.Second
	to := netip.MustParseAddrPort("192.0.2.1:25")
	synctest.Test(t, func(t *testing.T) {
		takes := 5 * time.Second
		l := probe.NewLimiter(func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
			select {
			case <-time.After(takes):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			a, b := net.Pipe()
			_ = b.Close()
			return a, nil
		}, connect)
		hold := func() {
			c, err := l.Dial(t.Context(), netip.Addr{}, to)
			if err != nil {
				t.Error(err)
				return
			}
			time.AfterFunc(40*time.Second, func() { _ = c.Close() })
		}
		hold()
		hold()
		began := time.Now()
		c, err := l.Dial(t.Context(), netip.Addr{}, to)
		// The first was held for 40 s from its fifth second on, the second came in the tenth.
		if took := time.Since(began); err != nil || took != 40*time.Second {
			t.Fatalf("after %s: %v", took, err)
		}
		_ = c.Close()

		// An address that does not answer is given up after its own time.
		time.Sleep(time.Minute)
		takes, began = time.Hour, time.Now()
		_, err = l.Dial(t.Context(), netip.Addr{}, to)
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != connect {
			t.Errorf("after %s: %v", took, err)
		}

		// Who is out of time while waiting is told so: nobody was called.
		takes = 0
		hold()
		hold()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = l.Dial(soon, netip.Addr{}, to)
		if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no more than two") {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Minute)
	})
}
