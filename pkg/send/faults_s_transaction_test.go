package send_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
)

// grouped is each case as it is and with each command in its turn.
func grouped(cases []fault) []fault {
	if patience > 1 {
		return cases
	}
	var all []fault
	for _, f := range cases {
		one := f
		one.name, one.alone = f.name+", one by one", true
		all = append(all, f, one)
	}
	return all
}

// TestServerMail is S4, S6, S9, S12 and S26 at MAIL.
func TestServerMail(t *testing.T) {
	t.Parallel()
	says := func(a *sandbox.Action) []sandbox.Host { return hosts(host(sandbox.On("MAIL", a))) }
	then := func(a *sandbox.Action) []sandbox.Host { return hosts(host(sandbox.On("MAIL", a)), host()) }
	busy := sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close)
	cases := []fault{
		{name: "S4/MAIL", hosts: says(sandbox.Drip("250 2.1.0 but ever so slowly\r\n", brief/5)), slow: briefCommand,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "in answer to MAIL"))},
		{name: "S6/MAIL", hosts: says(busy), want: both(deferred(policy.ServerDeferred, "421 4.3.2", "another day"))},
		{name: "S6/MAIL, next", hosts: then(busy), want: both(delivered("mx2", "mx1 server-deferred"))},
		{name: "S12/4xx", rcpts: 3, hosts: says(sandbox.Reply("451 4.3.0 some day")), want: both(deferred(policy.ServerDeferred, "451 4.3.0", "some day"))},
		{name: "S12/4xx, next", rcpts: 3, hosts: then(sandbox.Reply("451 4.3.0 some day")), want: both(delivered("mx2", "mx1 server-deferred"))},
		{name: "S12/5xx", rcpts: 3, hosts: says(sandbox.Reply("550 5.1.8 sender address unknown")),
			want: both(bounced(policy.SenderRejected, "550 5.1.8", "sender address unknown"))},
		{name: "S12/5xx is final", hosts: then(sandbox.Reply("550 5.1.8 sender address unknown")),
			want: both(bounced(policy.SenderRejected, "550 5.1.8", "sender address unknown"))},
		{name: "S12/close", rcpts: 3, hosts: says(sandbox.Hang(sandbox.Close)), want: both(deferred(policy.ConnectionLost, "451 4.4.2", "in answer to MAIL"))},
		{name: "S12/reset", hosts: says(sandbox.Hang(sandbox.Reset)), want: both(deferred(policy.ConnectionLost, "451 4.4.2", "in answer to MAIL"))},
		{name: "S12/close, next", hosts: then(sandbox.Hang(sandbox.Close)), want: both(delivered("mx2", "mx1 connection-lost"))},
		{name: "S12/354", hosts: says(sandbox.Reply("354 go on")), want: both(deferred(policy.ProtocolError, "451 4.5.0", "out of step"))},
		{name: "S26/MAIL", rcpts: 3, hosts: says(sandbox.Reply("550 5.1.8 sender address unknown").Then(sandbox.Close)),
			want: both(bounced(policy.SenderRejected, "550 5.1.8", "sender address unknown"))},
		{name: "T18", hosts: says(sandbox.Reply("530 5.7.0 Must issue a STARTTLS command first")),
			want: both(bounced(policy.PolicyRejected, "530 5.7.0", "Must issue a STARTTLS command first"))},
		{name: "S9/text is not needed", hosts: says(sandbox.Reply("250")), want: both(delivered("mx"))},
	}
	for name, said := range map[string]string{
		"codes differ": "250-a\r\n251 b\r\n", "code 099": "099 x\r\n", "code 600": "600 x\r\n", "25": "25\r\n", "tab": "250\tx\r\n", "lone lf": "250 x\n",
	} {
		cases = append(cases,
			fault{name: "S9/MAIL, " + name, hosts: says(sandbox.Raw(said)), want: both(deferred(policy.ProtocolError, "451 4.5.0", "proper SMTP"))},
			fault{name: "S9/MAIL, next, " + name, hosts: then(sandbox.Raw(said)), want: both(delivered("mx2", "mx1 protocol-error"))})
	}
	runFaults(t, grouped(cases))
}

