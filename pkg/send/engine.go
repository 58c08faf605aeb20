package send

import (
	"context"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/spool"
)

// engine delivers what is submitted: lanes hold it, one for each destination, workers serve
// them, each with a session, and the keeper records what came of it.
type engine struct {
	ctx     context.Context
	lasting context.Context // for what has to be finished although ctx ended
	stop    context.CancelFunc
	cfg     Config
	lanes   *lanes
	keeper  *keeper
	under   *tally // recipients that were submitted and have no outcome yet
	workers sync.WaitGroup
	done    chan struct{} // closed when it is closed

	mu  sync.Mutex
	err error // of the store: nothing new is begun

	roll  roll
	watch sync.Mutex // the observer's
}

// newEngine makes an engine. When ctx ends, what has begun is finished and nothing new begun.
// Rows that the report does not list are counted into sum until it is closed.
func newEngine(ctx context.Context, cfg Config, sum *Summary) *engine {
	e := &engine{cfg: cfg, under: newTally(), done: make(chan struct{}), roll: roll{sum: sum}}
	e.ctx, e.stop = context.WithCancel(ctx)
	e.lasting = context.WithoutCancel(ctx)
	e.lanes = newLanes(e.ctx, &e.cfg, func(l *lane) { e.workers.Go(func() { e.work(l) }) })
	e.keeper = newKeeper(cfg.Spool, e.recorded, e.fail)
	go e.breathe()
	return e
}

// breathe tells the spool now and then that this process lives, so that nobody takes its claims
// while it waits for slow hosts and writes nothing.
func (e *engine) breathe() {
	t := time.NewTicker(signOfLife)
	defer t.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-t.C:
			if err := e.cfg.Spool.Renew(context.Background()); err != nil {
				e.fail(err)
			}
		}
	}
}

// signOfLife is well below the spool's lease.
const signOfLife = 4 * time.Minute

// close waits for all lanes and for all outcomes to be written, and gives the store's error.
func (e *engine) close() error {
	e.wait()
	e.keeper.close()
	e.stop()
	close(e.done)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// fail stops the engine: what cannot be recorded must not be sent.
func (e *engine) fail(err error) {
	e.mu.Lock()
	if e.err == nil {
		e.err = err
	}
	e.mu.Unlock()
	e.stop()
}

// failed is the store's error, nil while it works.
func (e *engine) failed() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// wait returns when every recipient that was submitted has an outcome or was put back.
func (e *engine) wait() {
	e.under.below(1)
	e.lanes.close()
	e.workers.Wait()
}

// drained is closed when nothing is under way.
func (e *engine) drained() <-chan struct{} {
	done := make(chan struct{})
	e.workers.Go(func() {
		e.under.below(1)
		close(done)
	})
	return done
}

func (e *engine) observe(tell func(Observer)) {
	if e.cfg.Observer == nil {
		return
	}
	e.watch.Lock()
	defer e.watch.Unlock()
	tell(e.cfg.Observer)
}

// settle gives a recipient its outcome and sees to it that it is recorded.
func (e *engine) settle(r *task, o delivery.Outcome, jitter float64) {
	now := e.cfg.Clock()
	fresh := o.Attempts
	r.Next, r.Settled = time.Time{}, time.Time{}
	if e.cfg.Schedule.Jumped(r.tries+1, r.Queued, now) {
		o = delivery.Unclear(o)
	}
	if o.Status == delivery.Deferred || o.Status == delivery.InDoubt {
		next, expired := e.cfg.Schedule.Next(r.tries+1, r.Queued, now, jitter)
		if expired {
			o = delivery.Expire(o)
		} else if o.Status == delivery.Deferred || !e.cfg.HoldDoubt {
			r.Next = next
		}
	}
	if o.Status.Settled() {
		r.Settled = now
	}
	recorded := o
	recorded.Attempts = fresh
	o.Attempts = merged(r.earlier, fresh)
	r.Outcome = o
	r.tries++
	e.keeper.put(settlement{r.Row, spool.Settlement{Recipient: r.id, Outcome: recorded, Next: r.Next}})
}

// postpone lets nothing else that waits for some domains come due before their hosts are asked again.
func (e *engine) postpone(until time.Time, domains []string) {
	if _, err := e.cfg.Spool.Postpone(e.lasting, until, domains...); err != nil {
		e.fail(err)
	}
}

// recorded tells the observer of rows whose outcomes are durable.
func (e *engine) recorded(rows ...*Row) {
	e.tell(rows...)
	e.under.add(-len(rows))
}

// tell tells the observer of rows that come to their end for now.
func (e *engine) tell(rows ...*Row) {
	shown := make([]*Row, 0, len(rows))
	for _, r := range rows {
		if !r.internal {
			r.Unlisted = e.roll.lets(r)
			shown = append(shown, r)
		}
	}
	if len(shown) > 0 {
		e.observe(func(ob Observer) { ob.Settled(shown...) })
	}
}

// putBack gives parcels' recipients back to the queue untried: the run was interrupted.
func (e *engine) putBack(parcels ...*parcel) {
	for _, p := range parcels {
		ids, rows := make([]int64, len(p.tasks)), make([]*Row, len(p.tasks))
		for i, r := range p.tasks {
			ids[i], rows[i] = r.id, r.Row
			if r.Outcome.Status == "" {
				r.Outcome = delivery.Outcome{Status: delivery.Queued, Text: "interrupted before it was tried"}
			}
		}
		if err := e.cfg.Spool.Release(e.lasting, ids...); err != nil {
			e.fail(err)
		}
		e.recorded(rows...)
	}
}
