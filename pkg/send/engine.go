package send

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/spool"
)

// engine runs the lanes of a batch: one per destination, each with as many sessions as its
// backlog justifies, all within the overall limit.
type engine struct {
	ctx     context.Context
	stop    context.CancelFunc
	cfg     Config
	keeper  *keeper
	workers sync.WaitGroup

	mu      sync.Mutex
	calm    sync.Cond // signalled when recipients are dealt with
	lanes   map[string]*lane
	active  int     // workers that run
	waiting []*lane // lanes that want a worker while all are busy
	under   int     // recipients that were submitted and have no outcome yet
	err     error   // of the store: nothing new is begun

	watch sync.Mutex // the observer's
}

// lane is the queue of one destination.
type lane struct {
	dest    courier.Destination
	queue   []*parcel
	workers int
	live    int  // workers that have a session
	served  bool // somebody had one
	// fruitless counts transactions in a row that broke their session and led to nothing.
	fruitless int
	ceiling   int  // no more workers than this: what the host was seen to allow
	asked     bool // it stands in engine.waiting
	// jitter spreads retries between destinations; recipients of one come due together, so
	// that a host which is down is asked once and not once per message.
	jitter float64
}

// newEngine makes an engine. When ctx ends, what has begun is finished and nothing new begun.
func newEngine(ctx context.Context, cfg Config) *engine {
	e := &engine{cfg: cfg, lanes: map[string]*lane{}}
	e.ctx, e.stop = context.WithCancel(ctx)
	e.calm.L = &e.mu
	e.keeper = newKeeper(cfg.Spool, e.recorded, e.fail)
	return e
}

// close waits for all lanes and for all outcomes to be written, and gives the store's error.
func (e *engine) close() error {
	e.wait()
	e.keeper.close()
	e.stop()
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

// submit queues a parcel on its lane and sees to it that somebody works there.
func (e *engine) submit(p *parcel) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[p.key]
	if l == nil {
		l = &lane{dest: p.dest, ceiling: e.cfg.ConnectionsPerDestination, jitter: rand.Float64()} //nolint:gosec // spreads load, keeps no secret
		e.lanes[p.key] = l
	}
	e.under += len(p.rows)
	l.queue = append(l.queue, p)
	e.staff(l)
}

// entrust counts recipients as under way that are settled without a lane.
func (e *engine) entrust(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.under += n
}

// staff starts a worker where the lane's backlog justifies one: the first alone, until it has
// shown that the destination can be reached. Called with the lock held.
func (e *engine) staff(l *lane) {
	wanted := len(l.queue) > 0 && l.workers < l.ceiling &&
		(l.workers == 0 || l.live == l.workers && len(l.queue) > 1)
	switch {
	case !wanted:
	case e.active >= e.cfg.Connections:
		if !l.asked {
			l.asked = true
			e.waiting = append(e.waiting, l)
		}
	default:
		e.active++
		l.workers++
		e.workers.Go(func() { e.work(l) })
	}
}

// leave ends a worker's service and lets a waiting lane have its place.
func (e *engine) leave(l *lane, wasLive bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if wasLive {
		l.live--
	}
	l.workers--
	e.active--
	e.staff(l) // something may have been queued while this worker was on its way out
	for len(e.waiting) > 0 && e.active < e.cfg.Connections {
		next := e.waiting[0]
		e.waiting = e.waiting[1:]
		next.asked = false
		e.staff(next)
	}
}

// take gives the next parcel of a lane; nil when there is none.
func (e *engine) take(l *lane) *parcel {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	p := l.queue[0]
	l.queue[0] = nil
	l.queue = l.queue[1:]
	return p
}

// linked notes that a worker has a session, which may justify another worker.
func (e *engine) linked(l *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.live++
	l.served = true
	e.staff(l)
}

// wasIn reports a lane that had a session, and has none now.
func (e *engine) wasIn(l *lane) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return l.served && l.live == 0
}

// givesUp counts transactions that led to something, or broke for nothing, and reports that
// there were too many of the latter in a row.
func (e *engine) givesUp(l *lane, useful bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.fruitless++
	if useful {
		l.fruitless = 0
	}
	if l.fruitless < maxFruitless {
		return false
	}
	l.fruitless = 0
	return true
}

// unlinked notes that a worker lost its session.
func (e *engine) unlinked(l *lane) {
	e.mu.Lock()
	defer e.mu.Unlock()
	l.live--
}

// yield puts a parcel back where other workers of the lane have sessions, and lowers the
// lane's ceiling to them: the host does not want more connections (S30).
func (e *engine) yield(l *lane, p *parcel) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if l.live == 0 {
		return false
	}
	l.queue = append([]*parcel{p}, l.queue...)
	l.ceiling = l.live
	return true
}

// backlog takes all that waits on a lane.
func (e *engine) backlog(l *lane) []*parcel {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := l.queue
	l.queue = nil
	return all
}

// wait returns when every recipient that was submitted has an outcome or was put back.
func (e *engine) wait() {
	e.below(1)
	e.workers.Wait()
}

// below returns when fewer than n recipients are under way.
func (e *engine) below(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.under >= n {
		e.calm.Wait()
	}
}

// drained is closed when nothing is under way.
func (e *engine) drained() <-chan struct{} {
	done := make(chan struct{})
	e.workers.Go(func() {
		e.below(1)
		close(done)
	})
	return done
}

// dealt counts recipients that are no longer under way.
func (e *engine) dealt(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.under -= n
	e.calm.Broadcast()
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
func (e *engine) settle(r *Row, o delivery.Outcome, jitter float64) {
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
	e.keeper.put(settlement{r, spool.Settlement{Recipient: r.id, Outcome: recorded, Next: r.Next}})
}

// postpone lets nothing else that waits for a domain come due before its hosts are asked again.
func (e *engine) postpone(domain string, until time.Time) {
	if _, err := e.cfg.Spool.Postpone(context.WithoutCancel(e.ctx), domain, until); err != nil {
		e.fail(err)
	}
}

// recorded tells the observer of a row whose outcome is durable.
func (e *engine) recorded(r *Row) {
	if !r.internal {
		e.observe(func(ob Observer) { ob.Settled(r) })
	}
	e.dealt(1)
}

// putBack gives a parcel's recipients back to the queue untried: the run was interrupted.
func (e *engine) putBack(p *parcel) {
	ids := make([]int64, len(p.rows))
	for i, r := range p.rows {
		ids[i] = r.id
		if r.Outcome.Status == "" {
			r.Outcome = delivery.Outcome{Status: delivery.Queued, Text: "interrupted before it was tried"}
		}
	}
	if err := e.cfg.Spool.Release(context.WithoutCancel(e.ctx), ids...); err != nil {
		e.fail(err)
	}
	for _, r := range p.rows {
		e.recorded(r)
	}
}
