package send

import (
	"context"
	"sync"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// engine runs the lanes of a batch: one per destination, each with as many sessions as its
// backlog justifies, all within the overall limit.
type engine struct {
	ctx     context.Context
	cfg     Config
	workers sync.WaitGroup

	mu      sync.Mutex
	lanes   map[string]*lane
	active  int     // workers that run
	waiting []*lane // lanes that want a worker while all are busy

	watch sync.Mutex // the observer's
}

// lane is the queue of one destination.
type lane struct {
	dest    courier.Destination
	queue   []*parcel
	workers int
	live    int  // workers that have a session
	ceiling int  // no more workers than this: what the host was seen to allow
	asked   bool // it stands in engine.waiting
}

func newEngine(ctx context.Context, cfg Config) *engine {
	return &engine{ctx: ctx, cfg: cfg, lanes: map[string]*lane{}}
}

// submit queues a parcel on its lane and sees to it that somebody works there.
func (e *engine) submit(p *parcel) {
	key := p.dest.Key()
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[key]
	if l == nil {
		l = &lane{dest: p.dest, ceiling: e.cfg.ConnectionsPerDestination}
		e.lanes[key] = l
	}
	l.queue = append(l.queue, p)
	e.staff(l)
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

// take gives the next parcel of a lane; nil when there is none or the run was interrupted.
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
	e.staff(l)
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

// wait returns when every lane is empty.
func (e *engine) wait() { e.workers.Wait() }

func (e *engine) observe(tell func(Observer)) {
	if e.cfg.Observer == nil {
		return
	}
	e.watch.Lock()
	defer e.watch.Unlock()
	tell(e.cfg.Observer)
}

// settle gives a recipient its outcome.
func (e *engine) settle(r *Row, o delivery.Outcome) {
	r.Outcome = o
	if o.Status.Settled() {
		r.Settled = e.cfg.Clock()
	}
	if !r.internal {
		e.observe(func(ob Observer) { ob.Settled(r) })
	}
}

// putOff defers all recipients of a parcel that was not tried.
func (e *engine) putOff(p *parcel) {
	a := delivery.Attempt{Time: e.cfg.Clock(), Stage: delivery.StageConnect, Reason: policy.ConnectionLost, Text: "interrupted before it was tried"}
	for _, r := range p.rows {
		e.settle(r, delivery.Conclude([]delivery.Attempt{a}, r.Decision.Requirement))
	}
}
