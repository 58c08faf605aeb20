package ui

import (
	"bytes"
	"strconv"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// The times of the fixtures.
var (
	started  = time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)
	finished = started.Add(42 * time.Second)
)

func address(local, domain string) mail.Address { return mail.Address{Local: local, Domain: domain} }

func suite(name string) tlsnames.Suite {
	s, _ := tlsnames.ParseSuite(name)
	return s
}

// decided is what the profile hipaa and a rule came to for a recipient.
func decided() *policy.Decision {
	return &policy.Decision{
		Profile: "hipaa", Mode: policy.ModeForced, Pool: "default", Rules: []string{"first-national"},
		Requirement: policy.Requirement{Encrypt: true, Because: []policy.Cause{
			{Source: policy.SourceProfile, Name: "hipaa", Text: "profile hipaa demands encryption with TLSv1.2-1.3"},
			{Source: policy.SourceRule, Name: "first-national", Text: "rule first-national demands encryption with TLSv1.2-1.3"},
		}},
	}
}

// session is a session over TLS that was verified.
func session(mx string, version tlsnames.Version, cipher string) *delivery.Session {
	return &delivery.Session{
		MX: mx, IP: "192.0.2.25", SourceIP: "198.51.100.7", Verified: policy.VerifiedPKIX,
		Protection: policy.Protection{
			Encrypted: true, Version: version, Suite: suite(cipher), Group: 4588,
			Certificate: policy.PeerCertificate{SHA256: "5d41402abc4b2a76b9719d911017c592", Subject: "CN=" + mx, NotAfter: started.AddDate(0, 2, 0)},
		},
	}
}

// delivered is a recipient that got its copy in a session.
func delivered(to mail.Address, s *delivery.Session) *send.Row {
	return &send.Row{
		File: "batch/01-lab.eml", QueueID: "7K2M9QX4", MessageID: "<20261122.083000@clinic.example>",
		Sender: address("results", "clinic.example"), Recipient: to, Decision: decided(),
		Outcome: delivery.Outcome{
			Status: delivery.Delivered, Code: 250, Enhanced: mail.Status{Class: 2}, Session: s,
			Reply: mail.Reply{Code: 250, Status: mail.Status{Class: 2}, Lines: []string{"Ok: queued as 4XyZ1a0Qb3z9"}},
		},
		Queued: started.Add(time.Second), Settled: started.Add(3 * time.Second),
	}
}

// failure is a recipient that did not get its copy.
func failure(to mail.Address, o delivery.Outcome) *send.Row {
	r := delivered(to, nil)
	r.Outcome = o
	if !o.Status.Settled() {
		r.Settled, r.Next = time.Time{}, finished.Add(5*time.Minute)
	}
	return r
}

func attempt(mx, ip string, stage delivery.Stage, reason policy.Reason, reply mail.Reply) delivery.Attempt {
	return delivery.Attempt{Time: started.Add(2 * time.Second), MX: mx, IP: ip, SourceIP: "198.51.100.7", Stage: stage, Reason: reason, Definitive: true, Reply: reply}
}

// bounces are three kinds of failure: no STARTTLS, a version that does not match on either
// host, and the server's own no.
func bounces() []*send.Row {
	noTLS := mail.Reply{Code: 502, Status: mail.Status{Class: 5, Subject: 5, Detail: 1}, Lines: []string{"Error: command not implemented"}}
	unknown := mail.Reply{Code: 550, Status: mail.Status{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"<erika@unknown.test>: Recipient address rejected: User unknown in virtual mailbox table"}}
	return []*send.Row{
		failure(address("clara.neumann", "plain.test"), delivery.Outcome{
			Status: delivery.Bounced, Reason: policy.StartTLSNotSupported, Code: 550, Enhanced: mail.Status{Class: 5, Subject: 7, Detail: 10}, Reply: noTLS,
			Text:     "mail host mx.plain.test does not offer STARTTLS, and profile hipaa demands encryption with TLSv1.2-1.3; nothing was sent",
			Attempts: []delivery.Attempt{attempt("mx.plain.test", "192.0.2.41", delivery.StageSTARTTLS, policy.StartTLSNotSupported, noTLS)},
		}),
		failure(address("dieter", "tls10.test"), delivery.Outcome{
			Status: delivery.Bounced, Reason: policy.TLSVersionMismatch, Code: 550, Enhanced: mail.Status{Class: 5, Subject: 7, Detail: 5},
			Text: "no mail host of tls10.test speaks TLSv1.2 or TLSv1.3: each refused the handshake with the alert protocol_version",
			Attempts: []delivery.Attempt{
				attempt("mx1.tls10.test", "192.0.2.51", delivery.StageHandshake, policy.TLSVersionMismatch, mail.Reply{}),
				attempt("mx2.tls10.test", "192.0.2.52", delivery.StageHandshake, policy.TLSVersionMismatch, mail.Reply{}),
			},
		}),
		failure(address("erika", "unknown.test"), delivery.Outcome{
			Status: delivery.Bounced, Reason: policy.RecipientRejected, Code: 550, Enhanced: mail.Status{Class: 5, Subject: 1, Detail: 1}, Reply: unknown,
			Text:     "mail host mx.unknown.test refused the recipient",
			Attempts: []delivery.Attempt{attempt("mx.unknown.test", "192.0.2.61", delivery.StageRCPT, policy.RecipientRejected, unknown)},
		}),
	}
}

