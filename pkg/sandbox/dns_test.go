package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// exchanges are the MX names of an answer with their preferences.
func exchanges(m *dns.Msg) []string {
	var all []string
	for _, rr := range m.Answer {
		if mx, ok := rr.(*dns.MX); ok {
			all = append(all, fmt.Sprint(mx.Preference, " ", mx.Mx))
		}
	}
	slices.Sort(all)
	return all
}

func TestDNSOfDomains(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	special := map[string][]string{
		"backup.test":   {"10 mx1.backup.test.", "20 mx2.backup.test."},
		"mixed.test":    {"10 mx1.mixed.test.", "20 mx2.mixed.test."},
		"null.test":     {"0 ."},
		"nomx.test":     nil,
		"nxdomain.test": nil,
		"servfail.test": nil,
	}
	rcodes := map[string]int{"nxdomain.test": dns.RcodeNameError, "servfail.test": dns.RcodeServerFailure}
	for _, i := range Domains() {
		want, ok := special[i.Domain]
		if !ok {
			want = []string{"10 mx." + i.Domain + "."}
		}
		m := ask(t, s.DNS(), i.Domain, dns.TypeMX)
		if got := exchanges(m); m.Rcode != rcodes[i.Domain] || !slices.Equal(got, want) {
			t.Errorf("%s: rcode %d, MX %v, want %v", i.Domain, m.Rcode, got, want)
		}
		if !m.RecursionAvailable || m.AuthenticatedData {
			t.Errorf("%s: flags %v", i.Domain, m.MsgHdr)
		}
	}
	for _, q := range []struct {
		name  string
		kind  uint16
		rcode int
		n     int
	}{
		{"nomx.test", dns.TypeA, dns.RcodeSuccess, 1},
		{"MX.Modern.Test", dns.TypeA, dns.RcodeSuccess, 1},
		{"mx.modern.test", dns.TypeAAAA, dns.RcodeSuccess, 1},
		{"mx.plain.test", dns.TypeAAAA, dns.RcodeSuccess, 0},
		{"modern.test", dns.TypeA, dns.RcodeSuccess, 0},
		{"_25._tcp.mx.modern.test", dns.TypeTLSA, dns.RcodeNameError, 0},
		{"_mta-sts.modern.test", dns.TypeTXT, dns.RcodeNameError, 0},
		{"mx.servfail.test", dns.TypeA, dns.RcodeServerFailure, 0},
		{"null.test", dns.TypeA, dns.RcodeSuccess, 0},
		{"test", dns.TypeMX, dns.RcodeSuccess, 0},
		{"elsewhere.example", dns.TypeMX, dns.RcodeNameError, 0},
	} {
		if m := ask(t, s.DNS(), q.name, q.kind); m.Rcode != q.rcode || len(m.Answer) != q.n {
			t.Errorf("%s %s: rcode %d, %v", q.name, dns.TypeToString[q.kind], m.Rcode, m.Answer)
		}
	}
	if got := s.Questions(); !slices.Contains(got, "mx.modern.test. A") {
		t.Errorf("questions %v", got)
	}
}

const zoneText = `
$ORIGIN z.test.
@        MX 10 alias
@        TXT "v=spf1 -all"
alias    CNAME target
target   A 192.0.2.77
_25._tcp.target TLSA 3 1 1 0123456789012345678901234567890123456789012345678901234567890123
loop     CNAME pool
pool     CNAME loop
dangling CNAME nowhere
broken   CNAME x.failing
`

