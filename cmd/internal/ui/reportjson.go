package ui

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// summaryJSON is the counts of a run in the order of SPEC §3.
type summaryJSON struct {
	Messages   int `json:"messages"`
	Recipients int `json:"recipients"`
	Delivered  int `json:"delivered"`
	Encrypted  int `json:"encrypted"`
	Verified   int `json:"verified"`
	Unverified int `json:"unverified"`
	Cleartext  int `json:"cleartext"`
	Deferred   int `json:"deferred"`
	Queued     int `json:"queued"`
	InDoubt    int `json:"in_doubt"`
	Held       int `json:"held"`
	Cancelled  int `json:"cancelled"`
	Bounced    int `json:"bounced"`
	Skipped    int `json:"skipped"`
	Refused    int `json:"refused"`
}

func summaryOf(s *send.Summary) summaryJSON {
	return summaryJSON{
		Messages: s.Messages, Recipients: s.Recipients, Delivered: s.Delivered, Encrypted: s.Encrypted,
		Verified: s.Verified, Unverified: s.Unverified, Cleartext: s.Cleartext, Deferred: s.Deferred,
		Queued: s.Queued, InDoubt: s.InDoubt, Held: s.Held, Cancelled: s.Cancelled, Bounced: s.Bounced,
		Skipped: s.Skipped, Refused: s.Refused,
	}
}

type refusalJSON struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Error string `json:"error"`
}

func refusalOf(f *send.Refusal) refusalJSON { return refusalJSON{f.File, f.Line, f.Error} }

// reportJSON writes the object of SPEC §3: on a terminal indented, in a pipe with a line per
// recipient, each encoded by itself so that memory does not grow with them.
func (o *Output) reportJSON(w page, r *send.Report) error {
	if o.out.Terminal {
		return o.indentedBy(w, func(b page) error { return o.writeReport(b, r) })
	}
	return o.writeReport(w, r)
}

// indentedBy indents on stdout what f writes.
func (o *Output) indentedBy(w page, f func(page) error) error {
	var all bytes.Buffer
	b := newPage(&all)
	if err := f(b); err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	return o.indented(w, bytes.TrimSpace(all.Bytes()))
}

// writeReport writes the report's object, or the rest of it where some recipients were written
// while the run went on.
func (o *Output) writeReport(w page, r *send.Report) error {
	profile := r.Profile
	if profile == "" {
		profile = policy.NullProfile
	}
	head, err := encode(struct {
		Batch    string  `json:"batch"`
		Profile  string  `json:"profile"`
		Started  *string `json:"started"`
		Finished *string `json:"finished"`
	}{r.Batch, profile, stamp(r.Started), stamp(r.Finished)})
	if err != nil {
		return err
	}
	summary, err := encode(summaryOf(&r.Summary))
	if err != nil {
		return err
	}
	told := func() {
		w.raw(head[1 : len(head)-1]) // its braces are the object's
		w.text(",\n \"summary\":")
		w.raw(summary)
	}
	recipients := o.stream.array
	if recipients == nil {
		w.text("{")
		told()
		w.text(",\n ")
		recipients = beginArray(w, "recipients")
	}
	for _, row := range slices.Concat(o.stream.gathered, r.Rows) {
		if err := recipients.add(recipientOf(row)); err != nil {
			return err
		}
	}
	recipients.end()
	w.text(",\n ")
	if o.stream.array != nil {
		told()
		w.text(",\n ")
	}
	refused := beginArray(w, "refused")
	for i := range r.Refused {
		if err := refused.add(refusalOf(&r.Refused[i])); err != nil {
			return err
		}
	}
	refused.end()
	w.line("}")
	return nil
}

// jsonArray writes "key":[…] with an item a line.
type jsonArray struct {
	w    page
	json *encoder
	n    int
}

func beginArray(w page, key string) *jsonArray {
	w.text(strconv.Quote(key) + ":[")
	return &jsonArray{w: w, json: newEncoder()}
}

func (a *jsonArray) add(item any) error {
	line, err := a.json.line(item)
	if err != nil {
		return err
	}
	if a.n++; a.n > 1 {
		a.w.text(",")
	}
	a.w.text("\n  ")
	a.w.raw(line)
	return nil
}

func (a *jsonArray) end() { a.w.text("]") }

// reportJSONL writes what follows the recipients: refused files, then the summary.
func (o *Output) reportJSONL(w page, r *send.Report) error {
	for i := range r.Refused {
		if err := jsonLine(w, map[string]refusalJSON{"refused": refusalOf(&r.Refused[i])}); err != nil {
			return err
		}
	}
	return jsonLine(w, map[string]summaryJSON{"summary": summaryOf(&r.Summary)})
}

func (o *Output) reportCSV(w page, r *send.Report) error {
	c := o.stream.csv
	if c == nil {
		begun, err := newRecipientsCSV(w)
		if err != nil {
			return err
		}
		c = &begun
	}
	for _, row := range r.Rows {
		if err := c.add(row); err != nil {
			return err
		}
	}
	return c.flush()
}

// recipientsCSV writes the columns of SPEC §3.
type recipientsCSV struct{ *csvWriter }

func newRecipientsCSV(w page) (recipientsCSV, error) {
	c := recipientsCSV{newCSV(w)}
	return c, c.write("file", "recipient", "status", "profile", "tls_mode", "mx", "ip", "tls_version", "tls_cipher", "verified",
		"code", "enhanced_code", "category", "reason", "reply", "next_attempt")
}

func (c recipientsCSV) add(row *send.Row) error {
	o, h := &row.Outcome, hostOf(row)
	version, cipher := "", ""
	if s := o.Session; s != nil && s.Protection.Encrypted {
		version, cipher = s.Protection.Version.String(), s.Protection.Suite.String()
	}
	return c.write(row.File, row.Recipient.String(), string(o.Status), profileOf(row.Decision), modeOf(row.Decision), h.mx, h.ip, version, cipher,
		csvVerified(row), csvCode(o.Code), o.Enhanced.String(), string(o.Reason.Category()), string(o.Reason), o.Reply.String(), orBlank(stamp(row.Next)))
}

// csvVerified is "" where nothing was delivered and no session came about.
func csvVerified(r *send.Row) string {
	if r.Outcome.Session == nil && r.Outcome.Status != delivery.Delivered {
		return ""
	}
	return verifiedOf(r.Outcome.Session)
}

func csvCode(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

func orBlank(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