// deferrals are one that the server asked for and one for want of an answer.
func deferrals() []*send.Row {
	grey := mail.Reply{Code: 451, Status: mail.Status{Class: 4, Subject: 7, Detail: 1}, Lines: []string{"Greylisted, please try again in 300 seconds"}}
	doubt := failure(address("hanna", "hangup.test"), delivery.Outcome{
		Status: delivery.InDoubt, Reason: policy.ConnectionLost, Code: 451, Enhanced: mail.Status{Class: 4, Subject: 4, Detail: 2},
		Text: "the connection was lost before the final reply; the next attempt may bring a second copy",
	})
	return []*send.Row{
		failure(address("frieda", "greylist.test"), delivery.Outcome{
			Status: delivery.Deferred, Reason: policy.Greylisted, Code: 451, Enhanced: grey.Status, Reply: grey,
			Text:     "mail host mx.greylist.test asks to come again later",
			Attempts: []delivery.Attempt{attempt("mx.greylist.test", "192.0.2.71", delivery.StageRCPT, policy.Greylisted, grey)},
		}),
		failure(address("georg", "slow.test"), delivery.Outcome{
			Status: delivery.Deferred, Reason: policy.ConnectTimeout, Code: 451, Enhanced: mail.Status{Class: 4, Subject: 4, Detail: 1},
			Text:     "connecting to mx.slow.test took longer than 30s",
			Attempts: []delivery.Attempt{attempt("mx.slow.test", "192.0.2.81", delivery.StageConnect, policy.ConnectTimeout, mail.Reply{})},
		}),
		doubt,
	}
}

// report is a run with something of everything.
func report() *send.Report {
	unverified := session("mail.selfsigned.test", tlsnames.TLS12, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")
	unverified.Verified, unverified.VerifyError = policy.VerifiedNone, "the certificate is signed by itself"
	inClear := delivered(address("newsletter-reader", "oldschool.example"), &delivery.Session{MX: "mx.oldschool.example", IP: "192.0.2.99", SourceIP: "198.51.100.7", Verified: policy.VerifiedNone})
	inClear.Decision = &policy.Decision{Profile: "newsletter", Mode: policy.ModeOpportunistic, Pool: "default"}
	skipped := delivered(address("anna.schmidt", "firstnational.example"), session("mx1.firstnational.example", tlsnames.TLS13, "TLS_AES_256_GCM_SHA384"))
	skipped.Skipped = true
	held := failure(address("ivan", "nxdomain.test"), delivery.Outcome{Status: delivery.Held, Text: "held by the operator"})
	held.Next = time.Time{}
	r := &send.Report{Batch: "20261122-083000-7k2m", Profile: "hipaa", Started: started, Finished: finished}
	r.Rows = append(r.Rows,
		delivered(address("anna.schmidt", "firstnational.example"), session("mx1.firstnational.example", tlsnames.TLS13, "TLS_AES_256_GCM_SHA384")),
		delivered(address("bernd", "clinic.test"), session("mx.clinic.test", tlsnames.TLS12, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")),
		delivered(address("sven", "selfsigned.test"), unverified), inClear)
	r.Rows = append(r.Rows, bounces()...)
	r.Rows = append(r.Rows, deferrals()...)
	r.Rows = append(r.Rows, skipped, held)
	r.Refused = []send.Refusal{
		{File: "batch/bad.eml", Line: 3, Error: "header field without a colon: \"Subjct Lab results\"", Hint: "correct the line or remove it"},
		{File: "batch/nobody \x1b[2J.eml", Error: "no recipients: neither To, Cc nor Bcc, and no --to"},
	}
	sum(r)
	return r
}

// sum fills in a report's summary.
func sum(r *send.Report) {
	files := make(map[string]bool)
	for i := range r.Rows {
		r.Summary.Add(r.Rows[i])
		files[r.Rows[i].File] = true
	}
	r.Summary.Messages, r.Summary.Refused = len(files), len(r.Refused)
}

// many is a report of n delivered recipients at three domains, every hundredth in clear.
func many(n int) *send.Report {
	r := &send.Report{Batch: "many", Profile: "newsletter", Started: started, Finished: finished}
	for i := range n {
		domain := []string{"a.example", "b.example", "c.example"}[i%3]
		s := session("mx."+domain, tlsnames.TLS13, "TLS_AES_128_GCM_SHA256")
		if i%5 == 0 {
			s.Protection.Version, s.Protection.Suite = tlsnames.TLS12, suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
		}
		if i%100 == 1 {
			s.Protection, s.Verified = policy.Protection{}, policy.VerifiedNone
		}
		row := delivered(address("reader"+strconv.Itoa(i), domain), s)
		row.Decision = &policy.Decision{Profile: "newsletter", Mode: policy.ModeOpportunistic, Pool: "default"}
		r.Rows = append(r.Rows, row)
	}
	sum(r)
	return r
}

// screenful is an Output into buffers and what it was made from.
type screenful struct {
	*Output
	stdout, stderr *bytes.Buffer
}

// environ is a pinned environment: UTF-8, a terminal with colours.
func environ(pairs ...string) func(string) string {
	env := map[string]string{"LANG": "C.UTF-8", "TERM": "xterm-256color"}
	for i := 0; i+1 < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return env[name] }
}

func terminal(w *bytes.Buffer, columns int) Stream {
	return Stream{W: w, Terminal: true, Columns: func() int { return columns }}
}

// onTerminal is an Output whose both streams are a terminal of so many columns.
func onTerminal(columns int, o Options) screenful {
	s := screenful{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	o.Stdout, o.Stderr = terminal(s.stdout, columns), terminal(s.stderr, columns)
	if o.Getenv == nil {
		o.Getenv = environ()
	}
	s.Output = New(o)
	return s
}

// piped is an Output whose both streams are pipes.
func piped(o Options) screenful {
	s := screenful{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	o.Stdout, o.Stderr = Stream{W: s.stdout}, Stream{W: s.stderr}
	if o.Getenv == nil {
		o.Getenv = environ()
	}
	s.Output = New(o)
	return s
}
