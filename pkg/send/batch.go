// Package send conducts a batch: it reads messages, decides what each recipient's copy must get, hands them to the couriers' sessions and reports what became of every recipient.
//
// A Batch plans (messages into parcels, one per message and destination), lanes deliver (one
// lane per destination, with as many sessions as its backlog justifies), and an Observer sees
// every recipient settle. Nothing here decides about TLS: policy states the duties, courier
// finds the sessions that meet them.
package send

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Observer sees what happens during a run. Its methods are called one at a time.
type Observer interface {
	// Planned tells that so many more recipients are to be dealt with.
	Planned(recipients int)
	// Settled tells that a recipient's delivery ended, or its attempt did.
	Settled(r *Row)
	// Refused tells of a file of which nothing is sent.
	Refused(r Refusal)
}

// Config is what every batch of a process shares.
type Config struct {
	Courier                   *courier.Courier
	Clock                     func() time.Time
	Hostname                  string // for Message-IDs that are added
	Connections               int    // overall
	ConnectionsPerDestination int
	MessagesPerConnection     int
	Observer                  Observer
}

// Options is what one batch is sent with.
type Options struct {
	Sender policy.Sender
	Rules  []policy.Rule
	From   *mail.Address  // replaces the reverse-path that the messages name
	To     []mail.Address // replaces the recipients that the messages name; empty: theirs
	// Bounces says what is done about failed recipients; with an empty Dir nothing is.
	Bounces Bounces
}

// batch is one run.
type batch struct {
	cfg      Config
	opts     Options
	report   Report
	accepted []*message
	engine   *engine
}

// maxHops is how many Received fields a message may have before it is taken for a loop
// (RFC 5321 §6.3).
const maxHops = 100

func newBatch(ctx context.Context, cfg Config, opts Options) *batch {
	b := &batch{cfg: cfg, opts: opts, engine: newEngine(ctx, cfg)}
	b.report = Report{Batch: newID(), Profile: opts.Sender.Name, Started: cfg.Clock(), Rows: []Row{}, Refused: []Refusal{}}
	return b
}

// Send sends the inputs and reports on every recipient. When ctx ends, what has begun is
// finished and the rest is reported as deferred.
func Send(ctx context.Context, cfg Config, opts Options, inputs []Input) *Report {
	b := newBatch(ctx, cfg, opts)
	b.each(inputs, b.send)
	b.engine.wait()
	if opts.Bounces.Dir != "" {
		b.notify(b.accepted)
	}
	return b.finish()
}

// Plan reads the inputs and decides for every recipient as Send would, and sends nothing: the
// report's rows have a decision and no outcome. Of cfg it needs clock and host name only.
func Plan(ctx context.Context, cfg Config, opts Options, inputs []Input) *Report {
	b := newBatch(ctx, cfg, opts)
	b.each(inputs, func(m *message) {
		if m.loops() {
			b.note(m.input, m.loopText())
		}
	})
	return b.finish()
}

// each reads the inputs one after the other, decides for their recipients and does what is to
// be done with those that are fit to be sent.
func (b *batch) each(inputs []Input, do func(*message)) {
	for _, in := range inputs {
		if b.engine.ctx.Err() != nil {
			b.refuse(Refusal{File: in.Name, Error: "interrupted before it was read; nothing of it was sent"})
			continue
		}
		if m := b.accept(in); m != nil {
			do(m)
		}
	}
}

// finish closes the report.
func (b *batch) finish() *Report {
	b.report.Finished = b.cfg.Clock()
	for _, m := range b.accepted {
		for _, r := range m.rows {
			b.report.Summary.Add(r)
			b.report.Rows = append(b.report.Rows, *r)
		}
	}
	return &b.report
}

func (b *batch) note(in Input, text string) {
	b.report.Notes = append(b.report.Notes, in.Name+": "+text)
}

func (b *batch) refuse(r Refusal) {
	b.report.Refused = append(b.report.Refused, r)
	b.report.Summary.Refused++
	b.engine.observe(func(o Observer) { o.Refused(r) })
}

// accept reads one input and decides for its recipients; nil where it is refused.
func (b *batch) accept(in Input) *message {
	m, err := b.read(in)
	if err != nil {
		b.refuse(refusal(in.Name, err))
		return nil
	}
	b.report.Summary.Messages++
	for _, n := range m.parsed.Notes() {
		b.note(in, n)
	}
	m.rows = b.plan(m)
	b.accepted = append(b.accepted, m)
	return m
}

// send puts a message's parcels on their lanes.
func (b *batch) send(m *message) {
	b.engine.observe(func(o Observer) { o.Planned(len(m.rows)) })
	if m.loops() {
		b.looped(m, m.rows)
		return
	}
	for _, p := range parcels(m, m.rows) {
		b.engine.submit(p)
	}
}

func refusal(file string, err error) Refusal {
	r := Refusal{File: file, Error: err.Error()}
	var pe *mail.ParseError
	if errors.As(err, &pe) {
		r.Line, r.Error, r.Hint = pe.Line, pe.Reason, pe.Hint
	}
	return r
}

// plan decides for each recipient of a message.
func (b *batch) plan(m *message) []*Row {
	rows := make([]*Row, len(m.recipients))
	for i, rcpt := range m.recipients {
		rows[i] = &Row{
			File: m.input.Name, QueueID: m.id, MessageID: m.messageID(), Sender: m.reverse, Recipient: rcpt,
			Decision: policy.For(b.opts.Sender, b.opts.Rules, m.facts, rcpt), Queued: m.queued,
		}
	}
	return rows
}

// loops reports a message that went round too often.
func (m *message) loops() bool { return m.parsed.ReceivedCount() >= maxHops }

func (m *message) loopText() string {
	return fmt.Sprintf("the message has %d Received fields: it is going round in circles", m.parsed.ReceivedCount())
}

// looped bounces a message that went round too often.
func (b *batch) looped(m *message, rows []*Row) {
	a := delivery.Attempt{
		Time: m.queued, Stage: delivery.StagePolicy, Reason: policy.MailLoop, Definitive: true,
		Text: m.loopText(),
	}
	for _, r := range rows {
		b.engine.settle(r, delivery.Conclude([]delivery.Attempt{a}, r.Decision.Requirement))
	}
}

// parcel is one message for recipients that share a destination: one transaction.
type parcel struct {
	msg  *message
	dest courier.Destination
	rows []*Row
}

// maxRecipients is how many recipients one transaction carries (RFC 5321 §4.5.3.1.8).
const maxRecipients = 100

// parcels groups a message's recipients by destination, in the order of the recipients.
func parcels(m *message, rows []*Row) []*parcel {
	var out []*parcel
	open := map[string]*parcel{}
	for _, r := range rows {
		dest := courier.Destination{
			Domain: r.Recipient.Domain, Requirement: r.Decision.Requirement,
			Offer: r.Decision.Offer, Pool: r.Decision.Pool,
		}
		key := dest.Key()
		p := open[key]
		if p == nil || len(p.rows) >= maxRecipients {
			p = &parcel{msg: m, dest: dest}
			open[key] = p
			out = append(out, p)
		}
		p.rows = append(p.rows, r)
	}
	return out
}
