package route

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// packed is the reply to a question about x.test with records in the answer.
func packed(f *testing.F, typ uint16, lines ...string) []byte {
	f.Helper()
	m := new(dns.Msg).SetQuestion("x.test.", typ)
	m.Response, m.RecursionAvailable, m.Compress = true, true, true
	for _, line := range lines {
		m.Answer = append(m.Answer, rr(line))
	}
	m.Ns = []dns.RR{rr(zoneSOA)}
	m.SetEdns0(udpSize, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 6, ExtraText: "why"}}
	packet, err := m.Pack()
	if err != nil {
		f.Fatal(err)
	}
	return packet
}

// Whatever arrives, reading it ends, keeps its bounds and its promises.
func FuzzParseMessage(f *testing.F) {
	f.Add(packed(f, dns.TypeMX, "x.test. 60 IN MX 10 mx.x.test.", "x.test. 60 IN MX 0 ."))
	f.Add(packed(f, dns.TypeA, "x.test. 60 IN CNAME y.test.", "y.test. 60 IN A 192.0.2.1"))
	f.Add(packed(f, dns.TypeAAAA, "x.test. 60 IN AAAA ::ffff:192.0.2.1"))
	f.Add(packed(f, dns.TypeTLSA, "x.test. 60 IN TLSA 3 1 1 "+digestHex))
	f.Add(packed(f, dns.TypeTXT, `x.test. 60 IN TXT "a" "b"`))
	f.Add(loopPointer(packed(f, dns.TypeMX)))
	f.Add([]byte{})
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeTLSA, dns.TypeTXT, dns.TypePTR}
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := parseMessage(packet)
		if err != nil {
			return
		}
		if strings.ContainsAny(m.why, "\x00\x1b\r\n") {
			t.Errorf("extended error is not clean: %q", m.why)
		}
		for _, typ := range types {
			checkReading(t, m, question{"x.test.", typ})
		}
	})
}

func checkReading(t *testing.T, m message, q question) {
	t.Helper()
	rd, err := interpret(m, q)
	if err != nil {
		return
	}
	if len(rd.values) > MaxRecords || rd.aliases > MaxAliases || rd.ttl < 0 || rd.ttl > maxTTL {
		t.Errorf("out of bounds: %+v", rd)
	}
	if (rd.status == found) != (len(rd.values)+rd.malformed > 0) {
		t.Errorf("status %v with %d values", rd.status, len(rd.values))
	}
	if rd.status != found && m.rcode == dns.RcodeSuccess && !m.authoritative && !m.recursion {
		t.Error("a referral is taken for an answer")
	}
	a := answer{rd, time.Time{}}
	if got := len(values[mx](a)); q.typ == dns.TypeMX && got != len(rd.values) {
		t.Errorf("%d MX of %d values", got, len(rd.values))
	}
	route, err := New(Options{}).explicit(Route{}, q, a)
	if q.typ != dns.TypeMX || rd.status != found || err != nil {
		return
	}
	for _, h := range route.Hosts {
		if name, ok := hostName(h.Name); !ok || name != h.Name {
			t.Errorf("host %q", h.Name)
		}
	}
}

func FuzzResolvConf(f *testing.F) {
	f.Add("nameserver 127.0.0.1\nsearch x\n")
	f.Add("nameserver fe80::1%a b\n")
	f.Fuzz(func(t *testing.T, text string) {
		servers := parseResolvConf(text)
		if len(servers) > maxNameservers {
			t.Errorf("%d servers", len(servers))
		}
		for _, s := range servers {
			if _, err := ParseServer(s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}

func TestKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]string{Temporary: "temporary", NoSuchDomain: "no such domain", NoMailHost: "no mail host", NoAddress: "no address", 99: "temporary"} {
		if kind.String() != want {
			t.Errorf("%d is %q, want %q", kind, kind, want)
		}
	}
	if KindOf(errors.New("unknown")) != Temporary || KindOf(nil) != Temporary {
		t.Error("an unknown error is not temporary")
	}
}

func TestParseMessageShort(t *testing.T) {
	t.Parallel()
	m := new(dns.Msg).SetQuestion("x.test.", dns.TypeMX)
	m.Response = true
	m.Answer = []dns.RR{rr("x.test. 60 IN MX 10 mx.test.")}
	m.SetEdns0(udpSize, false)
	whole, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseMessage(whole); err != nil || len(got.answers) != 1 || got.asked != (question{"x.test.", dns.TypeMX}) {
		t.Fatalf("%+v, %v", got, err)
	}
	for n := range whole {
		if _, err := parseMessage(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes are taken for a message", n, len(whole))
		}
	}
}
