package route

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A thousand lanes that ask the same at the same time send one query.
func TestSingleFlight(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r, f := one(t, script{})
	f.set("x.test. MX", func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		<-release
		return records("x.test. 60 IN MX 10 mx.test.")(w, reply)
	})
	const lanes = 1000
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			route, err := r.Lookup(t.Context(), "X.test")
			if err != nil || names(route.Hosts) != "mx.test" {
				t.Errorf("%v, %v", route, err)
			}
		})
	}
	close(release)
	wg.Wait()
	if n := f.count(""); n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
}

// One who leaves does not take the answer away from those who stay.
func TestSingleFlightOneLeaves(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	asked := make(chan struct{})
	r, _ := one(t, script{"x.test. MX": func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		close(asked) // panics at a second query
		<-release
		return records("x.test. 60 IN MX 10 mx.test.")(w, reply)
	}})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.Lookup(ctx, "x.test"); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	<-asked // by the first one
	_, f := r.cache.get(t.Context(), question{"x.test.", dns.TypeMX}, time.Now(), nil)
	cancel()
	wg.Wait()
	close(release)
	<-f.done
	if f.result.err != nil {
		t.Error(f.result.err)
	}
}

func TestCacheLifetimes(t *testing.T) {
	t.Parallel()
	soa := func(ttl, minimum int) step {
		return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
			reply.Ns = []dns.RR{rr(fmt.Sprintf("test. %d IN SOA ns.test. h.test. 1 2 3 4 %d", ttl, minimum))}
			return reply
		}
	}
	bare := func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg { return reply }
	for name, c := range map[string]struct {
		act  step
		want time.Duration
	}{
		"smallest of two":    {records("x.test. 90 IN TXT a", "x.test. 60 IN TXT b"), 60 * time.Second},
		"alias shorter":      {records("x.test. 30 IN CNAME y.test.", "y.test. 60 IN TXT b"), 30 * time.Second},
		"D11 zero":           {records("x.test. 0 IN TXT a"), time.Second},
		"too long":           {records("x.test. 604800 IN TXT a"), time.Hour},
		"negative number":    {records("x.test. 4294967295 IN TXT a"), time.Second},
		"nodata minimum":     {soa(300, 120), 120 * time.Second},
		"nodata SOA TTL":     {soa(20, 120), 20 * time.Second},
		"nodata too long":    {soa(86400, 86400), 5 * time.Minute},
		"nodata without SOA": {bare, time.Second},
		"nxdomain":           {also(soa(300, 100), rcode(dns.RcodeNameError)), 100 * time.Second},
		"failure":            {rcode(dns.RcodeServerFailure), failureTTL},
		"unrelated record":   {records("x.test. 60 IN TXT a", "y.test. 5 IN TXT b"), 60 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			r, f := one(t, script{"x.test. TXT": c.act}, now.set)
			for _, at := range []struct {
				after   time.Duration
				queries int
			}{{0, 1}, {c.want - 1, 1}, {1, 2}} {
				now.add(at.after)
				set, err := r.TXT(t.Context(), "x.test")
				if n := f.count(""); n != at.queries {
					t.Errorf("%d queries after %v more, want %d", n, at.after, at.queries)
				}
				if err == nil && at.after == 0 && set.TTL != c.want {
					t.Errorf("TTL is %v, want %v", set.TTL, c.want)
				}
			}
		})
	}
}

// The lifetime of an answer is that of its shortest-lived alias, and an alias that is left
// open is followed by another query.
func TestCacheLifetimeAlongAliases(t *testing.T) {
	t.Parallel()
	now := newClock()
	r, f := one(t, script{
		"x.test. TXT":    records("x.test. 30 IN CNAME y.test."),
		"y.test. TXT":    records("y.test. 60 IN TXT here"),
		"none.test. TXT": also(records("none.test. 60 IN CNAME y.test."), nodata),
	}, now.set)
	for _, queries := range []int{2, 2} {
		set, err := r.TXT(t.Context(), "x.test")
		if err != nil || set.TTL != 30*time.Second || f.count("") != queries {
			t.Errorf("TTL is %v after %d queries (%v)", set.TTL, f.count(""), err)
		}
	}
	now.add(10 * time.Second)
	if set, err := r.TXT(t.Context(), "x.test"); err != nil || set.TTL != 20*time.Second {
		t.Errorf("TTL is %v (%v), want the rest", set.TTL, err)
	}
	set, err := r.TXT(t.Context(), "none.test") // an SOA closes the chain: y.test is not asked
	if err != nil || len(set.Texts) != 0 || set.TTL != 60*time.Second || f.count("") != 3 {
		t.Errorf("%+v after %d queries (%v)", set, f.count(""), err)
	}
}

