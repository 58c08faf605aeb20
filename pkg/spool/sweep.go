package spool

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Recovery is what a sweep found and finished.
type Recovery struct {
	DeadOwners int // processes that ended without closing the spool, or could not finish when they did
	InDoubt    int // recipients that one of them was sending
	Wiped      int // bodies of settled messages that one of them had not overwritten
	// Strays names files that were found in bodies/ and are no segments of this spool; they
	// were moved to corrupt/.
	Strays []string
	// Err is what could not be finished, where Open swept; nil for nothing.
	Err error
}

const (
	sqlBuried = `SELECT id FROM owner WHERE buried`
	sqlToWipe = `SELECT b.message, m.segment, m.start, m.length FROM ` + bodies + ` WHERE ` + ofBody + `
	AND NOT EXISTS (SELECT 1 FROM recipient r WHERE ` + ofMessage + `)`
	sqlUnclean = `SELECT id FROM segment WHERE owner = 0 AND NOT clean ORDER BY id`
	sqlLiveIn  = `SELECT m.start, m.length FROM segment g CROSS JOIN ` + bodies + `
	WHERE g.id = $1 AND ` + inSegment + ` ORDER BY m.start`
	sqlCleaned   = `UPDATE segment SET clean = TRUE WHERE id = $1 AND owner = 0`
	sqlAbandoned = `SELECT id FROM segment WHERE owner = 0 AND clean`
	sqlSegments  = `SELECT id FROM segment`
	sqlLocks     = `SELECT lock FROM owner`
)

// Sweep frees what dead owners had claimed and finishes what they left undone: bodies of
// settled messages are overwritten, and so is what no message names; empty segments are
// unlinked. Open sweeps. Where another process does so just now there is nothing to do.
func (s *Spool) Sweep(ctx context.Context) (Recovery, error) {
	var found Recovery
	if err := ctx.Err(); err != nil {
		return found, err
	}
	lock, err := lockFile(filepath.Join(s.dir, sweepLockName), os.O_CREATE)
	if err != nil {
		return found, stateError("sweeping", s.dir, err)
	}
	if lock == nil {
		return found, nil
	}
	for _, step := range []func(*Recovery) error{s.sweepOwners, s.sweepDead, s.sweepStrays, s.sweepLocks} {
		if err = step(&found); err != nil {
			break
		}
	}
	return found, errors.Join(err, lock.Close())
}

// sweepOwners frees the claims of dead owners. Where there are no other owners nothing is written.
func (s *Spool) sweepOwners(found *Recovery) error {
	var others []otherOwner
	err := s.reading(context.Background(), func(c *conn) (err error) {
		others, err = s.others(c)
		return err
	})
	if err != nil || len(others) == 0 {
		return err
	}
	return s.writer.do(nil, func(t *tx) error {
		freed, err := s.reclaim(t)
		found.InDoubt = freed.doubts
		return err
	})
}

