package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// tooMany is more records of a kind than are used (FAULTS D7).
const tooMany = 1000

func manyMX() step {
	var lines []string
	for i := range tooMany {
		lines = append(lines, fmt.Sprintf("many.test. 60 IN MX %d m%d.many.test.", tooMany-i, i))
	}
	return truncateThen(compressed(records(lines...)))
}

func compressed(act step) step {
	return func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Compress = true
		return act(w, reply)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	r, _ := one(t, script{
		"plain.test. MX":     records("plain.test. 60 IN MX 20 b.plain.test.", "plain.test. 60 IN MX 65535 c.plain.test.", "plain.test. 60 IN MX 10 A.Plain.TEST."),
		"twice.test. MX":     records("twice.test. 60 IN MX 20 a.test.", "twice.test. 60 IN MX 10 A.test."),
		"null.test. MX":      records("null.test. 60 IN MX 0 ."),
		"halfnull.test. MX":  records("halfnull.test. 60 IN MX 0 .", "halfnull.test. 60 IN MX 10 mx.test."),
		"localhost.test. MX": records("localhost.test. 60 IN MX 0 localhost."),
		"nomx.test. MX":      nodata,
		"nomx.test. A":       records("nomx.test. 60 IN A 192.0.2.1"),
		"nomx.test. AAAA":    nodata,
		"v6only.test. MX":    nodata,
		"v6only.test. A":     nodata,
		"v6only.test. AAAA":  records("v6only.test. 60 IN AAAA 2001:db8::1"),
		"literal.test. MX":   records("literal.test. 60 IN MX 5 192.0.2.7.", "literal.test. 60 IN MX 6 [192.0.2.8].", "literal.test. 60 IN MX 10 mx.test."),
		"v6lit.test. MX":     records("v6lit.test. 60 IN MX 5 2001:db8::7.", "v6lit.test. 60 IN MX 10 mx.test."),
		"odd.test. MX":       records("odd.test. 60 IN MX 5 a\\032b.test.", "odd.test. 60 IN MX 6 \\027[2J.test.", "odd.test. 60 IN MX 10 my_mx.test."),
		"many.test. MX":      manyMX(),
		"alias.test. MX":     records("alias.test. 60 IN CNAME middle.test.", "middle.test. 60 IN CNAME Plain.test.", "plain.test. 60 IN MX 10 a.plain.test."),
		"open.test. MX":      records("open.test. 60 IN CNAME plain.test."),
	})
	for _, c := range []struct {
		fault, domain, hosts string
		null, implicit       bool
		note                 string
	}{
		{"D8", "plain.test", "a.plain.test b.plain.test c.plain.test", false, false, ""},
		{"D8", "PLAIN.Test.", "a.plain.test b.plain.test c.plain.test", false, false, ""},
		{"D8", "twice.test", "a.test", false, false, ""},
		{"D4", "null.test", "", true, false, ""},
		{"D4", "halfnull.test", "mx.test", false, false, "null MX"},
		{"D4", "localhost.test", "localhost", false, false, ""},
		{"D3", "nomx.test", "nomx.test", false, true, ""},
		{"D3", "v6only.test", "v6only.test", false, true, ""},
		{"D5", "literal.test", "mx.test", false, false, "192.0.2.7 is skipped: an IP address"},
		{"D5", "v6lit.test", "mx.test", false, false, "2001:db8::7 is skipped: an IP address"},
		{"D5", "odd.test", "my_mx.test", false, false, `\027[2j.test is skipped: no host name`},
		{"D11", "alias.test", "a.plain.test", false, false, "alias.test is an alias (CNAME) of plain.test"},
		{"D11", "open.test", "a.plain.test b.plain.test c.plain.test", false, false, "alias"},
	} {
		t.Run(c.fault+" "+c.domain, func(t *testing.T) {
			t.Parallel()
			route, err := r.Lookup(t.Context(), c.domain)
			if err != nil {
				t.Fatal(err)
			}
			if got := names(route.Hosts); got != c.hosts || route.Null != c.null || route.Implicit != c.implicit {
				t.Errorf("got hosts %q null %v implicit %v", got, route.Null, route.Implicit)
			}
			if notes := strings.Join(route.Notes, "; "); !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("notes are %q, want %q", notes, c.note)
			}
			if route.Domain != strings.ToLower(strings.TrimSuffix(c.domain, ".")) || route.TTL <= 0 {
				t.Errorf("domain is %q, TTL %v", route.Domain, route.TTL)
			}
		})
	}
}

func TestLookupD7TooManyMX(t *testing.T) {
	t.Parallel()
	r, f := one(t, script{"many.test. MX": manyMX()})
	route, err := r.Lookup(t.Context(), "many.test")
	if err != nil {
		t.Fatal(err)
	}
	if len(route.Hosts) != MaxRecords || route.Hosts[0] != (Host{Name: "m999.many.test", Preference: 1}) || route.Hosts[99].Preference != 100 {
		t.Errorf("got %d hosts, first %v, last %v", len(route.Hosts), route.Hosts[0], route.Hosts[len(route.Hosts)-1])
	}
	if !slices.ContainsFunc(route.Notes, func(n string) bool { return strings.Contains(n, "1000 MX records are too many") }) {
		t.Errorf("notes are %q", route.Notes)
	}
	if n := f.count(""); n != 2 { // UDP, then TCP: nothing is asked of the hosts
		t.Errorf("%d queries, want 2", n)
	}
}

