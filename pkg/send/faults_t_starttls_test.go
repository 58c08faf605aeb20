package send_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
)

// TestStartTLS is T1 to T6: whether STARTTLS is offered and how it is answered.
func TestStartTLS(t *testing.T) {
	t.Parallel()
	plain := sandbox.Host{NoSTARTTLS: true}
	equal := func(h sandbox.Host) sandbox.Host {
		h.Preference = 10
		return h
	}
	says := func(a *sandbox.Action) sandbox.Host { return host(sandbox.On("STARTTLS", a)) }
	refused := func(codes string) want { return deferred(policy.StartTLSRefused, codes, "STARTTLS") }
	no454 := says(sandbox.Reply("454 4.7.0 TLS not available"))
	no502 := says(sandbox.Reply("502 5.5.1 not implemented"))
	odd := says(sandbox.Reply("250 2.0.0 fine"))
	shut, stall := says(sandbox.Hang(sandbox.Close)), says(sandbox.Hang(sandbox.Stall))
	missing := bounced(policy.StartTLSNotSupported, "550 5.7.10", "no TLS")
	cases := []fault{
		{name: "T1/one", hosts: hosts(plain), want: map[way]want{hipaa: missing, strict: missing, custom: missing, newsletter: inClear("mx"), null: inClear("mx")}},
		{name: "T1/all", hosts: hosts(plain, plain), rcpts: 2, want: each(missing, inClear("mx1"))},
		{name: "T1/one is down", hosts: hosts(plain, sandbox.Host{Reach: sandbox.Refuses}),
			want: each(deferred(policy.ConnectFailed, "451 4.4.1", ""), inClear("mx1"))},
		{name: "T2/second", hosts: hosts(plain, host()), want: each(delivered("mx2", "mx1 starttls-not-supported"), inClear("mx1"))},
		{name: "T2/equal", hosts: hosts(equal(plain), equal(host())), want: each(delivered("mx2", "mx1 starttls-not-supported"), delivered("mx2"))},
		{name: "T2/equal is down", hosts: hosts(equal(plain), equal(sandbox.Host{Reach: sandbox.Refuses})),
			want: each(deferred(policy.ConnectFailed, "451 4.4.1", ""), inClear("mx1", "mx2 connect-failed"))},
		{name: "T3/454", hosts: hosts(no454), want: each(refused("454 4.7.4"), inClear("mx", "mx starttls-refused"))},
		{name: "T3/502", hosts: hosts(no502), want: each(bounced(policy.StartTLSRefused, "550 5.7.10", "not implemented"), inClear("mx", "mx starttls-refused"))},
		{name: "T3/502 and 454", hosts: hosts(no502, no454), want: each(refused("454 4.7.4"), inClear("mx1"))},
		{name: "T3/250", hosts: hosts(odd), want: each(deferred(policy.ProtocolError, "451 4.5.0", "STARTTLS was answered by 250"), inClear("mx"))},
		{name: "T3/close", hosts: hosts(shut), want: each(deferred(policy.ConnectionLost, "451 4.4.2", "in answer to STARTTLS"), inClear("mx"))},
		{name: "T3/stall", hosts: hosts(stall), slow: briefCommand, want: each(deferred(policy.ConnectTimeout, "451 4.4.1", "in answer to STARTTLS"), inClear("mx"))},
		{name: "S4/STARTTLS", hosts: hosts(says(sandbox.Drip("220 2.0.0 go, but slowly\r\n", brief/5))), slow: briefCommand,
			want: each(deferred(policy.ConnectTimeout, "451 4.4.1", "in answer to STARTTLS"), inClear("mx"))},
		{name: "S6/STARTTLS", hosts: hosts(says(sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close))),
			want: each(refused("454 4.7.4"), inClear("mx"))},
	}
	for name, h := range map[string]sandbox.Host{"454": no454, "502": no502, "250": odd, "close": shut} {
		cases = append(cases, fault{name: "T3/" + name + ", next", hosts: hosts(h, host()), want: both(delivered("mx2"))})
	}
	runFaults(t, cases)
}

// TestInjection is T4 and T5: plaintext behind the 220 ends it for that host, and leads to no
// cleartext there.
func TestInjection(t *testing.T) {
	t.Parallel()
	later := func(behind string) *sandbox.Action {
		return &sandbox.Action{Send: [][]byte{[]byte("220 2.0.0 go\r\n"), []byte(behind)}, Every: time.Millisecond}
	}
	var cases []fault
	for name, a := range map[string]*sandbox.Action{
		"T4/same segment":          sandbox.Reply("220 2.0.0 go", "250 2.0.0 injected"),
		"T4/1 ms later":            later("250 2.0.0 injected\r\n"),
		"T4/1 ms later, multiline": later("250-injected\r\n250 STARTTLS\r\n"),
		"T5/same segment":          sandbox.Raw("220 2.0.0 go\r\n250 2.0.0 inj"),
		"T5/one octet":             sandbox.Raw("220 2.0.0 go\r\n2"),
		"T5/1 ms later":            later("250"),
	} {
		h := host(sandbox.On("STARTTLS", a))
		aborted := deferred(policy.StartTLSInjection, "454 4.7.5", "plaintext behind its answer to STARTTLS")
		cases = append(cases, fault{name: name, hosts: hosts(h), want: certified(aborted, aborted, aborted)},
			fault{name: name + ", next", hosts: hosts(h, host()), want: both(delivered("mx2", "mx1 starttls-injection"))})
	}
	runFaults(t, cases)
}

