package send_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// TestServerConnect is S1 to S8: what happens before anybody says EHLO.
func TestServerConnect(t *testing.T) {
	t.Parallel()
	dead := func(r sandbox.Reach) []sandbox.Host { return hosts(sandbox.Host{Reach: r}, host(), host()) }
	runFaults(t, []fault{
		{name: "S1/refused", hosts: dead(sandbox.Refuses), want: both(delivered("mx2", "mx1 connect-failed"))},
		{name: "S1/unreachable", hosts: dead(sandbox.Unreachable), want: both(delivered("mx2", "mx1 connect-failed"))},
		{name: "S1/timeout", hosts: dead(sandbox.Silent), slow: briefConnect, want: both(delivered("mx2", "mx1 connect-timeout"))},
		{name: "S1/reset", hosts: hosts(host(sandbox.On(sandbox.Connect, sandbox.Hang(sandbox.Reset))), host(), host()),
			want: both(delivered("mx2"))}, // whether the connection failed or was lost is the system's to say
		{name: "S2/refused", hosts: hosts(sandbox.Host{Reach: sandbox.Refuses}, sandbox.Host{Reach: sandbox.Refuses}),
			want: both(deferred(policy.ConnectFailed, "451 4.4.1", "refused the connection"))},
		{name: "S2/timeout", hosts: hosts(sandbox.Host{Reach: sandbox.Silent}, sandbox.Host{Reach: sandbox.Silent}), slow: briefConnect,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "in time"))},
	})
}

// TestServerGreeting is S3 to S8 at the greeting.
func TestServerGreeting(t *testing.T) {
	t.Parallel()
	greets := func(a *sandbox.Action) sandbox.Host { return host(sandbox.On(sandbox.Connect, a)) }
	mute := greets(sandbox.Hang(sandbox.Stall))
	drip := greets(sandbox.Drip("220 mx.fault.test ESMTP, but ever so slowly\r\n", brief/5))
	no := greets(sandbox.Reply("554 5.3.2 we take no mail").Then(sandbox.Close))
	busy := greets(sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close))
	cases := []fault{
		{name: "S3/next", hosts: hosts(mute, host()), slow: briefGreeting, want: both(delivered("mx2", "mx1 connect-timeout"))},
		{name: "S3/only", hosts: hosts(mute), slow: briefGreeting,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "before its greeting"))},
		{name: "S4/greeting", hosts: hosts(drip), slow: briefGreeting,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "before its greeting"))},
		{name: "S5/next", hosts: hosts(no, host()), want: both(delivered("mx2", "mx1 server-rejected"))},
		{name: "S5/all", hosts: hosts(no, no), want: both(bounced(policy.ServerRejected, "554 5.3.2", "we take no mail"))},
		{name: "S5/one of two is down", hosts: hosts(no, sandbox.Host{Reach: sandbox.Refuses}),
			want: both(deferred(policy.ConnectFailed, "451 4.4.1", ""))},
		{name: "S6/greeting", hosts: hosts(busy), want: both(deferred(policy.ServerDeferred, "421 4.3.2", "another day"))},
		{name: "S6/greeting, next", hosts: hosts(busy, host()), want: both(delivered("mx2", "mx1 server-deferred"))},
	}
	for name, said := range map[string]string{
		"http":        "HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
		"tls":         "\x15\x03\x03\x00\x02\x02\x46",
		"ssh":         "SSH-2.0-OpenSSH_9.9\r\n",
		"binary":      "\x00\x01\xfe\xff\x80\x9b31m\n\x00\r\n",
		"empty lines": "\r\n\r\n\r\n",
		"endless":     strings.Repeat("220 ", 5000) + "\r\n",
		"bare lf":     "220 mx.fault.test\n",
		"long text":   strings.Repeat("\x1b[31m\u202e", 300) + "\n",
	} {
		bad := greets(sandbox.Raw(said).Then(sandbox.Close))
		cases = append(cases,
			fault{name: "S7/" + name, hosts: hosts(bad), want: both(deferred(policy.ProtocolError, "451 4.5.0", "proper SMTP"))},
			fault{name: "S7/" + name + ", next", hosts: hosts(bad, host()), want: both(delivered("mx2", "mx1 protocol-error"))})
	}
	for name, a := range map[string]*sandbox.Action{
		"one line without end": sandbox.Endless("x"),
		"lines without end":    sandbox.Endless("220-mx.fault.test\r\n"),
		"long lines":           sandbox.Endless("220-" + strings.Repeat("x", 4000) + "\r\n"),
	} {
		cases = append(cases, fault{name: "S8/" + name, hosts: hosts(greets(a), host()), want: both(delivered("mx2", "mx1 protocol-error"))})
	}
	runFaults(t, cases)
}

// inTLS and before say a script's action inside or outside TLS only.
func inTLS(verb string, a *sandbox.Action) sandbox.Script {
	return sandbox.When(func(e sandbox.Event) bool { return e.Verb == verb && e.TLS }, a)
}

func before(verb string, a *sandbox.Action) sandbox.Script {
	return sandbox.When(func(e sandbox.Event) bool { return e.Verb == verb && !e.TLS }, a)
}

