package send

import (
	"errors"
	"slices"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/spool"
)

// transfer takes one parcel's recipients from host to host until each has an outcome.
type transfer struct {
	e      *engine
	msg    *spool.Message
	jitter float64
	// useful: a host took the message for somebody, or said for good that it does not.
	useful bool
	// last is the attempt that was made most lately, for a lane that gives up.
	last delivery.Attempt
}

// recipient is one recipient on its way.
type recipient struct {
	*task
	own     []delivery.Attempt // what hosts said to it, besides the walk's attempts
	session *delivery.Session  // of the host that spoke last
}

func recipientsOf(tasks []task) []*recipient {
	all := make([]recipient, len(tasks))
	out := make([]*recipient, len(tasks))
	for i := range tasks {
		all[i].task = &tasks[i]
		out[i] = &all[i]
	}
	return out
}

// unsent lists those of a transaction's recipients of whom the session took no notice.
func unsent(rcpts []*recipient, answers []smtp.Answer) []task {
	var out []task
	for i, a := range answers {
		if a.Unsent {
			out = append(out, *rcpts[i].task)
		}
	}
	return out
}

// others are the recipients that are not unsent, with their answers.
func others(rcpts []*recipient, answers []smtp.Answer) (left []*recipient, theirs []smtp.Answer) {
	for i, a := range answers {
		if !a.Unsent {
			left, theirs = append(left, rcpts[i]), append(theirs, a)
		}
	}
	return left, theirs
}

// begin makes a transaction for some recipients, or gives their answers where the message
// cannot be read. The intent is being written from now on, and is durable before the last octet
// of the content leaves.
func (t *transfer) begin(rcpts []*recipient) (*smtp.Transaction, []smtp.Answer) {
	content, err := t.e.cfg.Spool.Body(t.e.lasting, t.msg)
	if err != nil {
		return nil, t.unreadable(len(rcpts), err)
	}
	tx := &smtp.Transaction{
		From: t.msg.ReversePath, Content: content, Recipients: make([]mail.Address, len(rcpts)),
		EightBit: t.msg.EightBit, UTF8: t.msg.UTF8, EnvelopeID: t.msg.EnvelopeID,
	}
	ids := make([]int64, len(rcpts))
	for i, r := range rcpts {
		tx.Recipients[i] = r.Recipient
		ids[i] = r.id
	}
	tx.Commit = t.e.cfg.Spool.Intending(ids...)
	return tx, nil
}

// committed waits until the intent is written, in whatever the transaction ended, and stops the
// run where it could not be.
func (t *transfer) committed(tx *smtp.Transaction) {
	if err := tx.Commit(); err != nil {
		t.storeFailed(err)
	}
}

// send runs one transaction for some recipients.
func (t *transfer) send(link *courier.Link, rcpts []*recipient) []smtp.Answer {
	tx, answers := t.begin(rcpts)
	if tx != nil {
		answers = link.Send(tx)
		t.committed(tx)
	}
	return answers
}

// unreadable answers for a message whose body cannot be read.
func (t *transfer) unreadable(n int, err error) []smtp.Answer {
	t.storeFailed(err)
	f := &smtp.Failure{
		Stage: delivery.StageContent, Reason: policy.ConnectionLost, Err: &smtp.ContentError{Err: err},
		Text: "the message cannot be read from the spool: " + mail.Clean(err.Error()),
	}
	answers := make([]smtp.Answer, n)
	for i := range answers {
		answers[i].Failure = f
	}
	return answers
}

// storeFailed stops the run where the store as a whole failed, and not one entry of it.
func (t *transfer) storeFailed(err error) {
	var state *spool.StateError
	if errors.As(err, &state) {
		t.e.fail(err)
	}
}

// fate is what an answer means for its recipient.
type fate uint8

const (
	ended   fate = iota // there is an outcome
	next                // put off by this host: the next one may take it
	resplit             // too many recipients at once: the same host takes it in another transaction
)

// sort settles those recipients whose answer is an outcome and returns the others by fate.
func (t *transfer) sort(w *courier.Walk, link *courier.Link, rcpts []*recipient, answers []smtp.Answer) (onward, split []*recipient) {
	taken := slices.ContainsFunc(answers, func(a smtp.Answer) bool { return a.Stage == delivery.StageFinal || a.Doubt })
	for i, a := range answers {
		switch r := rcpts[i]; t.judge(w, link, r, a) {
		case next:
			onward = append(onward, r)
		case resplit:
			if taken && link.Usable() {
				r.own = r.own[:len(r.own)-1] // no refusal, only the end of a transaction's capacity
				split = append(split, r)
			} else {
				onward = append(onward, r)
			}
		case ended:
		}
	}
	return onward, split
}

