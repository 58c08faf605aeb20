package courier_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// One search for a session ends in time, whatever step a host is slow at, and bounces nobody.
func TestPassEnds(t *testing.T) {
	t.Parallel()
	mute := sandbox.Hang(sandbox.Stall)
	for name, h := range map[string]sandbox.Host{
		"connect":   {Reach: sandbox.Silent},
		"greeting":  {Script: sandbox.On(sandbox.Connect, mute)},
		"EHLO":      {Script: sandbox.On("EHLO", mute)},
		"STARTTLS":  {Script: sandbox.On("STARTTLS", mute)},
		"handshake": {TLS: sandbox.TLS{Hello: sandbox.Always(mute)}},
	} {
		for kind, d := range map[string]courier.Destination{"forced": forced(), "opportunistic": opportunistic()} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, "", h, sandbox.Host{NoSTARTTLS: true})
				w.cfg.Pass = 200 * time.Millisecond
				began := time.Now()
				link, o := walk(t, courier.New(w.cfg), d)
				if link != nil || o.Status != delivery.Deferred || len(o.Attempts) == 0 {
					t.Errorf("%+v %+v", link, o)
				}
				if last := o.Attempts[len(o.Attempts)-1]; !strings.Contains(last.Text, "took too long") || last.Definitive {
					t.Errorf("the last attempt is %+v", last)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
	}
}

// The end of the pass does not cut off a session that it gave, and the next search has its own time.
func TestPassSparesSessions(t *testing.T) {
	t.Parallel()
	const pass = 200 * time.Millisecond
	late := &sandbox.Action{Send: [][]byte{{}, []byte("250 2.0.0 at last\r\n")}, Every: 2 * pass}
	w := newWorld(t, "", sandbox.Host{Script: sandbox.On(sandbox.Dot, late)}, sandbox.Host{})
	w.cfg.Pass = pass
	c := courier.New(w.cfg)
	way := c.Walk(forced())
	defer way.Close()
	link, ok := way.Next(t.Context())
	if !ok {
		t.Fatal(way.Attempts())
	}
	if a := link.Send(message()); !a[0].Delivered() {
		t.Errorf("%+v", a[0])
	}
	link.Quit()
	// The time of the first search is long over.
	fork := way.Fork()
	defer fork.Close()
	if link, ok = fork.Next(t.Context()); !ok {
		t.Fatalf("the next host was not tried: %+v", fork.Attempts())
	}
	if link.Session.MX != "mx2.fault.test" {
		t.Errorf("the next host is %s", link.Session.MX)
	}
	link.Quit()
}

// An interrupt ends a pass, and bounces nobody.
func TestPassInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	interrupt := func(e sandbox.Event) *sandbox.Action {
		if e.Verb == "EHLO" {
			cancel()
			return sandbox.Hang(sandbox.Stall)
		}
		return nil
	}
	w := newWorld(t, "", sandbox.Host{NoSTARTTLS: true}, sandbox.Host{Script: interrupt}, sandbox.Host{})
	way := courier.New(w.cfg).Walk(forced())
	defer way.Close()
	if link, ok := way.Next(ctx); ok {
		t.Fatalf("a link to %s", link.Session.MX)
	}
	if o := delivery.Conclude(way.Attempts(), forced().Requirement); o.Status != delivery.Deferred {
		t.Errorf("%+v", o)
	}
}

// A session that was kept for cleartext while better hosts were looked for may be gone meanwhile.
func TestKeptSessionThatDied(t *testing.T) {
	t.Parallel()
	leaves := sandbox.Nth("EHLO", 1, sandbox.Reply("250 mx1.fault.test").Then(sandbox.Close))
	w := newWorld(t, "", sandbox.Host{Preference: 10, NoSTARTTLS: true, Script: leaves},
		sandbox.Host{Preference: 10, Script: sandbox.On("EHLO", sandbox.Drip("421 4.3.2 no\r\n", 5*time.Millisecond))})
	way := courier.New(w.cfg).Walk(opportunistic())
	defer way.Close()
	link, ok := way.Next(t.Context())
	if !ok {
		t.Fatal(way.Attempts())
	}
	if a := link.Send(message()); !a[0].Delivered() || link.Session.MX != "mx1.fault.test" {
		t.Errorf("%s: %+v", link.Session.MX, a[0])
	}
	link.Quit()
}

// Who greylisted is asked again first; that it is preferred less gives no cleartext to it
// while hosts that might do TLS were not asked.
func TestAskedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "", sandbox.Host{}, sandbox.Host{NoSTARTTLS: true}, sandbox.Host{})
	w.pool("192.0.2.201", "192.0.2.202")
	again := courier.Again{Addr: netip.MustParseAddr("192.0.2.11"), Source: netip.MustParseAddr("192.0.2.202")}
	d := opportunistic()
	d.Again = again
	link, o := walk(t, courier.New(w.cfg), d)
	if link == nil || link.Session.MX != "mx1.fault.test" || !link.Session.Protection.Encrypted {
		t.Errorf("%+v %+v", link, o)
	}
	if len(w.dialled) != 2 || w.dialled[0] != "192.0.2.202>192.0.2.11" {
		t.Errorf("dialled %q", w.dialled)
	}
	d = forced()
	d.Again = courier.Again{Addr: netip.MustParseAddr("192.0.2.12"), Source: netip.MustParseAddr("203.0.113.9")}
	if link, o = walk(t, courier.New(w.cfg), d); link == nil || link.Session.MX != "mx3.fault.test" || link.Session.SourceIP == "203.0.113.9" {
		t.Errorf("a source outside the pool: %+v %+v", link, o)
	}
}

// Destinations share sessions only where everything that matters is the same.
func TestKey(t *testing.T) {
	t.Parallel()
	base := forced()
	other := base
	other.Requirement.Because = []policy.Cause{{Text: "another cause"}}
	if base.Key() != other.Key() {
		t.Error("causes make a difference")
	}
	seen := map[string]string{base.Key(): "base"}
	for name, edit := range map[string]func(*courier.Destination){
		"domain":      func(d *courier.Destination) { d.Domain = "other.test" },
		"pool":        func(d *courier.Destination) { d.Pool = "default" },
		"encryption":  func(d *courier.Destination) { *d = opportunistic() },
		"certificate": func(d *courier.Destination) { d.Requirement.PublicRoots = true },
		"roots":       func(d *courier.Destination) { d.Requirement.Roots = []policy.Roots{{ID: "x"}} },
		"failure":     func(d *courier.Destination) { d.Requirement.OnFailure = policy.FailureDefer },
		"client":      func(d *courier.Destination) { d.Offer.Client = &policy.ClientCertificate{ID: "x"} },
		"again":       func(d *courier.Destination) { d.Again.Addr = netip.MustParseAddr("192.0.2.1") },
	} {
		d := base
		edit(&d)
		if twin, met := seen[d.Key()]; met {
			t.Errorf("%s and %s share sessions", name, twin)
		}
		seen[d.Key()] = name
	}
}