// TestServerRecipient is S6, S13, S25 and S26 at RCPT.
func TestServerRecipient(t *testing.T) {
	t.Parallel()
	says := func(a *sandbox.Action) sandbox.Host { return host(sandbox.On("RCPT", a)) }
	second := func(a *sandbox.Action) sandbox.Host { return host(sandbox.Nth("RCPT", 2, a)) }
	unknown := sandbox.Reply("550 5.1.1 no such user here")
	busy := sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close)
	hostile := "550-5.1.1 \x1b[2J\x1b]0;owned\x07 \x00 \xff\xfe \u202e evil \u2066\r\n" + strings.Repeat("550-5.1.1 "+strings.Repeat("x", 3000)+"\r\n", 20) + "550 5.1.1 \x9b31m\rend\r\n"
	runFaults(t, grouped([]fault{
		{name: "S6/RCPT", rcpts: 3, hosts: hosts(second(busy)), want: both(deferred(policy.ServerDeferred, "421 4.3.2", "another day"))},
		{name: "S6/RCPT, next", rcpts: 3, hosts: hosts(second(busy), host()), want: both(delivered("mx2"))},
		{name: "S13/4xx", hosts: hosts(says(sandbox.Reply("450 4.3.0 some day"))), want: both(deferred(policy.ServerDeferred, "450 4.3.0", "some day"))},
		{name: "S13/4xx, next", rcpts: 2, hosts: hosts(says(sandbox.Reply("450 4.3.0 some day")), host()), want: both(delivered("mx2", "mx1 server-deferred"))},
		{name: "S13/552 is 452", hosts: hosts(says(sandbox.Reply("552 too many recipients"))), odd: oddities{status: true},
			want: both(deferred(policy.Throttled, "552", "too many recipients"))},
		{name: "S13/552 is 452, next", hosts: hosts(says(sandbox.Reply("552 too much")), host()), want: both(delivered("mx2"))},
		{name: "S13/close at once", rcpts: 3, hosts: hosts(says(sandbox.Hang(sandbox.Close))), want: both(deferred(policy.ConnectionLost, "451 4.4.2", "in answer to RCPT"))},
		{name: "S25", hosts: hosts(says(sandbox.Raw(hostile))), want: both(bounced(policy.RecipientRejected, "550 5.1.1", "evil"))},
		{name: "S25/100 KB", hosts: hosts(says(sandbox.Raw("550 " + strings.Repeat("x", 100<<10) + "\r\n"))),
			want: both(deferred(policy.ProtocolError, "451 4.5.0", "a line of more than"))},
		{name: "S26/RCPT", hosts: hosts(says(unknown.Then(sandbox.Close))), want: both(bounced(policy.RecipientRejected, "550 5.1.1", "no such user"))},
		{name: "S26/RCPT, reset", hosts: hosts(says(unknown.Then(sandbox.Sever))), want: both(bounced(policy.RecipientRejected, "550 5.1.1", "no such user"))},
		{name: "S14/refused", rcpts: 3, hosts: hosts(says(unknown)), want: both(bounced(policy.RecipientRejected, "550 5.1.1", "no such user"))},
	}))
}

// TestServerRecipientMix is S13: each recipient has its own answer.
func TestServerRecipientMix(t *testing.T) {
	t.Parallel()
	rcpts := to("fault.test", 6)
	answers := []sandbox.Script{
		sandbox.To(sandbox.Reply("251 2.1.5 will forward"), rcpts[1]),
		sandbox.To(sandbox.Reply("450 4.3.0 some day"), rcpts[2]),
		sandbox.To(sandbox.Reply("452 4.2.2 mailbox full"), rcpts[3]),
		sandbox.To(sandbox.Reply("550 5.1.1 no such user"), rcpts[4]),
	}
	wants := []want{
		delivered("mx"), delivered("mx"), deferred(policy.ServerDeferred, "450 4.3.0", "some day"),
		deferred(policy.MailboxFull, "452 4.2.2", "full"), bounced(policy.RecipientRejected, "550 5.1.1", "no such user"), delivered("mx"),
	}
	for _, w := range []way{hipaa, newsletter} {
		for _, alone := range []bool{false, true} {
			t.Run("S13/"+string(w), func(t *testing.T) {
				t.Parallel()
				l := newLab(t, plan{hosts: hosts(host(answers...)), noGroups: alone})
				r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter("mix", 0, rcpts...))
				for i := range r.Rows {
					wants[i].check(t, r.Rows[i])
				}
			})
			t.Run("S13/close after the third/"+string(w), func(t *testing.T) {
				t.Parallel()
				closing := append([]sandbox.Script{sandbox.To(sandbox.Hang(sandbox.Close), rcpts[3])},
					sandbox.To(sandbox.Reply("550 5.1.1 no such user"), rcpts[1]))
				l := newLab(t, plan{hosts: hosts(host(closing...)), noGroups: alone})
				r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter("mix", 0, rcpts...))
				for i := range r.Rows {
					if i == 1 {
						bounced(policy.RecipientRejected, "550 5.1.1", "no such user").check(t, r.Rows[i])
						continue
					}
					deferred(policy.ConnectionLost, "451 4.4.2", "in answer to RCPT").check(t, r.Rows[i])
				}
			})
		}
	}
}

// TestServerLoneDot is S14: DATA that left with refused recipients gets a lone dot.
func TestServerLoneDot(t *testing.T) {
	t.Parallel()
	for _, w := range []way{hipaa, newsletter} {
		t.Run("S14/"+string(w), func(t *testing.T) {
			t.Parallel()
			sizes := make(chan int64, 1)
			l := newLab(t, plan{hosts: hosts(host(
				sandbox.UpTo("RCPT", 2, sandbox.Reply("550 5.1.1 no such user")), sandbox.Nth("DATA", 1, sandbox.Reply("354 go on")),
				func(e sandbox.Event) *sandbox.Action {
					if e.Verb == sandbox.Dot && len(e.Recipients) == 0 {
						sizes <- e.Size
					}
					return nil
				}))})
			r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter("refused", 50_000, to("fault.test", 2)...))
			for i := range r.Rows {
				bounced(policy.RecipientRejected, "550 5.1.1", "no such user").check(t, r.Rows[i])
			}
			if n := <-sizes; n != 0 {
				t.Errorf("%d octets of the message were sent to nobody", n)
			}
			seen := l.Connections()[0].Commands
			if i := slices.Index(seen, "RSET"); i < 0 || !bytes.HasPrefix([]byte(seen[i-1]), []byte("DATA")) {
				t.Errorf("no RSET behind the dot: %q", seen)
			}
			again := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter("taken", 0, "other-"+marker+"@fault.test"))
			if again.Rows[0].Outcome.Status != delivery.Delivered {
				t.Errorf("the next message: %+v", again.Rows[0].Outcome)
			}
		})
	}
}
