package ui

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/send"
)

// Report writes what a run of send or queue did (SPEC §3, Output of send) and ends the
// progress bar. On a terminal the delivered ones are folded to a line per domain where they
// are more than 50, unless All was said. In jsonl all recipients are taken to be told of already,
// in the other formats those that the report does not list: by Recipients. In CSV, which has room for recipients
// only, refused files and summary go to stderr. The report's notes go to stderr as warnings.
func (o *Output) Report(r *send.Report) error {
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
			return o.reportCSV(w, r)
		}
		return o.reportTable(w, r)
	})
	if err != nil {
		return err
	}
	if o.format == FormatCSV {
		o.besideCSV(r)
	}
	if n := r.Summary.Exposed; n > 0 {
		o.Hint(fmt.Sprintf("%d of the encrypted copies went to servers whose certificate was not verified: "+
			"safe from who listens, not from who impersonates the server; a profile that demands a certificate, such as hipaa-strict, is safe from both", n))
	}
	return nil
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
