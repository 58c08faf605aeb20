package send_test

import (
	"testing"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// TestLadder is T19: which hosts are asked for TLS before cleartext is used, and where.
func TestLadder(t *testing.T) {
	t.Parallel()
	prefer := func(p uint16, h sandbox.Host) sandbox.Host {
		h.Preference = p
		return h
	}
	plain, broken, good, down := sandbox.Host{NoSTARTTLS: true}, hello(sandbox.Garbage()), host(), sandbox.Host{Reach: sandbox.Refuses}
	refuses := host(sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 no")))
	// Fails in clear too: nobody is let in.
	shut := func(h sandbox.Host) sandbox.Host {
		h.Script = sandbox.When(func(e sandbox.Event) bool { return e.Verb == sandbox.Connect && e.Connection > 2 }, sandbox.Reply("554 5.3.2 enough of you"))
		return h
	}
	forced := deferred(policy.TLSHandshakeFailed, "454 4.7.5", "")
	runFaults(t, []fault{
		{name: "T19/broken, lower has TLS", hosts: hosts(broken, good), want: both(delivered("mx2", "mx1 tls-handshake-failed"))},
		{name: "T19/refused, lower has TLS", hosts: hosts(refuses, good), want: both(delivered("mx2", "mx1 starttls-refused"))},
		{name: "T19/broken, lowest has TLS", hosts: hosts(broken, down, refuses, good),
			want: both(delivered("mx4", "mx1 tls-handshake-failed", "mx2 connect-failed", "mx3 starttls-refused"))},
		{name: "T19/plain, lower has TLS", hosts: hosts(plain, good), want: each(delivered("mx2"), inClear("mx1"))},
		{name: "T19/plain, equal has TLS", hosts: hosts(prefer(10, plain), prefer(10, good), prefer(20, good)), want: both(delivered("mx2"))},
		{name: "T19/plain, equal broken, lower has TLS", hosts: hosts(prefer(10, plain), prefer(10, broken), prefer(20, good)),
			want: each(delivered("mx3"), inClear("mx1"))},
		{name: "T19/broken, all broken", hosts: hosts(broken, broken, refuses), want: each(forced, inClear("mx1"))},
		{name: "T19/broken and shut, plain", hosts: hosts(shut(broken), plain), want: each(forced, inClear("mx2"))},
		{name: "T19/broken, plain is next", hosts: hosts(broken, plain), want: each(forced, inClear("mx1"))},
		{name: "T19/down, plain", hosts: hosts(down, plain), want: each(deferred(policy.ConnectFailed, "451 4.4.1", ""), inClear("mx2"))},
	})
}

// TestStrictestWins is T20 and T16: recipients of one domain with different duties, in one
// batch to one host: each gets what it must, and no session serves two kinds.
func TestStrictestWins(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]sandbox.Host{"TLS": host(), "no TLS": {NoSTARTTLS: true}, "broken TLS": hello(sandbox.Garbage()), "self-signed": {TLS: sandbox.TLS{Certificate: sandbox.SelfSigned}}} {
		for _, w := range []way{newsletter, null} {
			t.Run("T20/"+name+"/"+string(w), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, plan{hosts: hosts(h)})
				verifying := l.sender(strict).Profile
				rules := []policy.Rule{
					{Name: "bank", Enabled: true, To: []policy.Pattern{pattern(t, "bank-"+marker+"@fault.test")}},
					{Name: "safe", Enabled: true, To: []policy.Pattern{pattern(t, "safe-"+marker+"@fault.test")}, Profile: verifying},
					{Name: "secret", Enabled: true, Subject: []string{marker + "-secret"}},
					{Name: "off", To: []policy.Pattern{pattern(t, "fault.test")}},
				}
				at := func(names ...string) []string {
					for i, n := range names {
						names[i] = n + "-" + marker + "@fault.test"
					}
					return names
				}
				var in []send.Input
				for _, n := range []string{"a", "b", "c", "d"} {
					in = append(in, letter(n, 0, at("bank", "free"+n, "safe", "also"+n)...))
				}
				in = append(in, letter("secret", 0, at("free", "bank")...))
				r := l.send(t, send.Options{Sender: l.sender(w), Rules: rules}, oddities{}, in...)
				checkDuties(t, r, name, w)
				checkSessions(t, r)
				if t.Failed() {
					r.explain(t)
				}
			})
		}
	}
}

