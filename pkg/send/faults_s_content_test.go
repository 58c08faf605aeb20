package send_test

import (
	"testing"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// huge is more than the sockets of both sides can hold, so that a host that reads no further
// is felt before the final dot has left.
const huge = 8 << 20

// TestServerData is S6, S15 and S16 at DATA.
func TestServerData(t *testing.T) {
	t.Parallel()
	says := func(a *sandbox.Action) sandbox.Host { return host(sandbox.On("DATA", a)) }
	runFaults(t, grouped([]fault{
		{name: "S6/DATA", rcpts: 2, hosts: hosts(says(sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close)), host()),
			want: both(deferred(policy.ServerDeferred, "421 4.3.2", "another day"))},
		{name: "S15/5xx", rcpts: 2, hosts: hosts(says(sandbox.Reply("554 5.3.0 out of paper")), host()),
			want: both(bounced(policy.ServerRejected, "554 5.3.0", "out of paper"))},
		{name: "S15/4xx", rcpts: 2, hosts: hosts(says(sandbox.Reply("451 4.3.0 some day")), host()),
			want: both(deferred(policy.ServerDeferred, "451 4.3.0", "some day"))},
		{name: "S15/250", rcpts: 2, hosts: hosts(says(sandbox.Reply("250 2.0.0 fine"))),
			want: both(deferred(policy.ProtocolError, "451 4.5.0", "out of step"))},
		{name: "S15/334", hosts: hosts(says(sandbox.Reply("334 go"))), want: both(deferred(policy.ProtocolError, "451 4.5.0", "out of step"))},
		{name: "S15/stall", hosts: hosts(says(sandbox.Hang(sandbox.Stall))), slow: briefStart,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "in answer to DATA"))},
		{name: "S15/close", hosts: hosts(says(sandbox.Hang(sandbox.Close))), want: both(deferred(policy.ConnectionLost, "451 4.4.2", "in answer to DATA"))},
		{name: "S4/DATA", hosts: hosts(says(sandbox.Drip("354 but ever so slowly, and slower\r\n", brief/5))), slow: briefStart,
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "in answer to DATA"))},
	}))
}

// TestServerContent is S16, S20, S23 and S24: what happens while the message is sent.
func TestServerContent(t *testing.T) {
	t.Parallel()
	cut := func(after int64, a *sandbox.Action) sandbox.Host {
		h := host(sandbox.On("DATA", sandbox.Reply("354 go on").At(after, a)))
		h.ReadBuffer = 64 << 10
		return h
	}
	lost := both(deferred(policy.ConnectionLost, "451 4.4.2", "while the message was being sent"))
	early := both(deferred(policy.ProtocolError, "451 4.5.0", "out of step"))
	cases := []fault{
		{name: "S16/0 octets", size: huge, hosts: hosts(cut(0, sandbox.Hang(sandbox.Close))), want: lost},
		{name: "S16/1 octet", size: huge, hosts: hosts(cut(1, sandbox.Hang(sandbox.Reset))), want: lost},
		{name: "S16/a part", size: huge, hosts: hosts(cut(huge/4, sandbox.Hang(sandbox.Sever))), want: lost},
		{name: "S20/early 250", size: huge, hosts: hosts(cut(1000, sandbox.Reply("250 2.0.0 I have seen enough"))), want: early},
		{name: "S20/early 354", size: huge, hosts: hosts(cut(1000, sandbox.Reply("354 more"))), want: early},
		{name: "S20/354 and 250 at once", hosts: hosts(host(sandbox.On("DATA", sandbox.Reply("354 go on", "250 2.0.0 queued")))), want: early},
		{name: "S20/early 552", size: huge, hosts: hosts(cut(1000, sandbox.Reply("552 5.3.4 too large"))),
			want: both(bounced(policy.MessageTooLarge, "552 5.3.4", "too large"))},
		{name: "S20/early 452", size: huge, hosts: hosts(cut(1000, sandbox.Reply("451 4.3.0 some day"))),
			want: both(deferred(policy.ServerDeferred, "451 4.3.0", "some day"))},
		{name: "S20/early 552 and close", size: huge, hosts: hosts(cut(1000, sandbox.Reply("552 5.3.4 too large").Then(sandbox.HalfClose))),
			want: both(bounced(policy.MessageTooLarge, "552 5.3.4", "too large"))},
		{name: "S23", size: huge, slow: briefBlock, hosts: hosts(cut(100_000, sandbox.Hang(sandbox.Freeze))), odd: oddities{frozen: true},
			want: both(deferred(policy.ConnectTimeout, "451 4.4.1", "while the message was being sent"))},
	}
	sized := func(limit string) sandbox.Host {
		return sandbox.Host{Keywords: []string{"PIPELINING", "SIZE " + limit}}
	}
	tooBig := both(bounced(policy.MessageTooLarge, "552 5.3.4", "octets"))
	cases = append(cases,
		fault{name: "S24/SIZE", size: 100_000, rcpts: 2, hosts: hosts(sized("1000")), want: tooBig, also: saidNoMail},
		fault{name: "S24/SIZE, next", size: 100_000, hosts: hosts(sized("1000"), sized("0")), want: both(delivered("mx2"))},
		fault{name: "S24/SIZE of both", size: 100_000, hosts: hosts(sized("1000"), sized("2000")), want: tooBig, also: saidNoMail},
		fault{name: "S24/SIZE, next is down", size: 100_000, hosts: hosts(sized("1000"), sandbox.Host{Reach: sandbox.Refuses}),
			want: both(deferred(policy.ConnectFailed, "451 4.4.1", ""))},
		fault{name: "S24/MAIL", hosts: hosts(host(sandbox.On("MAIL", sandbox.Reply("552 5.3.4 message too large")))),
			want: both(bounced(policy.MessageTooLarge, "552 5.3.4", "too large"))},
	)
	runFaults(t, cases)
}

