package spool

import "context"

const sqlDue = `UPDATE recipient SET next_at = $2 WHERE id = $1 AND owner = 0 AND next_at > $2`

// MakeDue makes recipients that wait for a later time due at once. What is on hold stays so.
func (s *Spool) MakeDue(ctx context.Context, f Filter) (Changed, error) {
	now := s.now().UnixMilli()
	return s.change(ctx, f, func(t *tx, p picked) (int64, error) { return t.exec(sqlDue, p.id, now) })
}
