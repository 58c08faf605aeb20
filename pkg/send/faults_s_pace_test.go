package send_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// trouble is what a host does to one of many messages on a session.
type trouble struct {
	name string
	do   func(code string) *sandbox.Action // code is an enhanced status that fits the stage
	// breaks: the session ends by it.
	breaks bool
}

func troubles() []trouble {
	says := func(format string) func(string) *sandbox.Action {
		return func(code string) *sandbox.Action { return sandbox.Reply(strings.ReplaceAll(format, "X", code)) }
	}
	ends := func(end sandbox.End) func(string) *sandbox.Action {
		return func(string) *sandbox.Action { return sandbox.Hang(end) }
	}
	return []trouble{
		{"451", says("451 4.X some day"), false},
		{"550", says("550 5.X never"), false},
		{"421", func(string) *sandbox.Action {
			return sandbox.Reply("421 4.3.2 come back another day").Then(sandbox.Close)
		}, true},
		{"close", ends(sandbox.Close), true},
		{"reset", ends(sandbox.Reset), true},
		{"garbage", func(string) *sandbox.Action { return sandbox.Raw("what?\r\n") }, true},
		{"354", says("354 more"), true},
		{"one too many", func(code string) *sandbox.Action { return sandbox.Reply("250 2."+code+" ok", "250 2."+code+" ok") }, true},
		{"refused, one too many", func(code string) *sandbox.Action {
			return sandbox.Reply("550 5."+code+" never", "550 5."+code+" never")
		}, true},
	}
}

// TestPaces is S6, S9, S12 to S17, S19, S21 and S26 in the middle of a stream of messages, at
// every pace: nothing is lost, what is reported as delivered was taken, what is reported as
// refused or put off was not, only what was in flight is in doubt, and nobody gets the answer
// that was another's.
func TestPaces(t *testing.T) {
	t.Parallel()
	status := map[string]string{"MAIL": "1.8", "RCPT": "1.1", "DATA": "3.0", "BDAT": "6.0", sandbox.Dot: "6.0", "RSET": "3.0"}
	for _, pace := range []smtp.Pace{smtp.OneByOne, smtp.Grouped, smtp.Ahead, smtp.Windowed} {
		verbs := []string{"MAIL", "RCPT", "DATA", sandbox.Dot}
		if pace == smtp.Windowed {
			verbs = []string{"MAIL", "RCPT", "BDAT", sandbox.Dot, "RSET"}
		}
		for _, verb := range verbs {
			for _, tr := range troubles() {
				for _, nth := range []int{1, 5} {
					name := fmt.Sprintf("pace %d/%s/%s/%d", pace, verb, tr.name, nth)
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						disturbed(t, pace, sandbox.Nth(verb, nth, tr.do(status[verb])), tr)
					})
				}
			}
		}
	}
}

// disturbed sends a batch over one session at a time to a host that troubles one of its messages.
func disturbed(t *testing.T, pace smtp.Pace, s sandbox.Script, tr trouble) {
	const n, window = 12, 4
	only := func(e sandbox.Event) *sandbox.Action { // on one connection of the host only
		if e.Connection != 1 {
			return nil
		}
		return s(e)
	}
	l := newLab(t, plan{hosts: hosts(host(only)), lanes: 1, most: pace, noGroups: pace == smtp.OneByOne, proven: window})
	opts := send.Options{Sender: l.sender(hipaa), Again: true, QueueOnly: true}
	queued := l.begin(oddities{}, letters(n, "fault.test"))
	queued.Report = send.Send(t.Context(), l.config(queued.watcher), opts, queued.inputs)
	ids := queued.queueIDs()
	r := l.begin(oddities{}, queued.inputs)
	r.Report = send.Run(t.Context(), l.config(r.watcher), unchanged(opts), send.RunOptions{Filter: ids, Now: true})
	copies := map[string]int{}
	for _, d := range l.Received() {
		for _, rcpt := range d.Recipients {
			copies[rcpt.Address]++
		}
	}
	unsettled := 0
	for _, row := range r.Rows {
		got := copies[row.Recipient.String()]
		status := row.Outcome.Status
		switch {
		case status == delivery.Delivered && got != 1,
			status != delivery.Delivered && status != delivery.InDoubt && got != 0, got > 1:
			t.Errorf("%s is %s and has %d copies: %s", row.Recipient, status, got, row.Outcome.Text)
		}
		if status != delivery.Delivered {
			unsettled++
		}
	}
	most := 1
	switch {
	case strings.Contains(tr.name, "too many"):
		most = 2 // the answer that was too many is taken for that to the next one's MAIL
	case tr.breaks && pace == smtp.Ahead:
		most = 2
	}
	if tr.breaks && pace == smtp.Windowed {
		most = 2 * window // it has grown once
	}
	if len(r.Rows) != n || unsettled > most {
		t.Errorf("%d rows, %d not delivered, at most %d should be", len(r.Rows), unsettled, most)
	}
	if err := r.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	r.checkSecrecy(t)
	if t.Failed() {
		r.explain(t)
	}
}
