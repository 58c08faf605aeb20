package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Incoming is a message to be accepted.
type Incoming struct {
	// Message is everything but its ID and body. Queued, where zero, becomes the present.
	Message    Message
	Body       Content // in wire form
	Recipients []Addressee
	// Again accepts recipients that got it, or are about to, once more.
	Again bool
	// Hold accepts it without sending it before it is released.
	Hold bool
	// Claim makes its recipients this owner's at once, so that nobody else sends them.
	Claim bool
	// Reports is the rows of the record that this message tells the sender of, being a bounce;
	// they are taken note of as reported in the same transaction. Where one of them was
	// reported already nothing is accepted: ErrReported.
	Reports []int64
	// Notices is the message, by its ID, of whose delay this message is the notice; 0: none.
	// Where its sender was told already nothing is accepted: ErrReported.
	Notices int64
}

// Addressee is a recipient and what its copy must get.
type Addressee struct {
	Address  mail.Address
	Decision *policy.Decision
}

// Accepted says what became of each recipient of an incoming message.
type Accepted struct {
	// Receipts has one for each recipient, in the order of the incoming ones.
	Receipts []Receipt
	// Entry is the message with the recipients that were accepted. Its Message.ID is 0 where
	// there is none. The recipients are claimed where that was asked for.
	Entry Entry
}

// Receipt is what became of one recipient.
type Receipt struct {
	// ID is the queued recipient's; 0 where it is settled already.
	ID int64
	// Known is where the recipient stands, or what became of it, where the same file with the
	// same reverse-path was accepted for it before, so that it was skipped now; nil where it
	// was accepted.
	Known *Row
}

