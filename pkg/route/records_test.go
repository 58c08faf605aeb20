package route

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

var digest = bytes.Repeat([]byte{0xab}, 32)

const digestHex = "abababababababababababababababababababababababababababababababab"

func rawTLSA(rdatas ...[]byte) step {
	return raw(func(packet []byte) []byte {
		for _, rdata := range rdatas {
			packet = appendRecord(packet, dns.TypeTLSA, rdata)
		}
		return packet
	})
}

// FAULTS D13, the part that the DNS sees.
func TestTLSAD13(t *testing.T) {
	t.Parallel()
	var many []string
	for i := range 300 {
		many = append(many, fmt.Sprintf("_25._tcp.many.test. 60 IN TLSA 3 1 1 %s%04x", digestHex[:60], i))
	}
	good := append([]byte{3, 1, 1}, digest...)
	r, f := one(t, script{
		"_25._tcp.good.test. TLSA":  also(records("_25._tcp.good.test. 60 IN TLSA 3 1 1 "+digestHex, "_25._tcp.good.test. 60 IN TLSA 0 0 0 00"), authentic),
		"_465._tcp.good.test. TLSA": records("_465._tcp.good.test. 60 IN TLSA 2 0 1 " + digestHex),
		"_25._tcp.short.test. TLSA": rawTLSA([]byte{3, 1, 1}, good, []byte{}, []byte{3}, []byte{3, 1, 1, 0xab}, []byte{3, 1, 2, 0xab}),
		"_25._tcp.bad.test. TLSA":   rawTLSA([]byte{3, 1, 1}),
		"_25._tcp.many.test. TLSA":  truncateThen(compressed(records(many...))),
		"_25._tcp.alias.test. TLSA": records("_25._tcp.alias.test. 60 IN CNAME tlsa.test.", "tlsa.test. 60 IN TLSA 3 1 1 "+digestHex),
		"_25._tcp.none.test. TLSA":  also(nodata, authentic),
		"_25._tcp.bogus.test. TLSA": rcode(dns.RcodeServerFailure),
	})
	ee := TLSA{3, 1, 1, digest}
	for _, c := range []struct {
		host      string
		port      uint16
		want      []TLSA
		skipped   int
		authentic bool
	}{
		{"good.test", 25, []TLSA{ee, {0, 0, 0, []byte{0}}}, 0, true},
		{"GOOD.test.", 465, []TLSA{{2, 0, 1, digest}}, 0, false},
		{"short.test", 25, []TLSA{ee}, 5, false},
		{"bad.test", 25, nil, 1, false},
		{"alias.test", 25, []TLSA{ee}, 0, false},
		{"none.test", 25, nil, 0, true},
		{"nxdomain.test", 25, nil, 0, false},
	} {
		got, err := r.TLSA(t.Context(), c.host, c.port)
		if err != nil {
			t.Errorf("%s: %v", c.host, err)
			continue
		}
		same := slices.EqualFunc(got.Records, c.want, func(a, b TLSA) bool {
			return a.Usage == b.Usage && a.Selector == b.Selector && a.MatchingType == b.MatchingType && bytes.Equal(a.Data, b.Data)
		})
		if !same || got.Skipped != c.skipped || got.Authentic != c.authentic || got.TTL <= 0 {
			t.Errorf("%s: got %+v", c.host, got)
		}
	}
	if got, err := r.TLSA(t.Context(), "many.test", 25); err != nil || len(got.Records) != MaxRecords {
		t.Errorf("%d records (%v)", len(got.Records), err)
	}
	_, err := r.TLSA(t.Context(), "bogus.test", 25)
	wantKind(t, err, Temporary, "TLSA of _25._tcp.bogus.test: server "+f.addr+" answered SERVFAIL")
	_, err = r.TLSA(t.Context(), "no host", 25)
	wantKind(t, err, NoSuchDomain, "no domain name")
}

func TestTXT(t *testing.T) {
	t.Parallel()
	r, _ := one(t, script{
		"_mta-sts.x.test. TXT": also(records(`_mta-sts.x.test. 60 IN TXT "v=STSv1; " "id=1;"`, `_mta-sts.x.test. 60 IN TXT "other"`), authentic),
		"raw.test. TXT":        raw(func(p []byte) []byte { return appendRecord(p, dns.TypeTXT, []byte("\x03\x00\"\\\x01\xff\x00")) }),
		"cut.test. TXT":        raw(func(p []byte) []byte { return appendRecord(p, dns.TypeTXT, []byte("\x09short")) }),
		"alias.test. TXT":      records("alias.test. 60 IN CNAME y.test.", `y.test. 60 IN TXT "here"`),
		"none.test. TXT":       nodata,
		"fail.test. TXT":       rcode(dns.RcodeServerFailure),
	})
	for _, c := range []struct {
		name      string
		want      []string
		authentic bool
	}{
		{"_mta-sts.X.test", []string{"v=STSv1; id=1;", "other"}, true},
		{"raw.test", []string{"\x00\"\\\xff"}, false},
		{"alias.test", []string{"here"}, false},
		{"none.test", nil, false},
		{"nxdomain.test", nil, false},
	} {
		got, err := r.TXT(t.Context(), c.name)
		if err != nil || !slices.Equal(got.Texts, c.want) || got.Authentic != c.authentic || got.TTL <= 0 {
			t.Errorf("%s: got %+v (%v)", c.name, got, err)
		}
	}
	_, err := r.TXT(t.Context(), "fail.test")
	wantKind(t, err, Temporary, "TXT of fail.test")
	_, err = r.TXT(t.Context(), "cut.test")
	wantKind(t, err, Temporary, "1 malformed TXT records")
	_, err = r.TXT(t.Context(), "no\x1bname")
	if e := wantKind(t, err, NoSuchDomain); strings.ContainsRune(e.Error(), 0x1b) {
		t.Errorf("not clean: %q", e)
	}
}

func TestPTR(t *testing.T) {
	t.Parallel()
	const six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."
	r, _ := one(t, script{
		"9.2.0.192.in-addr.arpa. PTR":  records("9.2.0.192.in-addr.arpa. 60 IN PTR MTA1.Clinic.Example."),
		"10.2.0.192.in-addr.arpa. PTR": records("10.2.0.192.in-addr.arpa. 60 IN CNAME 10.0-127.2.0.192.in-addr.arpa.", "10.0-127.2.0.192.in-addr.arpa. 60 IN PTR b.test."),
		six + " PTR":                   also(records(six+" 60 IN PTR mta6.clinic.example."), authentic),
		"11.2.0.192.in-addr.arpa. PTR": rcode(dns.RcodeServerFailure),
	})
	for _, c := range []struct {
		addr string
		want []string
	}{
		{"192.0.2.9", []string{"mta1.clinic.example"}},
		{"::ffff:192.0.2.9", []string{"mta1.clinic.example"}},
		{"192.0.2.10", []string{"b.test"}},
		{"2001:db8::1", []string{"mta6.clinic.example"}},
		{"192.0.2.99", nil},
	} {
		got, err := r.PTR(t.Context(), netip.MustParseAddr(c.addr))
		if err != nil || !slices.Equal(got.Names, c.want) || got.Authentic != (c.addr == "2001:db8::1") {
			t.Errorf("%s: got %+v (%v)", c.addr, got, err)
		}
	}
	_, err := r.PTR(t.Context(), netip.MustParseAddr("192.0.2.11"))
	wantKind(t, err, Temporary, "PTR of 11.2.0.192.in-addr.arpa")
	_, err = r.PTR(t.Context(), netip.Addr{})
	wantKind(t, err, NoSuchDomain, "no IP address")
}
