package route

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func truncated(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
	reply.Truncated = true
	return reply
}

func withID(offset uint16) step {
	return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Answer = append(reply.Answer, rr("x.test. 60 IN MX 10 evil.test."))
		reply.Id += offset
		return reply
	}
}

func otherQuestion(name string) step {
	return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.Question[0].Name = name
		reply.Answer = append(reply.Answer, rr(name+" 60 IN MX 10 evil.test."))
		return reply
	}
}

func garbage([]byte) []byte { return []byte("this is no DNS message") }

// loopPointer makes the owner of the first record point at itself (a compression bomb that
// never ends), lyingCount promises records that are not there.
func loopPointer(packet []byte) []byte {
	packet = appendRecord(packet, dns.TypeMX, []byte("\x00\x0a\x02mx\x04test\x00"))
	owner := len(packet) - len("\x00\x0a\x02mx\x04test\x00") - 12
	binary.BigEndian.PutUint16(packet[owner:], 0xc000|uint16(owner))
	return packet
}

func lyingCount(packet []byte) []byte {
	binary.BigEndian.PutUint16(packet[6:], 0xffff)
	return packet
}

func longRdata(packet []byte) []byte {
	packet = appendRecord(packet, dns.TypeMX, []byte{0, 10, 0})
	binary.BigEndian.PutUint16(packet[len(packet)-5:], 0xffff)
	return packet
}

func noRecursion(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
	reply.RecursionAvailable = false
	return reply
}

// Whatever is no answer is temporary, and no A record changes that.
func TestLookupD2NotAnAnswer(t *testing.T) {
	t.Parallel()
	loop := records("x.test. 60 IN CNAME y.test.", "y.test. 60 IN CNAME x.test.")
	for name, c := range map[string]struct {
		act  step
		says string
	}{
		"SERVFAIL":          {rcode(dns.RcodeServerFailure), "answered SERVFAIL"},
		"REFUSED":           {rcode(dns.RcodeRefused), "answered REFUSED"},
		"FORMERR":           {rcode(dns.RcodeFormatError), "answered FORMERR"},
		"NOTIMP":            {rcode(dns.RcodeNotImplemented), "answered NOTIMP"},
		"unknown rcode":     {rcode(15), "answered rcode 15"},
		"timeout":           {silent, "did not answer within"},
		"bad id":            {withID(1), "did not answer within"},
		"other question":    {otherQuestion("y.test."), "did not answer within"},
		"garbage":           {raw(garbage), "did not answer within"},
		"empty datagram":    {raw(func([]byte) []byte { return nil }), "did not answer within"},
		"query echoed":      {raw(func(p []byte) []byte { p[2] &^= 0x80; return p }), "did not answer within"},
		"truncated loop":    {truncated, "truncated even over TCP"},
		"pointer loop":      {raw(loopPointer), "malformed message"},
		"lying count":       {raw(lyingCount), "malformed message"},
		"long rdata":        {raw(longRdata), "malformed message"},
		"referral":          {noRecursion, "referral"},
		"lame NXDOMAIN":     {also(nxdomain, noRecursion), "referral"},
		"only other names":  {records("y.test. 60 IN MX 10 evil.test."), "something else"},
		"NXDOMAIN and data": {also(records("x.test. 60 IN MX 10 mx.test."), rcode(dns.RcodeNameError)), "at once"},
		"alias loop":        {loop, "more than 16 aliases"},
		"alias to itself":   {records("x.test. 60 IN CNAME X.test."), "more than 16 aliases"},
		"broken alias":      {raw(func(p []byte) []byte { return appendRecord(p, dns.TypeCNAME, []byte{64}) }), "malformed alias"},
		"drops the stream":  {truncateThen(func(w dns.ResponseWriter, _ *dns.Msg) *dns.Msg { w.Close(); return nil }), "closed the connection"},
		"silent stream":     {truncateThen(silent), "did not answer within"},
		"half a stream":     {truncateThen(raw(func(p []byte) []byte { return p[:headerLen+2] })), "malformed message"},
		"other over TCP":    {truncateThen(otherQuestion("y.test.")), "belongs to another question"},
		"bad id over TCP":   {truncateThen(withID(1)), "belongs to another question"},
		"two questions":     {raw(func(p []byte) []byte { p[5] = 2; return p }), "did not answer within"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, f := one(t, script{"x.test. MX": c.act, "x.test. A": records("x.test. 60 IN A 192.0.2.1")}, impatientIf(c.says == "did not answer within"))
			_, err := r.Lookup(t.Context(), "x.test")
			e := wantKind(t, err, Temporary, "dns: MX of x.test: server "+f.addr+" ", c.says)
			if e.Server != f.addr || e.Type != "MX" || e.Name != "x.test" {
				t.Errorf("error is %+v", e)
			}
			if f.count("x.test. A")+f.count("x.test. AAAA") != 0 {
				t.Error("an address of the domain was asked for")
			}
		})
	}
}

func impatientIf(b bool) func(*Options) {
	if b {
		return impatient
	}
	return func(*Options) {}
}

// truncateThen sends the asker to TCP, where act answers.
func truncateThen(act step) step {
	return func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		if w.LocalAddr().Network() == "udp" {
			return truncated(w, reply)
		}
		return act(w, reply)
	}
}

