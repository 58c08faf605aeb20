package smtp

import (
	"errors"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// content sends message and final dot, and the next transaction's commands along with it,
// and reads what became of the message.
func (t *talk) content(follow *talk) {
	s := t.s
	if s.peek.pending() && s.hasWords() {
		// Said before any content was sent: out of step, unless it is the end of the connection.
		t.lost(delivery.StageContent, s.unasked())
		return
	}
	t.blocks = blockWriter{s: s, from: s.begun}
	dots := mail.NewDotWriter(&t.blocks)
	_, err := t.tx.Content.WriteTo(dots)
	if err != nil {
		t.abandoned(err)
		return
	}
	if s.begun > t.blocks.from && s.peek.pending() && s.hasWords() {
		t.early()
		return
	}
	if err := t.commit(); err != nil {
		t.uncommitted(err)
		return
	}
	if err := dots.Close(); err != nil {
		t.abandoned(err)
		return
	}
	if follow != nil {
		follow.sayGroup()
		t.follow, follow.behind = follow, true
	}
	if err := s.flush(); err != nil {
		// The kernel may have sent part of it, the dot included.
		t.doubt(s.lastWords(err))
		return
	}
	t.final()
}

// commit has the transaction's Commit called.
func (t *talk) commit() error {
	if t.tx.Commit == nil {
		return nil
	}
	return t.tx.Commit()
}

// final reads the reply to the end of the content.
func (t *talk) final() {
	began := time.Now()
	reply, err := t.s.readReply(t.s.opts.Timeouts.DataDone)
	t.m.prompt = time.Since(began) < prompt
	switch {
	case err != nil:
		t.doubt(err)
	case reply.Intermediate():
		// Neither yes nor no: who can say what became of the message?
		t.odd()
		t.doubt(outOfStep(reply))
	default:
		t.answerAccepted(Answer{Stage: delivery.StageFinal, Reply: reply})
		if reply.Code == 421 {
			t.s.Quit()
		}
	}
}

// inStep reads the answers to the commands that left with the final dot. Where these show that
// one answer was left out, the one that was taken for the message's own is another's, and the
// message is in doubt; where there was one too many, a yes to the message stands.
func (t *talk) inStep() {
	next := t.follow
	if next == nil {
		return
	}
	if t.s.dead {
		// The server was not heard of after it had been told of the next message already.
		if !t.refusedWith(421) {
			t.m.slower()
		}
		return
	}
	next.open()
	if !t.s.dead || next.answers[next.asked[0]].Failure == nil {
		return
	}
	f := next.answers[next.asked[0]].Failure
	if f.Reason != policy.ProtocolError {
		t.m.slower()
	} else if f.Reply.Intermediate() {
		for _, i := range t.accepted {
			t.answers[i] = Answer{Stage: delivery.StageFinal, Failure: f, Doubt: true}
		}
	}
}

// refusedWith reports that the message was answered by a reply with this code.
func (t *talk) refusedWith(code int) bool {
	return len(t.accepted) > 0 && t.answers[t.accepted[0]].Reply.Code == code
}

// early reads what the server said before the content was complete.
func (t *talk) early() {
	reply, err := t.s.readReply(t.s.opts.Timeouts.Command)
	switch {
	case err != nil:
		t.lost(delivery.StageContent, err)
	case reply.Transient() || reply.Permanent():
		// Refused in mid content; the connection is of no more use, since the dot was not sent.
		t.answerAccepted(Answer{Stage: delivery.StageFinal, Reply: reply})
		t.s.Close()
	default:
		t.outOfStep(delivery.StageContent, reply)
	}
}

// abandoned ends a transaction whose content stopped in the middle: the final dot was not
// sent, so the server must not take what it got (RFC 5321 §4.1.1.4).
func (t *talk) abandoned(err error) {
	if t.blocks.err != nil {
		t.lost(delivery.StageContent, t.s.lastWords(t.blocks.err))
		return
	}
	t.s.Close()
	t.unsendable("the message could not be read while it was being sent", err)
}

// uncommitted ends a transaction whose dot must not be sent.
func (t *talk) uncommitted(err error) {
	t.s.Close()
	t.unsendable("the message was not sent to its end", err)
}

// unsendable answers for a message that is itself at fault, or our store, and not the server.
func (t *talk) unsendable(what string, err error) {
	f := t.s.broken(delivery.StageContent, err)
	f.Text = mail.Clean(what + ": " + err.Error())
	f.Err = &ContentError{err}
	fail(t.answers, f)
}

// ContentError means that the message itself could not be read, which is no fault of the server.
type ContentError struct{ Err error }

// Error is the cause's text.
func (e *ContentError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *ContentError) Unwrap() error { return e.Err }

func (t *talk) doubt(err error) {
	f := t.s.broken(delivery.StageFinal, err)
	var said *saidBeforeClosing
	if errors.As(err, &said) {
		t.answerAccepted(Answer{Stage: delivery.StageFinal, Reply: said.reply})
		t.s.Close()
		return
	}
	t.s.Close()
	t.answerAccepted(Answer{Stage: delivery.StageFinal, Failure: f, Doubt: true})
}

// blockWriter writes content through the session's buffer.
type blockWriter struct {
	s    *Session
	from int64 // where the session was when the content began
	err  error // what went wrong on the wire, as opposed to in the source
}

func (b *blockWriter) Write(p []byte) (int, error) {
	n, err := b.s.out.Write(p)
	b.err = err
	return n, err
}
