package send

import (
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Row is one recipient of one message and what became of it.
type Row struct {
	File      string
	QueueID   string
	MessageID string
	Sender    mail.Address // the reverse-path
	Recipient mail.Address
	Decision  *policy.Decision // shared
	Outcome   delivery.Outcome
	Queued    time.Time
	Settled   time.Time // zero while unsettled
	Next      time.Time // the next attempt; zero where there is none
	Skipped   bool      // not sent now, since an earlier run accepted it already
	// Unlisted says, when the observer is told that the row is settled, that the report will not
	// list it: the run is a large one, and nothing went wrong.
	Unlisted bool

	id       int64 // of the recipient in the spool
	tries    int   // attempts so far
	internal bool  // a bounce message of ours, which no report lists
	late     bool  // it came after many others: see roll
}

// Encrypted reports whether the recipient's copy was delivered over TLS.
func (r *Row) Encrypted() bool {
	return r.Outcome.Status == delivery.Delivered && r.Outcome.Session != nil && r.Outcome.Session.Protection.Encrypted
}

// Cleartext reports whether the recipient's copy was delivered in clear.
func (r *Row) Cleartext() bool {
	return r.Outcome.Status == delivery.Delivered && !r.Encrypted()
}

// Refusal is a file that was refused as invalid, or that could not be read: nothing of it was sent.
type Refusal struct {
	File  string
	Line  int // 0 where no line is at fault
	Error string
	Hint  string
	// Unread says that the file could not be read, which says nothing of the message in it.
	Unread bool
}

// Summary counts messages and recipients of a run.
type Summary struct {
	Messages, Recipients                                         int
	Delivered, Encrypted, Verified, Unverified, Cleartext        int
	Deferred, Queued, InDoubt, Held, Cancelled, Bounced, Skipped int
	Refused                                                      int // files
	// Exposed is how many were sent under a demand for encryption to a server that was not verified.
	Exposed int
}

// Add counts one recipient.
func (s *Summary) Add(r *Row) {
	s.Recipients++
	if r.Skipped {
		s.Skipped++
		return
	}
	switch r.Outcome.Status {
	case delivery.Delivered:
		s.addDelivered(r)
	case delivery.Deferred:
		s.Deferred++
	case delivery.Queued:
		s.Queued++
	case delivery.InDoubt:
		s.InDoubt++
	case delivery.Held:
		s.Held++
	case delivery.Cancelled:
		s.Cancelled++
	case delivery.Bounced:
		s.Bounced++
	}
}

func (s *Summary) addDelivered(r *Row) {
	s.Delivered++
	switch {
	case !r.Encrypted():
		s.Cleartext++
	case r.Outcome.Session.Verified == policy.VerifiedNone:
		s.Encrypted++
		s.Unverified++
		if r.Decision.Mode == policy.ModeForced {
			s.Exposed++
		}
	default:
		s.Encrypted++
		s.Verified++
	}
}

// Report is everything that a run did.
type Report struct {
	Batch             string
	Profile           string // as chosen; policy.NullProfile for the null profile
	Started, Finished time.Time
	Summary           Summary
	Rows              []*Row // without those that were Unlisted
	Refused           []Refusal
	Notices           []Notice // bounce messages
	Err               error    // of the store: the run ended early
	Notes             []string // what is worth knowing: warnings about messages and configuration
}