// FAULTS D11: what does not belong to the question is passed over, and the true reply,
// whose letters have another case, is taken.
func TestLookupD11SpoofedAnswers(t *testing.T) {
	t.Parallel()
	first := func(acts ...step) step {
		return func(w dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
			for _, act := range acts {
				if spoof := act(w, reply.Copy()); spoof != nil {
					w.WriteMsg(spoof)
				}
			}
			reply.Question[0].Name = "X.TesT."
			return records("X.tEST. 60 IN MX 10 MX.test.", "evil.test. 60 IN MX 1 evil.test.", "x.test. 60 CH MX 1 chaos.test.")(w, reply)
		}
	}
	r, f := one(t, script{"x.test. MX": first(withID(1), otherQuestion("y.test."), raw(garbage))})
	route, err := r.Lookup(t.Context(), "x.test")
	if err != nil {
		t.Fatal(err)
	}
	if got := names(route.Hosts); got != "mx.test" || f.count("") != 1 {
		t.Errorf("hosts %q after %d queries", got, f.count(""))
	}
}

// A chain that grows by one alias with every query ends too.
func TestLookupD11EndlessAliases(t *testing.T) {
	t.Parallel()
	s := script{}
	for i := range 3 * MaxAliases {
		s[fmt.Sprintf("a%d.test. MX", i)] = records(fmt.Sprintf("a%d.test. 60 IN CNAME a%d.test.", i, i+1))
	}
	r, f := one(t, s)
	_, err := r.Lookup(t.Context(), "a0.test")
	wantKind(t, err, Temporary, "MX of a0.test", "more than 16 aliases")
	if n := f.count(""); n != MaxAliases+1 {
		t.Errorf("%d queries, want %d", n, MaxAliases+1)
	}
}

// The rcode of RFC 6891 §6.1.3 has 12 bits, and RFC 8914 says why.
func TestLookupExtendedErrors(t *testing.T) {
	t.Parallel()
	explained := func(code uint16, text string) step {
		return func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
			reply.Rcode = dns.RcodeServerFailure
			reply.SetEdns0(udpSize, false)
			reply.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: code, ExtraText: text}}
			return reply
		}
	}
	badCookie := func(_ dns.ResponseWriter, reply *dns.Msg) *dns.Msg {
		reply.SetEdns0(udpSize, false)
		reply.Rcode = dns.RcodeBadCookie
		return reply
	}
	r, _ := one(t, script{
		"bogus.test. MX":   explained(dns.ExtendedErrorCodeDNSBogus, "no\x1b[2J key"),
		"network.test. MX": explained(dns.ExtendedErrorCodeNetworkError, ""),
		"cookie.test. MX":  badCookie,
	})
	_, err := r.Lookup(t.Context(), "bogus.test")
	if e := wantKind(t, err, Temporary, "answered SERVFAIL (DNSSEC Bogus: no\ufffd[2J key)"); !e.Bogus {
		t.Error("the error is not marked bogus")
	}
	_, err = r.Lookup(t.Context(), "network.test")
	if e := wantKind(t, err, Temporary, "answered SERVFAIL (Network Error)"); e.Bogus {
		t.Error("a network error is marked bogus")
	}
	_, err = r.Lookup(t.Context(), "cookie.test")
	wantKind(t, err, Temporary, "answered BADCOOKIE")
}

func TestLookupNoServer(t *testing.T) {
	t.Parallel()
	_, err := New(Options{}).Lookup(t.Context(), "x.test")
	wantKind(t, err, Temporary, "no DNS server is configured; name a resolver in sendctl.toml")
	_, err = New(Options{Servers: []string{"dns.\x1btest"}}).Lookup(t.Context(), "x.test")
	wantKind(t, err, Temporary, "server dns.\ufffdtest is not a DNS server: want an IP address")
}

// FAULTS D12: the server of resolv.conf is not there.
func TestLookupD12Unreachable(t *testing.T) {
	t.Parallel()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	socket.Close()
	_, err = New(Options{Servers: []string{socket.LocalAddr().String()}}).Lookup(t.Context(), "x.test")
	wantKind(t, err, Temporary, "cannot be reached: ", "refused")

	dead := New(Options{Servers: []string{"192.0.2.53"}, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("network is\nunreachable")
	}})
	_, err = dead.Lookup(t.Context(), "x.test")
	wantKind(t, err, Temporary, "server 192.0.2.53:53 cannot be reached: network is unreachable")
}

func TestLookupCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r, f := one(t, script{"x.test. MX": func(dns.ResponseWriter, *dns.Msg) *dns.Msg {
		cancel() // while the caller waits
		return nil
	}})
	start := time.Now()
	_, err := r.Lookup(ctx, "x.test")
	wantKind(t, err, Temporary, "gave up waiting")
	if !errors.Is(err, context.Canceled) || time.Since(start) > 10*time.Second {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	if _, err = r.Lookup(ctx, "x.test"); !errors.Is(err, context.Canceled) || f.count("") != 1 {
		t.Errorf("a dead context asked: %v", err)
	}
	f.set("x.test. MX", records("x.test. 60 IN MX 10 mx.test."))
	route, err := r.Lookup(t.Context(), "x.test") // the failure was not remembered
	if err != nil || !strings.Contains(names(route.Hosts), "mx.test") {
		t.Errorf("%v, %v", route, err)
	}
}
