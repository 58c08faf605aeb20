package send_test

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

func hello(a *sandbox.Action) sandbox.Host {
	return sandbox.Host{TLS: sandbox.TLS{Hello: sandbox.Always(a)}}
}

// TestHandshake is T8: how a handshake may break, at its beginning.
func TestHandshake(t *testing.T) {
	t.Parallel()
	failed := func(says string) want { return deferred(policy.TLSHandshakeFailed, "454 4.7.5", says) }
	cases := []fault{
		{name: "T8/EOF", hosts: hosts(hello(sandbox.Hang(sandbox.Close))), want: certified(failed("closed"), failed("closed"), inClear("mx"))},
		{name: "T8/RST", hosts: hosts(hello(sandbox.Hang(sandbox.Reset))), want: each(failed("reset"), inClear("mx"))},
		{name: "T8/random octets", hosts: hosts(hello(sandbox.Garbage())), want: each(failed("not TLS"), inClear("mx"))},
		{name: "T8/stall", hosts: hosts(hello(sandbox.Hang(sandbox.Stall))), slow: briefHandshake, want: each(failed("in time"), inClear("mx"))},
		{name: "S4/handshake", hosts: hosts(sandbox.Host{TLS: sandbox.TLS{Drip: brief / 20}}), slow: briefHandshake, want: each(failed("in time"), inClear("mx"))},
		{name: "T8/random octets, next", hosts: hosts(hello(sandbox.Garbage()), host()), want: both(delivered("mx2", "mx1 tls-handshake-failed"))},
		{name: "T8/stall, next", hosts: hosts(hello(sandbox.Hang(sandbox.Stall)), host()), slow: briefHandshake, want: both(delivered("mx2", "mx1 tls-handshake-failed"))},
		{name: "T8/SNI", hosts: hosts(hello(sandbox.Alert(112))), want: each(failed("unrecognized_name"), inClear("mx"))},
	}
	// SPEC §4 says which alerts are a definite no; every other defers.
	for alert, reason := range map[byte]policy.Reason{
		40: policy.TLSCipherMismatch, 42: policy.TLSHandshakeFailed, 43: policy.TLSHandshakeFailed, 44: policy.TLSHandshakeFailed,
		45: policy.TLSHandshakeFailed, 46: policy.TLSHandshakeFailed, 48: policy.TLSHandshakeFailed, 49: policy.TLSHandshakeFailed,
		70: policy.TLSVersionMismatch, 71: policy.TLSCipherMismatch, 86: policy.TLSHandshakeFailed, 116: policy.TLSHandshakeFailed,
		120: policy.TLSHandshakeFailed,
	} {
		name := tlsnames.Alert(alert).String()
		no := bounced(reason, "550 5.7.5", name)
		cases = append(cases, fault{name: "T8/alert " + name, hosts: hosts(hello(sandbox.Alert(alert))), want: each(no, inClear("mx"))})
	}
	for _, alert := range []byte{0, 10, 20, 22, 47, 50, 51, 80, 90, 109, 110, 115, 255} {
		name := fmt.Sprintf("T8/alert %d", alert)
		cases = append(cases, fault{name: name, hosts: hosts(hello(sandbox.Alert(alert))), want: each(failed(""), inClear("mx"))})
	}
	cases = append(cases,
		fault{name: "T8/definite no and down", hosts: hosts(hello(sandbox.Alert(40)), sandbox.Host{Reach: sandbox.Refuses}),
			want: each(deferred(policy.ConnectFailed, "451 4.4.1", ""), inClear("mx1"))},
		fault{name: "T8/definite no and passing trouble", hosts: hosts(hello(sandbox.Alert(40)), hello(sandbox.Alert(80))), want: each(failed("internal_error"), inClear("mx1"))},
		fault{name: "T12/nothing in common", hosts: hosts(hello(sandbox.Alert(40))),
			want: each(bounced(policy.TLSCipherMismatch, "550 5.7.5", "it offers TLS, but has no cipher suite or group in common"), inClear("mx"))})
	runFaults(t, cases)
}

// TestHandshakeCut is T8: a handshake that breaks in each of the server's flights.
func TestHandshakeCut(t *testing.T) {
	t.Parallel()
	var cases []fault
	for name, a := range map[string]*sandbox.Action{
		"EOF": sandbox.Hang(sandbox.Close), "RST": sandbox.Hang(sandbox.Reset), "stall": sandbox.Hang(sandbox.Stall),
		"alert": sandbox.Alert(80), "random octets": sandbox.Garbage(),
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, at := range []sandbox.HandshakeCut{{Flights: 0, After: 3}, {Flights: 0, After: 60}, {Flights: 0, After: 500}, {Flights: 1, After: 0}, {Flights: 1, After: 3}} {
				if version == tls.VersionTLS13 && at.Flights > 0 {
					continue // the server's side of it is one flight, see below
				}
				at.Do = a
				h := sandbox.Host{TLS: sandbox.TLS{Min: version, Max: version, Cut: &at}}
				cases = append(cases, fault{
					name:  fmt.Sprintf("T8/%s/%s/%d flights and %d octets", name, tls.VersionName(version), at.Flights, at.After),
					hosts: hosts(h), slow: briefWhere(name == "stall"),
					want: each(deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""), inClear("mx")),
				})
			}
		}
	}
	// Under TLS 1.3 the client is done before the server is: what the server thinks of the
	// client's side shows in the first answer inside TLS.
	for name, end := range map[string]sandbox.End{"EOF": sandbox.Close, "no close_notify": sandbox.Sever, "RST": sandbox.Reset, "stall": sandbox.Stall} {
		cases = append(cases, fault{name: "T8/" + name + "/first answer in TLS", hosts: hosts(host(inTLS("EHLO", sandbox.Hang(end)))), slow: briefCommand,
			want: certified(deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""), deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""), inClear("mx"))})
	}
	runFaults(t, cases)
}

