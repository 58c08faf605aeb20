package send

import (
	"errors"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/spool"
)

// accept reads one input, makes it durable, and puts its parcels on their lanes. Once the
// store has failed nothing more is accepted.
func (b *batch) accept(s *slot, in Input) {
	if b.engine.failed() != nil || b.engine.ctx.Err() != nil {
		b.refuse(s, interrupted(in))
		return
	}
	if !b.opts.QueueOnly {
		b.cfg.Spool.Ease(ease)
	}
	d := b.draft(s, in)
	if d == nil {
		return
	}
	defer d.source.close()
	b.leaveOut(d)
	if len(d.wanted) == 0 {
		return
	}
	got, err := b.add(d)
	if err != nil {
		s.rows, s.taken = nil, false
		b.refuse(s, refusal(in.Name, err))
		var state *spool.StateError
		if errors.As(err, &state) {
			b.engine.fail(err)
		}
		return
	}
	fresh := d.accepted(got)
	b.known(d)
	switch {
	case b.opts.QueueOnly:
		b.engine.tell(fresh...)
	case d.loops():
		b.looped(fresh, d.loopText())
	default:
		b.engine.submitAll(&got.Entry.Message, tasks(fresh))
	}
}

// leaveOut holds back those recipients whom the run is to leave out: they are not accepted.
func (b *batch) leaveOut(d *draft) {
	b.engine.observe(func(o Observer) { o.Planned(len(d.rows)) })
	d.wanted = d.rows
	if b.opts.Leave == nil {
		return
	}
	d.wanted = nil
	for _, r := range d.rows {
		reason, text := b.opts.Leave(r)
		if text == "" {
			d.wanted = append(d.wanted, r)
			continue
		}
		r.QueueID = ""
		r.Outcome = delivery.Outcome{Status: delivery.Held, Reason: reason, Text: text}
		b.engine.tell(r)
	}
}

// add puts a draft into the spool.
func (b *batch) add(d *draft) (spool.Accepted, error) {
	in := spool.Incoming{
		Message: spool.Message{
			QueueID: d.id, Batch: b.report.Batch, File: d.input.Name, Source: d.parsed.SHA256(),
			ReversePath: d.reverse, MessageID: d.messageID, From: d.parsed.FromField(), Date: d.parsed.DateField(),
			EightBit: d.parsed.EightBit(), UTF8: d.parsed.NeedsSMTPUTF8(), EnvelopeID: d.id, Queued: d.queued,
			// A report is never answered by another one (RFC 3464 §2).
			Notification: d.parsed.IsReport(),
		},
		Body: d.parsed.Wire(d.stamp), Again: b.opts.Again, Claim: !b.opts.QueueOnly,
	}
	for _, r := range d.wanted {
		in.Recipients = append(in.Recipients, spool.Addressee{Address: r.Recipient, Decision: r.Decision})
	}
	return b.cfg.Spool.Add(b.engine.lasting, in)
}

// accepted notes for each recipient what the spool said, and lists those that are to be sent.
func (m *draft) accepted(got spool.Accepted) []*Row {
	var fresh []*Row
	for i, receipt := range got.Receipts {
		r := m.wanted[i]
		r.id = receipt.ID
		if k := receipt.Known; k != nil {
			r.Skipped, r.QueueID = true, k.Message.QueueID
			r.Outcome, r.Settled, r.Next = k.Recipient.Outcome, k.Settled, k.Recipient.Next
			r.Outcome.Status = k.Recipient.Status
			continue
		}
		r.Outcome.Status = delivery.Queued
		fresh = append(fresh, r)
	}
	return fresh
}

// known shows the recipients that an earlier run accepted.
func (b *batch) known(d *draft) {
	for _, r := range d.rows {
		if r.Skipped {
			b.engine.tell(r)
		}
	}
}

// looped bounces a message that went round too often.
func (b *batch) looped(rows []*Row, text string) {
	a := delivery.Attempt{
		Time: b.cfg.Clock(), Stage: delivery.StagePolicy, Reason: policy.MailLoop, Definitive: true, Text: text,
	}
	b.engine.under.add(len(rows))
	for _, r := range tasks(rows) {
		b.engine.settle(&r, delivery.Conclude([]delivery.Attempt{a}, r.Decision.Requirement), 0)
	}
}

// current is what later attempts of the batch are held against: what it was accepted under,
// for a run uses one snapshot of the configuration.
func (o Options) current() Current {
	decider := policy.NewDecider(o.Sender, nil)
	return Current{Decide: func(_ string, facts policy.Facts, rcpt mail.Address) (*policy.Decision, bool) {
		return decider.For(facts, rcpt), true
	}}
}
