package smtp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Failure says why a session came to nothing: the stage, the reason in the closed set, what
// the server said if anything, and whether it would say so again to every further try.
type Failure struct {
	Stage      delivery.Stage
	Reason     policy.Reason
	Definitive bool
	Reply      mail.Reply
	Text       string // in our words, naming the remote host; clean (mail.Clean)
	TLSVersion string // of the session in which it happened; "" in clear
	Retry      Retry
	Err        error // the cause, where there is one
}

// Retry says whether another connection to the same address with a humbler ClientHello may
// end better. The bits say which hello.
type Retry uint8

// The humbler hellos: one that fits one TCP segment and has classical groups only, one that
// does not mention TLS 1.3.
const (
	RetrySmall Retry = 1 << iota
	RetryTLS12
)

// Error is the failure's text.
func (f *Failure) Error() string { return f.Text }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

// broken is a failure of the talk itself: lost, timed out, or garbage.
func (s *Session) broken(stage delivery.Stage, err error) *Failure {
	f := &Failure{Stage: stage, Reason: policy.ConnectionLost, Err: err, TLSVersion: s.version()}
	where := " " + stageWords(stage)
	var pe *protocolError
	var ne net.Error
	switch {
	case errors.As(err, &pe):
		f.Reason, f.Reply = policy.ProtocolError, pe.reply
		f.Text = s.peer.String() + " does not speak proper SMTP" + where + ": " + pe.what
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &ne) && ne.Timeout():
		f.Reason = policy.ConnectTimeout
		f.Text = s.peer.String() + " did not answer in time" + where
	case errors.Is(err, context.Canceled):
		f.Text = "interrupted while talking to " + s.peer.String() + where
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.Text = s.peer.String() + " closed the connection" + where
	default:
		f.Text = "the connection to " + s.peer.String() + " was lost" + where + ": " + err.Error()
	}
	f.Text = mail.Clean(f.Text)
	return f
}

// stageWords puts a stage into a sentence.
func stageWords(stage delivery.Stage) string {
	words := map[delivery.Stage]string{
		delivery.StageGreeting:  "before its greeting",
		delivery.StageEHLO:      "in answer to EHLO",
		delivery.StageSTARTTLS:  "in answer to STARTTLS",
		delivery.StageHandshake: "in the TLS handshake",
		delivery.StageMAIL:      "in answer to MAIL",
		delivery.StageRCPT:      "in answer to RCPT",
		delivery.StageDATA:      "in answer to DATA",
		delivery.StageContent:   "while the message was being sent",
		delivery.StageFinal:     "after the whole message was sent and before it was acknowledged",
		delivery.StageRSET:      "in answer to RSET",
		delivery.StageQUIT:      "in answer to QUIT",
	}
	return words[stage]
}

// refused is a failure by the server's own reply.
func (s *Session) refused(stage delivery.Stage, reply mail.Reply) *Failure {
	v := delivery.Classify(stage, reply)
	where := stageWords(stage)
	if stage == delivery.StageGreeting {
		where = "in its greeting"
	}
	return &Failure{
		Stage: stage, Reason: v.Reason, Definitive: v.Definitive, Reply: reply, TLSVersion: s.version(),
		Text: mail.Clean(s.peer.String() + " refused " + where + ": " + reply.String()),
	}
}
