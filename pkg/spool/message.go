package spool

import (
	"crypto/sha256"
	"io"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Content is a body in wire form: CRLF line ends, not dot-stuffed. One that is in memory in this
// form may say so by a method Whole() (octets []byte, sum [32]byte, ok bool): its octets and their
// SHA-256. They are kept for a while and must not change any more.
type Content interface {
	// WriteTo writes exactly Size octets, or fails.
	io.WriterTo
	// Size is the number of octets.
	Size() int64
}

// Message is what the spool knows of a message besides its body. No Subject is ever stored.
type Message struct {
	// ID is the spool's number, given by Add and never given out twice.
	ID int64
	// QueueID is the caller's name for it, unique. One that begins with the time is found as
	// fast as any other, and costs less to accept: the index of names grows at its end then.
	QueueID string
	Batch   string
	File    string // as it was named
	// Source is the SHA-256 of the file as it was given: with the reverse-path and a recipient
	// it tells whether the same was accepted before.
	Source      [sha256.Size]byte
	ReversePath mail.Address
	MessageID   string
	// From and Date are those header fields' values, for notifications. They are forgotten once
	// every recipient is settled and the sender was told.
	From, Date string
	EightBit   bool // needs 8BITMIME
	UTF8       bool // the header needs SMTPUTF8
	EnvelopeID string
	Queued     time.Time
	// Notification marks a message of our own, a bounce or a notice of delay: nobody is told
	// when it fails.
	Notification bool

	body place
}

// Size is the length of the body in octets.
func (m *Message) Size() int64 { return m.body.length }

// ContentSHA256 is the SHA-256 of the body in wire form: of what is sent.
func (m *Message) ContentSHA256() [sha256.Size]byte { return m.body.sum }

// Recipient is one recipient of a message, while it is queued and in the record.
type Recipient struct {
	// ID is the spool's number of the queued recipient; 0 in the record.
	ID       int64
	Address  mail.Address
	Decision *policy.Decision // as accepted, shared, never nil; the offer is without client certificate after a restart
	Status   delivery.Status
	// Outcome is what the last attempt came to, with all attempts so far, oldest first. Where
	// there were very many, some in the middle are missing.
	Outcome delivery.Outcome
	Tries   int       // attempts that failed or were lost
	Next    time.Time // the next attempt; zero where there is none by itself
	// Doubts is how often the final reply was lost: so many more copies may have arrived.
	Doubts int
	// Claimed says that a process has it in its hands.
	Claimed bool
	// Fault says what of the entry cannot be read; "" for nothing. Such an entry is put on hold
	// when its turn comes.
	Fault string
}

// MaybeDuplicate reports that the recipient may have got the message already.
func (r *Recipient) MaybeDuplicate() bool { return r.Doubts > 0 }

// LastHost is the attempt that a greylisted recipient should be tried like again: the same
// address of the same host, from the same source. False where the last one was not greylisted.
func (r *Recipient) LastHost() (delivery.Attempt, bool) {
	for i := len(r.Outcome.Attempts) - 1; i >= 0; i-- {
		if a := r.Outcome.Attempts[i]; a.IP != "" {
			return a, a.Reason == policy.Greylisted
		}
	}
	return delivery.Attempt{}, false
}

// Entry is a message with those of its recipients that are claimed.
type Entry struct {
	Message    Message
	Recipients []Recipient
}

// Row is one recipient of one message, queued or in the record, as it is shown.
type Row struct {
	// Record is the number of the record's row, ascending as recipients are settled; 0 while queued.
	Record    int64
	Message   Message // without From and Date; while queued also without source and envelope ID
	Recipient Recipient
	Settled   time.Time // zero while queued
}

// millis is a time at rest; the zero time is NULL.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// moment reads what millis wrote.
func (s *scan) moment() time.Time {
	if s.null() {
		s.at++
		return time.Time{}
	}
	return time.UnixMilli(s.int()).UTC()
}
