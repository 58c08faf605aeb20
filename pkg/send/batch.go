// Package send conducts runs: it reads messages, decides what each recipient's copy must get, accepts them into the spool, hands them to the couriers' sessions and reports what became of every recipient.
//
// Send takes new messages, Run what waits in the spool. Both turn accepted messages into
// parcels, one per message and destination; lanes deliver these (one lane per destination,
// with as many sessions as its backlog justifies); the keeper writes every outcome to the
// spool; and an Observer sees every recipient settle. Nothing here decides about TLS: policy
// states the duties, courier finds the sessions that meet them.
package send

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/spool"
)

// Observer sees what happens during a run. Its methods are called one at a time.
type Observer interface {
	// Planned tells that so many more recipients are to be dealt with.
	Planned(recipients int)
	// Settled tells that recipients' deliveries ended, or their attempts did, and that this is
	// durable. The rows are good after it returns, the slice is not.
	Settled(rows ...*Row)
	// Refused tells of a file of which nothing is sent.
	Refused(r Refusal)
}

// Config is what every run of a process shares.
type Config struct {
	Spool                     *spool.Spool
	Courier                   *courier.Courier
	Clock                     func() time.Time
	Hostname                  string // for Message-IDs that are added
	Connections               int    // overall
	ConnectionsPerDestination int
	MessagesPerConnection     int
	Schedule                  delivery.Schedule
	HoldDoubt                 bool // what is in doubt waits for a person (the spool's on_doubt)
	Bounces                   Bounces
	Observer                  Observer
}

// Options is what one batch is sent with.
type Options struct {
	Sender policy.Sender
	Rules  []policy.Rule
	From   *mail.Address  // replaces the reverse-path that the messages name
	To     []mail.Address // replaces the recipients that the messages name; empty: theirs
	Again  bool           // send once more what was accepted before
	// QueueOnly accepts and leaves delivering to a later run.
	QueueOnly bool
	// Leave says of a recipient why it is to be left out; "" accepts it. nil leaves nobody out.
	Leave func(r *Row) (reason policy.Reason, text string)
	// Wait is for how long what was deferred is tried again before the run ends.
	Wait time.Duration
}

// batch is one run over new messages.
type batch struct {
	cfg    Config
	opts   Options
	report Report
	engine *engine
	slots  []slot
	short  shortage
	room   *semaphore.Weighted // for what is being accepted, in octets

	decider *policy.Decider
}

// slot is what became of one input, kept in the order of the inputs.
type slot struct {
	rows    []*Row // of a message that was accepted, those that the report lists
	taken   bool   // a message was accepted
	refused *Refusal
	notes   []string
}

// maxHops is how many Received fields a message may have before it is taken for a loop
// (RFC 5321 §6.3).
const maxHops = 100

const (
	// readers is how many inputs are read and accepted at once: the more wait for one commit, the
	// fewer commits are needed.
	readers = 96
	// accepting is how many octets of them there are at once: large ones gain nothing by it.
	accepting = 4 << 20
	// ease is how long accepting one waits for those before it to be sent, at most.
	ease = 20 * time.Millisecond
)

func newBatch(cfg Config, opts Options, inputs []Input) *batch {
	b := &batch{cfg: cfg, opts: opts, slots: make([]slot, len(inputs)), decider: policy.NewDecider(opts.Sender, opts.Rules), room: semaphore.NewWeighted(accepting)}
	b.report = Report{Batch: newID(), Profile: opts.Sender.Name, Started: cfg.Clock(), Rows: []*Row{}, Refused: []Refusal{}}
	return b
}

// Send accepts the inputs durably, sends them, and reports on every recipient. Accepting
// overlaps with delivering: each message is durable before its own first packet. When ctx
// ends, what has begun is finished and the rest stays queued. The report's Err is set where
// the store failed: what was accepted is kept.
func Send(ctx context.Context, cfg Config, opts Options, inputs []Input) *Report {
	b := newBatch(cfg, opts, inputs)
	b.engine = newEngine(ctx, cfg, &b.report.Summary)
	b.each(inputs, b.accept)
	b.engine.wait()
	r := newRound(b.engine, opts.current(), &b.report)
	r.track(b.rows())
	if !opts.QueueOnly {
		r.notify()
		if opts.Wait > 0 {
			r.linger(cfg.Clock().Add(opts.Wait))
		}
		r.countUntold()
	}
	return b.finish()
}

