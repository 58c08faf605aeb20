package dsn

import (
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

func address(t testing.TB, s string) mail.Address {
	t.Helper()
	a, err := mail.ParseAddress(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// noon is when everything in these tests happens.
func noon() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }

// notification is about a message from the ward of the clinic.
func notification(t testing.TB, rcpts ...Recipient) Notification {
	return Notification{
		Action: Failed, ReportingMTA: "mta1.clinic.test", To: address(t, "ward@clinic.test"),
		MessageID: "<5f1d@mta1.clinic.test>", Date: noon().Add(time.Minute), Recipients: rcpts,
		Original: Original{
			From: "Ward 3 <ward@clinic.test>", Date: "Wed, 04 Mar 2026 11:59:00 +0000", MessageID: "<letter-1@clinic.test>",
			EnvelopeID: "a1b2c3", Arrival: noon(),
		},
	}
}

// recipient is one whose outcome is concluded from attempts, as send does.
func recipient(t testing.TB, to string, req policy.Requirement, attempts ...delivery.Attempt) Recipient {
	r := Recipient{Address: address(t, to), Outcome: delivery.Conclude(attempts, req), LogID: "a1b2c3-1", Last: noon().Add(30 * time.Second)}
	if req.Encrypt {
		for _, c := range req.Because {
			r.Because = append(r.Because, c.Text)
		}
	}
	return r
}

// forced is encryption that a profile and a rule demand of a recipient.
func forced(t testing.TB, to string) policy.Requirement {
	t.Helper()
	a := address(t, to)
	p, err := policy.ParsePattern(a.Domain)
	if err != nil {
		t.Fatal(err)
	}
	hipaa := &policy.Profile{Name: "hipaa", Mode: policy.ModeForced, Versions: 0b1100, Certificate: policy.CertificateNone}
	rule := policy.Rule{Name: "first-national", Enabled: true, To: []policy.Pattern{p}}
	return policy.For(policy.Sender{Name: "hipaa", Profile: hipaa}, []policy.Rule{rule}, policy.Facts{}, a).Requirement
}

// at is an attempt at a host with an address of its own.
func at(mx, ip string, stage delivery.Stage, reason policy.Reason, text string) delivery.Attempt {
	return delivery.Attempt{Time: noon(), MX: mx, IP: ip, Stage: stage, Reason: reason, Definitive: true, Text: text}
}

func noTLS(mx, ip string) delivery.Attempt {
	return at(mx, ip, delivery.StageSTARTTLS, policy.StartTLSNotSupported, mx+" ["+ip+"] offers no TLS (no STARTTLS in its answer to EHLO)")
}

// said is an attempt that a server's reply decided.
func said(a delivery.Attempt, code int, status mail.Status, lines ...string) delivery.Attempt {
	a.Reply = mail.Reply{Code: code, Status: status, Lines: lines}
	return a
}

func unknownUser(t testing.TB, to string) Recipient {
	a := at("mx.unknown.test", "192.0.2.27", delivery.StageRCPT, policy.RecipientRejected, "mx.unknown.test [192.0.2.27] refused the recipient")
	return recipient(t, to, forced(t, to), said(a, 550, mail.Status{Class: 5, Subject: 1, Detail: 1},
		"The email account that you tried to reach does not exist. Please try", "double-checking the recipient's email address for typos"))
}

// hostile is what no server should say: escape sequences, carriage returns, bidirectional
// marks, octets that are no UTF-8, and far too much of it (FAULTS S25).
func hostile() []string {
	return []string{
		"\x1b[31mred\x1b[0m \x1b]0;title\x07 \r\nBcc: everybody@evil.test", "\u202etxt.exe\u2066 \xff\xfe \x00 \u00fc",
		"--report-5f1d", "<script>", strings.Repeat("0123456789", 10_000),
	}
}

// fixtures are the notifications of the golden files, by name.
func fixtures(t testing.TB) map[string]Notification {
	plain := func(to string) Recipient {
		return recipient(t, to, forced(t, to), noTLS("mx.plain.test", "192.0.2.15"))
	}
	all := map[string]Notification{
		"tls":      notification(t, plain("doctor@plain.test")),
		"rejected": notification(t, unknownUser(t, "nobody@unknown.test")),
		"several":  several(t, plain),
		"hosts":    notification(t, differing(t)),
		"conflict": notification(t, contradiction(t)),
		"hostile":  hostileNotification(t),
		"utf8":     utf8Notification(t),
		"delayed":  delayed(t),
		"long":     long(t),
	}
	bare := notification(t, plain("doctor@plain.test"))
	bare.Original = Original{}
	bare.Recipients[0].LogID, bare.Recipients[0].Last = "", time.Time{}
	all["bare"] = bare
	return all
}

// several is about recipients of one message with different fates, two of them with the same.
func several(t testing.TB, plain func(string) Recipient) Notification {
	gone := recipient(t, "nobody@nxdomain.test", forced(t, "nobody@nxdomain.test"), delivery.Attempt{
		Time: noon(), Stage: delivery.StageDNS, Reason: policy.NoSuchDomain, Definitive: true, Text: "the domain nxdomain.test does not exist",
	})
	full := at("mx.full.test", "192.0.2.28", delivery.StageRCPT, policy.MailboxFull, "mx.full.test [192.0.2.28] put off the recipient")
	full.Definitive = false
	tired := recipient(t, "patient@full.test", forced(t, "patient@full.test"), said(full, 452, mail.Status{}, "mailbox is over quota"))
	tired.Outcome = delivery.Expire(tired.Outcome)
	big := said(at("mx.toobig.test", "192.0.2.29", delivery.StageFinal, policy.PolicyRejected, "mx.toobig.test [192.0.2.29] refused the message after it was sent"),
		554, mail.Status{}, "policy violation")
	return notification(t, plain("doctor@plain.test"), gone, plain("nurse@plain.test"), tired,
		recipient(t, "archive@toobig.test", policy.Requirement{}, big), unknownUser(t, "nobody@unknown.test"))
}

// differing is a recipient whose hosts failed in different ways.
func differing(t testing.TB) Recipient {
	const to = "opinion@mixed.test"
	refused := said(at("mx4.mixed.test", "192.0.2.24", delivery.StageSTARTTLS, policy.StartTLSRefused, "mx4.mixed.test [192.0.2.24] refused STARTTLS"),
		502, mail.Status{}, "command not implemented")
	return recipient(t, to, forced(t, to),
		noTLS("mx1.mixed.test", "192.0.2.21"),
		at("mx2.mixed.test", "192.0.2.22", delivery.StagePolicy, policy.CertificateExpired, "mx2.mixed.test [192.0.2.22]: the certificate expired on 1 March 2026"),
		at("mx3.mixed.test", "2001:db8::23", delivery.StageHandshake, policy.TLSVersionMismatch, "mx3.mixed.test [2001:db8::23] ended the TLS handshake with the alert protocol_version"),
		refused, noTLS("mx1.mixed.test", "192.0.2.21"))
}

// contradiction is a recipient for whom rule and profile leave no TLS version in common.
func contradiction(t testing.TB) Recipient {
	const to = "doctor@plain.test"
	old := &policy.Profile{Name: "ancient", Mode: policy.ModeForced, Versions: 0b0011, Certificate: policy.CertificateNone}
	req := policy.Join(forced(t, to), old.Requirement())
	v := req.Conflict()
	return recipient(t, to, req, delivery.Attempt{Time: noon(), Stage: delivery.StagePolicy, Reason: v.Reason, Definitive: true, Text: v.Text})
}

func hostileNotification(t testing.TB) Notification {
	const to = "doctor@plain.test"
	evil := strings.Join(hostile(), "\n")
	n := notification(t, recipient(t, to, forced(t, to),
		said(at("mx\x1b[2J.evil.test", "192.0.2.66", delivery.StageFinal, policy.ContentRejected, "mx.evil.test [192.0.2.66] refused the message after it was sent: "+evil),
			550, mail.Status{}, hostile()...)),
		recipient(t, "b@plain.test", forced(t, "b@plain.test"), at("mx.evil.test", "192.0.2.66", delivery.StageHandshake, policy.TLSHandshakeFailed, evil)))
	n.Recipients[1].Because = append(n.Recipients[1].Because, "profile x demands a certificate from \x1b[31m\u202eevil.pem\r\nSubject: x")
	n.Original.From = "\"\x1b[31mWard\u202e\" <ward@clinic.test>\r\n Bcc: everybody@evil.test\xff"
	n.Original.MessageID = "<a> <b\x07>\r\nSubject: gotcha"
	n.Original.Date = "\r\n\r\nnow\x00"
	return n
}

// utf8Notification is about a recipient whose local part is not ASCII, from one whose name is not.
func utf8Notification(t testing.TB) Notification {
	const to = `"ärztin 1"@bücher.test`
	a := at("mx.buecher.test", "192.0.2.30", delivery.StageMAIL, policy.SMTPUTF8NotSupported, "mx.buecher.test [192.0.2.30] takes no addresses or header fields in UTF-8 (no SMTPUTF8)")
	n := notification(t, recipient(t, to, policy.Requirement{}, a))
	n.Original.From = "=?utf-8?q?Station_f=C3=BCr_Innere?= <ward@clinic.test>"
	return n
}

func delayed(t testing.TB) Notification {
	const to, other = "patient@greylist.test", "doctor@plain.test"
	grey := at("mx.greylist.test", "192.0.2.26", delivery.StageRCPT, policy.Greylisted, "mx.greylist.test [192.0.2.26] put off the recipient")
	grey.Definitive = false
	patient := forced(t, other)
	patient.OnFailure = policy.FailureDefer
	n := notification(t,
		recipient(t, to, forced(t, to), said(grey, 451, mail.Status{Class: 4, Subject: 7, Detail: 1}, "Greylisted, please try again in 5 minutes")),
		recipient(t, other, patient, noTLS("mx.plain.test", "192.0.2.15")))
	n.Action, n.RetryUntil = Delayed, noon().Add(120*time.Hour)
	return n
}

// long has everything as long as it can be.
func long(t testing.TB) Notification {
	to := strings.Repeat("l", 64) + "@" + strings.Repeat("d123456789.", 16) + "d123.test"
	word := strings.Repeat("w", 5000)
	a := at(strings.Repeat("mx123456.", 27)+"test", "2001:db8:1111:2222:3333:4444:5555:6666", delivery.StageFinal, policy.ServerRejected, word)
	n := notification(t, recipient(t, to, forced(t, to), said(a, 550, mail.Status{}, word, word)))
	for i := range 15 {
		b := a
		b.MX, b.Reply, b.Text = strings.Repeat("x", i+1)+".test", mail.Reply{}, ""
		n.Recipients[0].Outcome.Attempts = append(n.Recipients[0].Outcome.Attempts, b)
	}
	n.Original.From = strings.Repeat("Somebody Else <somebody.else@clinic.test>,\r\n ", 200) + word + " <ward@clinic.test>"
	n.Original.MessageID = "<" + strings.Repeat("i", 980) + "@clinic.test>"
	return n
}
