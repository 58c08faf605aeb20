package route

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Each way in which the first of two servers can fail leads to the second.
func TestFailover(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]step{
		"SERVFAIL":  rcode(dns.RcodeServerFailure),
		"REFUSED":   rcode(dns.RcodeRefused),
		"FORMERR":   rcode(dns.RcodeFormatError),
		"timeout":   silent,
		"malformed": raw(lyingCount),
		"referral":  noRecursion,
		"bad id":    withID(7),
		"truncated": truncated,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := serve(t, script{"x.test. MX": bad})
			second := serve(t, script{"x.test. MX": records("x.test. 60 IN MX 10 mx.test.")})
			r := resolverFor([]*fakeDNS{first, second}, func(o *Options) { o.Timeout = 4 * time.Second })
			route, err := r.Lookup(t.Context(), "x.test")
			if err != nil {
				t.Fatal(err)
			}
			if names(route.Hosts) != "mx.test" || first.count("") == 0 || second.count("") == 0 {
				t.Errorf("hosts %q, %d and %d queries", names(route.Hosts), first.count(""), second.count(""))
			}
		})
	}
}

// Where all fail the error names each, and those that were heard are not asked again.
func TestFailoverAllFail(t *testing.T) {
	t.Parallel()
	a := serve(t, script{"x.test. MX": rcode(dns.RcodeServerFailure)})
	dials := 0
	r := New(Options{
		Servers: []string{a.addr, "192.0.2.53"},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == a.addr {
				return new(net.Dialer).DialContext(ctx, network, address)
			}
			dials++
			return nil, errors.New("no route to host")
		},
	})
	_, err := r.Lookup(t.Context(), "x.test")
	e := wantKind(t, err, Temporary, "server "+a.addr+" answered SERVFAIL; server 192.0.2.53:53 cannot be reached: no route to host")
	if e.Server != a.addr || a.count("") != 1 || dials != rounds {
		t.Errorf("error %+v after %d and %d attempts, want 1 and %d", e, a.count(""), dials, rounds)
	}
}

// Silence uses up the budget of the question, not one for each attempt.
func TestFailoverBudget(t *testing.T) {
	t.Parallel()
	mute := serve(t, script{"x.test. MX": silent})
	const budget = 300 * time.Millisecond
	r := resolverFor([]*fakeDNS{mute, mute, mute}, func(o *Options) { o.Timeout = budget })
	start := time.Now()
	_, err := r.Lookup(t.Context(), "x.test")
	wantKind(t, err, Temporary, "did not answer within")
	if spent := time.Since(start); spent < budget-time.Millisecond || spent > 20*budget {
		t.Errorf("took %v of %v", spent, budget)
	}
}

// A server that failed comes last for a while; a broken domain is not its fault.
func TestFailoverOrder(t *testing.T) {
	t.Parallel()
	now := newClock()
	good := records("x.test. 60 IN MX 10 mx.test.")
	a := serve(t, script{"refused.test. MX": rcode(dns.RcodeRefused), "broken.test. MX": rcode(dns.RcodeServerFailure), "x.test. MX": good})
	b := serve(t, script{"x.test. MX": good})
	r := resolverFor([]*fakeDNS{a, b}, now.set, func(o *Options) { o.MaxCache = -1 })
	ask := func(domain, kind string, inA, inB int) {
		t.Helper()
		beforeA, beforeB := a.count(""), b.count("")
		_, _ = r.Lookup(t.Context(), domain)
		if gotA, gotB := a.count("")-beforeA, b.count("")-beforeB; gotA != inA || gotB != inB {
			t.Errorf("%s: %d and %d queries, want %d and %d", kind, gotA, gotB, inA, inB)
		}
	}
	ask("x.test", "healthy", 1, 0)
	ask("broken.test", "SERVFAIL", 1, 1)
	ask("x.test", "after SERVFAIL", 1, 0)
	ask("refused.test", "REFUSED", 1, 1)
	ask("x.test", "after REFUSED", 0, 1)
	now.add(restFor + time.Second)
	ask("x.test", "rested", 1, 0)
}