// judge decides one recipient's fate.
func (t *transfer) judge(w *courier.Walk, link *courier.Link, r *recipient, a smtp.Answer) fate {
	r.session = &link.Session
	switch {
	case a.Delivered():
		t.useful = true
		t.settle(w, r, delivery.Outcome{Status: delivery.Delivered, Code: a.Reply.Code, Enhanced: a.Reply.Status, Reply: a.Reply})
		return ended
	case a.Doubt:
		t.attempt(link, r, a)
		o := t.conclude(w, r)
		o.Status = delivery.InDoubt
		t.settle(w, r, o)
		return ended
	}
	at := t.attempt(link, r, a)
	if damaged(a) {
		t.settle(w, r, delivery.Outcome{Status: delivery.Held, Reason: at.Reason, Text: at.Text})
		return ended
	}
	// A 421 to one RCPT takes the host away from the others of the transaction as well (S6).
	before := at.Stage == delivery.StageMAIL || at.Stage == delivery.StageRCPT && (a.Failure == nil || at.Reply.Transient())
	switch {
	case a.Failure != nil && at.Stage == delivery.StageMAIL && at.Reason.Category() == policy.CategoryLocal,
		a.Failure != nil && at.Reason == policy.MessageTooLarge:
		return next // this host cannot take it; another one may
	case before && !at.Definitive:
		if at.Stage == delivery.StageRCPT && tooMany(a.Reply, at.Reason) {
			return resplit
		}
		return next
	}
	t.settle(w, r, t.conclude(w, r))
	return ended
}

// tooMany reports a reply that may mean that this transaction has recipients enough
// (RFC 5321 §4.5.3.1.10: 452, and 552 which is to be taken for it).
func tooMany(reply mail.Reply, reason policy.Reason) bool {
	return (reply.Code == 452 || reply.Code == 552) && reason != policy.MailboxFull
}

// attempt notes what a recipient was told.
func (t *transfer) attempt(link *courier.Link, r *recipient, a smtp.Answer) delivery.Attempt {
	s := &link.Session
	at := delivery.Attempt{
		Time: t.e.cfg.Clock(), MX: s.MX, IP: s.IP, SourceIP: s.SourceIP, Stage: a.Stage, Reply: a.Reply,
		TLSVersion: s.Protection.Version.String(),
	}
	if f := a.Failure; f != nil {
		at.Stage, at.Reason, at.Definitive, at.Reply, at.Text = f.Stage, f.Reason, f.Definitive, f.Reply, f.Text
	} else {
		v := delivery.Classify(a.Stage, a.Reply)
		at.Reason, at.Definitive = v.Reason, v.Definitive
		at.Text = refusalText(s, a.Stage, v.Definitive)
	}
	r.own = append(r.own, at)
	t.last, t.useful = at, t.useful || at.Definitive && !at.Reply.IsZero()
	return at
}

// refusalText says what a server did not take; its own words stand beside it.
func refusalText(s *delivery.Session, stage delivery.Stage, definitive bool) string {
	what := map[delivery.Stage]string{
		delivery.StageMAIL: "the sender", delivery.StageRCPT: "the recipient",
		delivery.StageDATA: "the message", delivery.StageFinal: "the message after it was sent",
	}[stage]
	if definitive {
		return s.MX + " [" + s.IP + "] refused " + what
	}
	return s.MX + " [" + s.IP + "] put off " + what
}

// settle gives a recipient its outcome, with everything that was tried.
func (t *transfer) settle(w *courier.Walk, r *recipient, o delivery.Outcome) {
	if o.Session == nil { // else a session decided over which no mail flowed
		o.Session = r.session
	}
	o.Attempts = merged(w.Attempts(), r.own)
	t.e.settle(r.task, o, t.jitter)
}

// onward takes recipients that a host put off to the hosts that are left, and concludes for
// those that none took.
func (t *transfer) onward(w *courier.Walk, rcpts []*recipient) {
	defer w.Close()
	for len(rcpts) > 0 {
		link, ok := w.Next(t.e.ctx)
		if !ok {
			break
		}
		rcpts = t.deliver(w, link, rcpts)
		link.Quit()
	}
	for _, r := range rcpts {
		t.settle(w, r, t.conclude(w, r))
	}
}

// conclude is the verdict over all that was tried for a recipient.
func (t *transfer) conclude(w *courier.Walk, r *recipient) delivery.Outcome {
	return delivery.Conclude(merged(w.Attempts(), r.own), r.Decision.Requirement)
}

// deliver runs transactions on one link until the host has said its last word to each
// recipient; those that it put off are returned.
func (t *transfer) deliver(w *courier.Walk, link *courier.Link, rcpts []*recipient) []*recipient {
	var onward []*recipient
	for len(rcpts) > 0 {
		var off []*recipient
		off, rcpts = t.sort(w, link, rcpts, t.send(link, rcpts))
		onward = append(onward, off...)
	}
	return onward
}

// merged puts a walk's attempts and a recipient's own into the order of time.
func merged(walk, own []delivery.Attempt) []delivery.Attempt {
	if len(walk)+len(own) == 0 {
		return nil
	}
	all := slices.Concat(walk, own)
	slices.SortStableFunc(all, func(a, b delivery.Attempt) int { return a.Time.Compare(b.Time) })
	return all
}

// damaged reports a message whose body at rest is not what was accepted: the spool holds it.
func damaged(a smtp.Answer) bool {
	var corrupt *spool.CorruptError
	return a.Failure != nil && errors.As(a.Failure.Err, &corrupt)
}

// unread reports a message that could not be read to its end, which is no fault of the host.
func unread(answers []smtp.Answer) bool {
	return slices.ContainsFunc(answers, func(a smtp.Answer) bool {
		if a.Failure == nil {
			return false
		}
		_, is := errors.AsType[*smtp.ContentError](a.Failure.Err)
		return is
	})
}
