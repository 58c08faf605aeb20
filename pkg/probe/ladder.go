package probe

import (
	"slices"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// question is one more connection to an address: a bare ClientHello for everything up to a
// version, or for only what sendctl's own TLS could use of it, or the session once more with
// a humbler hello than the full one.
type question struct {
	max    tlsnames.Version
	usable bool
	humble smtp.Hello
}

// reply is what came of a question.
type reply struct {
	answer    hello.Answer
	handshake *handshake    // of a session; nil where it did not come to one
	failure   *smtp.Failure // the talk before TLS failed
	err       error         // what came was no answer
	stop      bool          // the host wants to be left alone
}

// handshake is what a session's handshake came to.
type handshake struct {
	// version and suite that the server chose, even where the handshake failed later; zero where
	// it chose none.
	version tlsnames.Version
	suite   tlsnames.Suite
	failure *smtp.Failure // nil: it succeeded
	// certificate: our own TLS cannot read the server's certificate, whatever the version.
	certificate bool
	// client: the server wants a certificate of ours, so that no other hello does better.
	client bool
}

// ladder decides what to ask an address, and what its answers mean. It is pure: events go in,
// questions come out.
type ladder struct {
	answers map[tlsnames.Version]Answer
	// refused are versions answered by an alert that does not say why. Where the server has
	// another version it is a no.
	refused map[tlsnames.Version]bool
	// declined are versions that a refusal of a newer one spoke of, most likely.
	declined map[tlsnames.Version]bool
	// open are versions that are offered, and of which only a suite was seen that is not for us.
	open    map[tlsnames.Version]bool
	ours    []tlsnames.Suite // that were chosen and are for us
	nothing tlsnames.Version // up to this version, TLS 1.3 aside, nothing offered is for us
	pending map[question]bool
	early   *reply // the answer to the first question, while the session is under way
	full    *handshake
	asked   int
	humbled smtp.Hello // of the session that was asked for last
	better  bool       // and it came about
	stopped bool
}

func newLadder() *ladder {
	return &ladder{
		answers: map[tlsnames.Version]Answer{}, refused: map[tlsnames.Version]bool{}, declined: map[tlsnames.Version]bool{},
		open: map[tlsnames.Version]bool{}, pending: map[question]bool{},
	}
}

// The first question, asked while the session still goes on: whatever version that gets, the
// answer is needed, unless the host is very old.
const firstQuestion = tlsnames.TLS11

// maxQuestions beside the session (SPEC §6).
const maxQuestions = 3

// seen says that the host offers STARTTLS.
func (l *ladder) seen() []question { return l.ask(question{max: firstQuestion}) }

// session says what the full session came to.
func (l *ladder) session(h handshake) []question {
	l.full = &h
	if h.version != 0 {
		l.chosen(tlsnames.TLS13, hello.Answer{Version: h.version, Suite: h.suite})
	}
	if l.early != nil {
		l.judge(question{max: firstQuestion}, *l.early)
	}
	return l.next()
}

// replied says what came of a question.
func (l *ladder) replied(q question, r reply) []question {
	delete(l.pending, q)
	if l.full == nil {
		l.early = &r
		return nil
	}
	l.judge(q, r)
	return l.next()
}

// judge takes over what an answer says.
func (l *ladder) judge(q question, r reply) {
	l.stopped = l.stopped || r.stop
	bad := r.failure != nil || r.err != nil
	switch {
	case q.humble != smtp.HelloFull:
		if h := r.handshake; h != nil && h.version != 0 {
			// RFC 8446 §4.2.1, RFC 5246 §E.1: a server takes the newest version that both have.
			l.chosen(newestOf(q.humble), hello.Answer{Version: h.version, Suite: h.suite})
			l.better = h.failure == nil
		}
	case q.usable:
		l.judgeUsable(q, r, bad)
	case bad:
		l.set(q.max, Unknown)
	case r.answer.Kind == hello.Alert:
		l.alerted(q, r.answer.Alert)
	case r.answer.Version > q.max || r.answer.Version < tlsnames.TLS10:
		l.set(q.max, Unknown) // it answered with what was not offered
	default:
		l.chosen(q.max, r.answer)
	}
}

func newestOf(h smtp.Hello) tlsnames.Version {
	if h == smtp.HelloTLS12 {
		return tlsnames.TLS12
	}
	return tlsnames.TLS13
}

func (l *ladder) set(v tlsnames.Version, a Answer) {
	if l.answers[v] == unset {
		l.answers[v] = a
	}
}

// alerted reads a refusal: protocol_version speaks of everything that was offered, unless it is
// GnuTLS without TLS 1.3, which means the newest alone where it has a newer one. Those that say
// that nothing is shared speak of everything too, since everything known was offered; from TLS
// 1.3 on, though, there are servers that mean the hello. Any other alert that is definitive
// speaks of the newest version only, and all others of nothing.
func (l *ladder) alerted(q question, alert tlsnames.Alert) {
	const handshakeFailure, protocolVersion, insufficientSecurity = 40, 70, 71
	for _, v := range tlsnames.Versions() {
		switch {
		case v > q.max, l.answers[v] != unset:
		case alert == protocolVersion && (v == q.max || v >= tlsnames.TLS12 || l.answers[tlsnames.TLS13] == Yes):
			l.answers[v] = No
		case alert == protocolVersion:
			l.declined[v] = true
		case v == q.max && !alert.Definitive():
			l.answers[v] = Unknown
		case v == q.max, q.max < tlsnames.TLS13 && (alert == handshakeFailure || alert == insufficientSecurity):
			l.refused[v], l.answers[v] = true, Unknown
		}
	}
}

// chosen reads the choice of a version and a suite: the version is offered, those between it
// and what was asked for are not.
func (l *ladder) chosen(up tlsnames.Version, a hello.Answer) {
	for _, v := range tlsnames.Versions() {
		if v > a.Version && v <= up {
			l.set(v, No)
		}
	}
	usable := a.Suite.Usable() && (a.Group == 0 || a.Group.Usable())
	if usable {
		l.ours = append(l.ours, a.Suite)
	}
	if old := l.answers[a.Version]; old == unset || old == Unknown {
		l.answers[a.Version] = Yes
		delete(l.refused, a.Version)
		l.open[a.Version] = !usable
	}
	if up == tlsnames.TLS13 && nothingInCommon(l.full.failure) {
		l.without(a.Version)
	}
}

// without notes that of a version nothing is for us. Suites do not depend on the version, save
// that some need a new one: what is not shared under one version is not under an older one.
func (l *ladder) without(v tlsnames.Version) {
	if v < tlsnames.TLS13 {
		l.nothing = max(l.nothing, v)
		return
	}
	l.answers[v] = Unusable
	delete(l.open, v)
}

// nothingInCommon reports that our own TLS, with everything that it has, found no suite or group
// in common with the server.
func nothingInCommon(f *smtp.Failure) bool {
	if f == nil {
		return false
	}
	alert, ok := f.Alert()
	return ok && f.Definitive && f.Reason == "tls-cipher-mismatch" && alert.Definitive()
}

func (l *ladder) judgeUsable(q question, r reply, bad bool) {
	delete(l.open, q.max)
	switch {
	case bad: // that it is offered is known all the same
	case r.answer.Kind == hello.Alert && r.answer.Alert.Definitive():
		l.without(q.max)
	case r.answer.Version == q.max:
		l.ours = append(l.ours, r.answer.Suite)
	}
}

// ask notes a question.
func (l *ladder) ask(q question) []question {
	if l.stopped || l.pending[q] || l.asked == maxQuestions {
		return nil
	}
	l.asked++
	l.pending[q] = true
	return []question{q}
}

// next is what to ask now: the session once more where that may help, then for the versions,
// newest first, that nothing is known of and that no question under way may answer for, then
// whether there is something for us where another thing was chosen.
func (l *ladder) next() []question {
	if l.full == nil || l.stopped {
		return nil
	}
	// Without a version from the session each answer decides what the next question is.
	if _, alerted := l.alert(); len(l.pending) > 0 && (l.full.version == 0 && !alerted || l.pending[question{humble: l.humbled}]) {
		return nil
	}
	if q, ok := l.again(); ok {
		return l.ask(q)
	}
	var out []question
	for v := tlsnames.TLS13; v >= tlsnames.TLS10; v-- {
		if l.answers[v] != unset || l.covered(v) {
			continue
		}
		if out = append(out, l.ask(question{max: v})...); l.full.version == 0 {
			return out
		}
	}
	if len(out)+len(l.pending) > 0 {
		return out
	}
	for v := tlsnames.TLS13; v >= tlsnames.TLS10; v-- {
		if l.undecided(v) {
			return l.ask(question{max: v, usable: true})
		}
	}
	return nil
}

// alert is the one by which the session failed.
func (l *ladder) alert() (tlsnames.Alert, bool) {
	if l.full.failure == nil {
		return 0, false
	}
	return l.full.failure.Alert()
}

// again is the session once more with a humbler hello, as sending would do it: where it failed
// without an alert though TLS is spoken there, or with one though there is TLS for us.
func (l *ladder) again() (question, bool) {
	f := l.full.failure
	if f == nil || f.Retry == 0 || l.full.client || l.better || len(l.pending) > 0 {
		return question{}, false
	}
	_, alerted := f.Alert()
	switch {
	case l.humbled == smtp.HelloFull && (len(l.ours) > 0 && l.nothing == 0 || !alerted && l.speaks()):
		l.humbled = smtp.HelloSmall
	case l.humbled == smtp.HelloSmall && f.Retry&smtp.RetryTLS12 != 0 && l.speaks():
		l.humbled = smtp.HelloTLS12
	default:
		return question{}, false
	}
	return question{humble: l.humbled}, true
}

// speaks reports that something said that TLS is spoken there.
func (l *ladder) speaks() bool {
	for v, a := range l.answers {
		if a == Yes || a == No || a == Unusable || l.refused[v] {
			return true
		}
	}
	return false
}

// undecided reports a version that is offered, while what was chosen is not for us and nothing
// says whether there is something else that is.
func (l *ladder) undecided(v tlsnames.Version) bool {
	return l.open[v] && !l.full.certificate && !l.isForeign(v) &&
		!slices.ContainsFunc(l.ours, func(s tlsnames.Suite) bool { return s.In(v) })
}

// isForeign reports a version that is offered with nothing for us.
func (l *ladder) isForeign(v tlsnames.Version) bool {
	return l.full.certificate || v <= l.nothing
}

// covered reports whether a question under way may answer for the version.
func (l *ladder) covered(v tlsnames.Version) bool {
	for q := range l.pending {
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

// unasked are the versions for which there was no question left.
func (l *ladder) unasked() []tlsnames.Version {
	return slices.DeleteFunc(tlsnames.Versions(), func(v tlsnames.Version) bool {
		return l.stopped || l.asked < maxQuestions || l.answers[v] != unset || l.declined[v]
	})
}

// conclude gives every version its answer. Where a version is offered, and no question was left
// to find out whether that is with anything for us, it is a yes.
func (l *ladder) conclude() map[string]Answer {
	some := slices.ContainsFunc(tlsnames.Versions(), func(v tlsnames.Version) bool { return l.answers[v] == Yes || l.answers[v] == Unusable })
	out := map[string]Answer{}
	for _, v := range tlsnames.Versions() {
		a := l.answers[v]
		switch {
		case l.refused[v] && some:
			a = No
		case a == unset && l.declined[v]:
			a = No
		case a == unset:
			a = Unknown
		case a == Yes && l.isForeign(v):
			a = Unusable
		}
		out[v.String()] = a
	}
	return out
}
