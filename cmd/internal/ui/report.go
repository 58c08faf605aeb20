package ui

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// Recipient writes one recipient the moment that it settles or its attempt ends: a line in
// jsonl, nothing in the other formats, where Report writes all of them.
func (o *Output) Recipient(r *send.Row) error {
	if o.format != FormatJSONL {
		return nil
	}
	line, err := encode(recipientOf(r))
	if err != nil {
		return err
	}
	return o.write(func(w page) error {
		w.raw(line)
		w.end()
		return nil
	})
}

// Report writes what a run of send or queue did (SPEC §3, Output of send) and ends the
// progress bar. On a terminal the delivered ones are folded to a line per domain where they
// are more than 50, unless all is set. In jsonl the recipients are taken to be written already,
// by Recipient, and refused files and summary follow. In CSV, which has room for recipients
// only, refused files and summary go to stderr. The report's notes go to stderr as warnings.
func (o *Output) Report(r *send.Report, all bool) error {
	o.endProgress()
	for _, n := range r.Notes {
		o.Warn(n, "")
	}
	err := o.write(func(w page) error {
		switch o.format {
		case FormatJSON:
			return o.reportJSON(w, r)
		case FormatJSONL:
			return o.reportJSONL(w, r)
		case FormatCSV:
			return reportCSV(w, r)
		}
		return o.reportTable(w, r, all)
	})
	if err != nil {
		return err
	}
	if o.format == FormatCSV {
		o.besideCSV(r)
	}
	if n := exposed(r); n > 0 {
		o.Hint(fmt.Sprintf("%d of the encrypted copies went to servers whose certificate was not verified: "+
			"safe from who listens, not from who impersonates the server; a profile that demands a certificate, such as hipaa-strict, is safe from both", n))
	}
	return nil
}

// exposed counts what was forced to be encrypted and went to a server that was not verified.
func exposed(r *send.Report) int {
	n := 0
	for i := range r.Rows {
		row := r.Rows[i]
		if !row.Skipped && row.Encrypted() && row.Decision.Mode == policy.ModeForced && verifiedOf(row.Outcome.Session) == string(policy.VerifiedNone) {
			n++
		}
	}
	return n
}

// besideCSV tells on stderr what CSV has no room for.
func (o *Output) besideCSV(r *send.Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, f := range r.Refused {
		o.tell(o.line(Bad, "error", place(&f)+": "+f.Error))
	}
	if !o.quiet || failed(&r.Summary) {
		o.tell(summary(&r.Summary, o.shade, o.err.columns()) + "\n")
	}
}

func place(f *send.Refusal) string {
	if f.Line == 0 {
		return fileName(f.File)
	}
	return fileName(f.File) + ":" + strconv.Itoa(f.Line)
}

// Queue writes the recipients in the spool (queue list): {"entries":[…]} in JSON, a recipient
// object a line in jsonl, the columns of send's CSV, else a table.
func (o *Output) Queue(rows []*send.Row) error {
	return o.entries(rows, func() Table { return queueTable(rows, o.now()) })
}

// History writes settled recipients, in the formats of Queue.
func (o *Output) History(rows []*send.Row) error {
	return o.entries(rows, func() Table { return historyTable(rows) })
}

func (o *Output) entries(rows []*send.Row, table func() Table) error {
	return o.write(func(w page) error {
		switch o.format {
		case FormatJSON:
			return o.entriesJSON(w, rows)
		case FormatJSONL:
			for i := range rows {
				if err := jsonLine(w, recipientOf(rows[i])); err != nil {
					return err
				}
			}
			return nil
		case FormatCSV:
			return recipientsCSV(w, rows)
		}
		return o.tables(w, []Table{table()})
	})
}

func historyTable(rows []*send.Row) Table {
	t := Table{Columns: []Column{
		{Title: "Settled", Fold: 2},
		{Title: "Recipient"},
		{Title: "Status", Tone: statusTone},
		{Title: "TLS", Tone: tlsTone},
		{Title: "Verified", Fold: 4},
		{Title: "Reason"},
		{Title: "Code", Fold: 3},
		{Title: "Profile", Fold: 5},
		{Title: "MX", Fold: 6},
		{Title: "Reply", Wrap: true, Fold: 7},
	}}
	for i := range rows {
		r := rows[i]
		version := ""
		if r.Outcome.Status == delivery.Delivered {
			version = cleartext
		}
		if r.Encrypted() {
			version = r.Outcome.Session.Protection.Version.String()
		}
		t.Add(moment(r.Settled), r.Recipient.String(), string(r.Outcome.Status), version, verifiedOf(r.Outcome.Session),
			string(r.Outcome.Reason), codes(&r.Outcome), profileOf(r.Decision), hostOf(r).mx, r.Outcome.Reply.String())
	}
	return t
}

func queueTable(rows []*send.Row, now time.Time) Table {
	t := Table{Columns: []Column{
		{Title: "Queue ID", Fold: 3},
		{Title: "Recipient"},
		{Title: "Status", Tone: statusTone},
		{Title: "Profile", Fold: 5},
		{Title: "TLS mode", Fold: 6},
		{Title: "Reason", Fold: 1},
		{Title: "Attempts", Right: true, Fold: 4},
		{Title: "Next attempt"},
		{Title: "Reply", Wrap: true, Fold: 7},
	}}
	for i := range rows {
		r := rows[i]
		t.Add(r.QueueID, r.Recipient.String(), string(r.Outcome.Status), profileOf(r.Decision), modeOf(r.Decision),
			string(r.Outcome.Reason), strconv.Itoa(len(r.Outcome.Attempts)), due(r, now), r.Outcome.Reply.String())
	}
	return t
}

// due is when an unsettled recipient is tried again.
func due(r *send.Row, now time.Time) string {
	switch {
	case r.Outcome.Status == delivery.Held || r.Outcome.Status.Settled():
		return ""
	case !r.Next.After(now):
		return "now"
	}
	return moment(r.Next)
}

// at names a mail host and its address.
func at(mx, ip string) string {
	switch {
	case mx == "":
		return ip
	case ip == "":
		return mail.Clean(mx)
	}
	return mail.Clean(mx) + " [" + ip + "]"
}

// Entry writes recipients of queued messages with everything that is known of each: blocks in
// the table format, else as Queue does.
func (o *Output) Entry(rows []*send.Row) error {
	return o.entries(rows, func() Table { return o.entryTable(rows) })
}

func (o *Output) entryTable(rows []*send.Row) Table {
	t := Table{Shape: Record, Columns: []Column{
		{Title: "Recipient"}, {Title: "Status", Tone: statusTone}, {Title: "Queue ID"}, {Title: "File"}, {Title: "Sender"},
		{Title: "Message-ID"}, {Title: "Profile"}, {Title: "TLS mode"}, {Title: "Queued"}, {Title: "Next attempt"},
		{Title: "What happened", Wrap: true}, {Title: "Server said", Wrap: true},
	}}
	for i := range rows {
		r := rows[i]
		t.Add(r.Recipient.String(), string(r.Outcome.Status), r.QueueID, r.File, r.Sender.String(), r.MessageID,
			profileOf(r.Decision), modeOf(r.Decision), moment(r.Queued), due(r, o.now()), r.Outcome.Text, r.Outcome.Reply.String())
		for _, c := range r.Decision.Requirement.Because {
			t.Note("because", c.Text)
		}
		for _, a := range r.Outcome.Attempts {
			t.Note("tried", moment(a.Time)+" "+a.MX+" "+string(a.Stage)+" "+string(a.Reason)+" "+a.Reply.String())
		}
	}
	return t
}