func TestEDNS(t *testing.T) {
	t.Parallel()
	r, f := one(t, script{})
	f.set("x.test. MX", func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		if f.count("") > 1 {
			return records("x.test. 60 IN MX 10 mx.test.")(w, reply)
		}
		reply.Question = nil // as servers older than EDNS do
		reply.Rcode = dns.RcodeFormatError
		return reply
	})
	route, err := r.Lookup(t.Context(), "x.test")
	if err != nil || names(route.Hosts) != "mx.test" {
		t.Fatalf("%v, %v", route, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, req := range f.requests {
		if !req.AuthenticatedData || !req.RecursionDesired || req.CheckingDisabled || req.Question[0].Name != "x.test." {
			t.Errorf("query %d is %v", i, req)
		}
	}
	if opt := f.requests[0].IsEdns0(); opt == nil || opt.UDPSize() != udpSize || opt.Do() {
		t.Errorf("first query has EDNS %v", opt)
	}
	if opt := f.requests[1].IsEdns0(); opt != nil {
		t.Errorf("second query has EDNS %v", opt)
	}
}

func TestTruncationLeadsToTCP(t *testing.T) {
	t.Parallel()
	r, f := one(t, script{"x.test. MX": truncateThen(records("x.test. 60 IN MX 10 mx.test."))})
	route, err := r.Lookup(t.Context(), "x.test")
	if err != nil || names(route.Hosts) != "mx.test" {
		t.Fatalf("%v, %v", route, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked["udp x.test. MX"] != 1 || f.asked["tcp x.test. MX"] != 1 {
		t.Errorf("asked %v", f.asked)
	}
}

// dialTo leads every address to a loopback server, so that a server can have any address.
func dialTo(where map[string]*fakeDNS) func(*Options) {
	return func(o *Options) {
		o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, where[address].addr)
		}
	}
}

func TestAuthenticData(t *testing.T) {
	t.Parallel()
	mx := records("x.test. 60 IN MX 10 mx.test.")
	signed := serve(t, script{"x.test. MX": also(mx, authentic), "none.test. TLSA": also(nodata, authentic)})
	plain := serve(t, script{"x.test. MX": mx, "none.test. TLSA": nodata})
	for _, c := range []struct {
		server  string
		trustAD bool
		from    *fakeDNS
		want    bool
	}{
		{"127.0.0.1:53", false, signed, true},
		{"127.0.0.53:53", false, signed, true},
		{"[::1]:53", false, signed, true},
		{"[::ffff:127.0.0.1]:53", false, signed, true},
		{"127.0.0.1:53", false, plain, false},
		{"192.0.2.53:53", false, signed, false},
		{"192.0.2.53:53", true, signed, true},
		{"192.0.2.53:53", true, plain, false},
	} {
		r := New(Options{Servers: []string{c.server}, TrustAD: c.trustAD, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, c.from.addr)
		}})
		route, err := r.Lookup(t.Context(), "x.test")
		if err != nil {
			t.Fatal(err)
		}
		if route.Authentic != c.want || route.Hosts[0].Authentic != c.want {
			t.Errorf("%+v: route %v, host %v", c, route.Authentic, route.Hosts[0].Authentic)
		}
	}
}

// One insecure alias makes the whole way insecure, also where it took several queries.
func TestAuthenticDataAlongAliases(t *testing.T) {
	t.Parallel()
	step1 := records("x.test. 60 IN CNAME y.test.")
	step2 := records("y.test. 60 IN MX 10 mx.test.")
	for _, c := range []struct {
		first, second step
		want          bool
	}{
		{also(step1, authentic), also(step2, authentic), true},
		{step1, also(step2, authentic), false},
		{also(step1, authentic), step2, false},
	} {
		r, _ := one(t, script{"x.test. MX": c.first, "y.test. MX": c.second})
		if route, err := r.Lookup(t.Context(), "x.test"); err != nil || route.Authentic != c.want {
			t.Errorf("authentic %v, want %v (%v)", route.Authentic, c.want, err)
		}
	}
}

// Silencing the believed resolver must not turn DANE off: it keeps its place, and no one
// else is asked for TLSA records.
func TestMixedTrust(t *testing.T) {
	t.Parallel()
	mx := records("x.test. 60 IN MX 10 mx.test.")
	local := serve(t, script{"down.test. MX": rcode(dns.RcodeRefused), "x.test. MX": also(mx, authentic), "_25._tcp.mx.test. TLSA": rcode(dns.RcodeServerFailure)})
	remote := serve(t, script{"down.test. MX": records("down.test. 60 IN MX 10 mx.test."), "x.test. MX": mx})
	servers := []string{"127.0.0.1:53", "192.0.2.53:53"}
	r := New(Options{Servers: servers}.with(dialTo(map[string]*fakeDNS{servers[0]: local, servers[1]: remote})))
	route, err := r.Lookup(t.Context(), "down.test")
	if err != nil || route.Authentic {
		t.Errorf("authentic %v (%v), want the word of the other server", route.Authentic, err)
	}
	route, err = r.Lookup(t.Context(), "x.test")
	if err != nil || !route.Authentic {
		t.Errorf("authentic %v (%v): the local resolver lost its place", route.Authentic, err)
	}
	_, err = r.TLSA(t.Context(), "mx.test", 25)
	wantKind(t, err, Temporary, "SERVFAIL")
	if n := remote.count("_25._tcp.mx.test. TLSA"); n != 0 {
		t.Errorf("the remote server was asked %d times for TLSA", n)
	}
}

func (o Options) with(edit func(*Options)) Options {
	edit(&o)
	return o
}
