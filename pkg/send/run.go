package send

import (
	"context"
	"time"

	"github.com/sendctl/sendctl/pkg/spool"
)

// RunOptions says what a queue run works off.
type RunOptions struct {
	Filter spool.Filter
	// Now takes what waits for a later time too.
	Now bool
	// Watch stays and sends what comes due, until it is interrupted.
	Watch bool
	// MaxRun is after which nothing new is begun; 0 for no bound.
	MaxRun time.Duration
}

// page is how many recipients are claimed at once, and crowd how many may be under way before
// more are claimed: memory is bounded by these, not by the queue.
const (
	page  = 1000
	crowd = 4000
)

// Run sends what is due and goes on claiming what becomes due while it works. It ends when
// nothing is due and nothing under way. When ctx ends, what has begun is finished.
func Run(ctx context.Context, cfg Config, current Current, opts RunOptions) *Report {
	report := &Report{Batch: newID(), Started: cfg.Clock(), Rows: []*Row{}, Refused: []Refusal{}}
	e := newEngine(ctx, cfg, &report.Summary)
	r := newRound(e, current, report)
	if err := r.work(opts); err != nil {
		r.storeError(err)
	}
	e.wait()
	r.notify()
	r.countUntold()
	report.Err = e.close()
	report.Finished = cfg.Clock()
	r.list()
	return report
}

// list puts the rows into the report, in the order in which they were claimed as far as they
// were among the first.
func (r *round) list() {
	for _, row := range r.order {
		r.report.Summary.Add(row)
	}
	r.report.Rows = append(r.report.Rows, r.order...)
	r.engine.roll.close(r.report)
}

// work claims and submits until there is nothing left to do.
func (r *round) work(opts RunOptions) error {
	if opts.Now {
		if _, err := r.cfg.Spool.MakeDue(r.engine.ctx, opts.Filter); err != nil {
			return err
		}
	}
	end := time.Time{}
	if opts.MaxRun > 0 {
		end = r.cfg.Clock().Add(opts.MaxRun)
	}
	req := spool.ClaimRequest{Filter: opts.Filter, Limit: page, Horizon: r.cfg.Schedule.Horizon()}
	for r.engine.ctx.Err() == nil && (end.IsZero() || r.cfg.Clock().Before(end)) {
		r.engine.under.below(crowd)
		n, err := r.take(r.engine.ctx, req)
		if err != nil {
			return err
		}
		if n > 0 {
			continue
		}
		if r.idle(opts.Watch) {
			return nil
		}
	}
	return nil
}

// idle waits while there is nothing to claim; true when the run is over: nothing is under way
// either, and nobody wants it to stay.
func (r *round) idle(watch bool) bool {
	const patience = time.Second
	if r.drained == nil {
		r.drained = r.engine.drained()
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-r.engine.ctx.Done():
		return true
	case <-t.C: // something may have come due while others are slow
		return false
	case <-r.drained:
		r.drained = nil
		r.notify()
		return !watch || !r.sleep(r.cfg.Clock().Add(patience))
	}
}