// TestInjectionIsRemembered is T4: who injected gets nothing in clear for the rest of the run,
// although it hides STARTTLS or spoils the handshake the next time.
func TestInjectionIsRemembered(t *testing.T) {
	t.Parallel()
	inject := sandbox.Nth("STARTTLS", 1, sandbox.Reply("220 2.0.0 go", "250 2.0.0 injected"))
	for name, then := range map[string]sandbox.Script{
		"hides STARTTLS": sandbox.When(func(e sandbox.Event) bool { return e.Verb == "EHLO" && e.Connection > 1 }, sandbox.Reply("250 mx.fault.test")),
		"refuses":        sandbox.When(func(e sandbox.Event) bool { return e.Verb == "STARTTLS" && e.Total > 1 }, sandbox.Reply("454 4.7.0 no")),
	} {
		inWays(t, "T4/"+name, func(t *testing.T, w way) {
			l := newLab(t, plan{hosts: hosts(host(inject, then))})
			opts := send.Options{Sender: l.sender(w)}
			l.send(t, opts, oddities{}, letter("first", 0, to("fault.test", 1)...)).counts(t, map[delivery.Status]int{delivery.Deferred: 1})
			r := l.send(t, opts, oddities{}, letter("second", 0, to("fault.test", 1)...))
			if o := r.Rows[0].Outcome; o.Status == delivery.Delivered || o.Reason.Category() != policy.CategoryTLS || w == newsletter && o.Status != delivery.Deferred {
				t.Errorf("%s %s: %s", o.Status, o.Reason, o.Text)
				r.explain(t)
			}
		})
	}
	// One address of a host injects, the other has no TLS: both are the host.
	inWays(t, "T4/other address", func(t *testing.T, w way) {
		l := newLab(t, plan{hosts: []sandbox.Host{{IPv6: true, Script: sandbox.First(inject, sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 no")))}},
			edit: usePools("", "192.0.2.200", "2001:db8::200")})
		r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter("first", 0, to("fault.test", 1)...))
		r.counts(t, map[delivery.Status]int{delivery.Deferred: 1})
		if n := len(r.Rows[0].Outcome.Attempts); n != 2 {
			t.Errorf("%d attempts, want one for each address", n)
		}
	})
}

// TestHelloAgain is T6: what was announced before TLS is forgotten.
func TestHelloAgain(t *testing.T) {
	t.Parallel()
	twice := func(t *testing.T, r *run) {
		t.Helper()
		commands := strings.Join(r.Connections()[0].Commands, "\n")
		if strings.Count(commands, "EHLO ") != 2 || !strings.Contains(commands, "STARTTLS\nEHLO") {
			t.Errorf("EHLO was not said again: %q", commands)
		}
	}
	runFaults(t, []fault{
		{name: "T6/SIZE", size: 5000, hosts: []sandbox.Host{{Keywords: []string{"SIZE 1000", "PIPELINING"}, KeywordsTLS: []string{"SIZE 100000"}}},
			want: both(delivered("mx")), also: twice},
		{name: "T6/SIZE in TLS", size: 5000, hosts: []sandbox.Host{{Keywords: []string{"SIZE 100000"}, KeywordsTLS: []string{"SIZE 1000"}}},
			want: both(bounced(policy.MessageTooLarge, "552 5.3.4", "1000 octets")), also: twice},
		{name: "T6/nothing in TLS", hosts: []sandbox.Host{{KeywordsTLS: []string{}}}, want: both(delivered("mx")), also: twice},
		{name: "T6/HELO in TLS", hosts: hosts(host(inTLS("EHLO", sandbox.Reply("502 5.5.1 not any more")))), want: both(delivered("mx"))},
		{name: "T6/EHLO in TLS refused", hosts: hosts(host(inTLS("EHLO", sandbox.Reply("421 4.3.2 enough").Then(sandbox.Close)))),
			want: each(deferred(policy.ServerDeferred, "421 4.3.2", "enough"), inClear("mx"))},
	})
}

// TestStrippedLater is T7: a host that had TLS before and hides it now. Forced mail is not
// sent; opportunistic mail is, since nothing is kept about hosts over time, and counts as clear.
func TestStrippedLater(t *testing.T) {
	t.Parallel()
	inWays(t, "T7", func(t *testing.T, w way) {
		l := newLab(t, plan{hosts: hosts(host(
			sandbox.When(func(e sandbox.Event) bool { return e.Verb == "EHLO" && e.Connection > 1 }, sandbox.Reply("250 mx.fault.test"))))})
		opts := send.Options{Sender: l.sender(w)}
		r := l.send(t, opts, oddities{}, letter("first", 0, "first-"+marker+"@fault.test"))
		delivered("mx").check(t, r.Rows[0])
		r = l.send(t, opts, oddities{}, letter("second", 0, "second-"+marker+"@fault.test"))
		if w == newsletter {
			inClear("mx").check(t, r.Rows[0])
			if r.Summary.Cleartext != 1 {
				t.Errorf("not counted as clear: %+v", r.Summary)
			}
			return
		}
		bounced(policy.StartTLSNotSupported, "550 5.7.10", "no TLS").check(t, r.Rows[0])
	})
}
