package delivery

import (
	"slices"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Verdict is what one reply means. The zero value is the answer that its stage hopes for.
type Verdict struct {
	Reason policy.Reason
	// Definitive says that asking again would bring the same answer. Up to STARTTLS it holds of
	// this host, and another host may answer otherwise; from MAIL on it is final for every
	// recipient that the command concerned, whatever other hosts say.
	Definitive bool
}

// Accepted reports whether the reply is the one that its stage hopes for.
func (v Verdict) Accepted() bool { return v.Reason == "" }

// Classify says what a reply means at the stage that it answered. It is total: every stage
// and every reply, however strange, has a verdict.
//
// Whether the answer is definitive is the reply code's first digit alone (RFC 5321 §4.2.1):
// neither enhanced status nor wording make a 4yz final or a 5yz temporary. Why the server
// said no is read from its enhanced status, its wording and its code, in the order of rules.
func Classify(stage Stage, reply mail.Reply) Verdict {
	if accepted(stage, reply.Code) {
		return Verdict{}
	}
	class := classOf(stage, reply.Code)
	switch {
	case class == 0:
		return Verdict{Reason: policy.ProtocolError}
	case stage == StageSTARTTLS:
		// The words are shown, but all that counts is that there is no TLS to be had.
		return Verdict{Reason: policy.StartTLSRefused, Definitive: class == 5}
	}
	return Verdict{Reason: reasonOf(stage, class, reply), Definitive: class == 5}
}

// accepted reports whether a code is what the stage hopes for. Where one code alone is
// specified as success and something else follows it (a greeting, extensions, TLS, content),
// no other will do.
func accepted(stage Stage, code int) bool {
	switch stage {
	case StageGreeting, StageSTARTTLS:
		return code == 220
	case StageEHLO:
		return code == 250
	case StageDATA:
		return code == 354
	case StageMAIL, StageRCPT, StageFinal, StageRSET, StageQUIT:
		return code/100 == 2
	case StageDNS, StagePolicy, StageConnect, StageHandshake, StageContent:
	}
	return false
}

// classOf is 4 or 5 for a temporary or permanent refusal, and 0 for what is no answer to
// that stage: codes outside the grammar, a success where none is due, any reply where
// nothing was asked.
func classOf(stage Stage, code int) int {
	class := code / 100
	switch {
	case class != 4 && class != 5 || code < 0:
		return 0
	case code == 552 && stage == StageRCPT:
		// RFC 5321 §4.5.3.1.10: older servers mean 452 by it.
		return 4
	}
	switch stage {
	case StageRSET, StageQUIT:
		if code == 421 {
			return 4
		}
		// No server may refuse these (RFC 5321 §4.3.2), and if one does that decides nothing.
		return 0
	case StageDNS, StagePolicy, StageConnect, StageHandshake:
		return 0
	}
	return class
}

// reasonOf reads from a refusal why it was made: the first rule that applies.
func reasonOf(stage Stage, class int, reply mail.Reply) policy.Reason {
	said := answer{at: phaseOf(stage), class: class, code: reply.Code, status: statusOf(reply), text: plain(reply.Lines)}
	for i := range rules {
		if rules[i].applies(&said) {
			return rules[i].reason
		}
	}
	if class == 5 {
		return policy.ServerRejected
	}
	return policy.ServerDeferred
}

// answer is a refusal as the rules see it.
type answer struct {
	at     phase
	class  int // 4 or 5
	code   int
	status mail.Status
	text   string // as plain gives it
}

// phase says what the server can know when it refuses: a set, so that a rule can name several.
type phase uint8

const (
	atHost      phase = 1 << iota // who connects
	atSender                      // and the reverse-path
	atRecipient                   // and the recipient
	atContent                     // and the message
)

func phaseOf(stage Stage) phase {
	switch stage {
	case StageMAIL:
		return atSender
	case StageRCPT:
		return atRecipient
	case StageDATA, StageContent, StageFinal:
		return atContent
	}
	return atHost
}

// rule gives the reason of the refusals that meet all its conditions; one that is not set is met.
type rule struct {
	reason policy.Reason
	at     phase
	class  int
	codes  []int
	status []detail
	words  []string // any of them; each matches at the beginning of a word
}

// detail is subject and detail of an enhanced status, whatever its class.
type detail struct{ subject, detail int }

// any as a detail stands for all of its subject.
const anyDetail = -1

func (r *rule) applies(a *answer) bool {
	switch {
	case r.at != 0 && r.at&a.at == 0:
		return false
	case r.class != 0 && r.class != a.class:
		return false
	case r.codes != nil && !slices.Contains(r.codes, a.code):
		return false
	case r.status != nil && !slices.ContainsFunc(r.status, func(d detail) bool { return d.covers(a.status) }):
		return false
	case r.words != nil:
		return slices.ContainsFunc(r.words, func(w string) bool { return hasWords(a.text, w) })
	}
	return true
}

func (d detail) covers(s mail.Status) bool {
	return !s.IsZero() && d.subject == s.Subject && (d.detail == anyDetail || d.detail == s.Detail)
}
