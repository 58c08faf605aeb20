package send

import (
	"slices"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/spool"
)

// linger tries what was deferred again whenever it comes due, until a time.
func (r *round) linger(until time.Time) {
	const patience = time.Second
	for r.engine.ctx.Err() == nil {
		ids, due := r.unsettled()
		if len(ids) == 0 || due.After(until) || !r.sleep(due) {
			return
		}
		n, err := r.again(ids)
		if err == nil && n == 0 { // another run has them, or the clock was set back a little
			err = r.catchUp(ids)
		}
		if err != nil {
			r.storeError(err)
			return
		}
		if now := r.cfg.Clock(); n == 0 && (!now.Before(until) || !r.sleep(now.Add(patience))) {
			return
		}
		r.engine.wait()
		r.notify()
	}
}

// idsAtOnce is how many queue ids one statement names.
const idsAtOnce = 400

// again claims what is due of some messages and submits it; it tells how many recipients.
func (r *round) again(ids []string) (int, error) {
	n := 0
	for chunk := range slices.Chunk(ids, idsAtOnce) {
		req := spool.ClaimRequest{Filter: spool.Filter{IDs: chunk}, Limit: 10_000, Horizon: r.cfg.Schedule.Horizon()}
		claimed, err := r.take(r.engine.ctx, req)
		if n += claimed; err != nil {
			return n, err
		}
	}
	return n, nil
}

// catchUp takes over what other runs did with messages of this one.
func (r *round) catchUp(ids []string) error {
	ctx := r.engine.lasting
	settled := map[[2]string]*Row{} // a record does not say which recipient of the queue it was
	for _, row := range r.rows {
		if !row.Outcome.Status.Settled() {
			settled[[2]string{row.QueueID, row.Recipient.String()}] = row
		}
	}
	for chunk := range slices.Chunk(ids, idsAtOnce) {
		f := spool.Filter{IDs: chunk}
		for rec, err := range r.cfg.Spool.History(ctx, spool.HistoryFilter{Filter: f, Since: r.report.Started}) {
			if err != nil {
				return err
			}
			if row := settled[[2]string{rec.Message.QueueID, rec.Recipient.Address.String()}]; row != nil {
				row.overtaken(&rec)
				r.engine.tell(row)
			}
		}
		for rec, err := range r.cfg.Spool.List(ctx, f) {
			if err != nil {
				return err
			}
			if row := r.rows[rec.Recipient.ID]; row != nil {
				row.overtaken(&rec)
			}
		}
	}
	return nil
}

// overtaken takes over what the spool has of a row.
func (r *Row) overtaken(rec *spool.Row) {
	r.Outcome, r.Next, r.Settled = rec.Recipient.Outcome, rec.Recipient.Next, rec.Settled
	r.Outcome.Status = rec.Recipient.Status
}

// unsettled lists the messages that have recipients to be tried again, and when the first is due.
func (r *round) unsettled() (ids []string, due time.Time) {
	seen := map[string]bool{}
	for _, row := range r.rows {
		if row.Next.IsZero() || row.Outcome.Status.Settled() || row.Outcome.Status == delivery.Held {
			continue
		}
		if due.IsZero() || row.Next.Before(due) {
			due = row.Next
		}
		if !seen[row.QueueID] {
			seen[row.QueueID] = true
			ids = append(ids, row.QueueID)
		}
	}
	slices.Sort(ids)
	return ids, due
}

// sleep waits for a time, but no longer than anything has to wait, for the clock may have been
// set back (F14); false when the run was interrupted meanwhile.
func (r *round) sleep(until time.Time) bool {
	// A little behind the time, so that what is due at that millisecond is due for the store too.
	t := time.NewTimer(min(until.Sub(r.cfg.Clock()), r.cfg.Schedule.Horizon()) + 2*time.Millisecond)
	defer t.Stop()
	select {
	case <-r.engine.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
