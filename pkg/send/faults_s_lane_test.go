package send_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// TestLaneGivesUp: a host that always breaks defers what waits for it after a few sessions,
// and what was not tried is never bounced by what another message was told.
func TestLaneGivesUp(t *testing.T) {
	t.Parallel()
	const n = 12
	for name, c := range map[string]struct {
		at   string
		do   *sandbox.Action
		want want
		most int // connections
	}{
		"MAIL, close":           {"MAIL", sandbox.Hang(sandbox.Close), deferred(policy.ConnectionLost, "451 4.4.2", "in answer to MAIL"), 4},
		"MAIL, 421":             {"MAIL", sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close), deferred(policy.ServerDeferred, "421 4.3.2", "another day"), 4},
		"MAIL, 550 and close":   {"MAIL", sandbox.Reply("550 5.1.8 sender address unknown").Then(sandbox.Close), bounced(policy.SenderRejected, "550 5.1.8", "sender address unknown"), n},
		"RCPT, close":           {"RCPT", sandbox.Hang(sandbox.Close), deferred(policy.ConnectionLost, "451 4.4.2", "in answer to RCPT"), 4},
		"RCPT, 550 and close":   {"RCPT", sandbox.Reply("550 5.1.1 no such user").Then(sandbox.Close), bounced(policy.RecipientRejected, "550 5.1.1", "no such user"), n},
		"DATA, garbage":         {"DATA", sandbox.Raw("what?\r\n"), deferred(policy.ProtocolError, "451 4.5.0", "proper SMTP"), 4},
		"dot, 421 and close":    {sandbox.Dot, sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close), deferred(policy.ServerDeferred, "421 4.3.2", "another day"), 4},
		"dot, 554, then close":  {sandbox.Dot, sandbox.Reply("554 5.6.0 not such a message").Then(sandbox.Close), bounced(policy.ContentRejected, "554 5.6.0", "not such a message"), n},
		"QUIT is all it can do": {"QUIT", sandbox.Reply("221 bye").Then(sandbox.Close), want{}, n},
	} {
		inWays(t, "lane/"+name, func(t *testing.T, w way) {
			l := newLab(t, plan{hosts: hosts(host(sandbox.On(c.at, c.do))), lanes: 1})
			// All of it waits already, for what comes after the lane gave up is tried anew.
			opts := send.Options{Sender: l.sender(w), Again: true, QueueOnly: true}
			queued := l.begin(oddities{}, letters(n, "fault.test"))
			queued.Report = send.Send(t.Context(), l.config(queued.watcher), opts, queued.inputs)
			r := l.retry(t, opts, queued)
			for i := range r.Rows {
				c.want.check(t, r.Rows[i])
			}
			if got := l.Servers()[0].Connected(); got > c.most {
				t.Errorf("%d connections, at most %d make sense", got, c.most)
			}
			if t.Failed() {
				r.explain(t)
			}
		})
	}
	// Where another host takes what the first breaks at, nobody waits.
	inWays(t, "lane/MAIL, close, next", func(t *testing.T, w way) {
		l := newLab(t, plan{hosts: hosts(host(sandbox.On("MAIL", sandbox.Hang(sandbox.Close))), host()), lanes: 1})
		r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letters(n, "fault.test")...)
		for i := range r.Rows {
			delivered("mx2", "mx1 connection-lost").check(t, r.Rows[i])
		}
	})
}

// TestInterrupted: what has begun is finished when the run is interrupted, the rest stays
// queued, and nothing is in doubt.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, at := range []string{sandbox.Connect, "EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "BDAT", sandbox.Dot} {
		pace := smtp.Ahead
		if at == "BDAT" {
			pace = smtp.Windowed
		}
		inWays(t, "interrupted/"+at, func(t *testing.T, w way) {
			const n = 40
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var total atomic.Int64
			third := func(e sandbox.Event) *sandbox.Action {
				if e.Verb == at && total.Add(1) == 3 {
					cancel()
				}
				return nil
			}
			l := newLab(t, plan{hosts: hosts(host(third)), lanes: 2, most: pace})
			if at == sandbox.Connect || at == "EHLO" || at == "STARTTLS" {
				l.perSession = 1
			}
			r := l.begin(oddities{}, letters(n, "fault.test"))
			r.Report = send.Send(ctx, l.config(r.watcher), send.Options{Sender: l.sender(w), Again: true}, r.inputs)
			r.checkInterrupted(t)
			for i := range r.Rows {
				if s := r.Rows[i].Outcome.Status; s != delivery.Delivered && s != delivery.Queued && s != delivery.Deferred {
					t.Errorf("%s is %s: %s", r.Rows[i].Recipient, s, r.Rows[i].Outcome.Text)
				}
			}
			if s := r.Summary; s.Delivered == 0 || s.Delivered == n {
				t.Errorf("%d of %d are delivered", s.Delivered, n)
			}
		})
	}
}

// checkInterrupted holds what is true of a run that was interrupted: the host took exactly
// what is reported as delivered, and nothing is in clear or left open.
func (r *run) checkInterrupted(t *testing.T) {
	t.Helper()
	if n := r.open.Load(); n != 0 {
		t.Errorf("%d connections are still open", n)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	r.checkSecrecy(t)
	if got := len(r.Received()); got != r.Summary.Delivered {
		t.Errorf("the host took %d, %d are delivered", got, r.Summary.Delivered)
	}
	if n := len(r.Rows) + len(r.Refused); n != len(r.inputs) {
		t.Errorf("%d rows and %d refused of %d", len(r.Rows), len(r.Refused), len(r.inputs))
	}
}
