package delivery

import (
	"slices"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Conclude is the verdict over all that was tried for a recipient in one pass of the host
// loop. One attempt decides, and gives reason, reply and text:
//
//   - the first in which a server that had been found fit refused the sender, the recipient or
//     the message for good: that is the domain's answer, whatever became of other hosts;
//   - else, while one attempt was not definitive, the recipient is deferred by the one of
//     these that came furthest, so that what a server said is preferred to a host that is down;
//   - else every host said something definitive, and the first of them bounces the recipient.
//
// Where the requirement says that TLS failures defer, definitive ones of that category do.
func Conclude(attempts []Attempt, req policy.Requirement) Outcome {
	if len(attempts) == 0 {
		return Outcome{Status: Deferred, Reason: policy.ConnectionLost, Code: 451, Enhanced: mail.Status{Class: 4, Subject: 4, Detail: 2},
			Text: "nothing was tried before the run ended"}
	}
	if i := slices.IndexFunc(attempts, Attempt.answersForDomain); i >= 0 {
		return conclusion(attempts[i], true, attempts)
	}
	decider, final := attempts[0], true
	for _, a := range attempts {
		if isFinal(a, req) {
			continue
		}
		if final || a.Stage.reached() > decider.Stage.reached() {
			decider, final = a, false
		}
	}
	return conclusion(decider, final, attempts)
}

// answersForDomain reports whether a server refused for good what its host may speak of for
// the whole domain: the sender, this recipient or the message. What we found out ourselves
// (no SMTPUTF8, SIZE too small) holds of that host alone, and so does a demand for STARTTLS in
// clear (RFC 3207 §4): where TLS had failed there by a passing trouble, it may work next time.
func (a Attempt) answersForDomain() bool {
	if a.Reply.Code == 530 && a.TLSVersion == "" {
		return false
	}
	switch a.Stage {
	case StageMAIL, StageRCPT, StageDATA, StageContent, StageFinal:
		return a.Definitive && !a.Reply.IsZero()
	}
	return false
}

// reached orders stages by how far the session had come. What the requirement's judgement
// refused had come through the handshake.
func (s Stage) reached() int {
	return slices.Index([]Stage{
		StageDNS, StageConnect, StageGreeting, StageEHLO, StageSTARTTLS, StageHandshake, StagePolicy,
		StageMAIL, StageRCPT, StageDATA, StageContent, StageFinal, StageRSET, StageQUIT,
	}, s)
}

func isFinal(a Attempt, req policy.Requirement) bool {
	if a.Reason.Category() == policy.CategoryTLS && req.OnFailure == policy.FailureDefer {
		return false
	}
	return a.Definitive
}

// Expire turns what was deferred for longer than is allowed into a bounce: a TLS reason keeps
// its name and gets its final code, every other becomes expired with the last reason in the attempts.
func Expire(o Outcome) Outcome {
	if o.Reason.Category() != policy.CategoryTLS {
		o.Text = "it could not be delivered in the time allowed; last: " + o.Text
		o.Reason = policy.Expired
	}
	o.Status = Bounced
	o.Code, o.Enhanced = Code(o.Reason, true)
	return o
}

// Unclear turns a bounce over a certificate's dates into a deferral, for the clock by which
// they were judged seems to be wrong. Any other outcome is left alone.
func Unclear(o Outcome) Outcome {
	if o.Status != Bounced || o.Reason != policy.CertificateExpired {
		return o
	}
	o.Status = Deferred
	o.Code, o.Enhanced = Code(o.Reason, false)
	o.Text += " (or this machine's clock was set forward since the message was queued: look at the date)"
	return o
}

func conclusion(decider Attempt, final bool, all []Attempt) Outcome {
	o := Outcome{Status: Deferred, Reason: decider.Reason, Reply: decider.Reply, Text: decider.Text, Session: decider.Session, Attempts: all}
	if final {
		o.Status = Bounced
	}
	o.Code, o.Enhanced = Code(decider.Reason, final)
	if serverDecided(decider.Reason) && !decider.Reply.IsZero() {
		o.Code, o.Enhanced = decider.Reply.Code, decider.Reply.Status
	}
	return o
}

// serverDecided reports whether a reason's codes are the server's own.
func serverDecided(r policy.Reason) bool {
	return r == policy.RecipientRejected || r.Category() == policy.CategoryServer
}

// Code gives reply code and enhanced status of our own verdicts (SPEC §3, the table of
// reasons): class 5 when final, class 4 while deferred.
func Code(r policy.Reason, final bool) (int, mail.Status) {
	class, code := 4, 451
	if final {
		class, code = 5, 550
	}
	status := func(subject, detail int) mail.Status {
		return mail.Status{Class: class, Subject: subject, Detail: detail}
	}
	switch r {
	case policy.StartTLSNotSupported, policy.StartTLSRefused, policy.RequireTLSNotSupported:
		switch {
		case !final:
			return 454, status(7, 4)
		case r == policy.RequireTLSNotSupported:
			return 550, status(7, 30) // RFC 8689 §4.2.1
		}
		return 550, status(7, 10)
	case policy.NullMX:
		return 556, mail.Status{Class: 5, Subject: 1, Detail: 10} // RFC 7505 §4.1; never deferred
	case policy.MessageTooLarge:
		if final {
			return 552, status(3, 4)
		}
		return 452, status(3, 4)
	case policy.Cancelled, "":
		return 0, mail.Status{}
	}
	if r.Category() == policy.CategoryTLS {
		if final {
			return 550, status(7, 5)
		}
		return 454, status(7, 5)
	}
	d := ownStatus[r]
	return code, status(d.subject, d.detail)
}

// ownStatus is the status of the reasons whose code is 550 when final and 451 while deferred.
var ownStatus = map[policy.Reason]detail{
	policy.NoSuchDomain: {1, 2}, policy.NoMailHost: {4, 4}, policy.MailLoop: {4, 6}, policy.RecipientRejected: {1, 1},
	policy.DNSFailure:    {4, 3},
	policy.ConnectFailed: {4, 1}, policy.ConnectTimeout: {4, 1}, policy.ConnectionLost: {4, 2}, policy.ProtocolError: {5, 0},
	policy.EightBitNotSupported: {6, 3}, policy.SMTPUTF8NotSupported: {6, 7}, policy.Expired: {4, 7},
}
