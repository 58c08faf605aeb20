package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// OnDoubt says what becomes of a recipient whose final reply was lost.
type OnDoubt string

// What may become of it.
const (
	Retry OnDoubt = "retry" // it is tried again; a second copy may arrive
	Hold  OnDoubt = "hold"  // it waits, in doubt, until it is released
)

// Options is how a spool is opened. The zero value is usable.
type Options struct {
	// Clock gives the time; nil: time.Now.
	Clock func() time.Time
	// Owner names this process for people; "": host and process number. What tells owners
	// apart is a random token and a lock that the kernel holds, so a number may be reused.
	Owner string
	// Lease is for how long claims last without a sign of life; 0: 15 minutes. Every
	// transaction, and Renew, is one. When it ends others may take what is not being sent.
	Lease time.Duration
	// MaxGroup is how many operations one transaction takes at most; 0: 1000.
	MaxGroup int
	// OnDoubt: "" is Retry.
	OnDoubt OnDoubt
}

// Spool is an open state directory. Its methods may be called by any number of goroutines,
// and any number of processes may have the same directory open.
type Spool struct {
	dir    string
	db     string // the database's path
	opts   Options
	writer *writer
	shelf  *shelf
	jan    *janitor
	read   *reader
	conns  chan *conn // for reading; nil ones are dialled when they are needed
	me     owner
	found  Recovery

	encoded atomic.Pointer[encodedDecision]
	talks   sessionFacts
	recent  recentBodies
	repeats atomic.Bool // the last message was accepted before: look first (see Add)

	mu     sync.Mutex
	claims map[int64]claim // recipients that are ours
	closed bool
}

// readers is how many connections read at once.
const readers = 2

// Open opens the spool in a state directory, which is made (0700) where it is missing, and
// finishes what dead owners left undone: Recovered tells. A directory that others can look
// into, that belongs to somebody else, is a link, or lies on a network file system is refused
// with a *StateError whose hint is the command that mends it.
func Open(dir string, o Options) (*Spool, error) { return open(dir, o, disk{}) }

func open(dir string, o Options, f files) (*Spool, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Lease <= 0 {
		o.Lease = 15 * time.Minute
	}
	if o.MaxGroup <= 0 {
		o.MaxGroup = 1000
	}
	if err := prepareState(dir); err != nil {
		return nil, err
	}
	s := &Spool{
		dir: dir, db: filepath.Join(dir, databaseName), opts: o, read: newReader(),
		conns: make(chan *conn, readers), claims: map[int64]claim{},
	}
	// One process at a time makes and upgrades the database: switching to WAL does not wait.
	lock, err := waitLock(context.Background(), filepath.Join(dir, openLockName))
	if err != nil {
		return nil, stateError("opening", dir, err)
	}
	c, err := s.openDatabase()
	if err = errors.Join(err, lock.Close()); err != nil {
		return nil, err
	}
	for range readers {
		s.conns <- nil
	}
	s.shelf = &shelf{dir: filepath.Join(dir, bodiesName), files: f, begin: s.beginSegment, recent: &s.recent}
	s.shelf.retire = func(seg *segment) { s.jan.add(chore{sealed: seg}) }
	s.writer = newWriter(c, o.MaxGroup, func(err error) error { return s.fault("writing", err) })
	s.writer.always, s.writer.after = s.lastly, s.me.sending.ended
	s.jan = newJanitor(s)
	go s.writer.run()
	go s.jan.run()
	found, err := s.Sweep(context.Background())
	found.Err = err
	s.found = found
	return s, nil
}

func (s *Spool) openDatabase() (*conn, error) {
	path, err := prepareDatabase(s.dir)
	if err != nil {
		return nil, err
	}
	c, err := dial(path, writerPragmas())
	if err != nil {
		return nil, stateError("opening", path, err)
	}
	if err := migrate(c); err != nil {
		return nil, stateError("opening", path, errors.Join(err, c.close()))
	}
	return c, nil
}

// fault dresses up an error of SQLite; errors of our own making stay as they are.
func (s *Spool) fault(op string, err error) error {
	if storeFault(err) {
		return stateError(op, s.db, err)
	}
	return err
}

// Dir is the state directory.
func (s *Spool) Dir() string { return s.dir }

// Recovered is what Open found and finished. Its Err does not stop anything: what could not
// be finished now the next Open tries again.
func (s *Spool) Recovered() Recovery { return s.found }

// reading lends a connection for reading.
func (s *Spool) reading(ctx context.Context, use func(*conn) error) error {
	var c *conn
	select {
	case <-ctx.Done():
		return ctx.Err()
	case c = <-s.conns:
	}
	defer func() { s.conns <- c }()
	if err := s.usable(); err != nil {
		return err
	}
	if c == nil {
		var err error
		if c, err = dial(s.db, readerPragmas()); err != nil {
			c = nil
			return stateError("opening", s.db, err)
		}
	}
	return s.fault("reading", use(c))
}

// usable is ErrClosed once the spool is closed.
func (s *Spool) usable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// now is the time as it is stored: to the millisecond.
func (s *Spool) now() time.Time { return s.opts.Clock().Truncate(time.Millisecond) }

// claim is what has to be known of a recipient that is ours when it is settled.
type claim struct {
	owner                  int64 // as whom
	message                int64
	segment, start, length int64 // its body
	alone                  bool  // the message has no other recipient
}

func (s *Spool) claimed(me, recipient int64, m *Message, alone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[recipient] = claim{me, m.ID, m.body.segment, m.body.start, m.body.length, alone}
}

// claimOf gives what is known of a claimed recipient; the zero value where it is not claimed.
func (s *Spool) claimOf(recipient int64) claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims[recipient]
}

func (s *Spool) unclaimed(ids ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.claims, id)
	}
}

// Wiped waits until the bodies of all that this process settled are overwritten. Close does
// so too.
func (s *Spool) Wiped() error { return s.jan.drain() }

// Close gives back what is claimed, sees to it that settled bodies are overwritten, and
// closes. Recipients for which Intend was called and Settle was not are in doubt.
func (s *Spool) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.shelf.finish()
	undone := s.jan.close()
	err := distinct(undone, s.retire(undone == nil))
	s.writer.close()
	for range readers {
		if c := <-s.conns; c != nil {
			err = distinct(err, c.close())
		}
	}
	if undone == nil {
		s.writer.conn.truncateLog()
	}
	err = distinct(err, s.fault("closing", s.writer.conn.close()))
	return distinct(err, s.me.unlock())
}

// hostProcess names a process for people.
func hostProcess() string {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}
