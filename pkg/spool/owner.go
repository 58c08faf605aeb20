package spool

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// An owner is a process that has claims or bodies in the spool. It is alive as long as it
// holds the lock on its file in owners/: the kernel frees that the moment the process dies,
// however it dies, and a lock cannot be mistaken as a reused process number can (F9).
//
// A lease limits what an owner that lives but does nothing (stopped, hung) keeps from others:
// when it ends, recipients that are claimed but not being sent may be taken. That is safe
// whatever the clock does (F14), for Intend fails on what was taken. What is being sent stays
// with its owner until that is dead.

// owner is this process as an owner; it becomes one when it first has to.
type owner struct {
	id atomic.Int64 // 0: not registered

	mu   sync.Mutex // while it registers
	file *os.File
	path string

	// The writer's own:
	renewed time.Time
	sending intents
}

const (
	sqlAddOwner   = `INSERT INTO owner (id, lock, name, since, lease_until) VALUES ($1, $2, $3, $4, $5)`
	sqlRenew      = `UPDATE owner SET lease_until = $2 WHERE id = $1 AND NOT buried`
	sqlOwners     = `SELECT id, lock, lease_until FROM owner WHERE id <> $1 AND NOT buried`
	sqlBury       = `UPDATE owner SET buried = TRUE, sending = '[]' WHERE id = $1`
	sqlDropOwner  = `DELETE FROM owner WHERE id = $1`
	sqlIdleClaims = `UPDATE recipient SET owner = 0 WHERE owner = $1 AND id NOT IN (SELECT value FROM json_each($2))`
	sqlTaken      = `UPDATE owner SET taken = taken + 1 WHERE id = $1`
	sqlDoubt      = `UPDATE recipient SET status = $2, reason = $3, next_at = $4, tries = tries + 1, doubts = doubts + 1,
	outcome = $5, session = NULL, attempts = CASE WHEN length(attempts) < $7 THEN attempts || latest ELSE attempts END,
	latest = $6, owner = 0 WHERE id = $1`
	sqlOrphanSegments = `UPDATE segment SET owner = 0, clean = FALSE, last_message = $2 WHERE owner = $1`
)

