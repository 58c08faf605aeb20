package spool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
)

// Filter picks recipients; its fields must all fit, and zero fields fit anything.
type Filter struct {
	IDs      []string // queue ids
	Statuses []delivery.Status
	Profile  string
	Reason   string
	// Recipient and Sender: an empty local part means any of the domain. Local parts are
	// compared as they are, domains in lower-case A-labels.
	Recipient, Sender mail.Address
	QueuedBefore      time.Time
}

// ClaimRequest says what to claim.
type ClaimRequest struct {
	Filter
	Limit int  // recipients; 0: 1000
	All   bool // whether due or not; what is held is not claimed
	// Horizon is the longest that a recipient can have to wait. What is due later than that
	// from now was put off by a clock that was wrong, and is due (F14). 0: no such check.
	Horizon time.Duration
}

// The plus before a column keeps SQLite from preparing the statement anew for every value: it
// would look at each whether a partial index on that column fits.
const (
	sqlNotSoLate = `UPDATE recipient SET next_at = $1 WHERE next_at > $2 AND owner = 0`
	sqlClaimable = `SELECT ` + messageColumns + `, ` + queueColumns + ` FROM recipient r JOIN message m ON m.id = r.message
	LEFT JOIN body b ON ` + ofBody + ` WHERE r.owner = 0 AND r.next_at IS NOT NULL`
	sqlClaim   = `UPDATE recipient SET owner = $2 WHERE id = $1 AND owner = 0`
	sqlRelease = `UPDATE recipient SET owner = 0 WHERE id = $1 AND +owner = $2`
	sqlHoldBad = `UPDATE recipient SET status = $3, next_at = NULL, owner = 0, outcome = $4
	WHERE id = $1 AND +owner = $2`
	sqlClaimedOf = `SELECT r.id FROM message m JOIN recipient r ON ` + ofMessage + ` WHERE m.id = $1 AND r.owner = $2`
)

