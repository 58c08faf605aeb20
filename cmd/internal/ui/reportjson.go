package ui

import (
	"bytes"
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
		return o.indentedBy(w, func(b page) error { return writeReport(b, r) })
	}
	return writeReport(w, r)
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

func writeReport(w page, r *send.Report) error {
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
	w.raw(head[:len(head)-1]) // its closing brace comes last
	w.text(",\n \"summary\":")
	w.raw(summary)
	w.text(",\n ")
	if err := jsonArray(w, "recipients", len(r.Rows), func(i int) any { return recipientOf(r.Rows[i]) }); err != nil {
		return err
	}
	w.text(",\n ")
	if err := jsonArray(w, "refused", len(r.Refused), func(i int) any { return refusalOf(&r.Refused[i]) }); err != nil {
		return err
	}
	w.line("}")
	return nil
}

// jsonArray writes "key":[…] with an item a line.
func jsonArray(w page, key string, n int, item func(int) any) error {
	w.text(strconv.Quote(key) + ":[")
	e := newEncoder()
	for i := range n {
		if i > 0 {
			w.text(",")
		}
		line, err := e.line(item(i))
		if err != nil {
			return err
		}
		w.text("\n  ")
		w.raw(line)
	}
	w.text("]")
	return nil
}

func (o *Output) entriesJSON(w page, rows []*send.Row) error {
	entries := func(b page) error {
		b.text("{")
		if err := jsonArray(b, "entries", len(rows), func(i int) any { return recipientOf(rows[i]) }); err != nil {
			return err
		}
		b.line("}")
		return nil
	}
	if o.out.Terminal {
		return o.indentedBy(w, entries)
	}
	return entries(w)
}

// reportJSONL writes what follows the recipients: refused files, then the summary.
func (o *Output) reportJSONL(w page, r *send.Report) error {
	for i := range r.Refused {
		if err := jsonLine(w, map[string]refusalJSON{"refused": refusalOf(&r.Refused[i])}); err != nil {
			return err
		}
	}
	return jsonLine(w, map[string]summaryJSON{"summary": summaryOf(&r.Summary)})
}

func reportCSV(w page, r *send.Report) error { return recipientsCSV(w, r.Rows) }

// recipientsCSV writes the columns of SPEC §3.
func recipientsCSV(w page, rows []*send.Row) error {
	c := newCSV(w)
	if err := c.write("file", "recipient", "status", "profile", "tls_mode", "mx", "ip", "tls_version", "tls_cipher", "verified",
		"code", "enhanced_code", "category", "reason", "reply", "next_attempt"); err != nil {
		return err
	}
	for i := range rows {
		r := recipientOf(rows[i])
		version, cipher := "", ""
		if r.TLS != nil {
			version, cipher = r.TLS.Version, r.TLS.Cipher
		}
		if err := c.write(r.File, r.Recipient, r.Status, r.Profile, r.TLSMode, r.MX, r.IP, version, cipher, csvVerified(rows[i]),
			csvCode(r.Code), r.EnhancedCode, r.Category, r.Reason, r.Reply, orBlank(r.NextAttempt)); err != nil {
			return err
		}
	}
	return c.flush()
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
