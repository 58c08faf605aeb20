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
}

// maxFruitless is how many transactions in a row may break their session and lead to nothing
// before what waits on the lane is put off: a host that always breaks defers its lane as a
// host, not once per message.
const maxFruitless = 3

// work serves a lane until its queue is empty.
func (e *engine) work(l *lane) {
	w := &worker{e: e, lane: l}
	for {
		p := e.take(l)
		if p == nil {
			break
		}
		if e.ctx.Err() != nil {
			e.putBack(p)
			continue
		}
		if !w.serve(p) {
			break
		}
	}
	live := w.link != nil
	w.drop()
	e.leave(l, live)
}

// serve delivers one parcel; false when this worker has to give up its place.
func (w *worker) serve(p *parcel) bool {
	for {
		fresh := w.link == nil || !w.link.Ready() || w.link.Uses() >= w.e.cfg.MessagesPerConnection
		if fresh && !w.connect() {
			if w.room() {
				continue
			}
			return w.unreachable(p)
		}
		// A session that had served before and broke before its reply to MAIL is replaced
		// without costing the message an attempt.
		if w.transact(p) || fresh {
			return true
		}
	}
}

// connect finds the worker a new session.
func (w *worker) connect() bool {
	had := w.link != nil
	w.drop()
	w.walk = w.e.cfg.Courier.Walk(w.lane.dest)
	link, ok := w.walk.Next(w.e.ctx)
	switch {
	case ok && !had:
		w.e.linked(w.lane)
	case !ok && had:
		w.e.unlinked(w.lane)
	}
	if ok {
		w.link, w.served, w.waits = link, true, 0
	}
	return ok
}

// room waits a moment where a host turned us away that had let us in before: it may still
// count the session that has just ended (S30). False where there is no point in waiting.
func (w *worker) room() bool {
	const most, first = 6, 50 * time.Millisecond // 3 s in all
	if w.waits == most || !(w.served || w.e.wasIn(w.lane)) || !slices.ContainsFunc(w.walk.Attempts(), turnedAway) {
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

// unreachable gives a parcel, and all that waits behind it, the verdict of a walk that found
// no session; where others of the lane have one, they go on instead.
func (w *worker) unreachable(p *parcel) bool {
	if w.e.ctx.Err() != nil {
		w.e.putBack(p)
		return true
	}
	if w.e.yield(w.lane, p) {
		return false
	}
	w.conclude(append([]*parcel{p}, w.e.backlog(w.lane)...), w.walk.Attempts())
	return true
}

// conclude gives all recipients of some parcels the verdict over the same attempts.
func (w *worker) conclude(parcels []*parcel, attempts []delivery.Attempt) {
	var soonest time.Time
	for _, p := range parcels {
		for _, r := range p.rows {
			o := delivery.Conclude(attempts, r.Decision.Requirement)
			w.e.settle(r, o, w.lane.jitter)
			if backsOff(o) && !r.Next.IsZero() && (soonest.IsZero() || r.Next.Before(soonest)) {
				soonest = r.Next
			}
		}
	}
	if !soonest.IsZero() {
		w.e.postpone(w.lane.dest.Domain, soonest)
	}
}

// backsOff reports an outcome that is about the host and not about the message: it is down, or
// has had enough for now. It then backs off as a host, not once per message.
func backsOff(o delivery.Outcome) bool {
	return o.Status == delivery.Deferred && (o.Reason.Category() == policy.CategoryNetwork || o.Reason == policy.Throttled)
}

// transact runs a parcel's transaction on the worker's session and sends those recipients
// whom the host put off on to the next host. False: the session had died before the
// transaction began, nothing was said of it, and another session may be tried.
func (w *worker) transact(p *parcel) bool {
	t := &transfer{e: w.e, msg: p.msg, jitter: w.lane.jitter}
	rcpts := recipientsOf(p)
	reused := w.link.Uses() > 0
	answers := t.send(w.link, rcpts)
	if reused && diedBefore(answers) {
		return false
	}
	onward, split := t.sort(w.walk, w.link, rcpts, answers)
	onward = append(onward, t.deliver(w.walk, w.link, split)...)
	if len(onward) > 0 {
		t.onward(w.walk.Fork(), onward)
	}
	w.patience(t, answers)
	return true
}

// patience counts transactions that broke their session and led to nothing at any host. After
// a few of them what waits on the lane is put off untried, and whatever the last one was told
// bounces nobody.
func (w *worker) patience(t *transfer, answers []smtp.Answer) {
	broke := !w.link.Usable() && !unread(answers)
	if !t.useful && !broke || !w.e.givesUp(w.lane, t.useful) {
		return
	}
	last := t.last
	last.Definitive = false
	last.Text = mail.Clean("not tried, since sessions break time and again: " + last.Text)
	w.conclude(w.e.backlog(w.lane), []delivery.Attempt{last})
}

// diedBefore reports that the session broke before the reply to MAIL, for all recipients.
func diedBefore(answers []smtp.Answer) bool {
	for _, a := range answers {
		if a.Failure == nil || a.Failure.Definitive || a.Failure.Stage != delivery.StageMAIL || !a.Failure.Reply.IsZero() {
			return false
		}
	}
	return true
}
