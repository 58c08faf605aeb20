package smtp

import (
	"io"
	"slices"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// Stream runs the transactions that next gives, until it gives none or the session is of no
// more use, which Usable then says. It asks for the next one before it needs it, so that what
// has to be made ready for it can be, and at the session's pace up to a window of them. Each
// transaction's Done is called before Stream returns, for those that came to nothing because
// the session ended with answers that say Unsent.
func (m *Mailer) Stream(next func() *Transaction) {
	m.s.busy.Store(true)
	defer m.s.busy.Store(false)
	q := &stream{m: m, next: next}
	for t := q.take(); t != nil; t = q.take() {
		if t.chunked() {
			q.flight(t)
		} else {
			q.transact(t)
		}
	}
	q.giveBack()
}

// stream is the transactions of one Stream that are not finished.
type stream struct {
	m     *Mailer
	next  func() *Transaction
	ahead []*talk // asked for; the commands of the first may have left already
}

// take gives the next transaction; nil when there is none, or no session for it.
func (q *stream) take() *talk {
	if !q.m.Usable() || len(q.ahead) == 0 && !q.pull() {
		return nil
	}
	return q.shift()
}

// shift takes the first of those that were asked for.
func (q *stream) shift() *talk {
	t := q.ahead[0]
	q.ahead = slices.Delete(q.ahead, 0, 1)
	return t
}

// pull asks for one more transaction; false when there is none.
func (q *stream) pull() bool {
	for {
		tx := q.next()
		if tx == nil {
			return false
		}
		// One of which the server can serve nobody is answered already.
		if t := q.m.begin(tx); t != nil {
			q.ahead = append(q.ahead, t)
			return true
		}
	}
}

// giveBack answers for transactions for which there is no session any more.
func (q *stream) giveBack() {
	for _, t := range q.ahead {
		if !t.opened || t.ready { // else it was refused already
			t.unsent()
		}
		t.finish()
	}
	q.ahead = nil
}

// transact takes one transaction through DATA, and the commands of the next one with its dot.
// The first one of a session goes so at every pace: what is refused or breaks off is then known
// for what it is, and nothing but that is in doubt.
func (q *stream) transact(t *talk) {
	if t.open() {
		t.content(q.follower())
		t.inStep()
		if t.taken() && q.m.window == 0 {
			q.m.window = min(1, q.m.s.opts.Window) // of which a flight shows whether it copes
		}
	}
	t.finish()
}

// follower is the transaction whose commands may leave with the final dot of the one before;
// nil for none.
func (q *stream) follower() *talk {
	if q.m.pace < Ahead || !q.m.grouped() {
		return nil
	}
	most := 1
	if q.m.prompt {
		most = lookahead
	}
	for len(q.ahead) < most {
		if !q.pull() {
			break
		}
	}
	if len(q.ahead) == 0 || q.ahead[0].chunked() {
		return nil
	}
	return q.ahead[0]
}

const (
	// lookahead is how many transactions are asked for beyond the one whose content is sent, where
	// the server is prompt: what has to be made durable for them is, so that the session need not
	// wait for the disk at each message. Any other session has time for that, and has just the next.
	lookahead = 3
	// prompt is within what time such a server answers a message.
	prompt = 20 * time.Millisecond
)

// begin prepares a transaction; nil where the server can serve none of its recipients.
func (m *Mailer) begin(tx *Transaction) *talk {
	t := &talk{m: m, s: m.s, tx: tx}
	var utf8 bool
	t.answers, utf8 = m.limits(tx)
	n := len(t.answers)
	numbers := make([]int, 2*n)
	t.asked, t.accepted = numbers[:0:n], numbers[n:n]
	for i := range t.answers {
		if t.answers[i].Failure == nil {
			t.asked = append(t.asked, i)
		}
	}
	if len(t.asked) == 0 {
		t.finish()
		return nil
	}
	t.mailCmd, t.reused = m.sender(tx, utf8), m.uses > 0
	m.uses++
	return t
}

// grouped reports whether commands may leave before their predecessors are answered (RFC 2920).
func (m *Mailer) grouped() bool { return m.pace >= Grouped && m.s.Offers("PIPELINING") }

// slower falls back a step: the server answered oddly, or broke off, while more was in flight
// than the humbler pace would have had there.
func (m *Mailer) slower() {
	m.window = 0
	if m.pace > OneByOne {
		m.pace--
	}
}

// unsent answers for a transaction of which the server knows nothing.
func (t *talk) unsent() { t.answerAll(t.s.unsaid()) }

// unsaid is the answer for a recipient of whom the server knows nothing.
func (s *Session) unsaid() Answer {
	return Answer{Stage: delivery.StageMAIL, Failure: s.broken(delivery.StageMAIL, io.EOF), Unsent: true}
}

// finish hands out the answers.
func (t *talk) finish() {
	if t.tx.Done != nil {
		t.tx.Done(t.answers)
	}
}
