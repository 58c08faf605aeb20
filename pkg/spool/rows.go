package spool

import (
	"crypto/sha256"
	"errors"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// messageColumns, listColumns, queueColumns and recordColumns are read by scanMessage,
// scanListed, scanQueued and scanRecord, in this order. A listing leaves out what nobody looks
// at, for every column costs as much as finding the row.
const (
	messageColumns = `m.id, m.queue_id, m.batch, m.file, m.source, m.sender_local, m.sender_domain, m.message_id,
	coalesce(b.header_from, (SELECT a.header_from FROM author a WHERE a.message = m.id)),
	coalesce(b.header_date, (SELECT a.header_date FROM author a WHERE a.message = m.id)),
	m.eight_bit, m.utf8, m.envelope_id, m.queued_at, m.notification, CASE WHEN b.message IS NULL THEN 0 ELSE m.segment END, m.start, m.length, m.sum`
	listColumns = `m.id, m.queue_id, m.batch, m.file, m.sender_local, m.sender_domain, m.message_id, m.queued_at,
	m.notification, m.length`
	queueColumns = `r.id, r.local, r.domain, r.decision, r.status, r.owner, r.next_at, r.tries, r.doubts,
	r.outcome, r.session, r.attempts || r.latest`
	recordColumns = `c.id, m.id, m.queue_id, m.batch, m.file, m.source, m.sender_local, m.sender_domain, m.message_id,
	m.notification, m.length, m.sum, m.queued_at, c.local, c.domain, c.decision, c.status, c.tries, c.doubts,
	c.outcome, c.session, c.attempts, c.settled_at`
)

// ofMessage is the condition that a recipient r is one of message m's, which are numbered one after another.
const ofMessage = `r.id BETWEEN m.first_recipient AND m.last_recipient`

// bodies is the bodies b with their messages m. Bodies are looked at first, for they are few
// beside the messages of the past; SQLite would not know.
const bodies = `body b CROSS JOIN message m`

// ofBody is the condition that the body b is message m's, inSegment that it is in segment g.
const (
	ofBody    = `m.id = b.message`
	inSegment = ofBody + ` AND b.message BETWEEN g.first_message AND g.last_message AND m.segment = g.id`
)

// rawRow is a row whose documents are not decoded yet.
type rawRow struct {
	Row
	decision, session int64
	outcome, attempts string
}

func (s *scan) sum() (out [sha256.Size]byte) {
	copy(out[:], s.blob())
	return out
}

func scanMessage(s *scan, m *Message) {
	m.ID, m.QueueID, m.Batch, m.File, m.Source = s.int(), s.text(), s.text(), s.text(), s.sum()
	m.ReversePath.Local, m.ReversePath.Domain, m.MessageID = s.text(), s.text(), s.text()
	m.From, m.Date, m.EightBit, m.UTF8, m.EnvelopeID = s.text(), s.text(), s.yes(), s.yes(), s.text()
	m.Queued, m.Notification = s.moment(), s.yes()
	m.body = place{segment: s.int(), start: s.int(), length: s.int(), sum: s.sum()}
}

func scanListed(s *scan, m *Message) {
	m.ID, m.QueueID, m.Batch, m.File = s.int(), s.text(), s.text(), s.text()
	m.ReversePath.Local, m.ReversePath.Domain, m.MessageID = s.text(), s.text(), s.text()
	m.Queued, m.Notification, m.body.length = s.moment(), s.yes(), s.int()
}

func scanQueued(s *scan, raw *rawRow) {
	r := &raw.Recipient
	r.ID, r.Address.Local, r.Address.Domain, raw.decision = s.int(), s.text(), s.text(), s.int()
	r.Status, r.Claimed, r.Next = delivery.Status(s.text()), s.yes(), s.moment()
	r.Tries, r.Doubts = int(s.int()), int(s.int())
	raw.outcome, raw.session, raw.attempts = s.text(), s.int(), s.text()
}

func scanRecord(s *scan, raw *rawRow) {
	m, r := &raw.Message, &raw.Recipient
	raw.Record, m.ID, m.QueueID, m.Batch, m.File, m.Source = s.int(), s.int(), s.text(), s.text(), s.text(), s.sum()
	m.ReversePath.Local, m.ReversePath.Domain, m.MessageID = s.text(), s.text(), s.text()
	m.Notification = s.yes()
	m.body = place{length: s.int(), sum: s.sum()}
	m.Queued = s.moment()
	r.Address.Local, r.Address.Domain, raw.decision = s.text(), s.text(), s.int()
	r.Status, r.Tries, r.Doubts = delivery.Status(s.text()), int(s.int()), int(s.int())
	raw.outcome, raw.session, raw.attempts = s.text(), s.int(), s.text()
	raw.Settled = s.moment()
}

// complete decodes the documents of rows, in place. What cannot be read of one does not stop
// the others: it is its Fault.
func (s *Spool) complete(c *conn, raws []rawRow) error {
	for i := range raws {
		var bad *damaged
		if err := s.decode(c, &raws[i]); errors.As(err, &bad) {
			raws[i].Recipient.Fault = bad.text
		} else if err != nil {
			return err
		}
	}
	return nil
}

// decoded is complete, and the rows.
func (s *Spool) decoded(c *conn, raws []rawRow) ([]Row, error) {
	if err := s.complete(c, raws); err != nil {
		return nil, err
	}
	rows := make([]Row, len(raws))
	for i := range raws {
		rows[i] = raws[i].Row
	}
	return rows, nil
}

func (s *Spool) decode(c *conn, raw *rawRow) error {
	r := &raw.Recipient
	r.Decision = &policy.Decision{} // where it cannot be read
	d, err := s.read.decision(c, raw.decision)
	if err != nil {
		return err
	}
	r.Decision = d
	outcome, err := decodeOutcome(raw.outcome)
	if err != nil {
		return err
	}
	if outcome.Session, err = s.read.session(c, raw.session); err != nil {
		return err
	}
	if outcome.Attempts, err = decodeAttempts(raw.attempts); err != nil {
		return err
	}
	if outcome.Status == "" {
		outcome.Status = r.Status
	}
	r.Outcome = outcome
	return nil
}
