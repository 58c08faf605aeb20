package spool

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// janitor overwrites the bodies of settled messages and unlinks segments in which nothing
// lives. It works behind the callers' backs, on whatever waits; what it leaves undone at a
// crash the next sweep finds in the database.
type janitor struct {
	s *Spool
	// dirty is the segments in which a body could not be overwritten; the goroutine's own.
	dirty map[int64]bool
	zeros []byte // what bodies are overwritten with; the goroutine's own

	mu      sync.Mutex
	round   *sync.Cond // told when chores are finished
	waiting []chore
	// How many chores ever came, and how many of them, in their order, are finished.
	came, finished int
	closed         bool
	err            error // what failed since it was asked last
	wake           chan struct{}
	ended          chan struct{}
}

// chore is a body to overwrite: that of a settled message, or one that never was accepted
// (message 0); or a segment that nobody appends to any more.
type chore struct {
	message int64
	body    place
	sealed  *segment
}

func newJanitor(s *Spool) *janitor {
	j := &janitor{s: s, dirty: map[int64]bool{}, zeros: make([]byte, writeSize), wake: make(chan struct{}, 1), ended: make(chan struct{})}
	j.round = sync.NewCond(&j.mu)
	return j
}

func (j *janitor) add(chores ...chore) {
	if len(chores) == 0 {
		return
	}
	j.mu.Lock()
	j.waiting = append(j.waiting, chores...)
	j.came += len(chores)
	j.mu.Unlock()
	j.nudge()
}

func (j *janitor) nudge() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// drain waits until all chores that came before are finished, and gives what failed since the
// last time.
func (j *janitor) drain() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for all := j.came; j.finished < all; {
		j.round.Wait()
	}
	err := j.err
	j.err = nil
	return err
}

// close drains and ends the goroutine.
func (j *janitor) close() error {
	err := j.drain()
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.nudge()
	<-j.ended
	return err
}

func (j *janitor) run() {
	defer close(j.ended)
	for {
		j.mu.Lock()
		chores, closed := j.waiting, j.closed
		j.waiting = nil
		j.mu.Unlock()
		switch {
		case len(chores) > 0:
			err := j.clean(chores)
			j.mu.Lock()
			j.err = distinct(j.err, err)
			j.finished += len(chores)
			j.round.Broadcast()
			j.mu.Unlock()
		case closed:
			return
		default:
			<-j.wake
		}
	}
}

// clean overwrites bodies, lets go of their messages' rows, and unlinks what became empty.
func (j *janitor) clean(chores []chore) error {
	bodies := map[int64][]chore{}
	var sealed []*segment
	var wiped, touched []int64
	var failed error
	for _, c := range chores {
		if c.sealed != nil {
			sealed = append(sealed, c.sealed)
		} else {
			bodies[c.body.segment] = append(bodies[c.body.segment], c)
		}
	}
	for id, group := range bodies {
		if err := j.s.overwrite(id, group, j.zeros); err != nil {
			j.dirty[id] = true
			failed = distinct(failed, err)
			continue
		}
		touched = append(touched, id)
		for _, c := range group {
			if c.message != 0 {
				wiped = append(wiped, c.message)
			}
		}
	}
	for _, seg := range sealed {
		failed = distinct(failed, j.s.disown(seg, !j.dirty[seg.id]))
		touched = append(touched, seg.id)
	}
	return distinct(failed, j.s.forget(wiped, touched))
}

// overwrite puts zeros in the place of bodies of one segment, durably.
func (s *Spool) overwrite(id int64, group []chore, zeros []byte) error {
	path := s.shelf.path(id)
	f, err := s.shelf.files.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing is left to overwrite
	}
	if err != nil {
		return stateError("overwriting", path, err)
	}
	for _, c := range merged(group) {
		if err = zero(f, c.start, c.length, zeros); err != nil {
			break
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return stateError("overwriting", path, errors.Join(err, f.Close()))
}

// merged is the places of bodies, those that lie side by side as one.
func merged(group []chore) []place {
	places := make([]place, len(group))
	for i := range group {
		places[i] = group[i].body
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.start, b.start) })
	out := places[:0]
	for _, p := range places {
		if n := len(out); n > 0 && out[n-1].start+out[n-1].length == p.start {
			out[n-1].length += p.length
			continue
		}
		out = append(out, p)
	}
	return out
}

