package ui

import (
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// recipientJSON is one recipient as SPEC §3 has it; the order of the fields is part of it, and
// none is ever renamed or left out.
type recipientJSON struct {
	File         string        `json:"file"`
	QueueID      string        `json:"queue_id"`
	MessageID    string        `json:"message_id"`
	Sender       string        `json:"sender"`
	Recipient    string        `json:"recipient"`
	Status       string        `json:"status"`
	Profile      string        `json:"profile"`
	Rules        []string      `json:"rules"`
	TLSMode      string        `json:"tls_mode"`
	Because      []string      `json:"because"`
	Pool         string        `json:"pool"`
	MX           string        `json:"mx"`
	IP           string        `json:"ip"`
	SourceIP     string        `json:"source_ip"`
	TLS          *tlsJSON      `json:"tls"`
	Code         int           `json:"code"`
	EnhancedCode string        `json:"enhanced_code"`
	Reply        string        `json:"reply"`
	Category     string        `json:"category"`
	Reason       string        `json:"reason"`
	Attempts     []attemptJSON `json:"attempts"`
	Queued       *string       `json:"queued"`
	Settled      *string       `json:"settled"`
	NextAttempt  *string       `json:"next_attempt"`
	Skipped      bool          `json:"skipped"`
}

type tlsJSON struct {
	Version             string  `json:"version"`
	Cipher              string  `json:"cipher"`
	Group               string  `json:"group"`
	Resumed             bool    `json:"resumed"`
	Verified            string  `json:"verified"`
	VerifyError         string  `json:"verify_error"`
	CertificateSHA256   string  `json:"certificate_sha256"`
	CertificateSubject  string  `json:"certificate_subject"`
	CertificateNotAfter *string `json:"certificate_not_after"`
}

type attemptJSON struct {
	Time         *string `json:"time"`
	MX           string  `json:"mx"`
	IP           string  `json:"ip"`
	Stage        string  `json:"stage"`
	Reason       string  `json:"reason"`
	Code         int     `json:"code"`
	EnhancedCode string  `json:"enhanced_code"`
	Reply        string  `json:"reply"`
	TLSVersion   string  `json:"tls_version"`
}

func recipientOf(r *send.Row) recipientJSON {
	o, d := &r.Outcome, r.Decision
	h := hostOf(r)
	j := recipientJSON{
		File: r.File, QueueID: r.QueueID, MessageID: r.MessageID,
		Sender: r.Sender.String(), Recipient: r.Recipient.String(), Status: string(o.Status),
		Profile: profileOf(d), Rules: orEmpty(d.Rules), TLSMode: modeOf(d), Because: []string{}, Pool: d.Pool,
		MX: h.mx, IP: h.ip, SourceIP: h.source, TLS: tlsOf(o.Session),
		Code: o.Code, EnhancedCode: o.Enhanced.String(), Reply: o.Reply.String(),
		Category: string(o.Reason.Category()), Reason: string(o.Reason),
		Attempts: make([]attemptJSON, 0, len(o.Attempts)),
		Queued:   stamp(r.Queued), Settled: stamp(r.Settled), NextAttempt: stamp(r.Next), Skipped: r.Skipped,
	}
	for _, c := range d.Requirement.Because {
		j.Because = append(j.Because, c.Text)
	}
	for i := range o.Attempts {
		j.Attempts = append(j.Attempts, attemptOf(&o.Attempts[i]))
	}
	return j
}

func tlsOf(s *delivery.Session) *tlsJSON {
	if s == nil || !s.Protection.Encrypted {
		return nil
	}
	p := &s.Protection
	return &tlsJSON{
		Version: p.Version.String(), Cipher: p.Suite.String(), Group: p.Group.String(), Resumed: p.Resumed,
		Verified: verifiedOf(s), VerifyError: mail.Clean(s.VerifyError),
		CertificateSHA256: p.Certificate.SHA256, CertificateSubject: mail.Clean(p.Certificate.Subject),
		CertificateNotAfter: stamp(p.Certificate.NotAfter),
	}
}

func attemptOf(a *delivery.Attempt) attemptJSON {
	return attemptJSON{
		Time: stamp(a.Time), MX: mail.Clean(a.MX), IP: a.IP, Stage: string(a.Stage), Reason: string(a.Reason),
		Code: a.Reply.Code, EnhancedCode: a.Reply.Status.String(), Reply: a.Reply.String(), TLSVersion: a.TLSVersion,
	}
}

// verifiedOf names how the server's identity was established; it is never empty.
func verifiedOf(s *delivery.Session) string {
	if s == nil || s.Verified == "" {
		return string(policy.VerifiedNone)
	}
	return string(s.Verified)
}

func profileOf(d *policy.Decision) string {
	if d.Profile == "" {
		return policy.NullProfile
	}
	return d.Profile
}

func modeOf(d *policy.Decision) string {
	if d.Mode == "" {
		return string(policy.ModeNone)
	}
	return string(d.Mode)
}

// host is the mail host that decided about a recipient.
type host struct{ mx, ip, source string }

// hostOf is the host of the session that decided, else of the attempt that did: the first
// with the outcome's reason, as delivery.Conclude has it, else the last.
func hostOf(r *send.Row) host {
	if s := r.Outcome.Session; s != nil {
		return host{mail.Clean(s.MX), s.IP, s.SourceIP}
	}
	list := r.Outcome.Attempts
	if len(list) == 0 {
		return host{}
	}
	decider := &list[len(list)-1]
	for i := range list {
		if list[i].Reason == r.Outcome.Reason {
			decider = &list[i]
			break
		}
	}
	return host{mail.Clean(decider.MX), decider.IP, decider.SourceIP}
}

// stamp is a time as RFC 3339 has it, in UTC and whole seconds (which every jq reads); nil where there is none.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}

// moment is a time for people, in UTC; "" where there is none.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
