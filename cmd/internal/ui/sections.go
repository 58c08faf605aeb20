package ui

import (
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// foldAbove is how many recipients are shown one by one on a terminal (SPEC §3).
const foldAbove = 50

// cleartext is what stands where the TLS version would, in letters that no terminal takes away.
const cleartext = "CLEARTEXT"

// reportTable writes a table for each kind of outcome that occurred, then the summary. With
// -q the tables are those of failures, and nothing is written where there is none. What was
// begun while the run went on is ended first.
func (o *Output) reportTable(w page, r *send.Report) error {
	if o.quiet && !failed(&r.Summary) {
		return nil
	}
	var list []Table
	if !o.quiet {
		rest := o.endStream(w, r)
		list = append(list, o.deliveredTable(rest), o.waitingTable(rest))
	}
	list = append(list, o.deferredTable(r), o.bouncedTable(r), o.refusedTable(r))
	kept := list[:0]
	for _, t := range list {
		if t.Len() > 0 {
			kept = append(kept, t)
		}
	}
	if err := o.tables(w, kept); err != nil {
		return err
	}
	if len(kept) > 0 {
		w.end()
	}
	w.line(summary(&r.Summary, o.paint, o.out.columns()))
	return nil
}

// endStream writes the last rows of the table that was begun while the run went on, if one was,
// and gives all rows that no table has yet.
func (o *Output) endStream(w page, r *send.Report) []*send.Row {
	s := &o.stream
	s.gathered = append(s.gathered, r.Rows...)
	if s.columns != nil {
		t := o.rowTable(s.kind, s.take(s.kind))
		for _, row := range t.rows {
			s.columns.row(w, &t, row)
		}
		w.end()
	}
	return s.gathered
}

// failed reports whether a run ends with another exit status than 0.
func failed(s *send.Summary) bool {
	return s.Bounced+s.Deferred+s.InDoubt+s.Held+s.Refused > 0
}

// kind is which table a recipient is in.
type kind uint8

const (
	kindDelivered kind = iota
	kindWaiting        // nothing was tried now: skipped, queued, held, cancelled
	kindDeferred
	kindBounced
)

func kindOf(r *send.Row) kind {
	if r.Skipped {
		return kindWaiting
	}
	switch r.Outcome.Status {
	case delivery.Delivered:
		return kindDelivered
	case delivery.Bounced:
		return kindBounced
	case delivery.Deferred, delivery.InDoubt:
		return kindDeferred
	}
	return kindWaiting
}

// rowsOf picks the rows of a kind.
func rowsOf(all []*send.Row, k kind) []*send.Row {
	var rows []*send.Row
	for _, row := range all {
		if kindOf(row) == k {
			rows = append(rows, row)
		}
	}
	return rows
}

// folds reports whether so many rows are folded to a line per domain.
func (o *Output) folds(n int) bool { return n > foldAbove && o.out.Terminal && !o.stream.all }

func (o *Output) deliveredTable(all []*send.Row) Table {
	rows, f := rowsOf(all, kindDelivered), o.stream.delivered
	if f == nil && !o.folds(len(rows)) {
		return o.deliveredRows(rows)
	}
	if f == nil {
		f = newFold()
	}
	for _, row := range rows {
		f.add(row)
	}
	return f.table()
}

func (o *Output) deliveredRows(rows []*send.Row) Table {
	t := Table{Title: "Delivered", Columns: []Column{
		{Title: "Recipient"},
		{Title: "Status", Tone: statusTone},
		{Title: "MX", Fold: 2},
		{Title: "TLS", Tone: tlsTone},
		{Title: "Cipher", Fold: 3},
		{Title: "Verified", Tone: verifiedTone, Fold: 1},
		{Title: "Reply", Wrap: true, Fold: 4},
	}}
	for _, row := range rows {
		version, cipher := cleartext, ""
		if s := row.Outcome.Session; row.Encrypted() {
			version, cipher = s.Protection.Version.String(), s.Protection.Suite.String()
		}
		t.Add(row.Recipient.String(), string(row.Outcome.Status), hostOf(row).mx, version, cipher,
			verifiedOf(row.Outcome.Session), row.Outcome.Reply.String())
		o.remark(&t, row)
	}
	return t
}

// remark notes under a delivered row, with -v, where it went, what happened on the way and why.
func (o *Output) remark(t *Table, row *send.Row) {
	if !o.verbose {
		return
	}
	h := hostOf(row)
	t.Note("Mail host", at(h.mx, h.ip))
	if s := row.Outcome.Session; s != nil && s.VerifyError != "" {
		t.Note("Not verified", s.VerifyError)
	}
	o.tried(t, row)
	because(t, row)
}

func (o *Output) bouncedTable(r *send.Report) Table {
	t := Table{Title: "Bounced", Shape: Blocks, Columns: []Column{
		{Title: "Recipient"},
		{Title: "Reason", Tone: always(Bad)},
		{Title: "Code"},
		{Title: "What happened", Wrap: true},
		{Title: "Server said", Wrap: true},
		{Title: "What to do", Wrap: true},
	}}
	for _, row := range rowsOf(r.Rows, kindBounced) {
		out := &row.Outcome
		t.Add(row.Recipient.String(), string(out.Reason), codes(out), out.Text, said(out), delivery.Advice(*out))
		o.whereTried(&t, row)
	}
	return t
}

// whereTried notes under a bounced row the host that decided, unless that is said already, or
// every host where several were asked (or with -v), and who demanded the TLS that was not to be had.
func (o *Output) whereTried(t *Table, row *send.Row) {
	out := &row.Outcome
	h := hostOf(row)
	switch {
	case len(out.Attempts) > 1 || o.verbose:
		o.tried(t, row)
	case h.mx != "" && !strings.Contains(out.Text, h.mx):
		t.Note("Mail host", at(h.mx, h.ip))
	}
	if o.verbose || out.Reason.Category() == policy.CategoryTLS {
		because(t, row)
	}
}

// tried notes every attempt.
func (o *Output) tried(t *Table, row *send.Row) {
	for i := range row.Outcome.Attempts {
		a := &row.Outcome.Attempts[i]
		parts := []string{at(a.MX, a.IP), string(a.Stage), string(a.Reason), a.Reply.String()}
		text := strings.Join(nonEmpty(parts), ", ")
		if o.verbose && a.Text != "" {
			text += " (" + a.Text + ")"
		}
		t.Note("Tried", text)
	}
}

// because notes who demanded what.
func because(t *Table, row *send.Row) {
	for _, c := range row.Decision.Requirement.Because {
		t.Note("Because", c.Text)
	}
}

func (o *Output) deferredTable(r *send.Report) Table {
	t := Table{Title: "Deferred", Columns: []Column{
		{Title: "Recipient"},
		{Title: "Status", Tone: statusTone, Fold: 3},
		{Title: "Reason"},
		{Title: "Code", Fold: 2},
		{Title: "Next attempt", Fold: 1},
		{Title: "Reply", Wrap: true, Fold: 4},
		{Title: "What happened", Wrap: true, Fold: 5},
	}}
	for _, row := range rowsOf(r.Rows, kindDeferred) {
		out := &row.Outcome
		t.Add(row.Recipient.String(), string(out.Status), string(out.Reason), codes(out), moment(row.Next), out.Reply.String(), out.Text)
		if o.verbose {
			o.tried(&t, row)
			because(&t, row)
		}
	}
	return t
}

// waitingTable is the recipients that nothing was tried for: skipped, queued, held or cancelled.
func (o *Output) waitingTable(all []*send.Row) Table {
	rows, f := rowsOf(all, kindWaiting), o.stream.waiting
	if f == nil && !o.folds(len(rows)) {
		return waitingRows(rows)
	}
	if f == nil {
		f = newWaitingFold()
	}
	for _, row := range rows {
		f.add(row)
	}
	return f.table()
}

func waitingRows(rows []*send.Row) Table {
	t := Table{Title: "Not sent now", Columns: []Column{
		{Title: "Recipient"},
		{Title: "Status", Tone: statusTone},
		{Title: "Next attempt", Fold: 2},
		{Title: "What happened", Wrap: true, Fold: 1},
	}}
	for _, row := range rows {
		t.Add(row.Recipient.String(), waitingStatus(row), moment(row.Next), waitingText(row))
	}
	return t
}

func waitingStatus(row *send.Row) string {
	if row.Skipped {
		return "skipped"
	}
	return string(row.Outcome.Status)
}

func waitingText(row *send.Row) string {
	if !row.Skipped {
		return row.Outcome.Text
	}
	text := "accepted by an earlier run: " + string(row.Outcome.Status)
	if !row.Settled.IsZero() {
		text += " at " + moment(row.Settled)
	}
	return text
}

func (o *Output) refusedTable(r *send.Report) Table {
	t := Table{Title: "Refused", Columns: []Column{
		{Title: "File"},
		{Title: "Line", Right: true},
		{Title: "Error", Wrap: true},
		{Title: "What to do", Wrap: true, Fold: 1},
	}}
	for _, f := range r.Refused {
		line := ""
		if f.Line > 0 {
			line = strconv.Itoa(f.Line)
		}
		t.Add(fileName(f.File), line, f.Error, f.Hint)
	}
	return t
}

// codes is reply code and enhanced status, "550 5.7.10".
func codes(o *delivery.Outcome) string {
	if o.Code == 0 {
		return o.Enhanced.String()
	}
	return strings.TrimSpace(strconv.Itoa(o.Code) + " " + o.Enhanced.String())
}

// said is what the server said, in so many words.
func said(o *delivery.Outcome) string {
	if o.Reply.IsZero() {
		return "nothing"
	}
	return mail.Clean(o.Reply.String())
}

func nonEmpty(list []string) []string {
	kept := list[:0]
	for _, s := range list {
		if s != "" {
			kept = append(kept, s)
		}
	}
	return kept
}

func always(t Tone) func(string) Tone { return func(string) Tone { return t } }

func statusTone(cell string) Tone {
	switch delivery.Status(cell) {
	case delivery.Delivered:
		return Good
	case delivery.Bounced:
		return Bad
	case delivery.Deferred, delivery.InDoubt, delivery.Held:
		return Notice
	}
	return Plain
}

func tlsTone(cell string) Tone {
	if cell == cleartext {
		return Alarm
	}
	return Plain
}

func verifiedTone(cell string) Tone {
	if cell == "none" {
		return Notice
	}
	return Good
}
