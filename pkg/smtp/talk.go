package smtp

import (
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// talk is the state of one transaction.
type talk struct {
	m        *Mailer
	s        *Session
	tx       *Transaction
	mailCmd  string
	answers  []Answer
	asked    []int // the recipients that are put to the server
	accepted []int

	reused bool  // it is not the first one of its session
	said   bool  // its commands have left in a group
	opened bool  // their answers were read
	ready  bool  // and the content may follow
	behind bool  // they left with the final dot of another one
	follow *talk // whose commands left with the final dot of this one

	blocks   blockWriter // of its content, if it travels by DATA
	from, to int         // where its content lies in the mailer's buffer, if it travels by BDAT
	// ends is the position of the last octet of its content (see Session.position).
	ends int64
}

// open takes the transaction through MAIL, RCPT and DATA, as far as that was not done ahead;
// true when the content may follow. With PIPELINING all leave in one group (RFC 2920 §3.1);
// else one command at a time.
func (t *talk) open() bool {
	if t.opened {
		return t.ready
	}
	t.opened = true
	group := t.m.grouped()
	if group && !t.said {
		t.sayGroup()
		if err := t.s.flush(); err != nil {
			t.lost(delivery.StageMAIL, t.s.lastWords(err))
			return false
		}
	}
	group = group || t.said
	t.ready = t.mail(group) && t.recipients(group) && t.data(group)
	return t.ready
}

// sayGroup says all commands up to DATA.
func (t *talk) sayGroup() {
	t.said = true
	t.sayEnvelope()
	t.s.say("DATA")
}

// sayEnvelope says MAIL and RCPT.
func (t *talk) sayEnvelope() {
	t.s.say(t.mailCmd)
	for _, i := range t.asked {
		t.s.say(t.m.recipientOf(t.tx, t.tx.Recipients[i]))
	}
}

// exchange asks a command, or only reads the reply where it left with the group.
func (t *talk) exchange(group bool, cmd string) (mail.Reply, error) {
	if group {
		return t.s.readReply(t.s.opts.Timeouts.Command)
	}
	return t.s.ask(cmd)
}

func (t *talk) mail(group bool) bool {
	reply, err := t.exchange(group, t.mailCmd)
	if err != nil {
		t.lost(delivery.StageMAIL, err)
		return false
	}
	if reply.Positive() {
		return true
	}
	if t.reused && reply.Code == 421 {
		// It closes after those before, which says nothing about this one.
		t.unsent()
		t.s.Quit()
		return false
	}
	t.answerAll(Answer{Stage: delivery.StageMAIL, Reply: reply})
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
	for _, i := range t.asked {
		cmd := ""
		if !group {
			cmd = t.m.recipientOf(t.tx, t.tx.Recipients[i])
		}
		reply, err := t.exchange(group, cmd)
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
		}
		if reply.Code == 421 {
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
		if err := t.s.flush(); err != nil {
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

// answerAll gives all recipients that were put to the server the same answer.
func (t *talk) answerAll(a Answer) {
	for _, i := range t.asked {
		t.answers[i] = a
	}
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
	if f.Reason == policy.ProtocolError {
		t.odd()
	}
	unsaid := stage == delivery.StageMAIL && f.Reply.IsZero() && !f.Definitive
	for i := range t.answers {
		if t.answers[i].Failure == nil && t.answers[i].Reply.IsZero() {
			t.answers[i] = Answer{Stage: f.Stage, Failure: f, Unsent: unsaid}
		}
	}
}

// outOfStep ends a session whose replies no longer belong to our commands. Up to the 354 to
// DATA it casts doubt on what each recipient was told as well, for one answer too many makes
// every later one that of its neighbour.
func (t *talk) outOfStep(stage delivery.Stage, reply mail.Reply) {
	f := t.s.broken(stage, outOfStep(reply))
	t.s.Close()
	t.odd()
	whose := t.asked
	if stage == delivery.StageContent {
		whose = t.accepted
	}
	for _, i := range whose {
		t.answers[i] = Answer{Stage: stage, Failure: f}
	}
}

// odd falls back after answers that did not fit: a step where it may be for what the
// transaction before had to do with it, else all the way.
func (t *talk) odd() {
	if t.behind || t.follow != nil {
		t.m.slower()
		return
	}
	t.m.pace = OneByOne
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
		reply, err := t.s.readReply(t.s.opts.Timeouts.Command)
		switch {
		case err != nil:
			t.s.Close()
			return
		case reply.Positive():
			// A recipient without a sender: the no to MAIL was the answer to something else.
			t.outOfStep(delivery.StageRCPT, reply)
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
