package send

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/policy"
)

// lanes is where parcels wait for sessions: one lane for each set of mail hosts, duties, offer
// and pool. Domains behind the same mail hosts share lanes, and so sessions.
type lanes struct {
	ctx     context.Context
	courier *courier.Courier
	clock   func() time.Time
	start   func(*lane) // has a worker serve a lane
	ceiling int         // sessions of one lane
	most    int         // sessions overall

	mu      sync.Mutex
	byKey   map[laneKey]*lane
	routes  map[string]*routing // by domain
	duties  map[*policy.Decision]string
	active  int     // workers that run
	waiting []*lane // lanes that want a worker while all are busy
	// closing: nothing more is submitted for now. stir is closed, and made anew, when idle
	// workers have to look whether they are to leave.
	closing bool
	stir    chan struct{}
}

// laneKey is what parcels have in common that share a lane.
type laneKey struct {
	hosts, duties string
	again         courier.Again
}

// lane is the queue of one destination.
type lane struct {
	key     laneKey
	dest    courier.Destination
	domains map[string]bool // whose mail came by here
	queue   []*parcel
	bell    chan struct{} // rings when something is queued
	workers int
	live    int  // workers that have a session
	served  bool // somebody had one
	// fruitless counts sessions in a row that broke and led to nothing.
	fruitless int
	ceiling   int  // no more workers than this: what the host was seen to allow
	asked     bool // it stands in lanes.waiting
	// jitter spreads retries between destinations; recipients of one come due together, so
	// that a host which is down is asked once and not once per message.
	jitter float64
}

func newLanes(ctx context.Context, cfg *Config, start func(*lane)) *lanes {
	return &lanes{
		ctx: ctx, courier: cfg.Courier, clock: cfg.Clock, start: start,
		ceiling: cfg.ConnectionsPerDestination, most: cfg.Connections,
		byKey: map[laneKey]*lane{}, routes: map[string]*routing{}, duties: map[*policy.Decision]string{},
		stir: make(chan struct{}),
	}
}

// dutiesOf names what a decision demands of a session and proposes for it. Decisions are
// shared by many recipients, so what was found for one is kept.
func (x *lanes) dutiesOf(d *policy.Decision) string {
	const most = 4096
	x.mu.Lock()
	defer x.mu.Unlock()
	key, ok := x.duties[d]
	if !ok {
		if len(x.duties) >= most {
			clear(x.duties)
		}
		key = courier.Destination{Requirement: d.Requirement, Offer: d.Offer, Pool: d.Pool}.Key()
		if c := d.Requirement.Conflict(); !c.Satisfied() {
			key += c.Text // which names who demands what of these recipients, and of no others
		}
		x.duties[d] = key
	}
	return key
}

// queue puts a parcel on the lane of a destination and sees to it that somebody works there.
// Called with the lock held.
func (x *lanes) queue(p *parcel, hosts string, dest courier.Destination) {
	key := laneKey{hosts, p.dest.duties, p.dest.again}
	l := x.byKey[key]
	if l == nil {
		l = &lane{
			key: key, dest: dest, domains: map[string]bool{}, ceiling: x.ceiling, bell: make(chan struct{}, 1),
			jitter: rand.Float64(), //nolint:gosec // spreads load, keeps no secret
		}
		x.byKey[key] = l
	}
	l.domains[p.dest.domain] = true
	l.queue = append(l.queue, p)
	l.ring()
	x.staff(l)
}

// ring wakes one worker of the lane that is idle.
func (l *lane) ring() {
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

// patient is how long a worker keeps its session when there is nothing to do for it, while
// more may be submitted.
const patient = time.Second

// idle waits for something to be queued on a lane; false when the worker is to leave: nothing
// came, nothing more is to come, or another lane needs its place.
func (x *lanes) idle(l *lane) bool {
	t := time.NewTimer(patient)
	defer t.Stop()
	for {
		x.mu.Lock()
		work, stay, stir := len(l.queue) > 0, !x.closing && len(x.waiting) == 0, x.stir
		x.mu.Unlock()
		if work || !stay {
			return work
		}
		select {
		case <-l.bell:
		case <-stir:
		case <-x.ctx.Done():
			return false
		case <-t.C:
			return false
		}
	}
}

// close has idle workers leave, until something is submitted again.
func (x *lanes) close() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closing = true
	x.stirred()
}

// stirred has idle workers look around. Called with the lock held.
func (x *lanes) stirred() {
	close(x.stir)
	x.stir = make(chan struct{})
}

// staff starts workers where the lane's backlog justifies them: the first alone, until it has
// shown that the destination can be reached, then twice as many as have. Called with the lock
// held.
func (x *lanes) staff(l *lane) {
	for {
		starting := l.workers - l.live
		most := min(l.ceiling, max(1, 2*l.live))
		switch {
		case l.workers >= most || len(l.queue) <= starting || l.workers > 0 && len(l.queue) < 2:
			return
		case x.active >= x.most:
			if !l.asked {
				l.asked = true
				x.waiting = append(x.waiting, l)
				x.stirred()
			}
			return
		}
		x.active++
		l.workers++
		x.start(l)
	}
}

// leave ends a worker's service and lets a waiting lane have its place.
func (x *lanes) leave(l *lane, wasLive bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if wasLive {
		l.live--
	}
	l.workers--
	x.active--
	x.staff(l) // something may have been queued while this worker was on its way out
	if l.workers == 0 && len(l.queue) == 0 && !l.asked && l.ceiling == x.ceiling && l.fruitless == 0 {
		delete(x.byKey, l.key) // nothing was learnt from it that has to be kept
	}
	for len(x.waiting) > 0 && x.active < x.most {
		next := x.waiting[0]
		x.waiting = x.waiting[1:]
		next.asked = false
		x.staff(next)
	}
}

// take gives the next parcel of a lane; nil when there is none, or, to a worker that has some to
// spare, when there are too few for all that may serve the lane.
func (x *lanes) take(l *lane, spare bool) *parcel {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(l.queue) == 0 || spare && len(l.queue) <= 2*min(l.ceiling, x.most) {
		return nil
	}
	p := l.queue[0]
	l.queue[0] = nil
	if l.queue = l.queue[1:]; len(l.queue) > 0 {
		l.ring()
	}
	return p
}

// linked notes that a worker has a session, which may justify other workers.
func (x *lanes) linked(l *lane) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l.live++
	l.served = true
	x.staff(l)
}

// unlinked notes that a worker lost its session.
func (x *lanes) unlinked(l *lane) {
	x.mu.Lock()
	defer x.mu.Unlock()
	l.live--
}

// wasIn reports a lane that had a session, and has none now.
func (x *lanes) wasIn(l *lane) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return l.served && l.live == 0
}

// givesUp counts sessions that led to something, or broke for nothing, and reports that there
// were too many of the latter in a row.
func (x *lanes) givesUp(l *lane, useful bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
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

// yield puts parcels back where other workers of the lane have sessions, and lowers the
// lane's ceiling to them: the host does not want more connections (S30).
func (x *lanes) yield(l *lane, hand []*parcel) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if l.live == 0 {
		return false
	}
	l.queue = slices.Concat(hand, l.queue)
	l.ceiling = l.live
	return true
}

// backlog takes all that waits on a lane.
func (x *lanes) backlog(l *lane) []*parcel {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := l.queue
	l.queue = nil
	return all
}

// domainsOf lists the domains whose mail came by a lane.
func (x *lanes) domainsOf(l *lane) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := make([]string, 0, len(l.domains))
	for d := range l.domains {
		all = append(all, d)
	}
	return all
}