// What is handed out is the caller's to change.
func TestCacheIsNotShared(t *testing.T) {
	t.Parallel()
	r, _ := one(t, script{
		"x.test. MX":   records("x.test. 60 IN MX 10 mx.test."),
		"x.test. A":    records("x.test. 60 IN A 192.0.2.1"),
		"x.test. AAAA": nodata,
		"x.test. TXT":  records("x.test. 60 IN TXT hello"),
	})
	for range 2 {
		route, err := r.Lookup(t.Context(), "x.test")
		if err != nil || names(route.Hosts) != "mx.test" {
			t.Fatalf("%v, %v", route, err)
		}
		route.Hosts[0].Name = "evil.test"
		a, err := r.Addresses(t.Context(), "x.test")
		if err != nil || a.Addrs[0].String() != "192.0.2.1" {
			t.Fatalf("%v, %v", a, err)
		}
		a.Addrs[0] = a.Addrs[0].Next()
		text, err := r.TXT(t.Context(), "x.test")
		if err != nil || text.Texts[0] != "hello" {
			t.Fatalf("%v, %v", text, err)
		}
		text.Texts[0] = "bye"
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 32
	now := time.Unix(1000, 0)
	c := newCache(limit)
	put := func(i int, lives time.Duration) {
		e := entry{expires: now.Add(lives)}
		c.store(question{fmt.Sprint(i), dns.TypeMX}, e, now)
		if len(c.entries) > limit {
			t.Fatalf("%d entries", len(c.entries))
		}
	}
	for i := range 10 * limit {
		put(i, time.Hour)
	}
	if len(c.entries) < limit/2 {
		t.Errorf("only %d entries are left", len(c.entries))
	}
	c = newCache(limit)
	for i := range limit {
		put(i, time.Duration(i%2)*time.Hour) // every other one has expired
	}
	put(limit, time.Hour)
	if got, want := len(c.entries), limit/2+1; got != want {
		t.Errorf("%d entries, want %d: only expired ones should go", got, want)
	}
	huge := answer{reading: reading{values: []any{strings.Repeat("x", maxCachedBytes)}}}
	c.store(question{"huge", dns.TypeTXT}, entry{result{answer: huge}, now.Add(time.Hour)}, now)
	if _, ok := c.entries[question{"huge", dns.TypeTXT}]; ok {
		t.Error("a huge answer is kept")
	}
}

func TestCacheOff(t *testing.T) {
	t.Parallel()
	r, f := one(t, script{"x.test. TXT": records("x.test. 60 IN TXT a")}, func(o *Options) { o.MaxCache = -1 })
	for range 3 {
		if _, err := r.TXT(t.Context(), "x.test"); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.count(""); n != 3 {
		t.Errorf("%d queries, want 3", n)
	}
}

// No more than maxExchanges questions are on the network at once, and none is lost.
func TestManyQuestionsAtOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var now, most int
	step := func(d int) {
		mu.Lock()
		defer mu.Unlock()
		now += d
		most = max(most, now)
	}
	s := script{}
	const domains = 4 * maxExchanges
	for i := range domains {
		key := fmt.Sprintf("d%d.test. TXT", i)
		answer := records(fmt.Sprintf("d%d.test. 60 IN TXT a", i))
		s[key] = func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
			step(1)
			defer step(-1)
			return answer(w, reply)
		}
	}
	r, _ := one(t, s)
	var wg sync.WaitGroup
	for i := range domains {
		wg.Go(func() {
			if set, err := r.TXT(t.Context(), fmt.Sprintf("d%d.test", i)); err != nil || len(set.Texts) != 1 {
				t.Errorf("%v, %v", set, err)
			}
		})
	}
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if most > maxExchanges {
		t.Errorf("%d questions at once, want at most %d", most, maxExchanges)
	}
}
