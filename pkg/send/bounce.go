package send

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/dsn"
	"github.com/sendctl/sendctl/pkg/internal/atomicfile"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Bounces says what is done about failed recipients.
type Bounces struct {
	Dir  string // where a copy of every bounce message is kept
	Send bool   // also send it to the reverse-path
}

// Notice is a bounce message that was composed, and what became of it.
type Notice struct {
	To      mail.Address
	File    string           // the copy
	Outcome delivery.Outcome // zero where it was not to be sent
}

// notify composes one bounce message for each message with failed recipients, keeps a copy
// and sends it in the same run. It never answers a null reverse-path or another report
// (RFC 5321 §4.5.5, RFC 3464 §2), and what becomes of it does not change the run's status.
func (b *batch) notify(ms []*message) {
	var sent []*parcel
	for _, m := range ms {
		failed := slices.DeleteFunc(slices.Clone(m.rows), func(r *Row) bool { return r.Outcome.Status != delivery.Bounced })
		if len(failed) == 0 || m.reverse.IsNull() || m.parsed.IsReport() {
			continue
		}
		n, p, err := b.bounce(m, failed)
		if err != nil {
			b.report.Notes = append(b.report.Notes, fmt.Sprintf("%s: the bounce message could not be kept: %v", m.input.Name, err))
			continue
		}
		b.report.Notices = append(b.report.Notices, n)
		if p != nil {
			sent = append(sent, p)
			b.engine.submit(p)
		}
	}
	b.engine.wait()
	for _, p := range sent {
		b.noticed(p)
	}
}

// bounce composes the bounce message for some recipients of a message, and the parcel that
// takes it to the reverse-path where it is to be sent.
func (b *batch) bounce(m *message, failed []*Row) (Notice, *parcel, error) {
	id := newID()
	stamp := mail.Stamp{Date: b.cfg.Clock(), MessageID: "<" + id + "@" + b.cfg.Hostname + ">"}
	n := dsn.Notification{
		Action: dsn.Failed, ReportingMTA: b.cfg.Hostname, To: m.reverse, MessageID: stamp.MessageID, Date: stamp.Date,
		Original: dsn.Original{
			From: m.parsed.FromField(), Date: m.parsed.DateField(), MessageID: m.messageID(), EnvelopeID: m.id, Arrival: m.queued,
		},
	}
	var duties []policy.Requirement
	for _, r := range failed {
		duties = append(duties, r.Decision.Requirement)
		n.Recipients = append(n.Recipients, dsn.Recipient{
			Address: r.Recipient, Outcome: r.Outcome, Because: demandsOf(r.Decision.Requirement), LogID: r.QueueID, Last: r.Settled,
		})
	}
	text := dsn.Compose(n)
	notice := Notice{To: m.reverse, File: filepath.Join(b.opts.Bounces.Dir, id+".eml")}
	if err := keep(notice.File, text); err != nil || !b.opts.Bounces.Send {
		return notice, nil, err
	}
	p, err := b.returning(m, Input{Name: notice.File, Data: text}, id, policy.ForBounce(duties, failed[0].Decision.Pool))
	return notice, p, err
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

// keep writes the copy of a bounce message, readable by its owner only.
func keep(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return atomicfile.Create(file, text, 0o600)
}

// returning is the parcel that takes a bounce message to the reverse-path of its original.
func (b *batch) returning(m *message, in Input, id string, d policy.Decision) (*parcel, error) {
	to := []mail.Address{m.reverse}
	parsed, err := mail.ParseFor(bytes.NewReader(in.Data), int64(len(in.Data)), to)
	if err != nil {
		return nil, fmt.Errorf("composing the bounce message: %w", err)
	}
	src, err := newSource(in)
	if err != nil {
		return nil, err
	}
	back := &message{input: in, parsed: parsed, source: src, recipients: to, id: id, queued: b.cfg.Clock()}
	row := &Row{File: in.Name, QueueID: id, Recipient: m.reverse, Decision: d, Queued: back.queued, internal: true}
	back.rows = []*Row{row}
	return parcels(back, back.rows)[0], nil
}

// noticed records what became of a bounce message.
func (b *batch) noticed(p *parcel) {
	row := p.rows[0]
	for i := range b.report.Notices {
		n := &b.report.Notices[i]
		if n.File != row.File {
			continue
		}
		n.Outcome = row.Outcome
		if row.Outcome.Status != delivery.Delivered {
			b.report.Notes = append(b.report.Notes, fmt.Sprintf("the bounce message to %s was not delivered (%s); it is kept in %s",
				n.To, row.Outcome.Text, n.File))
		}
	}
}
