package smtp

import (
	"errors"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
)

// content sends message and final dot, and reads what became of it.
func (t *talk) content() {
	s := t.s
	if pending(s.raw) && s.hasWords() {
		// Said before any content was sent: out of step, unless it is the end of the connection.
		t.lost(delivery.StageContent, s.unasked())
		return
	}
	blocks := &blockWriter{s: s}
	dots := mail.NewDotWriter(blocks)
	_, err := t.tx.Content.WriteTo(dots)
	if err != nil {
		t.abandoned(blocks, err)
		return
	}
	if blocks.sent && pending(s.raw) && s.hasWords() {
		t.early()
		return
	}
	if t.tx.Commit != nil {
		if err := t.tx.Commit(); err != nil {
			t.uncommitted(err)
			return
		}
	}
	if err := dots.Close(); err != nil {
		t.abandoned(blocks, err)
		return
	}
	if err := s.flush(s.opts.Timeouts.DataBlock); err != nil {
		// The kernel may have sent part of it, the dot included.
		t.doubt(s.lastWords(err))
		return
	}
	reply, err := s.readReply(s.opts.Timeouts.DataDone)
	switch {
	case err != nil:
		t.doubt(err)
	case reply.Intermediate():
		// Neither yes nor no: who can say what became of the message?
		t.doubt(outOfStep(reply))
	default:
		t.answerAccepted(Answer{Stage: delivery.StageFinal, Reply: reply})
		if reply.Code == 421 {
			s.Quit()
		}
	}
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
func (t *talk) abandoned(blocks *blockWriter, err error) {
	if blocks.err != nil {
		t.lost(delivery.StageContent, t.s.lastWords(blocks.err))
		return
	}
	f := t.s.broken(delivery.StageContent, err)
	f.Text = mail.Clean("the message could not be read while it was being sent: " + err.Error())
	f.Err = &ContentError{err}
	t.s.Close()
	fail(t.answers, f)
}

// uncommitted ends a transaction whose dot must not be sent.
func (t *talk) uncommitted(err error) {
	f := t.s.broken(delivery.StageContent, err)
	f.Text = mail.Clean("the message was not sent to its end: " + err.Error())
	f.Err = &ContentError{err}
	t.s.Close()
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

// blockWriter writes content through the session's buffer with a deadline for each block.
type blockWriter struct {
	s    *Session
	sent bool  // something has left already
	err  error // what went wrong on the wire, as opposed to in the source
}

func (b *blockWriter) Write(p []byte) (int, error) {
	if len(p) <= b.s.out.Available() {
		return b.s.out.Write(p)
	}
	b.sent = true
	if err := b.s.conn.SetWriteDeadline(b.s.deadline(b.s.opts.Timeouts.DataBlock)); err != nil {
		b.err = err
		return 0, err
	}
	n, err := b.s.out.Write(p)
	b.err = err
	return n, err
}
