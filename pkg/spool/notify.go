package spool

import (
	"context"
	"time"
)

// Failure is what the sender of a message has to be told: recipients of it that bounced and
// were not reported yet.
type Failure struct {
	Message Message // with From and Date; without a body, perhaps
	Rows    []Row   // of the record
	// Complete says that every recipient of the message is settled, so that nothing can come on top.
	Complete bool
}

// Delay is a message that has waited long, of which the sender was not told yet.
type Delay struct {
	Message    Message
	Recipients []Recipient // those that are deferred
}

// pendingPage is how many messages PendingBounces and PendingNotices give at most.
const pendingPage = 500

const (
	sqlBouncing = `SELECT ` + messageColumns + `, NOT EXISTS (SELECT 1 FROM recipient r WHERE ` + ofMessage + `) FROM message m
	LEFT JOIN body b ON ` + ofBody + ` WHERE m.id IN (SELECT message FROM record WHERE bounce = 1 ORDER BY message LIMIT $1) ORDER BY m.id`
	sqlBounced = `SELECT ` + recordColumns + ` FROM record c JOIN message m ON m.id = c.message
	WHERE c.message = $1 AND c.bounce = 1 ORDER BY c.id`
	sqlReported = `UPDATE record SET bounce = 2 WHERE id = $1 AND bounce = 1 RETURNING message`
	sqlTold     = `DELETE FROM author WHERE message = $1
	AND NOT EXISTS (SELECT 1 FROM record WHERE message = $1 AND bounce = 1)`
	sqlDelayed = `SELECT ` + messageColumns + ` FROM ` + bodies + ` WHERE ` + ofBody + ` AND m.queued_at < $1 AND NOT m.noticed AND NOT m.notification
	AND m.sender_domain <> '' AND EXISTS (SELECT 1 FROM recipient r WHERE ` + ofMessage + ` AND r.status = 'deferred') ORDER BY m.id LIMIT $2`
	sqlDeferredOf = `SELECT ` + queueColumns + ` FROM message m JOIN recipient r ON ` + ofMessage + `
	WHERE m.id = $1 AND r.status = 'deferred' ORDER BY r.id`
	sqlNoticed = `UPDATE message SET noticed = TRUE WHERE id = $1 AND NOT noticed`
)

// PendingBounces gives messages of which the sender has to be told that recipients bounced, up
// to some hundred at a time. A bounce is handed on exactly once when it is queued with
// Incoming.Reports, or written to a file before BounceDone. Never one for the null
// reverse-path, or about a notification.
func (s *Spool) PendingBounces(ctx context.Context) ([]Failure, error) {
	var out []Failure
	err := s.reading(ctx, func(c *conn) error {
		err := c.query(sqlBouncing, []any{int64(pendingPage)}, func(r *scan) error {
			var f Failure
			scanMessage(r, &f.Message)
			f.Complete = r.yes()
			out = append(out, f)
			return nil
		})
		for i := 0; i < len(out) && err == nil; i++ {
			var raws []rawRow
			err = c.query(sqlBounced, []any{out[i].Message.ID}, func(r *scan) error {
				raws = append(raws, rawRow{})
				scanRecord(r, &raws[len(raws)-1])
				return nil
			})
			if err == nil {
				out[i].Rows, err = s.decoded(c, raws)
			}
		}
		return err
	})
	return out, err
}

// BounceDone takes note that the sender was told of rows of the record, or never will be. An
// error of ErrReported: of one of them somebody else took note; nothing is changed.
func (s *Spool) BounceDone(_ context.Context, records ...int64) error {
	return s.writer.do(nil, func(t *tx) error { return bounceDone(t, records) })
}

func bounceDone(t *tx, records []int64) error {
	for _, id := range records {
		var message int64
		if err := t.query(sqlReported, []any{id}, func(r *scan) error { message = r.int(); return nil }); err != nil {
			return err
		}
		if message == 0 {
			return ErrReported
		}
		if _, err := t.exec(sqlTold, message); err != nil {
			return err
		}
	}
	return nil
}

// PendingNotices gives messages queued before some time of which recipients are deferred and
// the sender was not told so, up to some hundred at a time.
func (s *Spool) PendingNotices(ctx context.Context, queuedBefore time.Time) ([]Delay, error) {
	var out []Delay
	err := s.reading(ctx, func(c *conn) error {
		err := c.query(sqlDelayed, []any{queuedBefore.UnixMilli(), int64(pendingPage)}, func(r *scan) error {
			var d Delay
			scanMessage(r, &d.Message)
			out = append(out, d)
			return nil
		})
		for i := 0; i < len(out) && err == nil; i++ {
			out[i].Recipients, err = s.deferredOf(c, out[i].Message.ID)
		}
		return err
	})
	return out, err
}

func (s *Spool) deferredOf(c *conn, message int64) ([]Recipient, error) {
	var raws []rawRow
	err := c.query(sqlDeferredOf, []any{message}, func(r *scan) error {
		raws = append(raws, rawRow{})
		scanQueued(r, &raws[len(raws)-1])
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := s.decoded(c, raws)
	out := make([]Recipient, len(rows))
	for i := range rows {
		out[i] = rows[i].Recipient
	}
	return out, err
}

// NoticeDone takes note that the sender of a message, by its ID, was told of its delay, or
// never will be. ErrReported: somebody else did, or the message is gone.
func (s *Spool) NoticeDone(_ context.Context, message int64) error {
	return s.writer.do(nil, func(t *tx) error { return noticeDone(t, message) })
}

func noticeDone(t *tx, message int64) error {
	n, err := t.exec(sqlNoticed, message)
	if err == nil && n == 0 {
		err = ErrReported
	}
	return err
}

// reported takes note of what an incoming notification tells.
func reported(t *tx, in *Incoming) error {
	if err := bounceDone(t, in.Reports); err != nil || in.Notices == 0 {
		return err
	}
	return noticeDone(t, in.Notices)
}
