package spool

import (
	"context"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Changed says what an operator's command did.
type Changed struct {
	Done int // recipients that were changed
	// Busy is those that a process has in its hands just now: they were left alone.
	Busy int
}

// changePage is how many recipients are changed by one transaction.
const changePage = 500

const (
	sqlHold = `UPDATE recipient SET status = 'held', next_at = NULL WHERE id = $1 AND owner = 0 AND status <> 'held'`
	// What was on hold before it was ever tried is queued again; what is in doubt stays so, and is due.
	sqlReleaseHeld = `UPDATE recipient SET next_at = $2, status = CASE WHEN status <> 'held' THEN status
	WHEN doubts > 0 THEN 'in-doubt' WHEN tries > 0 THEN 'deferred' ELSE 'queued' END
	WHERE id = $1 AND owner = 0 AND next_at IS NULL`
	sqlMakeDue = `UPDATE recipient SET next_at = $2 WHERE id = $1 AND owner = 0 AND next_at > $2`
	sqlIsBusy  = `SELECT id FROM recipient WHERE id = $1 AND owner <> 0`
	sqlPick    = `SELECT r.id, r.message FROM recipient r JOIN message m ON m.id = r.message WHERE r.id > `
	sqlTake    = `UPDATE recipient SET owner = $2 WHERE id = $1 AND owner = 0`
)

// Hold keeps recipients from being sent until they are released.
func (s *Spool) Hold(ctx context.Context, f Filter) (Changed, error) {
	return s.change(ctx, f, func(t *tx, p picked) (int64, error) { return t.exec(sqlHold, p.id) })
}

// ReleaseHeld makes recipients that are on hold, or in doubt and kept so, due at once.
func (s *Spool) ReleaseHeld(ctx context.Context, f Filter) (Changed, error) {
	now := s.now().UnixMilli()
	return s.change(ctx, f, func(t *tx, p picked) (int64, error) { return t.exec(sqlReleaseHeld, p.id, now) })
}

// MakeDue makes recipients that wait for a later time due at once. What is on hold stays so.
func (s *Spool) MakeDue(ctx context.Context, f Filter) (Changed, error) {
	now := s.now().UnixMilli()
	return s.change(ctx, f, func(t *tx, p picked) (int64, error) { return t.exec(sqlMakeDue, p.id, now) })
}

// Cancel settles recipients as cancelled: they are in the record, nothing is sent, and nobody
// is told.
func (s *Spool) Cancel(ctx context.Context, f Filter) (Changed, error) {
	me, err := s.register()
	if err != nil {
		return Changed{}, err
	}
	x, err := s.newSettling(&Settlement{Untried: true, Outcome: delivery.Outcome{
		Status: delivery.Cancelled, Reason: policy.Cancelled, Text: "cancelled by the operator",
	}}, me)
	if err != nil {
		return Changed{}, err
	}
	return s.change(ctx, f, func(t *tx, p picked) (int64, error) {
		n, err := t.exec(sqlTake, p.id, me)
		if err != nil || n == 0 {
			return n, err
		}
		x.id, x.values[0], x.message = p.id, p.id, p.message
		ok, err := x.apply(t)
		if err == nil && !ok {
			err = errNoRow
		}
		if err == nil {
			err = dropped(t, []int64{p.id})
		}
		return 1, err
	})
}

// picked is a recipient that a filter picked.
type picked struct{ id, message int64 }

// change does something with each recipient that a filter picks, page by page, and sees to
// messages that this settled. What do leaves alone is counted as busy where it is claimed.
func (s *Spool) change(ctx context.Context, f Filter, do func(*tx, picked) (int64, error)) (Changed, error) {
	var total Changed
	for after := int64(0); ; {
		page, err := s.pick(ctx, f, after)
		if err != nil || len(page) == 0 {
			return total, err
		}
		after = page[len(page)-1].id
		var part Changed
		var done []chore
		err = s.writer.do(nil, func(t *tx) (err error) {
			part, done, err = changePicked(t, page, do)
			return err
		})
		if err != nil {
			return total, err
		}
		s.jan.add(done...)
		total.Done += part.Done
		total.Busy += part.Busy
	}
}

func changePicked(t *tx, page []picked, do func(*tx, picked) (int64, error)) (out Changed, done []chore, err error) {
	var messages []claim
	for _, p := range page {
		n, err := do(t, p)
		if err != nil {
			return out, nil, err
		}
		out.Done += int(n)
		messages = append(messages, claim{message: p.message})
		if n > 0 {
			continue
		}
		if err := t.query(sqlIsBusy, []any{p.id}, func(*scan) error { out.Busy++; return nil }); err != nil {
			return out, nil, err
		}
	}
	done, err = completed(t, messages)
	return out, done, err
}

func (s *Spool) pick(ctx context.Context, f Filter, after int64) ([]picked, error) {
	w := where{sql: sqlPick}
	w.sql += w.arg(after)
	w.filter(f)
	w.sql += " ORDER BY r.id LIMIT " + w.arg(int64(changePage))
	var page []picked
	err := s.reading(ctx, func(c *conn) error {
		return c.queryOnce(w.sql, w.args, func(r *scan) error { page = append(page, picked{r.int(), r.int()}); return nil })
	})
	return page, err
}