// zero overwrites length octets, none beyond the file's end.
func zero(f bodyFile, start, length int64, zeros []byte) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	length = min(length, size-start)
	for length > 0 {
		n, err := f.WriteAt(zeros[:min(length, int64(len(zeros)))], start)
		if err != nil {
			return err
		}
		start, length = start+int64(n), length-int64(n)
	}
	return nil
}

// blank reports whether length octets are zeros already; beyond the file's end all are.
func blank(f io.ReaderAt, start, length int64, buf []byte) (bool, error) {
	for length > 0 {
		n, err := f.ReadAt(buf[:min(length, int64(len(buf)))], start)
		for _, b := range buf[:n] {
			if b != 0 {
				return false, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		start, length = start+int64(n), length-int64(n)
	}
	return true, nil
}

// disown lets others unlink a segment that this process appended to.
func (s *Spool) disown(seg *segment, clean bool) error {
	err := s.writer.do(nil, func(t *tx) error {
		next, err := t.numbers()
		if err == nil {
			_, err = t.exec(sqlDisownSegment, seg.id, clean, next.message-1)
		}
		return err
	})
	return errors.Join(err, seg.file.Close())
}

const (
	sqlDisownSegment = `UPDATE segment SET owner = 0, clean = $2, last_message = $3 WHERE id = $1`
	sqlAnyBounce     = `SELECT EXISTS (SELECT 1 FROM record WHERE bounce = 1)`
	// What a bounce that has to be told yet needs of the message stays.
	sqlKeepAuthors = `INSERT INTO author (message, header_from, header_date)
	SELECT b.message, b.header_from, b.header_date FROM body b WHERE b.message BETWEEN $1 AND $2
	AND EXISTS (SELECT 1 FROM record c WHERE c.message = b.message AND c.bounce = 1)`
	sqlForgetBodies = `DELETE FROM body WHERE message BETWEEN $1 AND $2`
	sqlEmptySegment = `SELECT g.id FROM segment g WHERE g.id = $1 AND g.owner = 0 AND g.clean
	AND NOT EXISTS (SELECT 1 FROM ` + bodies + ` WHERE ` + inSegment + `)`
	sqlDropSegment = `DELETE FROM segment WHERE id = $1`
)

// forget takes note that bodies are overwritten, and unlinks those of the segments in which
// nothing lives any more. The file goes before its row, so that there never is a file that
// the database does not know.
func (s *Spool) forget(messages, segments []int64) error {
	if len(messages)+len(segments) == 0 {
		return nil
	}
	var empty []int64
	err := s.writer.do(nil, func(t *tx) (err error) {
		empty, err = forgotten(t, messages, segments)
		return err
	})
	if err != nil || len(empty) == 0 {
		return err
	}
	for _, id := range empty {
		if err := s.shelf.files.remove(s.shelf.path(id)); err != nil {
			return stateError("removing", s.shelf.path(id), err)
		}
	}
	return s.writer.do(nil, func(t *tx) error {
		for _, id := range empty {
			if _, err := t.exec(sqlDropSegment, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgotten drops the bodies of messages, which are overwritten, and gives the segments that are
// empty now.
func forgotten(t *tx, messages, segments []int64) ([]int64, error) {
	bounces := false
	if err := t.query(sqlAnyBounce, nil, func(r *scan) error { bounces = r.yes(); return nil }); err != nil {
		return nil, err
	}
	for first, last := range runs(messages) {
		if bounces {
			if _, err := t.exec(sqlKeepAuthors, first, last); err != nil {
				return nil, err
			}
		}
		if _, err := t.exec(sqlForgetBodies, first, last); err != nil {
			return nil, err
		}
	}
	var empty []int64
	for _, id := range segments {
		if err := t.query(sqlEmptySegment, []any{id}, func(r *scan) error { empty = append(empty, r.int()); return nil }); err != nil {
			return nil, err
		}
	}
	return empty, nil
}
