package smtp

import (
	"io"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Content is a message as it goes on the wire: CRLF line ends, not dot-stuffed.
type Content interface {
	io.WriterTo
	// Size is the exact number of octets that WriteTo writes.
	Size() int64
}

// Transaction is one MAIL, its RCPTs and the content.
type Transaction struct {
	From       mail.Address
	Recipients []mail.Address // at least one
	Content    Content
	EightBit   bool   // needs 8BITMIME
	UTF8       bool   // the header needs SMTPUTF8
	EnvelopeID string // ENVID where DSN is offered; "" for none
	// Commit is called once the server has accepted a recipient and the content is on its way,
	// right before the final dot leaves: from then on the server may have taken the message.
	// When it fails, the dot is not sent. nil for nothing to do.
	Commit func() error
}

// Answer is what one recipient of a transaction got: the reply that decided, or the failure
// because of which none came.
type Answer struct {
	Stage   delivery.Stage
	Reply   mail.Reply
	Failure *Failure
	// Doubt: the whole message was sent and its acknowledgement did not come. The server may
	// or may not have taken it.
	Doubt bool
}

// Delivered reports that the server took responsibility for the message (RFC 5321 §4.2.5).
func (a Answer) Delivered() bool {
	return a.Failure == nil && !a.Doubt && a.Stage == delivery.StageFinal && a.Reply.Positive()
}

// Send runs one transaction and gives an answer for each recipient, in order. Afterwards
// Usable says whether the session can serve another one.
func (m *Mailer) Send(tx *Transaction) []Answer {
	answers, utf8 := m.limits(tx)
	var asked []int // the recipients that are put to the server
	for i := range answers {
		if answers[i].Failure == nil {
			asked = append(asked, i)
		}
	}
	if len(asked) == 0 {
		return answers
	}
	m.uses++
	m.s.busy.Store(true)
	defer m.s.busy.Store(false)
	t := &talk{m: m, s: m.s, tx: tx, answers: answers, asked: asked}
	t.run(m.sender(tx, utf8))
	return answers
}

// talk is the state of one transaction.
type talk struct {
	m        *Mailer
	s        *Session
	tx       *Transaction
	answers  []Answer
	asked    []int
	accepted []int
}

// run takes the transaction through its stages. With PIPELINING, MAIL, all RCPTs and DATA
// leave in one group (RFC 2920 §3.1); else one command at a time.
func (t *talk) run(mailCmd string) {
	s, group := t.s, t.m.s.opts.Pipelining && t.s.Offers("PIPELINING")
	if group {
		s.say(mailCmd)
		for _, i := range t.asked {
			s.say(t.m.recipientOf(t.tx, t.tx.Recipients[i]))
		}
		s.say("DATA")
		if err := s.flush(s.opts.Timeouts.Command); err != nil {
			t.lost(delivery.StageMAIL, s.lastWords(err))
			return
		}
	}
	if !t.mail(group, mailCmd) || !t.recipients(group) {
		return
	}
	if t.data(group) {
		t.content()
	}
}

// exchange asks a command, or only reads the reply where it left with the group.
func (t *talk) exchange(group bool, cmd string) (mail.Reply, error) {
	if group {
		return t.s.readReply(t.s.opts.Timeouts.Command)
	}
	return t.s.ask(cmd)
}

func (t *talk) mail(group bool, cmd string) bool {
	reply, err := t.exchange(group, cmd)
	if err != nil {
		t.lost(delivery.StageMAIL, err)
		return false
	}
	if reply.Positive() {
		return true
	}
	for _, i := range t.asked {
		t.answers[i] = Answer{Stage: delivery.StageMAIL, Reply: reply}
	}
	if reply.Intermediate() {
		t.outOfStep(delivery.StageMAIL, reply)
		return false
	}
	if group {
		t.drain(len(t.asked), reply.Code == 421)
		return false
	}
	t.reset(reply.Code == 421)
	return false
}

// recipients reads what each RCPT got; true when at least one was accepted.
func (t *talk) recipients(group bool) bool {
	closing := false
	for _, i := range t.asked {
		reply, err := t.exchange(group, t.m.recipientOf(t.tx, t.tx.Recipients[i]))
		if err != nil {
			t.lost(delivery.StageRCPT, err)
			return false
		}
		switch {
		case reply.Intermediate():
			t.outOfStep(delivery.StageRCPT, reply)
			return false
		case reply.Positive():
			t.accepted = append(t.accepted, i)
		default:
			t.answers[i] = Answer{Stage: delivery.StageRCPT, Reply: reply}
			closing = reply.Code == 421
		}
		if closing {
			fail(t.answers, t.s.refused(delivery.StageRCPT, reply))
			t.s.Quit()
			return false
		}
	}
	if len(t.accepted) > 0 {
		return true
	}
	if group {
		t.drain(0, false)
	} else {
		t.reset(false)
	}
	return false
}

// data reads the answer to DATA; true when the content may follow.
func (t *talk) data(group bool) bool {
	if !group {
		t.s.say("DATA")
		if err := t.s.flush(t.s.opts.Timeouts.Command); err != nil {
			t.lost(delivery.StageDATA, t.s.lastWords(err))
			return false
		}
	}
	reply, err := t.s.readReply(t.s.opts.Timeouts.DataStart)
	switch {
	case err != nil:
		t.lost(delivery.StageDATA, err)
		return false
	case reply.Positive(), reply.Intermediate() && reply.Code != 354:
		t.outOfStep(delivery.StageDATA, reply)
		return false
	case reply.Code == 354 && t.s.in.Buffered() > 0:
		t.lost(delivery.StageContent, t.s.unasked())
		return false
	case reply.Code != 354:
		t.answerAccepted(Answer{Stage: delivery.StageDATA, Reply: reply})
		t.reset(reply.Code == 421)
		return false
	}
	return true
}

func (t *talk) answerAccepted(a Answer) {
	for _, i := range t.accepted {
		t.answers[i] = a
	}
}

// lost ends the session; recipients that were answered keep their answers: a server that
// refuses and closes at once has still refused (S26).
func (t *talk) lost(stage delivery.Stage, err error) {
	f := t.s.lost(stage, err)
	t.m.unsure = t.m.unsure || f.Reason == policy.ProtocolError
	fail(t.answers, f)
}

// outOfStep ends a session whose replies no longer belong to our commands. Up to the 354 to
// DATA it casts doubt on what each recipient was told as well, for one answer too many makes
// every later one that of its neighbour.
func (t *talk) outOfStep(stage delivery.Stage, reply mail.Reply) {
	f := t.s.broken(stage, outOfStep(reply))
	t.s.Close()
	t.m.unsure = true
	whose := t.asked
	if stage == delivery.StageContent {
		whose = t.accepted
	}
	for _, i := range whose {
		t.answers[i] = Answer{Stage: stage, Failure: f}
	}
}

// drain reads the replies to what had left in the group although its MAIL or all its RCPTs
// were refused: n to RCPT, then DATA's. A 354 is answered by a lone dot, which sends nothing
// (RFC 2920 §3.1); whatever the server makes of it changes no recipient's answer.
func (t *talk) drain(n int, closing bool) {
	if closing {
		t.s.Quit()
		return
	}
	for range n {
		if _, err := t.s.readReply(t.s.opts.Timeouts.Command); err != nil {
			t.s.Close()
			return
		}
	}
	reply, err := t.s.readReply(t.s.opts.Timeouts.DataStart)
	if err != nil {
		t.s.Close()
		return
	}
	switch {
	case reply.Code == 354:
		if reply, err = t.s.ask("."); err != nil || reply.Positive() {
			// Positive: it took an empty message for nobody. Either way the session is odd.
			t.s.Quit()
			return
		}
	case reply.Positive() && n == 0:
		// A yes to DATA for nobody: the answer to some RCPT, whose own went to another.
		t.outOfStep(delivery.StageDATA, reply)
		return
	}
	t.reset(reply.Code == 421)
}

// reset clears the transaction for the next one (RFC 5321 §4.1.1.5); a session that does not
// take it is dropped.
func (t *talk) reset(closing bool) {
	if closing {
		t.s.Quit()
		return
	}
	if reply, err := t.s.ask("RSET"); err != nil || !reply.Positive() {
		t.s.Quit()
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

func octets(n int64) string { return decimal(n) + " octets" }

// xtext encodes a parameter value (RFC 3461 §4).
func xtext(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < '!' || c > '~' || c == '+' || c == '=' {
			b.WriteByte('+')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}
