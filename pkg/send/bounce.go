package send

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/dsn"
	"github.com/sendctl/sendctl/pkg/internal/atomicfile"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/spool"
)

// Bounces says how senders are told of failures and delays.
type Bounces struct {
	Dir   string        // where a copy of every bounce message is kept
	Send  bool          // also send it to the reverse-path
	Delay time.Duration // after which a sender is told once that a message is delayed; 0: never
}

// Notice is a bounce message or a notice of delay, and what became of it.
type Notice struct {
	To      mail.Address
	File    string           // the copy
	Outcome delivery.Outcome // zero where it was not to be sent

	row *Row
}

// notify tells the senders of what bounced, one bounce message for each message with all its
// failed recipients, and of what is delayed for long. Copies are kept; the messages travel in
// the same run, as entries of the spool, and do not change the run's status. Nobody is told of
// a message with a null reverse-path or of another notification (RFC 5321 §4.5.5).
func (r *round) notify() {
	ctx := r.engine.lasting
	if r.cfg.Bounces.Dir == "" || r.engine.failed() != nil {
		return
	}
	failures, err := r.cfg.Spool.PendingBounces(ctx)
	if err != nil {
		r.storeError(err)
		return
	}
	for i := range failures {
		r.told(r.bounce(ctx, &failures[i]))
	}
	if r.cfg.Bounces.Delay > 0 && r.cfg.Bounces.Send {
		delays, err := r.cfg.Spool.PendingNotices(ctx, r.cfg.Clock().Add(-r.cfg.Bounces.Delay))
		if err != nil {
			r.storeError(err)
			return
		}
		for i := range delays {
			r.told(r.delay(ctx, &delays[i]))
		}
	}
	r.engine.wait()
	for i := range r.report.Notices {
		r.noticed(&r.report.Notices[i])
	}
}

// told takes note of a composed notice; what was reported by another process is none.
func (r *round) told(n *Notice, err error) {
	switch {
	case errors.Is(err, spool.ErrReported):
	case err != nil:
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("a sender could not be told of a failure: %v", err))
		var state *spool.StateError
		if errors.As(err, &state) {
			r.storeError(err)
		}
	default:
		r.report.Notices = append(r.report.Notices, *n)
	}
}

// bounce composes the bounce message about a failure, keeps its copy and queues it.
func (r *round) bounce(ctx context.Context, f *spool.Failure) (*Notice, error) {
	n := r.notification(dsn.Failed, &f.Message)
	var duties []policy.Requirement
	var records []int64
	pool := policy.DefaultPool
	for i := range f.Rows {
		row := &f.Rows[i]
		records = append(records, row.Record)
		duties = append(duties, row.Recipient.Decision.Requirement)
		pool = row.Recipient.Decision.Pool
		rcpt := recipientOf(&f.Message, &row.Recipient)
		rcpt.LogID, rcpt.Last = fmt.Sprintf("%s-%d", f.Message.QueueID, row.Record), row.Settled
		n.Recipients = append(n.Recipients, rcpt)
	}
	return r.issue(ctx, n, spool.Incoming{Reports: records}, policy.ForBounce(duties, pool),
		func() error { return r.cfg.Spool.BounceDone(ctx, records...) })
}

// delay composes the one notice that a message is delayed.
func (r *round) delay(ctx context.Context, d *spool.Delay) (*Notice, error) {
	n := r.notification(dsn.Delayed, &d.Message)
	n.RetryUntil = d.Message.Queued.Add(r.cfg.Schedule.For)
	var duties []policy.Requirement
	pool := policy.DefaultPool
	for i := range d.Recipients {
		rcpt := &d.Recipients[i]
		duties, pool = append(duties, rcpt.Decision.Requirement), rcpt.Decision.Pool
		n.Recipients = append(n.Recipients, recipientOf(&d.Message, rcpt))
	}
	return r.issue(ctx, n, spool.Incoming{Notices: d.Message.ID}, policy.ForBounce(duties, pool),
		func() error { return r.cfg.Spool.NoticeDone(ctx, d.Message.ID) })
}