const (
	sqlAddMessage = `INSERT INTO message (id, queue_id, batch, file, source, sender_local, sender_domain, message_id,
	eight_bit, utf8, envelope_id, queued_at, notification, segment, start, length, sum, first_recipient, last_recipient)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`
	sqlAddBody      = `INSERT INTO body (message, header_from, header_date) VALUES ($1, $2, $3)`
	sqlAddRecipient = `INSERT INTO recipient (id, message, key, local, domain, profile, decision, status, owner, next_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
	sqlAddKnown   = `INSERT INTO known (key, recipient) VALUES ($1, $2)`
	sqlKnown      = `SELECT recipient, EXISTS (SELECT 1 FROM recipient r WHERE r.id = k.recipient) FROM known k WHERE key = $1`
	sqlAppending  = `SELECT owner FROM segment WHERE id = $1`
	sqlQueuedRow  = `SELECT ` + listColumns + `, ` + queueColumns + ` FROM recipient r JOIN message m ON m.id = r.message WHERE r.id = $1`
	sqlRecordRow  = `SELECT ` + recordColumns + ` FROM record c JOIN message m ON m.id = c.message WHERE c.recipient = $1`
	sqlStrengthen = `UPDATE recipient SET decision = $2 WHERE id = $1`
)

// Add accepts a message: what it returns without error is durable, and is delivered, bounced
// or cancelled some day. Recipients that the same file with the same reverse-path was accepted
// for before are skipped, unless that bounced or was cancelled, and reported with where they
// stand; a stricter requirement is joined into what is queued. An error, a *StateError where
// the state directory cannot be written, means that nothing was accepted.
//
// Calls of many goroutines share their fsyncs. A context that ends while a call is under way
// does not end that.
func (s *Spool) Add(ctx context.Context, in Incoming) (Accepted, error) {
	if err := errors.Join(ctx.Err(), s.usable()); err != nil {
		return Accepted{}, err
	}
	a, err := s.newAcceptance(&in)
	if err != nil {
		return Accepted{}, err
	}
	if s.repeats.Load() && !in.Again {
		// The last message was accepted before, so this one may have been as well: its body is
		// only written once that is known not to be so.
		if err := s.writer.do(nil, a.apply); err != nil || !a.wanting {
			return a.result(err)
		}
	}
	seg, body, err := s.shelf.put(in.Body)
	if seg == nil {
		return Accepted{}, err
	}
	if err == nil {
		a.body = &body
		err = s.writer.do(seg, a.apply)
	}
	out, err := a.result(err)
	if err != nil || out.Entry.Message.ID == 0 {
		s.jan.add(chore{body: body}) // before release: nobody else cleans up after us
	}
	if errors.Is(err, errBuried) {
		seg.broken.Store(true)
		s.exhume(seg.owner)
	}
	s.shelf.release(seg)
	return out, err
}

// acceptance is an Add on its way through the writer.
type acceptance struct {
	s       *Spool
	in      *Incoming
	owner   int64
	wanted  []wanted
	body    *place // nil: only look whether it is needed
	wanting bool   // it is needed, and nothing was accepted for want of it
	out     Accepted
}

// wanted is one recipient, made ready.
type wanted struct {
	key    [16]byte
	facts  []fact // the last one is the decision, before it those that it names
	sameAs int    // the index of the recipient itself, or of its first mention in this message
}

func (s *Spool) newAcceptance(in *Incoming) (*acceptance, error) {
	if len(in.Recipients) == 0 {
		return nil, errors.New("a message without recipients cannot be queued")
	}
	if in.Message.Queued.IsZero() {
		in.Message.Queued = s.now()
	}
	a := &acceptance{s: s, in: in, wanted: make([]wanted, len(in.Recipients))}
	first := make(map[[16]byte]int, len(in.Recipients))
	for i := range in.Recipients {
		r := &in.Recipients[i]
		w := wanted{key: identity(&in.Message, r.Address), sameAs: i}
		if j, ok := first[w.key]; ok {
			w.sameAs = j
		} else {
			first[w.key] = i
			facts, err := s.decisionFacts(r.Decision)
			if err != nil {
				return nil, fmt.Errorf("queueing for %s: %w", r.Address, err)
			}
			w.facts = facts
		}
		a.wanted[i] = w
	}
	if in.Claim && !in.Hold {
		id, err := s.register()
		if err != nil {
			return nil, err
		}
		a.owner = id
	}
	return a, nil
}

// identity is what makes a recipient the same again: source, reverse-path and address.
func identity(m *Message, to mail.Address) (key [16]byte) {
	b := make([]byte, 0, 256)
	b = append(b, m.Source[:]...)
	for _, part := range [...]string{m.ReversePath.Local, m.ReversePath.Domain, to.Local, to.Domain} {
		b = append(append(b, part...), 0)
	}
	sum := sha256.Sum256(b)
	copy(key[:], sum[:])
	return key
}

// result is what the caller gets.
func (a *acceptance) result(err error) (Accepted, error) {
	if err != nil {
		return Accepted{}, err
	}
	a.s.repeats.Store(a.out.Entry.Message.ID == 0)
	if a.owner != 0 {
		alone := len(a.out.Entry.Recipients) == 1
		for i := range a.out.Entry.Recipients {
			a.s.claimed(a.owner, a.out.Entry.Recipients[i].ID, &a.out.Entry.Message, alone)
		}
	}
	return a.out, nil
}

// apply is the transaction's part. Where the body is needed and not there it changes nothing.
func (a *acceptance) apply(t *tx) error {
	a.out = Accepted{Receipts: make([]Receipt, len(a.wanted))}
	a.wanting = false
	fresh := int64(0)
	for i, w := range a.wanted {
		if w.sameAs != i {
			continue
		}
		if !a.in.Again {
			known, err := a.s.known(t, w.key)
			if err != nil {
				return err
			}
			a.out.Receipts[i].Known = known
		}
		if a.out.Receipts[i].Known == nil {
			fresh++
		}
	}
	if fresh > 0 && a.body == nil {
		a.wanting = true
		return nil
	}
	if err := reported(t, a.in); err != nil {
		return err
	}
	if fresh > 0 {
		if err := a.store(t, fresh); err != nil {
			return err
		}
	}
	return a.skip(t)
}

// known is the row of a recipient that is not to be accepted again; nil where it is.
func (s *Spool) known(t *tx, key [16]byte) (*Row, error) {
	var queued, settled int64
	err := t.query(sqlKnown, []any{key[:]}, func(r *scan) error {
		if id := r.int(); r.yes() {
			queued = max(queued, id)
		} else if settled == 0 || id > settled {
			settled = id
		}
		return nil
	})
	if err != nil || queued == 0 && settled == 0 {
		return nil, err
	}
	raws := make([]rawRow, 1)
	if queued != 0 {
		err = t.query(sqlQueuedRow, []any{queued}, func(r *scan) error {
			scanListed(r, &raws[0].Message)
			scanQueued(r, &raws[0])
			return nil
		})
	} else {
		err = t.query(sqlRecordRow, []any{settled}, func(r *scan) error { scanRecord(r, &raws[0]); return nil })
	}
	if err != nil || raws[0].Message.ID == 0 { // somebody took its row out of the record
		return nil, err
	}
	rows, err := s.decoded(t.conn, raws)
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// store inserts the message and those of its recipients that are new, of whom there are fresh.
func (a *acceptance) store(t *tx, fresh int64) error {
	m := a.in.Message
	m.body = *a.body
	if err := a.appending(t); err != nil {
		return err
	}
	next, err := t.numbers()
	if err != nil {
		return err
	}
	m.ID = next.message
	next.message++
	_, err = t.exec(sqlAddMessage, m.ID,
		m.QueueID, m.Batch, m.File, m.Source[:], m.ReversePath.Local, m.ReversePath.Domain, m.MessageID,
		m.EightBit, m.UTF8, m.EnvelopeID, m.Queued.UnixMilli(), m.Notification,
		m.body.segment, m.body.start, m.body.length, m.body.sum[:], next.recipient, next.recipient+fresh-1)
	if err == nil {
		_, err = t.exec(sqlAddBody, m.ID, m.From, m.Date)
	}
	if err != nil {
		return err
	}
	a.out.Entry.Message = m
	for i := range a.wanted {
		if a.wanted[i].sameAs != i || a.out.Receipts[i].Known != nil {
			continue
		}
		r, err := a.insert(t, i, m)
		if err != nil {
			return err
		}
		a.out.Receipts[i].ID = r.ID
		a.out.Entry.Recipients = append(a.out.Entry.Recipients, r)
	}
	return nil
}

// appending makes sure, once a transaction, that the body's segment is still appended to by
// the owner that is to have the claims. Had that been taken for dead, the body would have been
// overwritten as one that nobody names, and the claims would be nobody's.
func (a *acceptance) appending(t *tx) error {
	id := a.body.segment
	owner, seen := t.segments[id]
	if !seen {
		if err := t.query(sqlAppending, []any{id}, func(r *scan) error { owner = r.int(); return nil }); err != nil {
			return err
		}
		t.segments[id] = owner
	}
	if owner == 0 || a.owner != 0 && owner != a.owner {
		return errBuried
	}
	return nil
}

func (a *acceptance) insert(t *tx, i int, m Message) (Recipient, error) {
	to := &a.in.Recipients[i]
	r := Recipient{Address: to.Address, Decision: to.Decision, Status: delivery.Queued, Next: m.Queued, Claimed: a.owner != 0}
	if a.in.Hold {
		r.Status, r.Next = delivery.Held, time.Time{}
	}
	r.Outcome.Status = r.Status
	var decision int64
	for _, f := range a.wanted[i].facts {
		id, err := t.intern(f)
		if err != nil {
			return r, err
		}
		decision = id
	}
	r.ID = t.next.recipient
	t.next.recipient++
	_, err := t.exec(sqlAddRecipient, r.ID,
		m.ID, a.wanted[i].key[:], to.Address.Local, to.Address.Domain, to.Decision.Profile, decision, string(r.Status), a.owner, millis(r.Next))
	if err == nil {
		_, err = t.exec(sqlAddKnown, a.wanted[i].key[:], r.ID)
	}
	return r, err
}

// skip completes the receipts of recipients that are not new: what is demanded now is joined
// into what is queued.
func (a *acceptance) skip(t *tx) error {
	for i, w := range a.wanted {
		if w.sameAs != i {
			a.out.Receipts[i] = a.out.Receipts[w.sameAs]
			continue
		}
		known := a.out.Receipts[i].Known
		if known == nil || known.Recipient.ID == 0 {
			continue
		}
		a.out.Receipts[i].ID = known.Recipient.ID
		if known.Recipient.Fault != "" {
			continue
		}
		d := joined(known.Recipient.Decision, a.in.Recipients[i].Decision)
		if d.Requirement.Key() == known.Recipient.Decision.Requirement.Key() {
			continue
		}
		facts, err := encodeDecision(&d)
		if err != nil {
			return err
		}
		var id int64
		for _, f := range facts {
			if id, err = t.intern(f); err != nil {
				return err
			}
		}
		if _, err := t.exec(sqlStrengthen, known.Recipient.ID, id); err != nil {
			return err
		}
		known.Recipient.Decision = &d
	}
	return nil
}
