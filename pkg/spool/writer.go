package spool

import (
	"errors"
	"runtime"
	"slices"
	"sync"
)

// writer is the one goroutine of a process that writes to the database. It takes whatever
// waits, up to a limit, as one transaction: one fsync for all of it, and no timer, so that a
// lone caller waits for nobody. Bodies that the next transaction is to name are synced while
// one is under way, and few jobs wait for them.
type writer struct {
	conn   *conn
	most   int
	known  map[factHash]int64 // facts that are stored
	always func(*tx) error    // runs in every transaction, last
	after  func(committed bool)
	fault  func(error) error // dresses up an error of the store

	mu       sync.Mutex
	waiting  []*job
	unsynced []*job // whose bodies have to be synced first
	syncing  bool   // and those of some are being synced
	synced   int    // how often that was done
	closed   bool
	wake     chan struct{}
	ended    chan struct{}
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
	if seg != nil {
		w.unsynced = append(w.unsynced, j)
	} else {
		w.waiting = append(w.waiting, j)
	}
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
		if w.fewer(len(group) / 2) {
			// Those who were just answered have the next work ready in a moment.
			runtime.Gosched()
		}
	}
}

// fewer reports that fewer jobs wait than n.
func (w *writer) fewer(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.waiting) < n
}

const (
	// worthwhile is how many jobs are a transaction that need not wait for more: the larger they
	// are, the fewer there have to be.
	worthwhile = 32
	// patience is for how many syncs of bodies a smaller one waits, that what they bring may join it.
	patience = 2
)

// take waits for work; nothing means that there is none and never will be. With it the bodies
// of what came meanwhile begin to be synced, in time for the next transaction.
func (w *writer) take() []*job {
	w.mu.Lock()
	until := w.synced + patience
	w.mu.Unlock()
	for {
		w.mu.Lock()
		if len(w.unsynced) > 0 && !w.syncing {
			w.syncing = true
			go w.sync(w.unsynced)
			w.unsynced = nil
		}
		n := min(len(w.waiting), w.most)
		if n < min(worthwhile, w.most) && w.syncing && w.synced < until {
			n = 0
		}
		group := slices.Clone(w.waiting[:n])
		w.waiting = slices.Delete(w.waiting, 0, n)
		ended := w.closed && !w.syncing
		w.mu.Unlock()
		if n > 0 || ended {
			return group
		}
		<-w.wake
	}
}

// sync makes the bodies of jobs durable and has the jobs wait for the next transaction; those
// whose bodies cannot be synced are answered.
func (w *writer) sync(jobs []*job) {
	segments := map[*segment]error{}
	for _, j := range jobs {
		if _, seen := segments[j.seg]; !seen {
			segments[j.seg] = j.seg.sync()
		}
	}
	jobs = slices.DeleteFunc(jobs, func(j *job) bool {
		err := segments[j.seg]
		if err != nil {
			j.done <- err
		}
		return err != nil
	})
	w.mu.Lock()
	w.waiting = append(w.waiting, jobs...)
	w.syncing = false
	w.synced++
	w.mu.Unlock()
	w.nudge()
}

// commit does a group's jobs and answers them. Where the transaction fails because of one of
// them, each is tried alone, so that the others do not suffer.
func (w *writer) commit(group []*job) {
	err := w.transact(group)
	if err == nil || len(group) == 1 || storeFault(err) {
		for _, j := range group {
			j.done <- w.fault(err)
		}
		return
	}
	for _, j := range group {
		j.done <- w.fault(w.transact([]*job{j}))
	}
}

// transact runs a group's jobs as one transaction.
func (w *writer) transact(group []*job) error {
	if _, err := w.conn.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	t := &tx{conn: w.conn, w: w, fresh: map[factHash]int64{}, segments: map[int64]int64{}}
	err := t.run(group)
	if w.after != nil {
		w.after(err == nil)
	}
	if err != nil {
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

func (t *tx) run(group []*job) error {
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
	_, err := t.exec("COMMIT")
	return err
}

// errNoRow: a row that has to be there is not.
var errNoRow = errors.New("the spool lacks a row that it should have; it was changed by hand or is damaged")