// saidNoMail holds that no host heard of the message.
func saidNoMail(t *testing.T, r *run) {
	t.Helper()
	for _, c := range r.Connections() {
		for _, command := range c.Commands {
			if saysMail(command) {
				t.Errorf("%s heard %q", c.Host, command)
			}
		}
	}
}

// TestServerFinal is S6, S17 to S20 and S28: the answer to the message, and what follows.
func TestServerFinal(t *testing.T) {
	t.Parallel()
	dot := func(a *sandbox.Action) sandbox.Host { return host(sandbox.On(sandbox.Dot, a)) }
	quit := func(a *sandbox.Action) sandbox.Host { return host(sandbox.On("QUIT", a)) }
	taken := sandbox.Reply("250 2.0.0 taken")
	after := "after the whole message was sent"
	runFaults(t, grouped([]fault{
		{name: "S6/dot", hosts: hosts(dot(sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close)), host()),
			want: both(deferred(policy.ServerDeferred, "421 4.3.2", "another day"))},
		{name: "S17/close", rcpts: 2, hosts: hosts(dot(sandbox.Hang(sandbox.Close)), host()), want: both(doubtful(policy.ConnectionLost, "451 4.4.2", after))},
		{name: "S17/reset", hosts: hosts(dot(sandbox.Hang(sandbox.Reset)), host()), want: both(doubtful(policy.ConnectionLost, "451 4.4.2", after))},
		{name: "S17/taken, close", hosts: hosts(dot(sandbox.Hang(sandbox.Close).Taken()), host()), want: both(doubtful(policy.ConnectionLost, "451 4.4.2", after))},
		{name: "S17/timeout", hosts: hosts(dot(sandbox.Hang(sandbox.Stall)), host()), slow: briefDone, want: both(doubtful(policy.ConnectTimeout, "451 4.4.1", after))},
		{name: "S16/all but the reply", size: 2000, hosts: hosts(host(sandbox.On("DATA", sandbox.Reply("354 go on").At(1900, sandbox.Hang(sandbox.Close))))),
			want: both(doubtful(policy.ConnectionLost, "451 4.4.2", after))},
		{name: "S18/reset", hosts: hosts(dot(taken.Then(sandbox.Reset)), host()), want: both(delivered("mx1"))},
		{name: "S18/QUIT, no reply", hosts: hosts(quit(sandbox.Hang(sandbox.Stall))), slow: briefCommand, want: both(delivered("mx"))},
		{name: "S18/QUIT, 500", hosts: hosts(quit(sandbox.Reply("500 what?"))), want: both(delivered("mx"))},
		{name: "T15/250, no close_notify", hosts: hosts(dot(taken.Then(sandbox.Sever))), want: both(delivered("mx"))},
		{name: "T15/QUIT, no close_notify", hosts: hosts(quit(sandbox.Reply("221 2.0.0 bye").Then(sandbox.Sever))), want: both(delivered("mx"))},
		{name: "T15/never closes", hosts: hosts(quit(sandbox.Reply("221 2.0.0 bye").Then(sandbox.Stall))), want: both(delivered("mx"))},
		{name: "S19/5xx", rcpts: 2, hosts: hosts(dot(sandbox.Reply("554 5.6.0 not such a message")), host()),
			want: both(bounced(policy.ContentRejected, "554 5.6.0", "not such a message"))},
		{name: "S19/4xx", rcpts: 2, hosts: hosts(dot(sandbox.Reply("451 4.3.0 some day")), host()), want: both(deferred(policy.ServerDeferred, "451 4.3.0", "some day"))},
		{name: "S19/552", rcpts: 2, hosts: hosts(dot(sandbox.Reply("552 5.2.2 mailbox full")), host()),
			want: both(bounced(policy.MailboxFull, "552 5.2.2", "mailbox full"))},
		{name: "S20/garbage", hosts: hosts(dot(sandbox.Raw("\x00\x01 what is this\r\n")), host()), want: both(doubtful(policy.ProtocolError, "451 4.5.0", "proper SMTP"))},
		{name: "S20/354", hosts: hosts(dot(sandbox.Reply("354 more"))), want: both(doubtful(policy.ProtocolError, "451 4.5.0", "out of step"))},
		{name: "S20/250- and close", hosts: hosts(dot(sandbox.Raw("250-2.0.0 taken\r\n").Then(sandbox.Close)), host()),
			want: both(doubtful(policy.ConnectionLost, "451 4.4.2", after))},
		{name: "S28", hosts: hosts(dot(&sandbox.Action{Send: [][]byte{{}, []byte("250 2.0.0 at last\r\n")}, Every: 4 * brief})), slow: briefAllButDone,
			want: both(delivered("mx"))},
	}))
}

func briefAllButDone(t *smtp.Timeouts) {
	t.Command, t.DataStart, t.DataBlock = 3*brief, 3*brief, 3*brief
}
