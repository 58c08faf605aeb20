package smtp

import (
	"strconv"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Mailer is a session over which mail may flow: only Admit makes one, and only when what the
// session got satisfies the requirement. Every transaction on it carries messages that
// require no more than that.
type Mailer struct {
	s    *Session
	uses int // transactions that were begun
	pace Pace
	// window is how many transactions are in flight at once at the pace Windowed. It grows
	// while all goes well; 0 while the server was not seen to take a message.
	window int
	// chunks: the server took a message by BDAT.
	chunks bool
	prompt bool   // the last message was answered at once
	buffer []byte // for content in chunks
}

// Admit judges the session against a requirement (policy.Judge). Where it is satisfied the
// session becomes a Mailer; where not, the session is ended politely and nothing was said
// that the requirement protects: neither envelope nor content.
func (s *Session) Admit(req policy.Requirement) (*Mailer, *Failure) {
	v := policy.Judge(req, s.protection)
	if v.Satisfied() {
		s.opts.Until = time.Time{}
		return &Mailer{s: s, pace: s.opts.Pace, window: min(s.opts.Proven, s.opts.Window)}, nil
	}
	f := &Failure{
		Stage: delivery.StagePolicy, Reason: v.Reason, Definitive: !v.Passing,
		Text: mail.Clean(s.peer.String() + ": " + v.Text), TLSVersion: s.version(),
	}
	// RFC 8446 §B.4 has one namespace of suites for all: a peer that chose a forbidden one of
	// TLS 1.3 may still choose an allowed one of TLS 1.2.
	if v.Reason == policy.TLSCipherMismatch && s.protection.Version.String() == "TLSv1.3" {
		f.Retry = RetryTLS12
	}
	s.Quit()
	return nil, f
}

// Protection is what the session got.
func (m *Mailer) Protection() policy.Protection { return m.s.protection }

// Peer is the host at the other end.
func (m *Mailer) Peer() Peer { return m.s.peer }

// Uses is how many transactions ran on this session, or were to.
func (m *Mailer) Uses() int { return m.uses }

// Pace is the pace at which the server is to be talked to from now on: that of the options, or
// a humbler one once it answered oddly.
func (m *Mailer) Pace() Pace { return m.pace }

// Proven is how many transactions in flight the server was seen to cope with; 0 where it was
// not seen to take a message.
func (m *Mailer) Proven() int { return m.window }

// Limits is what the server announced of how many transactions a session has and how many
// recipients a transaction (RFC 9422 §4: MAILMAX and RCPTMAX); 0 for no limit.
func (m *Mailer) Limits() (transactions, recipients int) {
	for _, p := range strings.Fields(m.s.extensions["LIMITS"]) {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			continue
		}
		switch strings.ToUpper(name) {
		case "MAILMAX":
			transactions = n
		case "RCPTMAX":
			recipients = n
		}
	}
	return transactions, recipients
}

// Usable reports whether another transaction may be tried.
func (m *Mailer) Usable() bool { return !m.s.dead }

// Quit ends the session politely.
func (m *Mailer) Quit() { m.s.Quit() }

// Close ends the session without a word.
func (m *Mailer) Close() { m.s.Close() }

// Ready reports whether a session that was idle can still be used (see Session.Ready).
func (m *Mailer) Ready() bool { return m.s.Ready() }

// fail gives every recipient without an answer the same failure.
func fail(answers []Answer, f *Failure) {
	for i := range answers {
		if answers[i].Failure == nil && answers[i].Reply.IsZero() {
			answers[i].Failure = f
		}
	}
}

// limits says which recipients cannot be served at all by what the server announced.
func (m *Mailer) limits(tx *Transaction) (own []Answer, utf8 bool) {
	own = make([]Answer, len(tx.Recipients))
	s := m.s
	if limit := s.sizeLimit(); limit > 0 && tx.Content.Size() > limit {
		// RFC 1870 §6.1: a message that is too large is not even begun.
		fail(own, s.unable(policy.MessageTooLarge, "takes messages of up to "+octets(limit)+", this one has "+octets(tx.Content.Size())))
		return own, false
	}
	utf8 = tx.UTF8 || tx.From.NeedsSMTPUTF8()
	const noUTF8 = "takes no addresses or header fields in UTF-8 (no SMTPUTF8)"
	switch {
	case utf8 && !s.Offers("SMTPUTF8"):
		// Before 8BITMIME, which alone would not do (RFC 6531 §3.1: who offers this one offers both).
		fail(own, s.unable(policy.SMTPUTF8NotSupported, noUTF8))
		return own, false
	case tx.EightBit && !s.Offers("8BITMIME"):
		fail(own, s.unable(policy.EightBitNotSupported, "takes no 8-bit content (no 8BITMIME), and messages are sent unaltered"))
		return own, false
	}
	for i, rcpt := range tx.Recipients {
		needs := utf8 || rcpt.NeedsSMTPUTF8()
		switch {
		case needs && !s.Offers("SMTPUTF8"):
			own[i].Failure = s.unable(policy.SMTPUTF8NotSupported, noUTF8)
		case needs:
			utf8 = true
		}
	}
	return own, utf8
}

// unable is the failure of what the server announced that it cannot do.
func (s *Session) unable(reason policy.Reason, text string) *Failure {
	return &Failure{Stage: delivery.StageMAIL, Reason: reason, Definitive: true, TLSVersion: s.version(), Text: s.peer.String() + " " + text}
}

// recipientOf is what RCPT says of one recipient (RFC 5321 §4.1.1.3, RFC 3461 §4.1).
func (m *Mailer) recipientOf(tx *Transaction, rcpt mail.Address) string {
	notify := ""
	if m.s.Offers("DSN") {
		notify = " NOTIFY=FAILURE"
		if tx.From.IsNull() {
			notify = " NOTIFY=NEVER" // nobody could be told
		}
	}
	return "RCPT TO:<" + rcpt.String() + ">" + notify
}

// sender is what MAIL says (RFC 5321 §4.1.1.2 and the extensions' own parameters).
func (m *Mailer) sender(tx *Transaction, utf8 bool) string {
	s := m.s
	cmd := make([]byte, 0, 128) // which most fit into
	cmd = append(append(append(cmd, "MAIL FROM:<"...), tx.From.String()...), '>')
	if s.Offers("SIZE") {
		cmd = strconv.AppendInt(append(cmd, " SIZE="...), tx.Content.Size(), 10)
	}
	if (tx.EightBit || utf8) && s.Offers("8BITMIME") {
		cmd = append(cmd, " BODY=8BITMIME"...)
	}
	if utf8 {
		cmd = append(cmd, " SMTPUTF8"...)
	}
	if s.Offers("DSN") {
		// RFC 3461 §4.3: without RET a server may return the whole message, perhaps in clear.
		cmd = append(cmd, " RET=HDRS"...)
		if tx.EnvelopeID != "" {
			cmd = append(append(cmd, " ENVID="...), xtext(tx.EnvelopeID)...)
		}
	}
	return string(cmd)
}
