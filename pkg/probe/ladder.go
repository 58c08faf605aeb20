package probe

import (
	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// question is one bare ClientHello: everything up to a version, or only what sendctl's own
// TLS could use of it.
type question struct {
	max    tlsnames.Version
	usable bool
}

// reply is what came of a question.
type reply struct {
	answer  hello.Answer
	failure *smtp.Failure // the talk before TLS failed
	err     error         // what came was no answer
	stop    bool          // the host wants to be left alone
}

// handshake is what the full session's handshake came to.
type handshake struct {
	version tlsnames.Version // zero: it failed
	failure *smtp.Failure    // nil: it succeeded
	// certificate: our own TLS cannot read the server's certificate, whatever the version.
	certificate bool
}

// ladder decides which versions to ask an address for, and what its answers mean. It is pure:
// events go in, questions come out.
type ladder struct {
	answers map[tlsnames.Version]Answer
	// refused are versions answered by an alert that does not say why. Where the server has
	// another version it is a no.
	refused map[tlsnames.Version]bool
	pending map[question]bool
	early   *reply // the answer to the first question, while the session is under way
	full    *handshake
	raw     int // questions asked up to a version
	stopped bool
}

func newLadder() *ladder {
	return &ladder{
		answers: map[tlsnames.Version]Answer{}, refused: map[tlsnames.Version]bool{}, pending: map[question]bool{},
	}
}

// The first question, asked while the session still goes on: whatever version that gets, the
// answer is needed, unless the host is very old.
const firstQuestion = tlsnames.TLS11

// Most questions up to a version; one more where the session, which would have told about TLS
// 1.3, failed although there is TLS.
const maxQuestions = 3

// seen says that the host offers STARTTLS.
func (l *ladder) seen() []question { return l.ask(question{max: firstQuestion}) }

// session says what the full session came to.
func (l *ladder) session(h handshake) []question {
	l.full = &h
	if h.failure == nil {
		for _, v := range tlsnames.Versions() {
			switch {
			case v == h.version:
				l.answers[v] = Yes
			case v > h.version:
				l.answers[v] = No // RFC 8446 §4.2.1, RFC 5246 §E.1: a server takes the newest that both have
			}
		}
	}
	var more []question
	if l.early != nil {
		more = l.replied(question{max: firstQuestion}, *l.early)
	}
	return append(more, l.next()...)
}

// replied says what came of a question.
func (l *ladder) replied(q question, r reply) []question {
	delete(l.pending, q)
	if l.full == nil {
		l.early = &r
		return nil
	}
	l.stopped = l.stopped || r.stop
	if q.usable {
		l.judgeUsable(q, r)
		return l.next()
	}
	switch {
	case r.failure != nil || r.err != nil:
		l.set(q.max, Unknown)
	case r.answer.Kind == hello.Alert:
		l.alerted(q, r.answer.Alert)
	case r.answer.Version > q.max || r.answer.Version < tlsnames.TLS10:
		l.set(q.max, Unknown) // it answered with what was not offered
	default:
		return append(l.chosen(q, r.answer), l.next()...)
	}
	return l.next()
}

func (l *ladder) set(v tlsnames.Version, a Answer) {
	if l.answers[v] == unset {
		l.answers[v] = a
	}
}

// alerted reads a refusal: protocol_version speaks of everything that was offered, any other
// definitive alert of the newest only, and all others of nothing.
func (l *ladder) alerted(q question, alert tlsnames.Alert) {
	const protocolVersion = 70
	switch {
	case alert == protocolVersion:
		for _, v := range tlsnames.Versions() {
			if v <= q.max {
				l.set(v, No)
			}
		}
	case alert.Definitive():
		if l.answers[q.max] == unset {
			l.refused[q.max] = true
			l.answers[q.max] = Unknown
		}
	default:
		l.set(q.max, Unknown)
	}
}

// chosen reads a ServerHello: the version that it names is offered, those between it and what
// was asked for are not.
func (l *ladder) chosen(q question, a hello.Answer) []question {
	for _, v := range tlsnames.Versions() {
		if v > a.Version && v <= q.max {
			l.set(v, No)
		}
	}
	if l.answers[a.Version] != unset {
		return nil
	}
	best := l.full.failure != nil && q.max >= tlsnames.TLS13
	switch {
	case l.full.certificate, best && nothingInCommon(l.full.failure):
		l.set(a.Version, Unusable)
	case a.Suite.Usable() && (a.Group == 0 || a.Group.Usable()):
		l.set(a.Version, Yes)
	default:
		// It may have chosen by its own preference, and have something for us as well.
		return l.ask(question{max: a.Version, usable: true})
	}
	return nil
}

// nothingInCommon reports that our own TLS, with everything that it has, found no suite or group
// in common with the server.
func nothingInCommon(f *smtp.Failure) bool {
	alert, ok := f.Alert()
	return ok && f.Definitive && f.Reason == "tls-cipher-mismatch" && alert.Definitive()
}

func (l *ladder) judgeUsable(q question, r reply) {
	switch {
	case r.failure != nil, r.err != nil, r.answer.Kind == hello.Alert && !r.answer.Alert.Definitive():
		l.set(q.max, Unknown)
	case r.answer.Kind != hello.Alert && r.answer.Version == q.max:
		l.set(q.max, Yes)
	default:
		l.set(q.max, Unusable)
	}
}

// ask notes a question.
func (l *ladder) ask(q question) []question {
	if l.stopped || l.pending[q] {
		return nil
	}
	if !q.usable {
		l.raw++
	}
	l.pending[q] = true
	return []question{q}
}

// next is what to ask now: the versions, newest first, that nothing is known of and that no
// question under way may answer for.
func (l *ladder) next() []question {
	if l.full == nil || l.stopped {
		return nil
	}
	most := maxQuestions
	if l.full.failure != nil && l.offersSome() {
		most++
	}
	var out []question
	for v := tlsnames.TLS13; v >= tlsnames.TLS10 && l.raw < most; v-- {
		if l.answers[v] == unset && !l.covered(v) {
			out = append(out, l.ask(question{max: v})...)
		}
	}
	return out
}

// covered reports whether a question under way may answer for the version.
func (l *ladder) covered(v tlsnames.Version) bool {
	for q := range l.pending {
		if q.usable && q.max == v {
			return true
		}
		if q.usable || q.max < v {
			continue
		}
		open := true
		for w := v + 1; w <= q.max; w++ {
			if a := l.answers[w]; a == Yes || a == Unusable || a == Unknown {
				open = false // the server would stop there
			}
		}
		if open {
			return true
		}
	}
	return false
}

// offersSome reports whether a version is known to be offered.
func (l *ladder) offersSome() bool {
	for _, a := range l.answers {
		if a == Yes || a == Unusable {
			return true
		}
	}
	return false
}

// conclude gives every version its answer.
func (l *ladder) conclude() map[string]Answer {
	some := l.offersSome()
	out := map[string]Answer{}
	for _, v := range tlsnames.Versions() {
		a := l.answers[v]
		switch {
		case l.refused[v] && some:
			a = No
		case a == unset:
			a = Unknown
		}
		out[v.String()] = a
	}
	return out
}