func TestLookupD8ShufflesEqualsOnly(t *testing.T) {
	t.Parallel()
	reverse := func(n int, swap func(i, j int)) {
		for i := range n / 2 {
			swap(i, n-1-i)
		}
	}
	r, _ := one(t, script{"eq.test. MX": records(
		"eq.test. 60 IN MX 10 c.test.", "eq.test. 60 IN MX 10 a.test.", "eq.test. 60 IN MX 5 z.test.",
		"eq.test. 60 IN MX 10 b.test.", "eq.test. 60 IN MX 20 y.test.", "eq.test. 60 IN MX 20 x.test.",
	)}, func(o *Options) { o.Shuffle = reverse })
	route, err := r.Lookup(t.Context(), "eq.test")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(route.Hosts), "z.test c.test b.test a.test y.test x.test"; got != want {
		t.Errorf("order is %q, want %q", got, want)
	}
}

// rawMX is a packet with MX records whose rdata no encoder would write.
func rawMX(rdatas ...[]byte) step {
	return raw(func(packet []byte) []byte {
		for _, rdata := range rdatas {
			packet = appendRecord(packet, dns.TypeMX, rdata)
		}
		return packet
	})
}

// A label of 64 octets: its length byte is of no defined kind (RFC 1035 §4.1.4).
func longLabel() []byte {
	return append(append([]byte{0, 5, 64}, strings.Repeat("x", 64)...), 0)
}

func TestLookupD5MalformedTargets(t *testing.T) {
	t.Parallel()
	good := []byte("\x00\x0a\x02mx\x04test\x00")
	var literals []string
	for i := range 2 * maxNotes {
		literals = append(literals, fmt.Sprintf("manyip.test. 60 IN MX %d 192.0.2.%d.", i, i))
	}
	r, _ := one(t, script{
		"long.test. MX":     rawMX(longLabel(), good),
		"short.test. MX":    rawMX([]byte{0, 5}, good, []byte{0}),
		"trailing.test. MX": rawMX([]byte("\x00\x05\x02mx\x04evil\x00junk"), good),
		"bad.test. MX":      rawMX(longLabel()),
		"badnull.test. MX":  rawMX(longLabel(), []byte{0, 0, 0}),
		"allip.test. MX":    records("allip.test. 60 IN MX 5 192.0.2.7."),
		"allip.test. A":     records("allip.test. 60 IN A 192.0.2.1"),
		"manyip.test. MX":   records(literals...),
	})
	for _, domain := range []string{"long.test", "short.test", "trailing.test"} {
		route, err := r.Lookup(t.Context(), domain)
		if err != nil {
			t.Fatalf("%s: %v", domain, err)
		}
		if names(route.Hosts) != "mx.test" || !strings.Contains(strings.Join(route.Notes, ""), "malformed") {
			t.Errorf("%s: hosts %q, notes %q", domain, names(route.Hosts), route.Notes)
		}
	}
	_, err := r.Lookup(t.Context(), "bad.test")
	wantKind(t, err, Temporary, "1 malformed MX records and no good one")
	_, err = r.Lookup(t.Context(), "badnull.test") // who knows what the unreadable one said
	wantKind(t, err, Temporary, "none of the MX records names a mail host")
	_, err = r.Lookup(t.Context(), "allip.test") // never the implicit MX
	wantKind(t, err, NoMailHost, "192.0.2.7 is skipped")
	_, err = r.Lookup(t.Context(), "manyip.test")
	e := wantKind(t, err, NoMailHost, "192.0.2.9 is skipped", "and more of the like")
	if strings.Contains(e.Detail, "192.0.2.10") {
		t.Errorf("too long a text: %s", e)
	}
}

func TestLookupDefinitiveAnswers(t *testing.T) {
	t.Parallel()
	r, f := one(t, script{
		"bare.test. MX":       nodata,
		"bare.test. A":        nodata,
		"bare.test. AAAA":     nodata,
		"dangling.test. MX":   also(records("dangling.test. 60 IN CNAME gone.test."), nxdomain),
		"unsettled.test. MX":  nodata,
		"unsettled.test. A":   rcode(dns.RcodeServerFailure),
		"missingaaaa.test. A": nodata,
	})
	_, err := r.Lookup(t.Context(), "nxdomain.test") // FAULTS D1
	e := wantKind(t, err, NoSuchDomain, "dns: MX of nxdomain.test: no such domain (NXDOMAIN from "+f.addr+")")
	if e.Name != "nxdomain.test" || e.Type != "MX" {
		t.Errorf("error is %+v", e)
	}
	_, err = r.Lookup(t.Context(), "dangling.test")
	wantKind(t, err, NoSuchDomain)
	_, err = r.Lookup(t.Context(), "bare.test") // FAULTS D3
	wantKind(t, err, NoMailHost, "neither MX nor A nor AAAA")
	_, err = r.Lookup(t.Context(), "unsettled.test") // the implicit MX is unknown, not absent
	wantKind(t, err, Temporary, "A of unsettled.test", "SERVFAIL")

	for _, domain := range []string{"", ".", "a..test", ".test", "a b.test", "ä.test", strings.Repeat("x", 64) + ".test", strings.Repeat("abcdefg.", 32) + "test", "a@b.test", "[192.0.2.1]", "x\x1b[2J.test"} {
		before := f.count("")
		_, err := r.Lookup(t.Context(), domain)
		e := wantKind(t, err, NoSuchDomain, "no domain name")
		if f.count("") != before || strings.ContainsRune(e.Error(), 0x1b) {
			t.Errorf("%q: asked the server, or the text is not clean: %q", domain, e)
		}
	}
}
