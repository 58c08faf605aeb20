package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	servfail := rcode(dns.RcodeServerFailure)
	r, _ := one(t, script{
		"both.test. A":     records("both.test. 60 IN A 192.0.2.9", "both.test. 60 IN A 192.0.2.10", "both.test. 60 IN A 192.0.2.9"),
		"both.test. AAAA":  records("both.test. 60 IN AAAA 2001:db8::2", "both.test. 60 IN AAAA 2001:db8::1"),
		"v4.test. A":       records("v4.test. 60 IN A 192.0.2.1"),
		"v4.test. AAAA":    nodata,
		"v4nx.test. A":     records("v4nx.test. 60 IN A 192.0.2.1"),
		"v6.test. A":       nodata,
		"v6.test. AAAA":    records("v6.test. 60 IN AAAA 2001:db8::1"),
		"half.test. A":     records("half.test. 60 IN A 192.0.2.1"),
		"half.test. AAAA":  servfail,
		"half6.test. A":    servfail,
		"half6.test. AAAA": records("half6.test. 60 IN AAAA 2001:db8::1"),
		"mapped.test. A":   records("mapped.test. 60 IN A 192.0.2.1"),
		"mapped.test. AAAA": raw(func(p []byte) []byte {
			b := netip.MustParseAddr("::ffff:192.0.2.1").As16()
			return appendRecord(p, dns.TypeAAAA, b[:])
		}),
		"private.test. A":    records("private.test. 60 IN A 127.0.0.1"),
		"private.test. AAAA": nodata,
		"badrr.test. A": raw(func(p []byte) []byte {
			return appendRecord(appendRecord(p, dns.TypeA, []byte{1}), dns.TypeA, []byte{192, 0, 2, 1})
		}),
		"badrr.test. AAAA": nodata,
		"cname.test. A":    records("cname.test. 60 IN CNAME both.test.", "both.test. 60 IN A 192.0.2.9"),
		"cname.test. AAAA": records("cname.test. 60 IN CNAME both.test."),
	})
	for _, c := range []struct {
		fault, host string
		want        []netip.Addr
		canonical   string
		note        string
	}{
		{"", "both.test", addrs("192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::2"), "both.test", ""},
		{"", "BOTH.test.", addrs("192.0.2.9", "192.0.2.10", "2001:db8::1", "2001:db8::2"), "both.test", ""},
		{"", "v4.test", addrs("192.0.2.1"), "v4.test", ""},
		{"", "v4nx.test", addrs("192.0.2.1"), "v4nx.test", ""},
		{"", "v6.test", addrs("2001:db8::1"), "v6.test", ""},
		{"D10", "half.test", addrs("192.0.2.1"), "half.test", "AAAA of half.test"},
		{"D10", "half6.test", addrs("2001:db8::1"), "half6.test", "A of half6.test"},
		{"D9", "mapped.test", addrs("192.0.2.1"), "mapped.test", ""},
		{"D9", "private.test", addrs("127.0.0.1"), "private.test", ""},
		{"D5", "badrr.test", addrs("192.0.2.1"), "badrr.test", ""},
		{"D5", "cname.test", addrs("192.0.2.9", "2001:db8::1", "2001:db8::2"), "both.test", "cname.test is an alias (CNAME) of both.test"},
	} {
		t.Run(c.fault+" "+c.host, func(t *testing.T) {
			t.Parallel()
			got, err := r.Addresses(t.Context(), c.host)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Addrs, c.want) || got.CanonicalName != c.canonical || got.TTL <= 0 {
				t.Errorf("got %+v", got)
			}
			if notes := strings.Join(got.Notes, "; "); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes are %q, want %q", notes, c.note)
			}
		})
	}
}

func TestAddressesNone(t *testing.T) {
	t.Parallel()
	servfail := rcode(dns.RcodeServerFailure)
	r, f := one(t, script{
		"empty.test. A":      nodata,
		"empty.test. AAAA":   nodata,
		"alias.test. A":      also(records("alias.test. 60 IN CNAME gone.test."), nxdomain),
		"alias.test. AAAA":   also(records("alias.test. 60 IN CNAME gone.test."), nxdomain),
		"unknown.test. A":    nodata,
		"unknown.test. AAAA": servfail,
		"dead.test. A":       servfail,
		"dead.test. AAAA":    servfail,
		"nxfail.test. A":     servfail,
	})
	for _, c := range []struct {
		fault, host string
		kind        Kind
		says        string
	}{
		{"D5", "nxdomain.test", NoAddress, "dns: A and AAAA of nxdomain.test: no such host (NXDOMAIN from " + f.addr + ")"},
		{"D5", "empty.test", NoAddress, "the host has no address"},
		{"D5", "alias.test", NoAddress, "it is an alias (CNAME) of gone.test"},
		{"D6", "unknown.test", Temporary, "AAAA of unknown.test: server " + f.addr + " answered SERVFAIL"},
		{"D6", "dead.test", Temporary, "A of dead.test"},
		{"D6", "nxfail.test", Temporary, "A of nxfail.test"},
		{"D5", strings.Repeat("x", 64) + ".test", NoAddress, "no host name"},
		{"D5", "", NoAddress, "no host name"},
	} {
		_, err := r.Addresses(t.Context(), c.host)
		wantKind(t, err, c.kind, c.says)
	}
}

