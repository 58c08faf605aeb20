// Package delivery says what became of one recipient: it classifies replies and failures and concludes from what every host said.
//
// Attempts go in, one per mail host that was asked or per reply that a recipient got, and an
// Outcome comes out. Only a definite no is final; whatever is doubtful defers.
package delivery

import (
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Status is where a recipient stands.
type Status string

// The statuses.
const (
	Queued    Status = "queued"
	Delivered Status = "delivered"
	Deferred  Status = "deferred"
	Bounced   Status = "bounced"
	InDoubt   Status = "in-doubt"
	Held      Status = "held"
	Cancelled Status = "cancelled"
)

// Settled reports whether nothing will be tried any more.
func (s Status) Settled() bool { return s == Delivered || s == Bounced || s == Cancelled }

// Stage is how far a session had come.
type Stage string

// The stages, in their order.
const (
	StageDNS       Stage = "dns"
	StagePolicy    Stage = "policy" // refused by the requirement itself or by its judgement of the session
	StageConnect   Stage = "connect"
	StageGreeting  Stage = "greeting"
	StageEHLO      Stage = "ehlo"
	StageSTARTTLS  Stage = "starttls"
	StageHandshake Stage = "handshake"
	StageMAIL      Stage = "mail"
	StageRCPT      Stage = "rcpt"
	StageDATA      Stage = "data" // the command, before any content
	StageContent   Stage = "content"
	StageFinal     Stage = "final" // the reply to the end of the content
	StageRSET      Stage = "rset"
	StageQUIT      Stage = "quit"
)

// Attempt is one thing that was tried for a recipient and failed, or the reply that decided.
type Attempt struct {
	Time     time.Time
	MX       string // the mail host's name; "" before one was known
	IP       string
	SourceIP string
	Stage    Stage
	Reason   policy.Reason
	// Definitive says that this host would answer the same to every further try.
	Definitive bool
	Reply      mail.Reply // what the server said, if anything
	Text       string     // what happened, in our words
	TLSVersion string     // of the session in which it happened; "" in clear
	// Session is the facts of a session that TLS secured and that was given up before mail
	// could flow over it; else nil.
	Session *Session
}

// Session is the facts of the session that decided about a recipient.
type Session struct {
	MX, IP, SourceIP string
	Protection       policy.Protection
	Verified         policy.Verification
	VerifyError      string
}

// Outcome is what became of one recipient.
type Outcome struct {
	Status   Status
	Reason   policy.Reason
	Code     int         // the server's own where its reply decided, else ours (SPEC §3)
	Enhanced mail.Status // likewise
	Reply    mail.Reply  // what the server really said, if anything
	Text     string      // what happened, in a sentence for people
	Session  *Session    // nil where no session came about
	Attempts []Attempt   // everything that was tried, oldest first
}