// Plan reads the inputs and decides for every recipient as Send would, and sends nothing: the
// report's rows have a decision and no outcome. Of cfg it needs clock and host name only.
func Plan(ctx context.Context, cfg Config, opts Options, inputs []Input) *Report {
	b := newBatch(cfg, opts, inputs)
	for i, in := range inputs {
		if ctx.Err() != nil {
			b.refuse(&b.slots[i], interrupted(in))
			continue
		}
		d := b.draft(&b.slots[i], in)
		if d == nil {
			continue
		}
		d.source.close()
		if d.loops() {
			b.slots[i].note(in, d.loopText())
		}
	}
	return b.finish()
}

// each reads the inputs, several at once.
func (b *batch) each(inputs []Input, do func(*slot, Input)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(readers, len(inputs)) {
		wg.Go(func() {
			for i := range next {
				do(&b.slots[i], inputs[i])
			}
		})
	}
	for i := range inputs {
		next <- i
	}
	close(next)
	wg.Wait()
}

// rows lists the recipients that the report lists, in the order of the inputs as far as they
// were among the first.
func (b *batch) rows() []*Row {
	var all []*Row
	for i := range b.slots {
		all = append(all, b.slots[i].rows...)
	}
	return append(all, b.engine.roll.beyond...)
}

// finish closes the report.
func (b *batch) finish() *Report {
	if b.engine != nil {
		b.report.Err = b.engine.close()
	}
	b.report.Finished = b.cfg.Clock()
	for i := range b.slots {
		s := &b.slots[i]
		b.report.Notes = append(b.report.Notes, s.notes...)
		if s.refused != nil {
			b.report.Refused = append(b.report.Refused, *s.refused)
			b.report.Summary.Refused++
		}
		if s.taken {
			b.report.Summary.Messages++
		}
		for _, r := range s.rows {
			b.report.Summary.Add(r)
		}
		b.report.Rows = append(b.report.Rows, s.rows...)
	}
	if b.engine != nil {
		b.engine.roll.close(&b.report)
	}
	return &b.report
}

// interrupted refuses an input for which there was no time.
func interrupted(in Input) Refusal {
	return Refusal{File: in.Name, Error: "interrupted before it was read; nothing of it was accepted", Hint: "send it again"}
}

func (s *slot) note(in Input, text string) { s.notes = append(s.notes, in.Name+": "+text) }

func (b *batch) refuse(s *slot, r Refusal) {
	s.refused = &r
	if b.engine != nil {
		b.engine.observe(func(o Observer) { o.Refused(r) })
	}
}

// draft reads one input and decides for its recipients; nil where it is refused.
func (b *batch) draft(s *slot, in Input) *draft {
	d, err := b.read(in)
	if err != nil {
		b.refuse(s, refusal(in.Name, err))
		return nil
	}
	for _, n := range d.parsed.Notes() {
		s.note(in, n)
	}
	d.rows = b.plan(d)
	s.taken = true
	if b.engine == nil {
		s.rows = d.rows
		return d
	}
	for _, r := range d.rows {
		if b.engine.roll.enter(r) {
			s.rows = append(s.rows, r)
		}
	}
	return d
}

// plan decides for each recipient of a message.
func (b *batch) plan(m *draft) []*Row {
	rows := make([]*Row, len(m.recipients))
	for i, rcpt := range m.recipients {
		rows[i] = &Row{
			File: m.input.Name, QueueID: m.id, MessageID: m.messageID, Sender: m.reverse, Recipient: rcpt,
			Decision: b.decider.For(m.facts, rcpt), Queued: m.queued,
		}
	}
	return rows
}

// loops reports a message that went round too often.
func (m *draft) loops() bool { return m.parsed.ReceivedCount() >= maxHops }

func (m *draft) loopText() string {
	return fmt.Sprintf("the message has %d Received fields: it is going round in circles", m.parsed.ReceivedCount())
}
