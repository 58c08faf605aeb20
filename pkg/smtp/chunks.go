package smtp

import (
	"bytes"
	"errors"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
)

const (
	// maxChunk is up to how many octets a message travels in one chunk. Larger ones go by DATA,
	// where a refusal comes before their content is on its way.
	maxChunk = 64 << 10
	// maxFlight is how many octets of content are in flight at once, unless one message has more.
	maxFlight = 256 << 10
	// sluggish is how long a flight may take for the window to grow after it: a server that
	// thinks over each message gains nothing by having more of them at once.
	sluggish = 5 * time.Second
)

// chunked reports whether the transaction travels by BDAT (RFC 3030 §2).
func (t *talk) chunked() bool {
	return t.m.pace == Windowed && t.m.window > 0 && !t.said && t.m.grouped() && t.s.Offers("CHUNKING") && t.tx.Content.Size() <= maxChunk
}

// flight has a window of transactions leave at once, each with its content in one chunk, and
// reads all their answers. Behind each is a RSET: a server that was left with a sender and no
// recipients would else take the next message as from that sender (RFC 3030 §4.2).
func (q *stream) flight(first *talk) {
	f := &flight{m: q.m, s: q.m.s}
	f.talks = f.loaded(q.gather(first))
	switch {
	case len(f.talks) == 0:
		return
	case f.s.peek.pending() && f.s.hasWords():
		f.early()
	default:
		began := time.Now()
		f.write()
		q.prefetch()
		f.read()
		f.judge(time.Since(began))
	}
	for _, t := range f.talks {
		t.finish()
	}
}

// early deals with what was said before anything was asked: it is out of step, unless it is the
// end of the connection.
func (f *flight) early() {
	err := f.s.unasked()
	if first := f.talks[0]; !first.reused {
		first.lost(delivery.StageMAIL, err)
		f.unsent(1)
		return
	}
	var pe *protocolError
	if errors.As(err, &pe) {
		f.m.slower()
	}
	f.s.Close()
	f.unsent(0)
}

// gather takes as many transactions as fit into the window.
func (q *stream) gather(first *talk) []*talk {
	talks, size := []*talk{first}, first.tx.Content.Size()
	for len(talks) < q.m.window && (len(q.ahead) > 0 || q.pull()) {
		t := q.ahead[0]
		if size += t.tx.Content.Size(); !t.chunked() || size > maxFlight {
			break
		}
		talks = append(talks, q.shift())
	}
	return talks
}

// prefetch asks for the transactions of the next flight, while this one is under way.
func (q *stream) prefetch() {
	for more := true; more && len(q.ahead) < min(2*q.m.window, q.m.s.opts.Window); {
		more = q.pull()
	}
}

// flight is transactions that are in flight together.
type flight struct {
	m     *Mailer
	s     *Session
	talks []*talk
	err   error // of writing
	// odd: an answer came that fits none of our commands, or not at its place.
	odd error
	// unreset: the server did not take a RSET.
	unreset bool
}

// loaded makes transactions ready to leave and finishes those that cannot.
func (f *flight) loaded(talks []*talk) []*talk {
	f.m.buffer = f.m.buffer[:0]
	var ready []*talk
	for _, t := range talks {
		err := t.load()
		if err == nil {
			err = t.commit()
		}
		if err != nil {
			t.unsendable("the message was not sent", err)
			t.finish()
			continue
		}
		ready = append(ready, t)
	}
	return ready
}

// load puts the content of a transaction into the mailer's buffer, ended by CRLF.
func (t *talk) load() error {
	from := len(t.m.buffer)
	room := bytes.NewBuffer(t.m.buffer)
	_, err := t.tx.Content.WriteTo(room)
	t.m.buffer = room.Bytes()
	chunk := t.m.buffer[from:]
	if err == nil {
		err = mail.CheckCanonical(chunk)
	}
	if err == nil && len(chunk) > 0 && !bytes.HasSuffix(chunk, []byte("\r\n")) {
		t.m.buffer = append(t.m.buffer, "\r\n"...)
	}
	t.from, t.to = from, len(t.m.buffer)
	return err
}

// write has all transactions leave.
func (f *flight) write() {
	for _, t := range f.talks {
		t.sayEnvelope()
		t.said = true
		f.s.say("BDAT " + decimal(int64(t.to-t.from)) + " LAST")
		f.s.out.Write(f.m.buffer[t.from:t.to])
		t.ends = f.s.position()
		f.s.say("RSET")
	}
	if f.err = f.s.flush(); f.err != nil {
		f.s.writing = time.Second // for nothing but a QUIT
	}
}

// patience is how long to wait for a reply: not long where not all could be written.
func (f *flight) patience(usual time.Duration) time.Duration {
	if f.err != nil {
		return min(usual, time.Second)
	}
	return usual
}

// read reads the answers to all transactions.
func (f *flight) read() {
	for i, t := range f.talks {
		if !f.envelope(i, t) || !f.chunk(i, t) || !f.reset(i, t) {
			return
		}
	}
	if f.unreset {
		f.m.slower()
		f.s.Quit()
	}
}

// reply reads one reply; false when the talk is over for this transaction and those behind it.
func (f *flight) reply(i int, timeout time.Duration) (mail.Reply, bool) {
	reply, err := f.s.readReply(f.patience(timeout))
	switch {
	case err != nil:
		f.broke(i, err)
		return reply, false
	case reply.Intermediate():
		f.odd = outOfStep(reply)
		f.broke(i, f.odd)
		return reply, false
	}
	return reply, true
}