// TestServerHello is S4 and S6 to S11 at EHLO.
func TestServerHello(t *testing.T) {
	t.Parallel()
	many := func(n int, more ...string) string {
		return "250-mx.fault.test\r\n" + strings.Repeat("250-XNOISE and some more noise\r\n", n) + strings.Join(more, "\r\n") + "\r\n"
	}
	noEHLO := func(reply string) sandbox.Host { return host(sandbox.On("EHLO", sandbox.Reply(reply))) }
	cases := []fault{
		{name: "S4/EHLO", hosts: hosts(host(before("EHLO", sandbox.Drip("250 mx.fault.test but slowly\r\n", brief/5)))), slow: briefCommand,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "in answer to EHLO"))},
		{name: "S6/EHLO", hosts: hosts(noEHLO("421 4.3.2 come back another day")),
			want: both(deferred(policy.ServerDeferred, "421 4.3.2", "another day"))},
		{name: "S6/EHLO, next", hosts: hosts(noEHLO("421 4.3.2 come back another day"), host()),
			want: both(delivered("mx2", "mx1 server-deferred"))},
		{name: "S8/EHLO", hosts: hosts(host(before("EHLO", sandbox.Endless("250-XNOISE\r\n")))),
			want: both(deferred(policy.ProtocolError, "451 4.5.0", "more than 128 lines"))},
		{name: "S8/EHLO in TLS", hosts: hosts(host(inTLS("EHLO", sandbox.Endless("250-XNOISE\r\n")))),
			want: each(deferred(policy.ProtocolError, "451 4.5.0", "more than 128 lines"), inClear("mx"))},
		{name: "S10/502", hosts: hosts(noEHLO("502 5.5.1 what is EHLO")),
			want: each(bounced(policy.StartTLSNotSupported, "550 5.7.10", "no TLS"), inClear("mx"))},
		{name: "S10/500", hosts: hosts(noEHLO("500 unknown command")),
			want: each(bounced(policy.StartTLSNotSupported, "550 5.7.10", "no TLS"), inClear("mx"))},
		{name: "S10/550 is no reason for HELO", hosts: hosts(noEHLO("550 5.7.1 your name is not welcome")),
			want: both(bounced(policy.PolicyRejected, "550 5.7.1", "not welcome"))},
		{name: "S11/100 keywords", hosts: hosts(host(before("EHLO", sandbox.Raw(many(100, "250-SIZE 9999999", "250-SIZE 5", "250 starttls"))))),
			want: both(delivered("mx"))},
		{name: "S11/10000 keywords", hosts: hosts(host(before("EHLO", sandbox.Raw(many(10000, "250 STARTTLS"))))),
			want: both(deferred(policy.ProtocolError, "451 4.5.0", "more than 128 lines"))},
		{name: "S11/argument", hosts: hosts(host(before("EHLO", sandbox.Reply("250-mx.fault.test", "250 STARTTLS now")))), want: both(delivered("mx"))},
		{name: "S11/SIZE twice", hosts: hosts(host(inTLS("EHLO", sandbox.Reply("250-mx.fault.test", "250-SIZE 1000000", "250 SIZE 5")))),
			want: both(delivered("mx"))},
	}
	for name, said := range map[string]string{
		"codes differ": "250-mx.fault.test\r\n251 STARTTLS\r\n", "code 099": "099 x\r\n", "code 600": "600 x\r\n", "25": "25\r\n",
		"tab": "250\tx\r\n", "lone lf": "250 mx.fault.test\n",
	} {
		bad := before("EHLO", sandbox.Raw(said))
		cases = append(cases, fault{name: "S9/EHLO, " + name, hosts: hosts(host(bad)), want: both(deferred(policy.ProtocolError, "451 4.5.0", "proper SMTP"))},
			fault{name: "S9/EHLO, next, " + name, hosts: hosts(host(bad), host()), want: both(delivered("mx2", "mx1 protocol-error"))})
	}
	// RFC 5321 §2.4, §4.2: how an answer is cut into segments and cased says nothing.
	const hello = "250-mx.fault.test\r\n250-pipelining\r\n250-SiZe 9999999\r\n250 StartTls\r\n"
	cases = append(cases,
		fault{name: "EHLO/mixed case", hosts: hosts(host(before("EHLO", sandbox.Raw(hello)))), want: certified(delivered("mx"), delivered("mx"), delivered("mx"))},
		fault{name: "EHLO/split", hosts: hosts(host(before("EHLO", inSegments(hello, 7)))), want: both(delivered("mx"))},
		fault{name: "EHLO/octet by octet", hosts: hosts(host(before("EHLO", sandbox.Drip(hello, 2*time.Millisecond)))), want: both(delivered("mx"))},
		fault{name: "greeting/octet by octet", hosts: hosts(host(sandbox.On(sandbox.Connect, sandbox.Drip("220-mx\r\n220 mx\r\n", 2*time.Millisecond)))),
			want: both(delivered("mx"))},
		fault{name: "STARTTLS/octet by octet", hosts: hosts(host(sandbox.On("STARTTLS", sandbox.Drip("220-a\r\n220 go\r\n", 2*time.Millisecond)))),
			want: both(delivered("mx"))},
		fault{name: "TLS/octet by octet", hosts: hosts(sandbox.Host{TLS: sandbox.TLS{Drip: 20 * time.Microsecond}}), want: both(delivered("mx"))})
	runFaults(t, cases)
}

// inSegments sends text in segments of n octets.
func inSegments(text string, n int) *sandbox.Action {
	a := &sandbox.Action{Every: 5 * time.Millisecond}
	for len(text) > 0 {
		k := min(n, len(text))
		a.Send = append(a.Send, []byte(text[:k]))
		text = text[k:]
	}
	return a
}