// register makes this process an owner, once, and gives its number.
func (s *Spool) register() (int64, error) {
	o := &s.me
	if id := o.id.Load(); id != 0 {
		return id, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if id := o.id.Load(); id != 0 {
		return id, nil
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	id := int64(binary.BigEndian.Uint64(b[:])>>1) | 1
	f, err := newLockFile(filepath.Join(s.dir, ownersName))
	if err != nil {
		return 0, stateError("becoming an owner in", s.dir, err)
	}
	name := s.opts.Owner
	if name == "" {
		name = hostProcess()
	}
	now := s.now()
	err = s.writer.do(nil, func(t *tx) error {
		_, err := t.exec(sqlAddOwner, id, filepath.Base(f.Name()), name, now.UnixMilli(), now.Add(s.opts.Lease).UnixMilli())
		return err
	})
	if err != nil {
		return 0, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	o.file, o.path = f, f.Name()
	o.id.Store(id)
	return id, nil
}

// newLockFile makes a file and locks it. A sweep that saw the file before it was locked may
// have unlinked it: then nobody would see the lock, and another one is made.
func newLockFile(dir string) (*os.File, error) {
	for {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		path := filepath.Join(dir, hex.EncodeToString(b[:]))
		f, err := lockFile(path, os.O_CREATE|os.O_EXCL)
		if err != nil {
			return nil, err
		}
		if f == nil {
			continue
		}
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if named, err := os.Lstat(path); err == nil && os.SameFile(mine, named) {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// unlock ends being an owner. Where it could not say so its file stays, for the next sweep to
// find that its lock is free.
func (o *owner) unlock() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	o.file = nil
	if o.id.Load() == 0 {
		if rm := os.Remove(o.path); !errors.Is(rm, fs.ErrNotExist) {
			err = errors.Join(err, rm)
		}
	}
	return err
}

// lastly is what every transaction does besides its jobs.
func (s *Spool) lastly(t *tx) error { return errors.Join(s.noteIntents(t), s.signOfLife(t)) }

// signOfLife prolongs the lease along with whatever else is written, when a third of it has passed.
func (s *Spool) signOfLife(t *tx) error {
	now := s.now()
	if passed := now.Sub(s.me.renewed); passed >= 0 && passed < s.opts.Lease/3 {
		return nil
	}
	id := s.me.id.Load()
	if id == 0 {
		return nil
	}
	if _, err := t.exec(sqlRenew, id, now.Add(s.opts.Lease).UnixMilli()); err != nil {
		return err
	}
	s.me.renewed = now
	return nil
}

// errBuried: this process lives, and was taken for dead all the same: its lock file was removed.
var errBuried = errors.New("this process was taken for dead by another one, for its file in " + ownersName + "/ was removed")

// exhume makes this process an owner anew, under another number, when it is next asked to be one.
func (s *Spool) exhume(buried int64) {
	o := &s.me
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.id.CompareAndSwap(buried, 0) && o.file != nil {
		_ = o.file.Close() // nobody knows its lock any more
		o.file = nil
	}
}

// otherOwner is an owner as the database knows it.
type otherOwner struct {
	id    int64
	lock  string
	lease int64
}

func (s *Spool) others(c *conn) ([]otherOwner, error) {
	var all []otherOwner
	err := c.query(sqlOwners, []any{s.me.id.Load()}, func(r *scan) error {
		all = append(all, otherOwner{r.int(), r.text(), r.int()})
		return nil
	})
	return all, err
}

// alive reports whether an owner holds its lock. When in doubt it does.
func (s *Spool) alive(o otherOwner) bool {
	f, err := lockFile(filepath.Join(s.dir, ownersName, filepath.Base(o.lock)), 0)
	if f == nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	_ = f.Close() // it was only tried
	return false
}

// freed counts what was taken back from owners.
type freed struct {
	owners  int
	doubts  int
	expired int64
}

// reclaim frees the claims of dead owners, and those of owners whose lease has ended that are
// not being sent. What a dead owner was sending is in doubt.
func (s *Spool) reclaim(t *tx) (freed, error) {
	var out freed
	others, err := s.others(t.conn)
	if err != nil {
		return out, err
	}
	now := s.now()
	for _, o := range others {
		if s.alive(o) {
			if o.lease < now.UnixMilli() {
				n, err := s.idleClaims(t, o.id)
				if err != nil {
					return out, err
				}
				out.expired += n
			}
			continue
		}
		n, err := s.giveBack(t, o.id, now)
		if err == nil {
			_, err = orphaned(t, o.id)
		}
		if err == nil {
			_, err = t.exec(sqlBury, o.id)
		}
		if err != nil {
			return out, err
		}
		out.owners++
		out.doubts += n
	}
	return out, nil
}

// idleClaims takes from a living owner what it is not sending, and counts that. It finds out
// before it sends any of it (see intend).
func (s *Spool) idleClaims(t *tx, id int64) (int64, error) {
	sent, err := s.beingSent(t, id)
	if err != nil {
		return 0, err
	}
	n, err := t.exec(sqlIdleClaims, id, numberList(sent))
	if err == nil && n > 0 {
		_, err = t.exec(sqlTaken, id)
	}
	return n, err
}

// giveBack frees an owner's claims and counts those that are in doubt.
func (s *Spool) giveBack(t *tx, id int64, now time.Time) (doubts int, err error) {
	sent, err := s.beingSent(t, id)
	if err != nil {
		return 0, err
	}
	if err := s.doubt(t, sent, now); err != nil {
		return 0, err
	}
	_, err = t.exec(sqlIdleClaims, id, "[]")
	return len(sent), err
}

// orphaned ends an owner's appending to segments, and counts those.
func orphaned(t *tx, id int64) (int64, error) {
	next, err := t.numbers()
	if err != nil {
		return 0, err
	}
	clear(t.segments) // nothing more is accepted into them, in this transaction either
	return t.exec(sqlOrphanSegments, id, next.message-1)
}

// doubt takes note that the final replies to recipients are lost.
func (s *Spool) doubt(t *tx, ids []int64, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	code, enhanced := delivery.Code(policy.ConnectionLost, false)
	o := delivery.Outcome{
		Status: delivery.InDoubt, Reason: policy.ConnectionLost, Code: code, Enhanced: enhanced,
		Text: "sendctl ended while the message was being sent; it may have arrived, and the next attempt may bring a second copy",
	}
	outcome, err := encodeOutcome(o)
	if err != nil {
		return err
	}
	attempt, err := encodeAttempts([]delivery.Attempt{{Time: now, Stage: delivery.StageFinal, Reason: o.Reason, Text: o.Text}})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.exec(sqlDoubt, id, string(o.Status), string(o.Reason), s.afterDoubt(now), outcome, attempt, int64(maxAttempts)); err != nil {
			return err
		}
	}
	return nil
}

// afterDoubt is when a recipient in doubt is due.
func (s *Spool) afterDoubt(next time.Time) any {
	if s.opts.OnDoubt == Hold {
		return nil
	}
	return next.UnixMilli()
}

// retire gives back all that this owner has, so that others need not wait for its end to be
// noticed. Where work is left undone the owner stays, as a dead one, for the next sweep to
// finish that.
func (s *Spool) retire(complete bool) error {
	id := s.me.id.Load()
	if id == 0 {
		return nil
	}
	s.mu.Lock()
	holds := len(s.claims) > 0
	s.mu.Unlock()
	err := s.writer.do(nil, func(t *tx) error {
		if holds {
			if _, err := s.giveBack(t, id, s.now()); err != nil {
				return err
			}
			s.me.sending.clear()
		}
		orphans, err := orphaned(t, id)
		if err != nil {
			return err
		}
		if complete && orphans == 0 {
			_, err = t.exec(sqlDropOwner, id)
		} else {
			_, err = t.exec(sqlBury, id)
		}
		return err
	})
	if err == nil {
		s.me.id.Store(0)
	}
	return err
}