// Claim makes due recipients this owner's, those that wait longest first, and gives them by
// message. Claims of dead owners are freed before. An entry that cannot be read is put on
// hold, with the reason as its outcome, and left out. No entries: nothing is due.
func (s *Spool) Claim(ctx context.Context, req ClaimRequest) ([]Entry, error) {
	if err := errors.Join(ctx.Err(), s.usable()); err != nil {
		return nil, err
	}
	if req.Limit <= 0 {
		req.Limit = 1000
	}
	me, err := s.register()
	if err != nil {
		return nil, err
	}
	raws, err := s.claimRaw(me, req)
	if errors.Is(err, errBuried) {
		s.exhume(me)
		if me, err = s.register(); err == nil {
			raws, err = s.claimRaw(me, req)
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range raws {
		s.claimed(me, raws[i].Recipient.ID, &raws[i].Message, false)
	}
	var rows []Row
	err = s.reading(context.WithoutCancel(ctx), func(c *conn) error {
		rows, err = s.decoded(c, raws)
		return err
	})
	if err == nil {
		rows, err = s.withoutFaults(me, rows)
	}
	if err != nil {
		return nil, errors.Join(err, s.releaseAll(raws))
	}
	return byMessage(rows), nil
}

// releaseAll gives back claims of which nobody came to know.
func (s *Spool) releaseAll(raws []rawRow) error {
	ids := make([]int64, len(raws))
	for i := range raws {
		ids[i] = raws[i].Recipient.ID
	}
	if err := s.Release(context.Background(), ids...); err != nil && !lostClaims(err) {
		return err
	}
	return nil
}

// claimRaw is the transaction of Claim. Where it finds a dead owner, what that left undone is
// finished at once.
func (s *Spool) claimRaw(me int64, req ClaimRequest) ([]rawRow, error) {
	var raws []rawRow
	var found freed
	err := s.writer.do(nil, func(t *tx) error {
		raws = raws[:0]
		// Also makes sure that this is an owner still, so that no claim is ever nobody's.
		n, err := t.exec(sqlRenew, me, s.now().Add(s.opts.Lease).UnixMilli())
		if err == nil && n == 0 {
			err = errBuried
		}
		if err == nil {
			found, err = s.reclaim(t)
		}
		if err != nil {
			return err
		}
		return s.claimDue(t, me, req, &raws)
	})
	if err == nil && found.owners > 0 {
		// What a sweep cannot finish it tries again when the spool is next opened: what was
		// claimed is not to be given up for it.
		_, _ = s.Sweep(context.Background())
	}
	return raws, err
}

func (s *Spool) claimDue(t *tx, me int64, req ClaimRequest, raws *[]rawRow) error {
	now := s.now()
	if req.Horizon > 0 {
		if _, err := t.exec(sqlNotSoLate, now.UnixMilli(), now.Add(req.Horizon).UnixMilli()); err != nil {
			return err
		}
	}
	w := where{sql: sqlClaimable}
	if !req.All {
		w.and("r.next_at <= ", now.UnixMilli())
	}
	w.filter(req.Filter)
	w.sql += " ORDER BY r.next_at, r.id LIMIT " + w.arg(int64(req.Limit))
	err := t.queryOnce(w.sql, w.args, func(r *scan) error {
		var raw rawRow
		scanMessage(r, &raw.Message)
		scanQueued(r, &raw)
		raw.Recipient.Claimed = true
		if raw.Message.body.segment == 0 {
			raw.Recipient.Fault = "its body is gone"
		}
		*raws = append(*raws, raw)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range *raws {
		if _, err := t.exec(sqlClaim, (*raws)[i].Recipient.ID, me); err != nil {
			return err
		}
	}
	return nil
}

// withoutFaults puts what cannot be read on hold and gives the rest.
func (s *Spool) withoutFaults(me int64, rows []Row) ([]Row, error) {
	good := make([]Row, 0, len(rows))
	bad := map[int64]string{}
	for _, r := range rows {
		if r.Recipient.Fault == "" {
			good = append(good, r)
		} else {
			bad[r.Recipient.ID] = "its entry is damaged: " + r.Recipient.Fault
		}
	}
	if len(bad) == 0 {
		return good, nil
	}
	return good, s.holdBad(me, bad)
}

// holdBad puts recipients that this owner has claimed on hold, each with its reason.
func (s *Spool) holdBad(me int64, why map[int64]string) error {
	err := s.writer.do(nil, func(t *tx) error {
		for id, text := range why {
			outcome, err := encodeOutcome(delivery.Outcome{Status: delivery.Held, Text: text})
			if err != nil {
				return err
			}
			if _, err := t.exec(sqlHoldBad, id, me, string(delivery.Held), outcome); err != nil {
				return err
			}
			s.unsent(me, id)
		}
		return nil
	})
	if err == nil {
		for id := range why {
			s.unclaimed(id)
		}
	}
	return err
}

// quarantine puts the claimed recipients of a message on hold.
func (s *Spool) quarantine(message int64, text string) error {
	me := s.me.id.Load()
	if me == 0 {
		return nil
	}
	why := map[int64]string{}
	err := s.writer.do(nil, func(t *tx) error {
		clear(why)
		return t.query(sqlClaimedOf, []any{message, me}, func(r *scan) error { why[r.int()] = text; return nil })
	})
	if err != nil || len(why) == 0 {
		return err
	}
	return s.holdBad(me, why)
}

// byMessage gathers rows into entries, in the order of their first rows.
func byMessage(rows []Row) []Entry {
	var out []Entry
	at := map[int64]int{}
	for _, r := range rows {
		i, ok := at[r.Message.ID]
		if !ok {
			i = len(out)
			at[r.Message.ID] = i
			out = append(out, Entry{Message: r.Message})
		}
		out[i].Recipients = append(out[i].Recipients, r.Recipient)
	}
	return out
}

// Intend writes down that recipients are about to be sent to. It has to return before the
// last octet of their message leaves, better before the transaction begins: from then on,
// should this process die, they are in doubt. Those that are no longer this owner's are named
// by a *ClaimLostError and must not be sent; the intent for the others stands.
func (s *Spool) Intend(ctx context.Context, recipients ...int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.eachClaim(s.intend, recipients)()
}

// Intending begins to do what Intend does, and gives the function that waits for its end. The
// function may be called more than once, and gives the same error.
func (s *Spool) Intending(recipients ...int64) (wait func() error) {
	return sync.OnceValue(s.eachClaim(s.intend, recipients))
}

// Release gives claims back, also after Intend: whoever calls it knows that the final dot
// never left. The recipients are due as they were before.
func (s *Spool) Release(_ context.Context, recipients ...int64) error {
	err := s.eachClaim(s.release, recipients)()
	if err == nil || lostClaims(err) {
		s.unclaimed(recipients...)
	}
	return err
}

// Renew is a sign of life for times in which nothing is written: it prolongs the lease of all
// claims. Every transaction does so too.
func (s *Spool) Renew(_ context.Context) error {
	me, err := s.register()
	if err != nil {
		return err
	}
	return s.writer.do(nil, func(t *tx) error {
		_, err := t.exec(sqlRenew, me, s.now().Add(s.opts.Lease).UnixMilli())
		return err
	})
}

// release gives back claims of this process, and gives those that are not its own any more.
func (s *Spool) release(t *tx, me int64, recipients []int64) (lost []int64, err error) {
	for _, id := range recipients {
		n, err := t.exec(sqlRelease, id, me)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			lost = append(lost, id)
		}
		s.unsent(me, id)
	}
	return lost, nil
}

// eachClaim begins to do something with claims, and gives the function that waits for its end and
// names those that are lost.
func (s *Spool) eachClaim(do func(t *tx, me int64, recipients []int64) (lost []int64, err error), recipients []int64) (wait func() error) {
	me := s.me.id.Load()
	if me == 0 {
		return func() error { return &ClaimLostError{recipients} } // whoever is no owner has no claims
	}
	var lost []int64
	written := s.writer.begin(nil, func(t *tx) (err error) {
		lost, err = do(t, me, recipients)
		return err
	})
	return func() error {
		err := <-written
		if err == nil && len(lost) > 0 {
			s.unclaimed(lost...)
			return &ClaimLostError{lost}
		}
		return err
	}
}