// checkDuties: who must be encrypted is, or is not sent to.
func checkDuties(t *testing.T, r *run, host string, w way) {
	t.Helper()
	no := map[string]want{
		"no TLS": bounced(policy.StartTLSNotSupported, "550 5.7.10", ""), "broken TLS": deferred(policy.TLSHandshakeFailed, "454 4.7.5", ""),
	}
	for i := range r.Rows {
		row := r.Rows[i]
		verify := row.Decision.Requirement.PublicRoots
		expected, fails := no[host]
		switch {
		case !row.Decision.Requirement.Encrypt:
			expected = want{clear: w == null || host == "no TLS" || host == "broken TLS"}
		case !fails && verify && host == "self-signed":
			expected = bounced(policy.CertificateNotTrusted, "550 5.7.5", "self-signed")
		}
		expected.check(t, row)
	}
}

// checkSessions: on one connection all that was delivered was under the same duties.
func checkSessions(t *testing.T, r *run) {
	t.Helper()
	key := map[string]string{} // of file and recipient
	for i := range r.Rows {
		row := r.Rows[i]
		key[row.Sender.String()+" "+row.Recipient.String()] = row.Decision.Requirement.Key() + row.Decision.Offer.Key()
	}
	served := map[int]string{}
	for _, d := range r.Received() {
		for _, rcpt := range d.Recipients {
			k := key[d.MailFrom+" "+rcpt.Address]
			if old, met := served[d.Connection]; met && old != k {
				t.Errorf("connection %d served %q and %q", d.Connection, old, k)
			}
			served[d.Connection] = k
		}
	}
}

// TestBrokenTLSIsNotRemembered is T22: that opportunistic mail went in clear to a host leads
// no forced mail there, and the host is asked for TLS again each time.
func TestBrokenTLSIsNotRemembered(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]sandbox.Host{"handshake": hello(sandbox.Garbage()), "refused": host(sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 no"))), "missing": {NoSTARTTLS: true}} {
		t.Run("T22/"+name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, plan{hosts: hosts(h)})
			for _, w := range []way{newsletter, hipaa, newsletter, strict} {
				file := string(w) + string(rune('a'+l.dialled.Load()))
				r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter(file, 0, file+"-"+marker+"@fault.test"))
				if got := r.Rows[0].Outcome; w == newsletter && !r.Rows[0].Cleartext() || w != newsletter && got.Reason.Category() != policy.CategoryTLS {
					t.Errorf("%s: %s %s", w, got.Status, got.Reason)
				}
			}
		})
	}
	t.Run("T22/repaired", func(t *testing.T) {
		t.Parallel()
		l := newLab(t, plan{hosts: hosts(host(sandbox.UpTo("STARTTLS", 1, sandbox.Reply("454 4.7.0 no"))))})
		r := l.send(t, send.Options{Sender: l.sender(newsletter)}, oddities{}, letter("a", 0, "a-"+marker+"@fault.test"))
		inClear("mx").check(t, r.Rows[0])
		for _, w := range []way{hipaa, newsletter} {
			r = l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter(string(w), 0, string(w)+"-"+marker+"@fault.test"))
			want{version: tlsnames.TLS13}.check(t, r.Rows[0])
		}
	})
}

// TestNullProfile: where the null profile is not set nobody says STARTTLS.
func TestNullProfile(t *testing.T) {
	t.Parallel()
	l := newLab(t, plan{hosts: hosts(host())})
	r := l.send(t, send.Options{Sender: l.sender(null)}, oddities{}, letter("a", 0, to("fault.test", 2)...))
	for i := range r.Rows {
		inClear("mx").check(t, r.Rows[i])
	}
	for _, c := range l.Connections() {
		for _, said := range c.Commands {
			if said == "STARTTLS" {
				t.Errorf("%q", c.Commands)
			}
		}
	}
}