// FAULTS D6: a broken host leaves the other hosts of the route alone.
func TestAddressesD6OneHostBroken(t *testing.T) {
	t.Parallel()
	r, _ := one(t, script{
		"x.test. MX":     records("x.test. 60 IN MX 10 bad.test.", "x.test. 60 IN MX 20 good.test."),
		"bad.test. A":    rcode(dns.RcodeServerFailure),
		"bad.test. AAAA": rcode(dns.RcodeServerFailure),
		"good.test. A":   records("good.test. 60 IN A 192.0.2.1"),
	})
	route, err := r.Lookup(t.Context(), "x.test")
	if err != nil || names(route.Hosts) != "bad.test good.test" {
		t.Fatalf("%v, %v", route, err)
	}
	_, err = r.Addresses(t.Context(), route.Hosts[0].Name)
	wantKind(t, err, Temporary)
	if got, err := r.Addresses(t.Context(), route.Hosts[1].Name); err != nil || !slices.Equal(got.Addrs, addrs("192.0.2.1")) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAddressesD7TooMany(t *testing.T) {
	t.Parallel()
	var lines []string
	for i := range tooMany {
		lines = append(lines, fmt.Sprintf("many.test. 60 IN A 198.51.%d.%d", (tooMany-i)/250, (tooMany-i)%250))
	}
	r, f := one(t, script{"many.test. A": truncateThen(compressed(records(lines...))), "many.test. AAAA": nodata})
	got, err := r.Addresses(t.Context(), "many.test")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Addrs) != MaxRecords || got.Addrs[0] != netip.MustParseAddr("198.51.0.1") || got.Addrs[99] != netip.MustParseAddr("198.51.0.100") {
		t.Errorf("%d addresses: %v", len(got.Addrs), got.Addrs)
	}
	if !strings.Contains(strings.Join(got.Notes, ""), "too many A records") || f.count("") != 3 {
		t.Errorf("notes %q, %d queries", got.Notes, f.count(""))
	}
}

// FAULTS D10: a server that swallows AAAA costs the budget of one question, no more.
func TestAddressesD10SilentAAAA(t *testing.T) {
	t.Parallel()
	r, _ := one(t, script{"x.test. A": records("x.test. 60 IN A 192.0.2.1"), "x.test. AAAA": silent}, func(o *Options) { o.Timeout = time.Second })
	start := time.Now()
	got, err := r.Addresses(t.Context(), "x.test")
	if err != nil || !slices.Equal(got.Addrs, addrs("192.0.2.1")) {
		t.Fatalf("%v, %v", got, err)
	}
	if spent := time.Since(start); spent > 10*time.Second || !strings.Contains(strings.Join(got.Notes, ""), "did not answer within") {
		t.Errorf("took %v, notes %q", spent, got.Notes)
	}
}

func TestAddressesAuthentic(t *testing.T) {
	t.Parallel()
	a, aaaa := records("x.test. 60 IN A 192.0.2.1"), records("x.test. 60 IN AAAA 2001:db8::1")
	for name, c := range map[string]struct {
		a, aaaa step
		want    bool
	}{
		"both":               {also(a, authentic), also(aaaa, authentic), true},
		"one":                {also(a, authentic), aaaa, false},
		"denied":             {also(a, authentic), also(nodata, authentic), true},
		"denied insecurely":  {also(a, authentic), nodata, false},
		"neither":            {a, aaaa, false},
		"the other is unset": {also(a, authentic), rcode(dns.RcodeServerFailure), true},
	} {
		r, _ := one(t, script{"x.test. A": c.a, "x.test. AAAA": c.aaaa, "x.test. MX": also(nodata, authentic)})
		got, err := r.Addresses(t.Context(), "x.test")
		if err != nil || got.Authentic != c.want {
			t.Errorf("%s: authentic %v, want %v (%v)", name, got.Authentic, c.want, err)
		}
		if route, err := r.Lookup(t.Context(), "x.test"); err != nil || route.Authentic != c.want || route.Hosts[0].Authentic != c.want {
			t.Errorf("%s: implicit MX %+v, want authentic %v (%v)", name, route, c.want, err)
		}
	}
}

// FAULTS D9.
func TestProhibited(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"127.0.0.1", "127.255.255.255", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
		"192.168.0.1", "169.254.169.254", "100.64.0.1", "100.127.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"fe80::1", "fe80::1%eth0", "fc00::1", "fdff::1", "ff02::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.1.1",
		"::ffff:100.64.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:c0a8:101::1",
	} {
		if !Prohibited(netip.MustParseAddr(s)) {
			t.Errorf("%s is allowed", s)
		}
	}
	for _, s := range []string{
		"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0",
		"100.63.255.255", "100.128.0.0", "223.255.255.255", "192.167.255.255", "169.253.255.255", "2606:4700::1111", "64:ff9b::808:808",
		"2002:808:808::1", "::ffff:8.8.8.8", "2a00::1", "2001:db8::1%eth0",
	} {
		if Prohibited(netip.MustParseAddr(s)) {
			t.Errorf("%s is prohibited", s)
		}
	}
	if !Prohibited(netip.Addr{}) {
		t.Error("the zero address is allowed")
	}
}