func (r *round) notification(a dsn.Action, m *spool.Message) dsn.Notification {
	return dsn.Notification{
		Action: a, ReportingMTA: r.cfg.Hostname, To: m.ReversePath, Date: r.cfg.Clock(),
		Original: dsn.Original{From: m.From, Date: m.Date, MessageID: m.MessageID, EnvelopeID: m.EnvelopeID, Arrival: m.Queued},
	}
}

func recipientOf(m *spool.Message, rcpt *spool.Recipient) dsn.Recipient {
	out := dsn.Recipient{Address: rcpt.Address, Outcome: rcpt.Outcome, Because: demandsOf(rcpt.Decision.Requirement), LogID: m.QueueID}
	if n := len(rcpt.Outcome.Attempts); n > 0 {
		out.Last = rcpt.Outcome.Attempts[n-1].Time
	}
	return out
}

// demandsOf lists who demanded encryption, in words.
func demandsOf(req policy.Requirement) []string {
	var out []string
	if req.Encrypt {
		for _, c := range req.Because {
			out = append(out, c.Text)
		}
	}
	return out
}

// issue keeps the copy of a notification and queues it, noting in the same transaction that
// the sender is told; done takes that note where nothing is to be sent.
func (r *round) issue(ctx context.Context, n dsn.Notification, in spool.Incoming, d policy.Decision, done func() error) (*Notice, error) {
	id := newID()
	n.MessageID = "<" + id + "@" + r.cfg.Hostname + ">"
	text := dsn.Compose(n)
	notice := &Notice{To: n.To, File: filepath.Join(r.cfg.Bounces.Dir, id+".eml")}
	if err := keep(notice.File, text); err != nil {
		return nil, err
	}
	if !r.cfg.Bounces.Send {
		return notice, done()
	}
	parsed, err := mail.ParseFor(bytes.NewReader(text), int64(len(text)), []mail.Address{n.To})
	if err != nil {
		return nil, fmt.Errorf("composing the notification: %w", err)
	}
	in.Message = spool.Message{
		QueueID: id, Batch: r.report.Batch, File: notice.File, Source: parsed.SHA256(), MessageID: n.MessageID,
		From: parsed.FromField(), Date: parsed.DateField(), EightBit: parsed.EightBit(), UTF8: parsed.NeedsSMTPUTF8(),
		EnvelopeID: id, Queued: n.Date, Notification: true,
	}
	in.Body, in.Claim = parsed.Wire(mail.Stamp{}), true
	in.Recipients = []spool.Addressee{{Address: n.To, Decision: &d}}
	got, err := r.cfg.Spool.Add(ctx, in)
	if err != nil {
		// Whoever told the sender first has a copy of its own.
		return nil, errors.Join(err, os.Remove(notice.File))
	}
	notice.row = rowOf(&got.Entry.Message, &got.Entry.Recipients[0])
	r.track([]*Row{notice.row})
	r.engine.submitAll(&got.Entry.Message, tasks([]*Row{notice.row}))
	return notice, nil
}

// keep writes the copy of a bounce message, readable by its owner only.
func keep(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return atomicfile.Create(file, text, 0o600)
}

// untoldByName is how many senders who could not be told are named.
const untoldByName = 10

// countUntold tells how many others there were.
func (r *round) countUntold() {
	if n := r.untold - untoldByName; n > 0 {
		r.report.Notes = append(r.report.Notes, fmt.Sprintf("%d more bounce messages could not be delivered; they are kept in %s", n, r.cfg.Bounces.Dir))
	}
}

// noticed records what became of a bounce message.
func (r *round) noticed(n *Notice) {
	if n.row == nil {
		return
	}
	n.Outcome = n.row.Outcome
	if n.Outcome.Status == delivery.Bounced {
		if r.untold++; r.untold <= untoldByName {
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("the bounce message to %s could not be delivered (%s); it is kept in %s",
				n.To, n.Outcome.Text, n.File))
		}
	}
	if n.Outcome.Status.Settled() {
		n.row = nil
	}
}
