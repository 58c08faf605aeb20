package send

import (
	"slices"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// worker is one session's worth of service on a lane.
type worker struct {
	e    *engine
	lane *lane
	walk *courier.Walk
	link *courier.Link
	// served is set once it had a session, and waits counts pauses for another one since.
	served bool
	waits  int

	hand   []*parcel // taken from the lane and not begun, or to be sent anew
	begun  int       // transactions that the session has, and has not answered
	asides []aside   // what has to be seen to before the session goes on
	// most and crowd are how many messages the session carries and how many recipients each.
	most, crowd int
	// useful: some transaction of the stream led to something. last is what was said last.
	useful, unread bool
	last           delivery.Attempt
}

// aside is recipients of a transaction whose host did not say its last word to them.
type aside struct {
	t      *transfer
	onward []*recipient // for the next host
	split  []*recipient // for another transaction at this one
}

// maxFruitless is how many sessions in a row may break and lead to nothing before what waits
// on the lane is put off: a host that always breaks defers its lane as a host, not once per
// message.
const maxFruitless = 3

// work serves a lane until its queue is empty.
func (e *engine) work(l *lane) {
	w := &worker{e: e, lane: l}
	for more := true; more; {
		more = w.serve()
	}
	live := w.link != nil
	w.drop()
	e.lanes.leave(l, live)
}

// take gives the next parcel, one that this worker has in hand before others; nil for none. The
// session is given several at once, but more than two only while there is plenty for the others.
func (w *worker) take() *parcel {
	if len(w.hand) == 0 {
		return w.e.lanes.take(w.lane, w.begun > 1)
	}
	p := w.hand[0]
	w.hand = w.hand[1:]
	return p
}

// serve delivers over one session what it can; false when the worker is to leave.
func (w *worker) serve() bool {
	p := w.take()
	if p == nil {
		return w.link != nil && w.link.Usable() && w.e.lanes.idle(w.lane)
	}
	w.hand = slices.Insert(w.hand, 0, p)
	if w.e.ctx.Err() != nil {
		w.e.putBack(append(w.hand, w.e.lanes.backlog(w.lane)...)...)
		w.hand = nil
		return true
	}
	if w.link == nil || w.full() || !w.link.Ready() {
		if !w.connect() {
			return w.room() || w.unreachable()
		}
	}
	w.useful, w.unread = false, false
	w.link.Stream(w.next)
	w.attend()
	w.patience()
	return true
}

// full reports that the session has carried as many messages as it may.
func (w *worker) full() bool { return w.link.Uses() >= w.most }

// next gives the session its next transaction; nil where there is none, or something has to be
// seen to first.
func (w *worker) next() *smtp.Transaction {
	for len(w.asides) == 0 && w.e.ctx.Err() == nil && !w.full() {
		p := w.take()
		if p == nil {
			return nil
		}
		p, rest := p.split(w.crowd)
		if rest != nil {
			w.hand = slices.Insert(w.hand, 0, rest)
		}
		if tx := w.begin(p); tx != nil {
			return tx
		}
	}
	return nil
}

// begin makes a transaction of a parcel; nil where its message cannot be read.
func (w *worker) begin(p *parcel) *smtp.Transaction {
	t := &transfer{e: w.e, msg: p.msg, jitter: w.lane.jitter}
	rcpts := recipientsOf(p.tasks)
	first, pace := w.link.Uses() == 0, w.link.Pace()
	tx, answers := t.begin(rcpts)
	if tx == nil {
		w.answered(t, rcpts, answers)
		return nil
	}
	w.begun++
	tx.Done = func(answers []smtp.Answer) {
		w.begun--
		t.committed(tx)
		left := rcpts
		// What the session took no notice of goes over another one without costing an attempt,
		// unless it was the first one that a new session was asked to take.
		if again := unsent(rcpts, answers); len(again) > 0 && (!first || w.link.Pace() < pace) {
			w.hand = append(w.hand, &parcel{p.msg, p.dest, again})
			left, answers = others(rcpts, answers)
		}
		w.answered(t, left, answers)
	}
	return tx
}

// answered settles those recipients of a transaction that have an outcome, and keeps the others
// for when the session is idle.
func (w *worker) answered(t *transfer, rcpts []*recipient, answers []smtp.Answer) {
	onward, split := t.sort(w.walk, w.link, rcpts, answers)
	if len(onward)+len(split) > 0 {
		w.asides = append(w.asides, aside{t, onward, split})
	}
	w.unread = w.unread || unread(answers)
	w.heed(t)
}

// heed takes over what a transaction came to.
func (w *worker) heed(t *transfer) {
	w.useful = w.useful || t.useful
	if !t.last.Time.IsZero() {
		w.last = t.last
	}
}

// attend sends on what was put aside.
func (w *worker) attend() {
	for _, a := range w.asides {
		onward := slices.Concat(a.onward, a.t.deliver(w.walk, w.link, a.split))
		if len(onward) > 0 {
			a.t.onward(w.walk.Fork(), onward)
		}
		w.heed(a.t)
	}
	w.asides = nil
}

// connect finds the worker a new session.
func (w *worker) connect() bool {
	had := w.link != nil
	w.drop()
	w.walk = w.e.cfg.Courier.Walk(w.lane.dest)
	link, ok := w.walk.Next(w.e.ctx)
	switch {
	case ok && !had:
		w.e.lanes.linked(w.lane)
	case !ok && had:
		w.e.lanes.unlinked(w.lane)
	}
	if ok {
		w.link, w.served, w.waits = link, true, 0
		if w.most, w.crowd = link.Limits(); w.most == 0 || w.most > w.e.cfg.MessagesPerConnection {
			w.most = w.e.cfg.MessagesPerConnection
		}
	}
	return ok
}

// room waits a moment where a host turned us away that had let us in before: it may still
// count the session that has just ended (S30). False where there is no point in waiting.
func (w *worker) room() bool {
	const most, first = 6, 50 * time.Millisecond // 3 s in all
	if w.waits == most || !(w.served || w.e.lanes.wasIn(w.lane)) || !slices.ContainsFunc(w.walk.Attempts(), turnedAway) {
		return false
	}
	t := time.NewTimer(first << w.waits)
	defer t.Stop()
	w.waits++
	select {
	case <-w.e.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// turnedAway reports a host that greets us only to say that it has no time now.
func turnedAway(a delivery.Attempt) bool {
	return a.Stage == delivery.StageGreeting && a.Reply.Transient()
}

// drop ends the session that the worker has.
func (w *worker) drop() {
	if w.link != nil {
		w.link.Quit()
		w.link = nil
	}
	if w.walk != nil {
		w.walk.Close()
	}
}

// unreachable gives what is in hand, and all that waits behind it, the verdict of a walk that
// found no session; where others of the lane have one, they go on instead, and this worker leaves.
func (w *worker) unreachable() bool {
	hand := w.hand
	w.hand = nil
	switch {
	case w.e.ctx.Err() != nil:
		w.e.putBack(hand...)
	case w.e.lanes.yield(w.lane, hand):
		return false
	default:
		w.conclude(append(hand, w.e.lanes.backlog(w.lane)...), w.walk.Attempts())
	}
	return true
}

// conclude gives all recipients of some parcels the verdict over the same attempts.
func (w *worker) conclude(parcels []*parcel, attempts []delivery.Attempt) {
	var soonest time.Time
	for _, p := range parcels {
		for i := range p.tasks {
			r := &p.tasks[i]
			o := delivery.Conclude(attempts, r.Decision.Requirement)
			w.e.settle(r, o, w.lane.jitter)
			if backsOff(o) && !r.Next.IsZero() && (soonest.IsZero() || r.Next.Before(soonest)) {
				soonest = r.Next
			}
		}
	}
	if !soonest.IsZero() {
		w.e.postpone(soonest, w.e.lanes.domainsOf(w.lane))
	}
}

// backsOff reports an outcome that is about the host and not about the message: it is down, or
// has had enough for now. It then backs off as a host, not once per message.
func backsOff(o delivery.Outcome) bool {
	return o.Status == delivery.Deferred && (o.Reason.Category() == policy.CategoryNetwork || o.Reason == policy.Throttled)
}

// patience counts sessions that broke and led to nothing at any host. After a few of them what
// waits on the lane is put off untried, and whatever the last one was told bounces nobody.
func (w *worker) patience() {
	broke := !w.link.Usable() && !w.unread
	if !w.useful && !broke || !w.e.lanes.givesUp(w.lane, w.useful) {
		return
	}
	last := w.last
	last.Definitive = false
	last.Text = mail.Clean("not tried, since sessions break time and again: " + last.Text)
	w.conclude(append(w.hand, w.e.lanes.backlog(w.lane)...), []delivery.Attempt{last})
	w.hand = nil
}
