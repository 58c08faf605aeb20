package dsn

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// status is the second part (RFC 3464 §2): a group of fields for the message, then one for
// each recipient.
func (n Notification) status() []byte {
	var b bytes.Buffer
	field := func(name, value string) {
		if value != "" {
			b.WriteString(folded(name, ascii(value)))
		}
	}
	field("Reporting-MTA", "dns; "+n.ReportingMTA)
	field("Original-Envelope-Id", n.Original.EnvelopeID)
	field("Arrival-Date", stamp(n.Original.Arrival))
	for _, r := range n.Recipients {
		b.WriteString("\n")
		field("Final-Recipient", addressType(r.Address))
		field("Action", string(n.Action))
		field("Status", r.status(n.Action))
		field("Remote-MTA", r.remote())
		field("Diagnostic-Code", r.diagnostic())
		field("Last-Attempt-Date", stamp(r.Last))
		field("Final-Log-ID", r.LogID)
		if n.Action == Delayed {
			field("Will-Retry-Until", stamp(n.RetryUntil))
		}
	}
	return b.Bytes()
}

// addressType writes an address with its type; one in UTF-8 as utf-8-addr-xtext, the form for
// where only ASCII may stand (RFC 6533 §3).
func addressType(a mail.Address) string {
	if !a.NeedsSMTPUTF8() {
		return "rfc822; " + a.String()
	}
	var b strings.Builder
	for _, r := range a.String() {
		if r > ' ' && r < 0x7f && r != '\\' && r != '+' && r != '=' {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\x{%X}`, r)
		}
	}
	return "utf-8; " + b.String()
}

// status is the enhanced status with the class that the action demands (RFC 3464 §2.3.4): a
// server that defers with a 5.x.x, or says none, must not make a delay look final. Where a
// server gave no status it follows from what its reply was taken for.
func (r Recipient) status(a Action) string {
	s := r.Outcome.Enhanced
	if s.IsZero() {
		_, s = delivery.Code(r.Outcome.Reason, a == Failed)
	}
	if s.Subject == 0 && s.Detail == 0 {
		s = meaning[r.Outcome.Reason]
	}
	s.Class = 5
	if a == Delayed {
		s.Class = 4
	}
	return s.String()
}

// meaning is the status of replies that came without one (RFC 3463 §3).
var meaning = map[policy.Reason]mail.Status{
	policy.Greylisted:      {Subject: 7, Detail: 1},
	policy.Throttled:       {Subject: 4, Detail: 5},
	policy.MailboxFull:     {Subject: 2, Detail: 2},
	policy.PolicyRejected:  {Subject: 7, Detail: 1},
	policy.ContentRejected: {Subject: 6, Detail: 0},
	policy.SenderRejected:  {Subject: 1, Detail: 8},
}

// remote is the host that decided, else the last that was asked, if any.
func (r Recipient) remote() string {
	if s := r.Outcome.Session; s != nil {
		return hostField(s.MX, s.IP)
	}
	last := ""
	for _, a := range r.Outcome.Attempts {
		if a.MX == "" {
			continue
		}
		last = hostField(a.MX, a.IP)
		if a.Reason == r.Outcome.Reason {
			break
		}
	}
	return last
}

func hostField(name, ip string) string {
	name = shortened(name)
	if ip != "" {
		name += " (" + ip + ")"
	}
	return "dns; " + name
}

// diagnostic quotes the server (smtp) only for what it really said against the message; what
// we decided ourselves is marked as ours (RFC 3464 §2.3.6).
func (r Recipient) diagnostic() string {
	o := r.Outcome
	if refused(o.Reply) {
		return "smtp; " + shortened(o.Reply.String())
	}
	code := ""
	if o.Code != 0 {
		code = fmt.Sprintf("%d %s ", o.Code, o.Enhanced)
	}
	return "x-sendctl; " + code + shortened(o.Text) + " (" + string(o.Reason) + ")"
}

// refused tells a reply that says no from one that stands there for other reasons, such as
// an answer to EHLO without STARTTLS.
func refused(r mail.Reply) bool { return r.Transient() || r.Permanent() }

// stamp is a time as RFC 5322 §3.3 has it, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC1123Z)
}
