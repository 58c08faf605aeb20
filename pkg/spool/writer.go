package spool

import (
	"errors"
	"runtime"
	"slices"
	"sync"
)

// writer is the one goroutine of a process that writes to the database. It takes whatever
// waits, up to a limit, as one transaction: one fsync for all of it, and no timer, so that a
// lone caller waits for nobody.
type writer struct {
	conn   *conn
	most   int
	known  map[factHash]int64 // facts that are stored
	always func(*tx) error    // runs in every transaction, last
	fault  func(error) error  // dresses up an error of the store

	mu      sync.Mutex
	waiting []*job
	closed  bool
	wake    chan struct{}
	ended   chan struct{}
}

// job is one caller's part of a transaction. It may be run more than once, when a transaction
// failed because of another caller's part.
type job struct {
	seg   *segment // holds a body that has to be on disk before the commit; nil for none
	apply func(*tx) error
	done  chan error
}

// tx is a transaction in the writer.
type tx struct {
	*conn
	w        *writer
	fresh    map[factHash]int64 // facts that this transaction stored
	segments map[int64]int64    // owners of those that bodies of this transaction lie in
	next     *numbers           // nil: not read yet
}

// numbers is the next number of each table.
type numbers struct{ message, recipient, record int64 }

const (
	sqlNumbers    = `SELECT message, recipient, record FROM counter`
	sqlSetNumbers = `UPDATE counter SET message = $1, recipient = $2, record = $3`
)

// numbers gives the numbers to take from; what was taken is written when the transaction ends.
func (t *tx) numbers() (*numbers, error) {
	if t.next != nil {
		return t.next, nil
	}
	n := &numbers{}
	err := t.query(sqlNumbers, nil, func(r *scan) error {
		n.message, n.recipient, n.record = r.int(), r.int(), r.int()
		return nil
	})
	if err == nil && n.record == 0 {
		err = errNoRow
	}
	if err == nil {
		t.next = n
	}
	return n, err
}

func newWriter(c *conn, most int, fault func(error) error) *writer {
	return &writer{conn: c, most: most, known: map[factHash]int64{}, fault: fault, wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// do has apply run in a transaction, after what seg holds was synced, and returns when that
// is durable.
func (w *writer) do(seg *segment, apply func(*tx) error) error { return <-w.begin(seg, apply) }

// begin is do without the waiting: the channel gives the result, once.
func (w *writer) begin(seg *segment, apply func(*tx) error) <-chan error {
	j := &job{seg: seg, apply: apply, done: make(chan error, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		j.done <- ErrClosed
		return j.done
	}
	w.waiting = append(w.waiting, j)
	w.nudge()
	return j.done
}

func (w *writer) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// close has what waits finished, and returns when the goroutine has ended.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.nudge()
	<-w.ended
}

func (w *writer) run() {
	defer close(w.ended)
	for group := w.take(); len(group) > 0; group = w.take() {
		w.commit(group)
		// Those who were just answered have the next work ready in a moment.
		runtime.Gosched()
	}
}

// take waits for work; nothing means that there is none and never will be.
func (w *writer) take() []*job {
	for {
		w.mu.Lock()
		n := min(len(w.waiting), w.most)
		group := slices.Clone(w.waiting[:n])
		w.waiting = slices.Delete(w.waiting, 0, n)
		closed := w.closed
		w.mu.Unlock()
		if n > 0 || closed {
			return group
		}
		<-w.wake
	}
}

// commit does a group's jobs and answers them. Where the transaction fails because of one of
// them, each is tried alone, so that the others do not suffer.
func (w *writer) commit(group []*job) {
	bodies := syncBodies(group)
	err := w.transact(group, bodies)
	if failed := bodies.wait(); len(failed) > 0 {
		group = slices.DeleteFunc(group, func(j *job) bool {
			err := failed[j.seg]
			if err != nil {
				j.done <- err
			}
			return err != nil
		})
		if len(group) == 0 {
			return
		}
		err = w.transact(group, nil)
	}
	if err == nil || len(group) == 1 || storeFault(err) {
		for _, j := range group {
			j.done <- w.fault(err)
		}
		return
	}
	for _, j := range group {
		j.done <- w.fault(w.transact([]*job{j}, nil))
	}
}

// syncing makes the bodies of a group durable while the transaction that names them is put
// together: it has to end before that is committed.
type syncing struct {
	failed map[*segment]error
	done   chan struct{}
}

// syncBodies begins to sync the segments of a group; nil where there are none.
func syncBodies(group []*job) *syncing {
	var s *syncing
	for _, j := range group {
		if j.seg == nil {
			continue
		}
		if s == nil {
			s = &syncing{map[*segment]error{}, make(chan struct{})}
		}
		s.failed[j.seg] = nil
	}
	if s != nil {
		go s.run()
	}
	return s
}

func (s *syncing) run() {
	defer close(s.done)
	for seg := range s.failed {
		if err := seg.sync(); err != nil {
			s.failed[seg] = err
		} else {
			delete(s.failed, seg)
		}
	}
}

// wait gives the segments that could not be synced, and why.
func (s *syncing) wait() map[*segment]error {
	if s == nil {
		return nil
	}
	<-s.done
	return s.failed
}

// errNotSynced ends a transaction that names bodies which are not on disk.
var errNotSynced = errors.New("a body could not be synced")

// transact runs a group's jobs as one transaction, which is committed once their bodies are synced.
func (w *writer) transact(group []*job, bodies *syncing) error {
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t := &tx{conn: w.conn, w: w, fresh: map[factHash]int64{}, segments: map[int64]int64{}}
	if err := t.run(group, bodies); err != nil {
		// After some faults SQLite has rolled back by itself, and there is nothing to undo.
		_, _ = w.conn.exec("ROLLBACK")
		return err
	}
	if len(w.known) > maxKnownFacts {
		clear(w.known)
	}
	for f, id := range t.fresh {
		w.known[f] = id
	}
	return nil
}

func (t *tx) run(group []*job, bodies *syncing) error {
	for _, j := range group {
		if err := j.apply(t); err != nil {
			return err
		}
	}
	if t.w.always != nil {
		if err := t.w.always(t); err != nil {
			return err
		}
	}
	if n := t.next; n != nil {
		if _, err := t.exec(sqlSetNumbers, n.message, n.recipient, n.record); err != nil {
			return err
		}
	}
	if len(bodies.wait()) > 0 {
		return errNotSynced
	}
	_, err := t.exec("COMMIT")
	return err
}

// errNoRow: a row that has to be there is not.
var errNoRow = errors.New("the spool lacks a row that it should have; it was changed by hand or is damaged")