// sweepDead finishes what dead owners left undone, and forgets them then. Who lives does all
// of this by itself.
func (s *Spool) sweepDead(found *Recovery) error {
	dead, err := s.numbers(sqlBuried)
	if err != nil || len(dead) == 0 {
		return err
	}
	found.DeadOwners = len(dead)
	if err := s.sweepBodies(found); err != nil {
		return err
	}
	if err := s.sweepSegments(); err != nil {
		return err
	}
	return s.writer.do(nil, func(t *tx) error {
		for _, id := range dead {
			if _, err := t.exec(sqlDropOwner, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweepBodies overwrites bodies of settled messages.
func (s *Spool) sweepBodies(found *Recovery) error {
	var chores []chore
	err := s.reading(context.Background(), func(c *conn) error {
		return c.query(sqlToWipe, nil, func(r *scan) error {
			chores = append(chores, chore{message: r.int(), body: place{segment: r.int(), start: r.int(), length: r.int()}})
			return nil
		})
	})
	if err != nil {
		return err
	}
	s.jan.add(chores...)
	found.Wiped = len(chores)
	return s.jan.drain()
}

// sweepSegments overwrites what no message names in segments that nobody appends to, and
// unlinks those in which nothing lives.
func (s *Spool) sweepSegments() error {
	unclean, err := s.numbers(sqlUnclean)
	if err != nil {
		return err
	}
	for _, id := range unclean {
		if err := s.sweepSegment(id); err != nil {
			return err
		}
	}
	abandoned, err := s.numbers(sqlAbandoned)
	if err != nil {
		return err
	}
	return s.forget(nil, abandoned)
}

// sweepSegment overwrites the gaps between the bodies that live in a segment.
func (s *Spool) sweepSegment(id int64) error {
	var live []place
	err := s.reading(context.Background(), func(c *conn) error {
		return c.query(sqlLiveIn, []any{id}, func(r *scan) error {
			live = append(live, place{start: r.int(), length: r.int()})
			return nil
		})
	})
	if err != nil {
		return err
	}
	path := s.shelf.path(id)
	f, err := s.shelf.files.open(path)
	if err == nil {
		err = errors.Join(fillGaps(f, live), f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return stateError("overwriting", path, err)
	}
	return s.writer.do(nil, func(t *tx) error {
		_, err := t.exec(sqlCleaned, id)
		return err
	})
}

// fillGaps puts zeros where no body lives, and reads first what is zeros already.
func fillGaps(f bodyFile, live []place) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	buf, zeros := make([]byte, writeSize), make([]byte, writeSize)
	at, wrote := int64(0), false
	for _, p := range append(live, place{start: size}) {
		for at < p.start {
			n := min(p.start-at, writeSize)
			empty, err := blank(f, at, n, buf)
			if err == nil && !empty {
				wrote = true
				err = zero(f, at, n, zeros)
			}
			if err != nil {
				return err
			}
			at += n
		}
		at = max(at, p.start+p.length)
	}
	if wrote {
		return f.Sync()
	}
	return nil
}

// sweepStrays moves files out of bodies/ that the database does not know (F6): they are none
// that a crash can have left, for a segment is in the database before its file is made.
func (s *Spool) sweepStrays(found *Recovery) error {
	dir := filepath.Join(s.dir, bodiesName)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		return stateError("reading", dir, err)
	}
	// After the files were listed: whatever is in the list was in the database before.
	ids, err := s.numbers(sqlSegments)
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, id := range ids {
		known[id] = true
	}
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		id, err := strconv.ParseInt(digits, 16, 64)
		if ok && err == nil && filepath.Base(s.shelf.path(id)) == e.Name() && (known[id] || s.gone(e.Name())) {
			continue
		}
		if err := s.setAside(e.Name()); err != nil {
			return err
		}
		found.Strays = append(found.Strays, filepath.Join(dir, e.Name()))
	}
	return nil
}

// gone reports a segment that another process unlinked since it was listed.
func (s *Spool) gone(name string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, bodiesName, name))
	return errors.Is(err, fs.ErrNotExist)
}

// setAside moves a file from bodies/ to corrupt/, under a name that is free there.
func (s *Spool) setAside(name string) error {
	from, dir := filepath.Join(s.dir, bodiesName, name), filepath.Join(s.dir, corruptName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return stateError("making", dir, err)
	}
	for n := 0; ; n++ {
		to := filepath.Join(dir, name)
		if n > 0 {
			to += "." + strconv.Itoa(n)
		}
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := os.Rename(from, to); err != nil {
			return stateError("moving aside", from, err)
		}
		return stateError("moving aside", from, errors.Join(syncDir(dir), syncDir(filepath.Dir(from))))
	}
}

// sweepLocks unlinks lock files that nobody holds and no owner has.
func (s *Spool) sweepLocks(*Recovery) error {
	dir := filepath.Join(s.dir, ownersName)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 || !unlinkOpen {
		return stateError("reading", dir, err)
	}
	used := map[string]bool{}
	err = s.reading(context.Background(), func(c *conn) error {
		return c.query(sqlLocks, nil, func(r *scan) error { used[r.text()] = true; return nil })
	})
	if err != nil {
		return err
	}
	for _, e := range entries {
		if used[e.Name()] {
			continue
		}
		path := filepath.Join(dir, e.Name())
		f, err := lockFile(path, 0)
		if f == nil || err != nil {
			continue // it is held by one who becomes an owner just now, or gone already
		}
		if err := errors.Join(os.Remove(path), f.Close()); err != nil {
			return stateError("removing", path, err)
		}
	}
	return nil
}

func (s *Spool) numbers(sql string) ([]int64, error) {
	var ids []int64
	err := s.reading(context.Background(), func(c *conn) error {
		return c.query(sql, nil, func(r *scan) error { ids = append(ids, r.int()); return nil })
	})
	return ids, err
}

const sqlBeginSegment = `INSERT INTO segment (owner, clean, first_message) VALUES ($1, FALSE, $2) RETURNING id`

// beginSegment registers a segment of this owner.
func (s *Spool) beginSegment() (id, me int64, err error) {
	if me, err = s.register(); err != nil {
		return 0, 0, err
	}
	err = s.writer.do(nil, func(t *tx) error {
		next, err := t.numbers()
		if err != nil {
			return err
		}
		return t.query(sqlBeginSegment, []any{me, next.message}, func(r *scan) error { id = r.int(); return nil })
	})
	return id, me, err
}
