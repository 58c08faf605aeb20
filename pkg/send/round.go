package send

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/spool"
)

// Current is what the configuration says now of what was accepted earlier. It is joined with
// what a recipient was accepted with, so that edits and deletions only ever strengthen.
type Current struct {
	// NeedsHeader says that rules look at more than addresses of the envelope.
	NeedsHeader bool
	// Decide decides as for a new message; false where the profile is not there any more.
	Decide func(profile string, facts policy.Facts, rcpt mail.Address) (*policy.Decision, bool)
}

// round works off what is queued: claims it, submits it, and tells senders of failures.
type round struct {
	engine  *engine
	cfg     Config
	current Current
	report  *Report
	order   []*Row  // that the report lists in any case
	seen    numbers // messages
	joined  map[joining]*policy.Decision
	untold  int             // senders whose bounce message could not be delivered
	drained <-chan struct{} // closed when nothing is under way; nil where nobody waits for it

	mu   sync.Mutex
	rows map[int64]*Row // by the spool's number of the recipient, without those that were let go
}

func newRound(e *engine, current Current, report *Report) *round {
	r := &round{engine: e, cfg: e.cfg, current: current, report: report, rows: map[int64]*Row{}, seen: numbers{}}
	e.roll.gone = func(row *Row) {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.rows, row.id)
	}
	return r
}

// known gives the row of a recipient; nil where there is none.
func (r *round) known(id int64) *Row {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rows[id]
}

// track lets recipients that are known already be found again when they are claimed.
func (r *round) track(rows []*Row) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, row := range rows {
		if row.id != 0 {
			r.rows[row.id] = row
		}
	}
}

// take claims what a request picks and puts it on the lanes; it tells how many recipients.
func (r *round) take(ctx context.Context, req spool.ClaimRequest) (int, error) {
	entries, err := r.cfg.Spool.Claim(ctx, req)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range entries {
		e := &entries[i]
		claimed, err := r.claimed(e)
		if err != nil {
			return n, err
		}
		n += len(claimed)
		r.engine.submitAll(&e.Message, claimed)
	}
	return n, nil
}

// claimed makes tasks of a claimed entry, under the strictest of what it was accepted with and
// what is configured now.
func (r *round) claimed(e *spool.Entry) ([]task, error) {
	facts, err := r.facts(e)
	if err != nil {
		return nil, err
	}
	all := make([]task, 0, len(e.Recipients))
	fresh := 0
	for i := range e.Recipients {
		rcpt := &e.Recipients[i]
		row := r.known(rcpt.ID)
		if row == nil {
			row = r.meet(&e.Message, rcpt)
			fresh++
		}
		row.tries = rcpt.Tries
		if !row.internal {
			row.Decision = r.strengthened(rcpt, facts)
		}
		all = append(all, task{row, rcpt.Outcome.Attempts, metAgain(rcpt)})
	}
	if fresh > 0 {
		r.engine.observe(func(o Observer) { o.Planned(fresh) })
	}
	return all, nil
}

// meet makes a row of a recipient that this run has not met before.
func (r *round) meet(m *spool.Message, rcpt *spool.Recipient) *Row {
	row := rowOf(m, rcpt)
	r.track([]*Row{row})
	if row.internal {
		return row
	}
	if r.engine.roll.enter(row) {
		r.order = append(r.order, row)
	}
	if r.seen.add(m.ID) {
		r.report.Summary.Messages++
	}
	return row
}

// rowOf makes a row of a queued recipient.
func rowOf(m *spool.Message, rcpt *spool.Recipient) *Row {
	row := &Row{
		File: m.File, QueueID: m.QueueID, MessageID: m.MessageID, Sender: m.ReversePath, Recipient: rcpt.Address,
		Decision: rcpt.Decision, Outcome: rcpt.Outcome, Queued: m.Queued, Next: rcpt.Next,
		id: rcpt.ID, tries: rcpt.Tries, internal: m.Notification && m.ReversePath.IsNull(),
	}
	row.Outcome.Status = rcpt.Status
	return row
}

// metAgain is the host that greylisted a recipient, and from where it was asked.
func metAgain(rcpt *spool.Recipient) courier.Again {
	a, ok := rcpt.LastHost()
	if !ok {
		return courier.Again{}
	}
	var out courier.Again
	out.Addr, _ = netip.ParseAddr(a.IP) // what cannot be read is no wish
	out.Source, _ = netip.ParseAddr(a.SourceIP)
	return out
}

// RowOf makes a row of what the spool lists, queued or settled.
func RowOf(r *spool.Row) *Row {
	row := rowOf(&r.Message, &r.Recipient)
	row.Settled = r.Settled
	return row
}

// strengthened joins what a recipient was accepted with and what applies now. Offer, client
// certificate and pool, which bind nobody, are those of the profile as it is now.
func (r *round) strengthened(rcpt *spool.Recipient, facts policy.Facts) *policy.Decision {
	now, known := r.current.Decide(rcpt.Decision.Profile, facts, rcpt.Address)
	key := joining{rcpt.Decision, now, known}
	if both, ok := r.joined[key]; ok {
		return both
	}
	if r.joined == nil || len(r.joined) >= maxJoined {
		r.joined = map[joining]*policy.Decision{}
	}
	d := *rcpt.Decision
	if known {
		d.Offer, d.Pool = now.Offer, now.Pool
	}
	d.Requirement = policy.Join(d.Requirement, now.Requirement)
	for _, name := range now.Rules {
		if !slices.Contains(d.Rules, name) {
			d.Rules = append(slices.Clone(d.Rules), name)
		}
	}
	if d.Requirement.Encrypt {
		d.Mode = policy.ModeForced
	}
	r.joined[key] = &d
	return &d
}

// joining is two decisions that are joined; both are shared by many recipients.
type joining struct {
	was, now *policy.Decision
	known    bool
}

// maxJoined bounds the joined decisions that are kept.
const maxJoined = 1024

// facts is what rules look at, read from the stored header where a rule needs it.
func (r *round) facts(e *spool.Entry) (policy.Facts, error) {
	f := policy.Facts{ReversePath: e.Message.ReversePath}
	if !r.current.NeedsHeader {
		return f, nil
	}
	body, err := r.cfg.Spool.Body(r.engine.lasting, &e.Message)
	var corrupt *spool.CorruptError
	if errors.As(err, &corrupt) {
		return f, nil // it is held when its turn comes
	}
	if err != nil {
		return f, err
	}
	var header headerCatcher
	if _, err := body.WriteTo(&header); err != nil && !errors.Is(err, errHeaderComplete) {
		return f, err
	}
	parsed, err := mail.ParseFor(bytes.NewReader(header.b), int64(len(header.b)), []mail.Address{e.Recipients[0].Address})
	if err != nil {
		return f, nil //nolint:nilerr // it was accepted once; what its rules demanded is in the snapshot
	}
	f.Authors, f.Subjects = parsed.Authors(), parsed.Subjects()
	return f, nil
}

// headerCatcher keeps what is written up to the end of the header.
type headerCatcher struct{ b []byte }

var errHeaderComplete = errors.New("the header is complete")

func (h *headerCatcher) Write(p []byte) (int, error) {
	from := max(0, len(h.b)-3)
	h.b = append(h.b, p...)
	if i := bytes.Index(h.b[from:], []byte("\r\n\r\n")); i >= 0 {
		h.b = h.b[:from+i+4]
		return 0, errHeaderComplete
	}
	return len(p), nil
}

// storeError stops the run, unless it was interrupted anyway.
func (r *round) storeError(err error) {
	if r.engine.ctx.Err() == nil {
		r.engine.fail(err)
	}
}