func zoneServer(t *testing.T, change func(*Zone)) *DNS {
	t.Helper()
	z, err := ParseZone(zoneText)
	if err != nil {
		t.Fatal(err)
	}
	change(z)
	d, err := ServeDNS(z)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestZone(t *testing.T) {
	t.Parallel()
	d := zoneServer(t, func(z *Zone) {
		z.Rcodes = map[string]int{"Failing.z.test": dns.RcodeServerFailure, "refused.z.test.": dns.RcodeRefused}
	})
	for _, q := range []struct {
		name  string
		kind  uint16
		rcode int
		n     int
	}{
		{"z.test", dns.TypeMX, dns.RcodeSuccess, 1},
		{"z.test", dns.TypeTXT, dns.RcodeSuccess, 1},
		{"z.test", dns.TypeANY, dns.RcodeSuccess, 2},
		{"alias.z.test", dns.TypeA, dns.RcodeSuccess, 2},
		{"alias.z.test", dns.TypeCNAME, dns.RcodeSuccess, 1},
		{"alias.z.test", dns.TypeAAAA, dns.RcodeSuccess, 1}, // the alias, then no data
		{"_25._tcp.target.z.test", dns.TypeTLSA, dns.RcodeSuccess, 1},
		{"_tcp.target.z.test", dns.TypeTLSA, dns.RcodeSuccess, 0}, // an empty non-terminal exists
		{"loop.z.test", dns.TypeA, dns.RcodeServerFailure, 0},
		{"dangling.z.test", dns.TypeA, dns.RcodeNameError, 1},
		{"broken.z.test", dns.TypeA, dns.RcodeServerFailure, 1},
		{"refused.z.test", dns.TypeA, dns.RcodeRefused, 0},
	} {
		if m := ask(t, d.Addr(), q.name, q.kind); m.Rcode != q.rcode || len(m.Answer) != q.n {
			t.Errorf("%s %s: rcode %d, %v", q.name, dns.TypeToString[q.kind], m.Rcode, m.Answer)
		}
	}
	if _, err := ParseZone("x.test. MX ten mx"); err == nil {
		t.Error("a zone with an error was read")
	}
}

// TestAuthenticData: AD is set for signed names, all along an alias, and only for clients that ask.
func TestAuthenticData(t *testing.T) {
	t.Parallel()
	d := zoneServer(t, func(z *Zone) {
		z.Authentic = func(name string) bool { return name != "target.z.test." }
	})
	for _, q := range []struct {
		name   string
		ad, do bool
		want   bool
	}{
		{"z.test.", true, false, true},
		{"z.test.", false, true, true},
		{"z.test.", false, false, false},
		{"absent.z.test.", true, false, true},
		{"target.z.test.", true, true, false},
		{"alias.z.test.", true, true, false},
	} {
		m := new(dns.Msg).SetQuestion(q.name, dns.TypeMX)
		m.AuthenticatedData = q.ad
		if q.do {
			m.SetEdns0(1232, true)
		}
		r, err := dns.ExchangeContext(t.Context(), m, d.Addr())
		if err != nil || r.AuthenticatedData != q.want {
			t.Errorf("%+v: AD %v, %v", q, r != nil && r.AuthenticatedData, err)
		}
	}
}

// TestTruncation: what is too long for UDP comes truncated, and whole over TCP at the same port.
func TestTruncation(t *testing.T) {
	t.Parallel()
	d := zoneServer(t, func(z *Zone) {
		for i := range 200 {
			z.Records = append(z.Records, &dns.MX{
				Hdr: header("many.test", dns.TypeMX), Preference: uint16(i), Mx: fmt.Sprintf("mx%d.many.test.", i)})
		}
	})
	for _, q := range []struct {
		net  string
		size uint16
		cut  bool
	}{{"udp", 0, true}, {"udp", 1232, true}, {"udp", 16000, false}, {"tcp", 0, false}} {
		m := new(dns.Msg).SetQuestion("many.test.", dns.TypeMX)
		if q.size > 0 {
			m.SetEdns0(q.size, false)
		}
		client := dns.Client{Net: q.net, UDPSize: q.size}
		r, _, err := client.ExchangeContext(t.Context(), m, d.Addr())
		if err != nil || r.Truncated != q.cut || (len(r.Answer) == 200) == q.cut {
			t.Errorf("%+v: %v, %v", q, r, err)
		}
	}
}

// TestZoneHook: a test may answer as it likes, for D2 and D11.
func TestZoneHook(t *testing.T) {
	t.Parallel()
	d := zoneServer(t, func(z *Zone) {
		z.Answer = func(w dns.ResponseWriter, q *dns.Msg) bool {
			if !strings.HasPrefix(q.Question[0].Name, "forged.") {
				return false
			}
			m := new(dns.Msg).SetRcode(q, dns.RcodeFormatError)
			_ = w.WriteMsg(m)
			return true
		}
	})
	if m := ask(t, d.Addr(), "forged.z.test", dns.TypeA); m.Rcode != dns.RcodeFormatError {
		t.Errorf("rcode %d", m.Rcode)
	}
	if m := ask(t, d.Addr(), "target.z.test", dns.TypeA); len(m.Answer) != 1 {
		t.Errorf("answer %v", m.Answer)
	}
}

// TestOptionsZone: a test's records stand beside the domains' own.
func TestOptionsZone(t *testing.T) {
	t.Parallel()
	z, err := ParseZone("shared.test. MX 5 mx.a.test.\nmx.a.test. AAAA 2001:db8:dead::1\n")
	if err != nil {
		t.Fatal(err)
	}
	z.Rcodes = map[string]int{"_25._tcp.mx.a.test": dns.RcodeServerFailure}
	z.Authentic = func(string) bool { return true }
	s := start(t, Options{Domains: []Domain{{Name: "a.test", Hosts: []Host{{Preference: 7}}}}, Zone: z})
	if got := exchanges(ask(t, s.DNS(), "a.test", dns.TypeMX)); !slices.Equal(got, []string{"7 mx.a.test."}) {
		t.Errorf("a.test: %v", got)
	}
	if got := exchanges(ask(t, s.DNS(), "shared.test", dns.TypeMX)); !slices.Equal(got, []string{"5 mx.a.test."}) {
		t.Errorf("shared.test: %v", got)
	}
	if m := ask(t, s.DNS(), "mx.a.test", dns.TypeAAAA); len(m.Answer) != 1 {
		t.Errorf("mx.a.test: %v", m.Answer)
	}
	if m := ask(t, s.DNS(), "_25._tcp.mx.a.test", dns.TypeTLSA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("TLSA: %v", m)
	}
}

func TestTooManyHosts(t *testing.T) {
	t.Parallel()
	a := &addresses{}
	seen := map[string]bool{}
	for range 720 {
		v4, v6, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		seen[v4.String()], seen[v6.String()] = true, true
	}
	if _, _, err := a.next(); err == nil || len(seen) != 1440 {
		t.Errorf("%d addresses, then %v", len(seen), err)
	}
}
