package send_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/spool"
)

// told counts what an observer hears of, and what of it no report lists.
type told struct{ settled, unlisted, wrong int }

func (o *told) Planned(int) {}

func (o *told) Settled(rows ...*send.Row) {
	for _, r := range rows {
		o.settled++
		if r.Unlisted {
			o.unlisted++
			if s := r.Outcome.Status; s != delivery.Delivered && s != delivery.Queued {
				o.wrong++
			}
		}
	}
}

func (o *told) Refused(send.Refusal) {}

// FAULTS F16: a report lists the first recipients of a large run and all about whom there is
// something to say; the others are told of once, and counted. New messages and queued ones alike.
func TestLargeRun(t *testing.T) {
	if testing.Short() || patience > 1 {
		t.Skip("takes seconds")
	}
	t.Parallel()
	const messages, each, listed = 103, 100, 10_000
	const all = messages * each
	bad := fmt.Sprintf("r%d-%d-%s@fault.test", messages-1, each-1, marker)
	l := newLab(t, plan{hosts: hosts(host(sandbox.To(sandbox.Reply("550 5.1.1 no such user"), bad))), keep: sandbox.KeepCounts})
	var err error
	if l.spool, err = spool.Open(filepath.Join(t.TempDir(), spoolPrefix), spool.Options{}); err != nil { // one that nothing else waits in
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.spool.Close(); err != nil {
			t.Error(err)
		}
	})
	inputs := make([]send.Input, messages)
	for m := range inputs {
		to := make([]string, each)
		for i := range to {
			to[i] = fmt.Sprintf("r%d-%d-%s@fault.test", m, i, marker)
		}
		inputs[m] = letter(fmt.Sprintf("m%d", m), 0, to...)
	}
	opts := send.Options{Sender: l.sender(hipaa), Again: true}
	check := func(r *send.Report, o *told, want send.Summary) {
		t.Helper()
		got := r.Summary
		if got.Messages != messages || got.Recipients != all || got.Delivered != want.Delivered || got.Queued != want.Queued ||
			got.Bounced != want.Bounced || got.Encrypted != want.Delivered || r.Err != nil {
			t.Errorf("%+v, error %v", got, r.Err)
		}
		bounced := 0
		for _, row := range r.Rows {
			if row.Outcome.Status == delivery.Bounced {
				bounced++
			}
		}
		// The one that bounces may have been among the first: messages are read side by side.
		few := o.unlisted == all-listed || o.unlisted == all-listed-want.Bounced
		if o.settled != all || !few || o.wrong != 0 || len(r.Rows) != all-o.unlisted || bounced != want.Bounced {
			t.Errorf("told of %d, %d of them unlisted (%d of these wrong), %d rows, %d bounced", o.settled, o.unlisted, o.wrong, len(r.Rows), bounced)
		}
	}
	o := &told{}
	check(send.Send(t.Context(), l.config(o), opts, inputs), o, send.Summary{Delivered: all - 1, Bounced: 1})
	opts.QueueOnly = true
	o = &told{}
	queued := send.Send(t.Context(), l.config(o), opts, inputs)
	check(queued, o, send.Summary{Queued: all})
	o = &told{}
	ran := send.Run(t.Context(), l.config(o), unchanged(opts), send.RunOptions{Now: true})
	check(ran, o, send.Summary{Delivered: all - 1, Bounced: 1})
}
