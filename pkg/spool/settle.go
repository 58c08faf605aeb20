package spool

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// Settlement is what an attempt for a claimed recipient came to.
type Settlement struct {
	Recipient int64
	// Outcome, with the attempts of this time only: the spool has the earlier ones.
	Outcome delivery.Outcome
	// Next is when it is due again where the outcome is deferred or in doubt; zero: at once.
	Next time.Time
	// Untried says that no attempt was made, so that none is counted: its host backs off.
	Untried bool
}

// maxAttempts is up to how many octets of earlier attempts are kept beside the last one's.
const maxAttempts = 32 << 10

const (
	sqlRecord = `INSERT INTO record (id, message, recipient, local, domain, profile, decision, doubts, status, reason, tries,
	outcome, session, cleartext, settled_at, attempts, bounce)
	SELECT $13, r.message, r.id, r.local, r.domain, r.profile, r.decision, r.doubts, $3, $4, r.tries + $5,
	$6, $7, $8, $9, CASE WHEN length(r.attempts) < $10 THEN r.attempts || r.latest ELSE r.attempts END || $11,
	CASE WHEN $12 = 0 THEN 0 ELSE (SELECT NOT m.notification AND m.sender_domain <> '' FROM message m WHERE m.id = r.message) END
	FROM recipient r WHERE r.id = $1 AND +r.owner = $2`
	sqlMessageOf      = `SELECT message FROM recipient WHERE id = $1`
	sqlDropRecipients = `DELETE FROM recipient WHERE id BETWEEN $1 AND $2`
	// What was not delivered may be sent again.
	sqlDropKnown = `DELETE FROM known WHERE key = (SELECT key FROM recipient WHERE id = $1) AND recipient = $1`
	sqlPutOff    = `UPDATE recipient SET status = $3, reason = $4, next_at = $5, tries = tries + $6, doubts = doubts + $7,
	outcome = $8, session = $9,
	attempts = CASE WHEN $11 <> '' AND length(attempts) < $10 THEN attempts || latest ELSE attempts END,
	latest = CASE WHEN $11 <> '' THEN $11 ELSE latest END, owner = 0 WHERE id = $1 AND +owner = $2`
	sqlComplete = `SELECT m.segment, m.start, m.length FROM ` + bodies + ` WHERE ` + ofBody + ` AND b.message = $1
	AND NOT EXISTS (SELECT 1 FROM recipient r WHERE ` + ofMessage + `)`
)