// briefWhere makes the handshake's timeout brief where a host stalls in it: the others have to
// be noticed at once.
func briefWhere(stalls bool) func(*smtp.Timeouts) {
	if stalls {
		return briefHandshake
	}
	return nil
}

// TestHandshakeRetry is T10 and the hello that fits one segment: servers that choke on what
// is new in a ClientHello still get mail over TLS, and are asked at once as they like it then.
func TestHandshakeRetry(t *testing.T) {
	t.Parallel()
	var cases []fault
	for name, a := range map[string]*sandbox.Action{
		"closes": sandbox.Hang(sandbox.Close), "resets": sandbox.Hang(sandbox.Reset), "stalls": sandbox.Hang(sandbox.Stall),
		"garbage": sandbox.Garbage(), "alert 80": sandbox.Alert(80), "alert 40": sandbox.Alert(40),
	} {
		large := sandbox.Host{TLS: sandbox.TLS{Hello: sandbox.HelloLimit(1460, a)}}
		cases = append(cases, fault{name: "hello/large, " + name, hosts: hosts(large), slow: briefWhere(name == "stalls"),
			want: certified(want{mx: "mx", version: tlsnames.TLS13}, want{mx: "mx", version: tlsnames.TLS13}, want{mx: "mx", version: tlsnames.TLS13})})
		if name == "alert 40" || name == "garbage" {
			continue
		}
		intolerant := sandbox.Host{TLS: sandbox.TLS{Hello: sandbox.Intolerant(tls.VersionTLS13, a)}}
		cases = append(cases, fault{name: "T10/" + name, hosts: hosts(intolerant), slow: briefWhere(name == "stalls"),
			want: certified(want{mx: "mx", version: tlsnames.TLS12}, want{mx: "mx", version: tlsnames.TLS12}, want{mx: "mx", version: tlsnames.TLS12})})
	}
	runFaults(t, cases)
}

// TestDowngrade is T11: a server that answers with less than was proposed is refused.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	const ecdhe = tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
	canary := sandbox.ServerHello(tls.VersionTLS12, ecdhe)
	copy(canary.Send[0][11+24:], "DOWNGRD\x01") // RFC 8446 §4.1.3
	runFaults(t, []fault{
		{name: "T11/1.0", hosts: hosts(hello(sandbox.ServerHello(tls.VersionTLS10, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA))), slow: briefHandshake,
			want: each(bounced(policy.TLSVersionMismatch, "550 5.7.5", "proposed: TLSv1.2-1.3"), inClear("mx"))},
		{name: "T11/1.1", hosts: hosts(hello(sandbox.ServerHello(tls.VersionTLS11, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA))), slow: briefHandshake,
			want: each(bounced(policy.TLSVersionMismatch, "550 5.7.5", "a TLS version that was not proposed"), inClear("mx"))},
		{name: "T11/SSL 3", hosts: hosts(hello(sandbox.ServerHello(0x0300, ecdhe))), slow: briefHandshake,
			want: each(bounced(policy.TLSVersionMismatch, "550 5.7.5", "a TLS version that was not proposed"), inClear("mx"))},
		{name: "T11/suite", hosts: hosts(hello(sandbox.ServerHello(tls.VersionTLS12, 0x0033))), slow: briefHandshake,
			want: each(bounced(policy.TLSCipherMismatch, "550 5.7.5", "a cipher suite that was not proposed"), inClear("mx"))},
		{name: "T11/canary", hosts: hosts(hello(canary)), slow: briefHandshake,
			want: each(deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""), inClear("mx"))},
	})
}

// TestAfterHandshake is T17: what may follow a handshake, and HelloRetryRequest in it.
func TestAfterHandshake(t *testing.T) {
	t.Parallel()
	v12 := sandbox.TLS{Max: tls.VersionTLS12, After: sandbox.HelloRequest}
	broken := each(deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""), inClear("mx"))
	runFaults(t, []fault{
		{name: "T17/KeyUpdate", hosts: []sandbox.Host{{TLS: sandbox.TLS{After: sandbox.KeyUpdates}}}, want: broken},
		{name: "T17/tickets", hosts: []sandbox.Host{{TLS: sandbox.TLS{After: sandbox.Tickets}}}, want: broken},
		{name: "T17/renegotiation", hosts: []sandbox.Host{{TLS: v12}}, want: broken},
		{name: "T17/HelloRetryRequest", hosts: []sandbox.Host{{TLS: sandbox.TLS{Curves: []tls.CurveID{tls.CurveP384}}}},
			want: certified(want{mx: "mx", version: tlsnames.TLS13}, want{mx: "mx", version: tlsnames.TLS13}, want{mx: "mx", version: tlsnames.TLS13})},
	})
}