// reset reads the answer to the RSET behind a transaction. A server that does not take it is
// talked to in another way (S22). Where there was nothing to reset, since the transaction had
// come to its end, what follows is as good as without.
func (f *flight) reset(i int, t *talk) bool {
	reply, ok := f.reply(i+1, f.s.opts.Timeouts.Command)
	if ok && reply.Code == 421 {
		f.closing(i + 1)
		return false
	}
	if ok && !reply.Positive() {
		f.unreset = true
		if len(t.accepted) == 0 && i+1 < len(f.talks) {
			f.odd = outOfStep(reply)
			f.broke(i+1, f.odd)
			return false
		}
	}
	return ok
}

// envelope reads the answers to MAIL and RCPT.
func (f *flight) envelope(i int, t *talk) bool {
	sender, ok := f.reply(i, f.s.opts.Timeouts.Command)
	if !ok {
		return false
	}
	switch {
	case sender.Code == 421 && t.reused:
		f.closing(i)
		return false
	case !sender.Positive():
		t.answerAll(Answer{Stage: delivery.StageMAIL, Reply: sender})
		if sender.Code == 421 {
			f.closing(i + 1)
			return false
		}
	}
	for _, r := range t.asked {
		reply, ok := f.reply(i, f.s.opts.Timeouts.Command)
		switch {
		case !ok:
			return false
		case !sender.Positive() && reply.Positive():
			f.odd = outOfStep(reply) // a recipient without a sender
			f.broke(i, f.odd)
			return false
		case !sender.Positive():
		case reply.Positive():
			t.accepted = append(t.accepted, r)
		default:
			t.answers[r] = Answer{Stage: delivery.StageRCPT, Reply: reply}
		}
		if reply.Code == 421 {
			fail(t.answers, f.s.refused(delivery.StageRCPT, reply))
			f.closing(i + 1)
			return false
		}
	}
	return true
}

// chunk reads the answer to the content.
func (f *flight) chunk(i int, t *talk) bool {
	reply, ok := f.reply(i, f.s.opts.Timeouts.DataDone)
	switch {
	case !ok:
		return false
	case len(t.accepted) == 0 && reply.Positive():
		f.odd = outOfStep(reply) // a yes to a message for nobody
		f.broke(i, f.odd)
		return false
	case len(t.accepted) > 0 && !f.m.chunks && len(f.talks) == 1 && reply.Code >= 500 && reply.Code <= 504:
		// It does not know the command that it announced; DATA it will know. Of several
		// transactions it may have taken a later one: more than one is in flight only where it
		// took one before, and then this is what it says of the message.
		f.m.slower()
		f.closing(i)
		return false
	case reply.Positive():
		f.m.chunks = true
	}
	t.answerAccepted(Answer{Stage: delivery.StageFinal, Reply: reply})
	if reply.Code == 421 {
		f.closing(i + 1)
		return false
	}
	return true
}

// taken reports that the server took the message for somebody.
func (t *talk) taken() bool { return len(t.accepted) > 0 && t.answers[t.accepted[0]].Delivered() }

// closing ends a session whose server said that it closes, or that it does not know BDAT: the
// transactions from i on it took no notice of (RFC 5321 §3.8).
func (f *flight) closing(i int) {
	f.unsent(i)
	f.s.Quit()
}

func (f *flight) unsent(i int) {
	for _, t := range f.talks[i:] {
		t.accepted = nil
		t.unsent()
	}
}

// broke ends a flight that lost its connection or its step at a transaction: those from it on
// whose last octet may have left, and that were not refused, are in doubt.
func (f *flight) broke(i int, err error) {
	f.s.Close()
	f.m.slower()
	g := f.s.broken(delivery.StageFinal, err)
	for _, t := range f.talks[i:] {
		if t.ends > f.s.begun {
			t.unsent()
			continue
		}
		for _, r := range t.asked {
			if t.answers[r].Reply.IsZero() {
				t.answers[r] = Answer{Stage: delivery.StageFinal, Failure: g, Doubt: true}
			}
		}
	}
}

// judge looks back on a flight: a server that says more than it was asked, or something else,
// may have given one message the answer to another. Unless all that it said was yes, what it
// was said to have taken is in doubt then, and what it refused is to be asked again.
func (f *flight) judge(took time.Duration) {
	if !f.s.dead && f.s.in.Buffered() > 0 {
		reply, err := f.s.readReply(time.Second)
		f.odd = errors.Join(f.odd, err)
		if err == nil {
			f.odd = outOfStep(reply)
		}
		switch {
		case err == nil && reply.Code == 421:
			f.odd = nil // it closes, as it may at any time
		case err == nil && reply.Positive() && f.allTaken():
			f.odd = nil
			fallthrough
		default:
			f.m.slower()
		}
		f.s.Close()
	}
	switch {
	case f.odd != nil:
		g := f.s.broken(delivery.StageFinal, f.odd)
		for _, t := range f.talks {
			for _, r := range t.asked {
				if !t.answers[r].Unsent {
					t.answers[r] = Answer{Stage: delivery.StageFinal, Failure: g, Doubt: true}
				}
			}
		}
	case !f.s.dead && len(f.talks) >= f.m.window && took < sluggish:
		f.m.window = max(1, min(2*f.m.window, f.s.opts.Window))
	}
}

// allTaken reports that every answer was a yes.
func (f *flight) allTaken() bool {
	for _, t := range f.talks {
		for _, r := range t.asked {
			if !t.answers[r].Delivered() {
				return false
			}
		}
	}
	return true
}