// Settle writes outcomes of claimed recipients: the final ones (delivered, bounced, cancelled)
// into the record, in the same transaction in which the recipient leaves the queue; the others
// back into the queue. The claims end. Once all recipients of a message are settled its body
// is overwritten. Recipients that are not this owner's any more are named by a *ClaimLostError;
// the others are settled nevertheless. After any other error nothing is written, and whoever
// gets it should stop sending: what was sent is in doubt. The context is not heeded: what was
// done has to be written.
func (s *Spool) Settle(_ context.Context, settlements ...Settlement) error {
	me := s.me.id.Load()
	if me == 0 { // whoever is no owner has no claims
		lost := &ClaimLostError{}
		for i := range settlements {
			lost.Recipients = append(lost.Recipients, settlements[i].Recipient)
		}
		return lost
	}
	items := make([]settling, len(settlements))
	for i := range settlements {
		var err error
		if items[i], err = s.newSettling(&settlements[i], me); err != nil {
			return fmt.Errorf("writing what became of recipient %d: %w", settlements[i].Recipient, err)
		}
	}
	var lost []int64
	var done []chore
	err := s.writer.do(nil, func(t *tx) error {
		lost = nil
		var messages []claim
		var settled []int64
		for i := range items {
			ok, err := items[i].apply(t)
			if err != nil {
				return err
			}
			s.unsent(me, items[i].id)
			switch {
			case !ok:
				lost = append(lost, items[i].id)
			case items[i].final:
				messages, settled = append(messages, items[i].claim), append(settled, items[i].id)
			}
		}
		err := dropped(t, settled)
		if err == nil {
			done, err = completed(t, messages)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.jan.add(done...)
	for i := range items {
		s.unclaimed(items[i].id)
	}
	if len(lost) > 0 {
		return &ClaimLostError{lost}
	}
	return nil
}

// settling is a settlement with its values made ready.
type settling struct {
	id int64
	claim
	final  bool
	known  bool   // and it stays known, so that it is not sent once more
	facts  []fact // of the session, where there was one
	values []any  // of sqlRecord or sqlPutOff
	at     int    // where the session's number goes
}

// recordNumber is where the record's own number stands among the values of sqlRecord.
const recordNumber = 12

func (s *Spool) newSettling(x *Settlement, me int64) (settling, error) {
	o := x.Outcome
	out := settling{id: x.Recipient, final: o.Status.Settled(), known: o.Status == delivery.Delivered, claim: s.claimOf(x.Recipient)}
	outcome, err := encodeOutcome(o)
	if err != nil {
		return out, err
	}
	attempts, err := encodeAttempts(o.Attempts)
	if err != nil {
		return out, err
	}
	if o.Session != nil {
		f, err := s.talks.of(o.Session)
		if err != nil {
			return out, err
		}
		out.facts = []fact{f}
	}
	tries := int64(1)
	if x.Untried {
		tries = 0
	}
	now := s.now()
	if out.final {
		bounce := int64(0)
		if o.Status == delivery.Bounced {
			bounce = 1
		}
		cleartext := o.Status == delivery.Delivered && (o.Session == nil || !o.Session.Protection.Encrypted)
		out.values = []any{x.Recipient, me, string(o.Status), string(o.Reason), tries, outcome, nil, cleartext, now.UnixMilli(),
			int64(maxAttempts), attempts, bounce, nil}
		out.at = 6
		return out, nil
	}
	doubts := int64(0)
	if o.Status == delivery.InDoubt {
		doubts = 1
	}
	out.values = []any{x.Recipient, me, string(o.Status), string(o.Reason), s.nextOf(x, now), tries, doubts, outcome, nil,
		int64(maxAttempts), attempts}
	out.at = 8
	return out, nil
}

// nextOf is when a recipient that was put off is due.
func (s *Spool) nextOf(x *Settlement, now time.Time) any {
	next := x.Next
	if next.IsZero() {
		next = now
	}
	switch x.Outcome.Status {
	case delivery.Held:
		return nil
	case delivery.InDoubt:
		return s.afterDoubt(next)
	}
	return next.UnixMilli()
}

// apply writes it; false where the claim is lost. Who is settled has to be dropped from the queue.
func (x *settling) apply(t *tx) (bool, error) {
	for _, f := range x.facts {
		id, err := t.intern(f)
		if err != nil {
			return false, err
		}
		x.values[x.at] = id
	}
	if !x.final {
		n, err := t.exec(sqlPutOff, x.values...)
		return n > 0, err
	}
	if x.message == 0 {
		if err := t.query(sqlMessageOf, []any{x.id}, func(r *scan) error { x.message = r.int(); return nil }); err != nil {
			return false, err
		}
	}
	next, err := t.numbers()
	if err != nil {
		return false, err
	}
	x.values[recordNumber] = next.record
	n, err := t.exec(sqlRecord, x.values...)
	if err != nil || n == 0 {
		return false, err
	}
	next.record++
	if !x.known {
		_, err = t.exec(sqlDropKnown, x.id)
	}
	return true, err
}

// dropped takes settled recipients out of the queue, each of which has to be there once.
func dropped(t *tx, recipients []int64) error {
	left := int64(len(recipients))
	for first, last := range runs(recipients) {
		n, err := t.exec(sqlDropRecipients, first, last)
		if err != nil {
			return err
		}
		left -= n
	}
	if left != 0 {
		return errNoRow
	}
	return nil
}

// runs sorts numbers and gives the first and the last of those that follow one another. What is
// settled together was mostly accepted together, and one statement does for all of it.
func runs(numbers []int64) iter.Seq2[int64, int64] {
	return func(yield func(first, last int64) bool) {
		slices.Sort(numbers)
		for i := 0; i < len(numbers); {
			first := numbers[i]
			last := first
			for i++; i < len(numbers) && numbers[i] <= last+1; i++ {
				last = numbers[i]
			}
			if !yield(first, last) {
				return
			}
		}
	}
}

// completed gives the bodies of those of some messages that have no recipients left. Should this
// process end before they are overwritten, a sweep finds them by that.
func completed(t *tx, messages []claim) ([]chore, error) {
	var done []chore
	slices.SortFunc(messages, func(a, b claim) int { return cmp.Compare(a.message, b.message) })
	for i, c := range messages {
		if i > 0 && messages[i-1].message == c.message {
			continue
		}
		if !c.alone {
			c.segment = 0
			err := t.query(sqlComplete, []any{c.message}, func(r *scan) error {
				c.segment, c.start, c.length = r.int(), r.int(), r.int()
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		if c.segment != 0 {
			done = append(done, chore{message: c.message, body: place{segment: c.segment, start: c.start, length: c.length}})
		}
	}
	return done, nil
}
