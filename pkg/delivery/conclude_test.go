package delivery

import (
	"slices"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// host is an attempt at one mail host for which no reply decided.
func host(mx string, stage Stage, reason policy.Reason, definitive bool) Attempt {
	return Attempt{MX: mx, Stage: stage, Reason: reason, Definitive: definitive, Text: mx + " " + string(reason)}
}

// said is an attempt that a reply decided, as Classify reads it.
func said(t *testing.T, mx string, stage Stage, text string) Attempt {
	reply := parse(t, text)
	v := Classify(stage, reply)
	return Attempt{MX: mx, Stage: stage, Reason: v.Reason, Definitive: v.Definitive, Reply: reply, Text: mx + " " + text}
}

func TestConclude(t *testing.T) {
	t.Parallel()
	noTLS := host("mx1", StageSTARTTLS, policy.StartTLSNotSupported, true)
	noTLS2 := host("mx2", StageSTARTTLS, policy.StartTLSNotSupported, true)
	oldTLS := host("mx2", StageHandshake, policy.TLSVersionMismatch, true)
	badCert := host("mx2", StagePolicy, policy.CertificateHost, true)
	stall := host("mx2", StageHandshake, policy.TLSHandshakeFailed, false)
	down := host("mx1", StageConnect, policy.ConnectTimeout, false)
	down2 := host("mx2", StageConnect, policy.ConnectFailed, false)
	inject := host("mx1", StageSTARTTLS, policy.StartTLSInjection, false)
	small := host("mx1", StageMAIL, policy.MessageTooLarge, true)
	for _, c := range []struct {
		name     string
		attempts []Attempt
		deferTLS bool
		status   Status
		reason   policy.Reason
		decider  string // the host that decided
		code     string
	}{
		{"T1: no STARTTLS on any", []Attempt{noTLS, noTLS2}, false, Bounced, policy.StartTLSNotSupported, "mx1", "550 5.7.10"},
		{"no STARTTLS, and a version", []Attempt{noTLS, oldTLS}, false, Bounced, policy.StartTLSNotSupported, "mx1", "550 5.7.10"},
		{"T9: version alone", []Attempt{oldTLS}, false, Bounced, policy.TLSVersionMismatch, "mx2", "550 5.7.5"},
		{"T13: certificate", []Attempt{badCert}, false, Bounced, policy.CertificateHost, "mx2", "550 5.7.5"},
		{"T2: no STARTTLS, and the second is down", []Attempt{noTLS, down2}, false, Deferred, policy.ConnectFailed, "mx2", "451 4.4.1"},
		{"order does not matter", []Attempt{down, noTLS2}, false, Deferred, policy.ConnectTimeout, "mx1", "451 4.4.1"},
		{"T8: stall in the handshake", []Attempt{noTLS, stall}, false, Deferred, policy.TLSHandshakeFailed, "mx2", "454 4.7.5"},
		{"T4: injection never bounces", []Attempt{inject, noTLS2}, false, Deferred, policy.StartTLSInjection, "mx1", "454 4.7.5"},
		{"T3: 454 to STARTTLS", []Attempt{said(t, "mx1", StageSTARTTLS, "454 4.7.0 TLS not available")}, false,
			Deferred, policy.StartTLSRefused, "mx1", "454 4.7.4"},
		{"T3: 502 to STARTTLS on one of two", []Attempt{said(t, "mx1", StageSTARTTLS, "502 no"), down2}, false,
			Deferred, policy.ConnectFailed, "mx2", "451 4.4.1"},
		{"T3: 502 to STARTTLS on all", []Attempt{said(t, "mx1", StageSTARTTLS, "502 no"), noTLS2}, false,
			Bounced, policy.StartTLSRefused, "mx1", "550 5.7.10"},
		{"T3: 250 to STARTTLS", []Attempt{said(t, "mx1", StageSTARTTLS, "250 ok"), noTLS2}, false,
			Deferred, policy.ProtocolError, "mx1", "451 4.5.0"},
		{"S5: 554 greeting on all", []Attempt{said(t, "mx1", StageGreeting, "554 5.7.1 Access denied"), said(t, "mx2", StageGreeting, "554 no")}, false,
			Bounced, policy.PolicyRejected, "mx1", "554 5.7.1"},
		{"S5: 554 greeting, and the second is down", []Attempt{said(t, "mx1", StageGreeting, "554 no"), down2}, false,
			Deferred, policy.ConnectFailed, "mx2", "451 4.4.1"},
		{"S6: 421 greeting after a 554", []Attempt{said(t, "mx1", StageGreeting, "554 no"), said(t, "mx2", StageGreeting, "421 4.3.2 busy")}, false,
			Deferred, policy.ServerDeferred, "mx2", "421 4.3.2"},
		{"S6: 421 to RCPT", []Attempt{said(t, "mx1", StageRCPT, "421 closing")}, false, Deferred, policy.Throttled, "mx1", "421"},
		{"S2: all refuse", []Attempt{down, down2}, false, Deferred, policy.ConnectTimeout, "mx1", "451 4.4.1"},
		{"what a server said is preferred to one that is down", []Attempt{down, said(t, "mx2", StageRCPT, "451 4.7.1 Greylisted")}, false,
			Deferred, policy.Greylisted, "mx2", "451 4.7.1"},
		{"of equals the first", []Attempt{said(t, "mx1", StageRCPT, "451 4.7.1 Greylisted"), said(t, "mx2", StageRCPT, "452 4.2.2 Full")}, false,
			Deferred, policy.Greylisted, "mx1", "451 4.7.1"},
		{"5yz to RCPT is final whatever came before", []Attempt{down, said(t, "mx2", StageRCPT, "550 5.1.1 User unknown")}, false,
			Bounced, policy.RecipientRejected, "mx2", "550 5.1.1"},
		{"and after a 4yz of another host", []Attempt{said(t, "mx1", StageRCPT, "451 later"), said(t, "mx2", StageRCPT, "550 5.1.1 User unknown")}, false,
			Bounced, policy.RecipientRejected, "mx2", "550 5.1.1"},
		{"S12: 5yz to MAIL", []Attempt{noTLS, said(t, "mx2", StageMAIL, "550 5.1.8 Sender address rejected")}, false,
			Bounced, policy.SenderRejected, "mx2", "550 5.1.8"},
		{"530 in clear after TLS that broke", []Attempt{stall, said(t, "mx2", StageMAIL, "530 5.7.0 Must issue a STARTTLS command first")}, false,
			Deferred, policy.TLSHandshakeFailed, "mx2", "454 4.7.5"},
		{"530 in clear after TLS that can never work", []Attempt{oldTLS, said(t, "mx2", StageMAIL, "530 5.7.0 Must issue a STARTTLS command first")}, false,
			Bounced, policy.TLSVersionMismatch, "mx2", "550 5.7.5"},
		{"530 in clear, no TLS tried", []Attempt{said(t, "mx1", StageMAIL, "530 5.7.0 Must issue a STARTTLS command first")}, false,
			Bounced, policy.PolicyRejected, "mx1", "530 5.7.0"},
		{"S15: 5yz to DATA", []Attempt{down, said(t, "mx2", StageDATA, "554 no")}, false, Bounced, policy.ServerRejected, "mx2", "554"},
		{"S19: 550 after the dot", []Attempt{down, said(t, "mx2", StageFinal, "550 5.7.1 spam")}, false, Bounced, policy.ContentRejected, "mx2", "550 5.7.1"},
		{"552 to RCPT counts as 452", []Attempt{said(t, "mx1", StageRCPT, "552 5.2.2 Over quota")}, false, Deferred, policy.MailboxFull, "mx1", "552 5.2.2"},
		{"S24: SIZE of one host says nothing of another", []Attempt{small, down2}, false, Deferred, policy.ConnectFailed, "mx2", "451 4.4.1"},
		{"S24: SIZE on all", []Attempt{small}, false, Bounced, policy.MessageTooLarge, "mx1", "552 5.3.4"},
		{"D1: no such domain", []Attempt{host("", StageDNS, policy.NoSuchDomain, true)}, false, Bounced, policy.NoSuchDomain, "", "550 5.1.2"},
		{"D2: DNS fault", []Attempt{host("", StageDNS, policy.DNSFailure, false)}, false, Deferred, policy.DNSFailure, "", "451 4.4.3"},
		{"D4: null MX", []Attempt{host("", StageDNS, policy.NullMX, true)}, false, Bounced, policy.NullMX, "", "556 5.1.10"},
		{"on_tls_failure defer", []Attempt{noTLS, oldTLS}, true, Deferred, policy.TLSVersionMismatch, "mx2", "454 4.7.5"},
		{"on_tls_failure defer, no STARTTLS", []Attempt{noTLS}, true, Deferred, policy.StartTLSNotSupported, "mx1", "454 4.7.4"},
		{"on_tls_failure defer: the TLS reason stands before a host that is down", []Attempt{down, badCert}, true,
			Deferred, policy.CertificateHost, "mx2", "454 4.7.5"},
		{"on_tls_failure defer spares no other category", []Attempt{said(t, "mx1", StageGreeting, "554 no")}, true,
			Bounced, policy.ServerRejected, "mx1", "554"},
		{"nothing was tried", nil, false, Deferred, policy.ConnectionLost, "", "451 4.4.2"},
	} {
		req := policy.Requirement{Encrypt: true}
		if c.deferTLS {
			req.OnFailure = policy.FailureDefer
		}
		o := Conclude(c.attempts, req)
		code := strings.TrimSpace(mail.Reply{Code: o.Code, Status: o.Enhanced}.String())
		if o.Status != c.status || o.Reason != c.reason || code != c.code || !strings.HasPrefix(o.Text, c.decider) || o.Text == "" {
			t.Errorf("%s: got %s %s %s (%s), want %s %s %s by %s", c.name, o.Status, o.Reason, code, o.Text, c.status, c.reason, c.code, c.decider)
		}
		if len(o.Attempts) != len(c.attempts) || o.Session != nil {
			t.Errorf("%s: %d attempts kept of %d, session %v", c.name, len(o.Attempts), len(c.attempts), o.Session)
		}
	}
}

// The session that a judgement refused is kept as evidence where that decides.
func TestConcludeKeepsTheSession(t *testing.T) {
	t.Parallel()
	refused := host("mx1", StagePolicy, policy.CertificateExpired, true)
	refused.Session = &Session{MX: "mx1", VerifyError: "expired"}
	down := host("mx2", StageConnect, policy.ConnectFailed, false)
	if o := Conclude([]Attempt{refused}, policy.Requirement{Encrypt: true}); o.Session != refused.Session {
		t.Errorf("the session is %v", o.Session)
	}
	if o := Conclude([]Attempt{refused, down}, policy.Requirement{Encrypt: true}); o.Session != nil {
		t.Errorf("another host decides, and the session is %v", o.Session)
	}
}

// The reply is always what the deciding server said, if anything.
func TestConcludeKeepsTheReply(t *testing.T) {
	t.Parallel()
	a := said(t, "mx1", StageSTARTTLS, "554 5.7.1 not for you")
	if o := Conclude([]Attempt{a}, policy.Requirement{}); o.Reply.String() != "554 5.7.1 not for you" || o.Code != 550 {
		t.Errorf("got %d, reply %q", o.Code, o.Reply)
	}
}

// SPEC §3, the table of reasons.
func TestCode(t *testing.T) {
	t.Parallel()
	seen := map[policy.Reason]bool{}
	for _, row := range []struct{ reasons, final, deferred string }{
		{"starttls-not-supported starttls-refused", "550 5.7.10", "454 4.7.4"},
		{"tls-version-mismatch tls-cipher-mismatch tls-handshake-failed starttls-injection", "550 5.7.5", "454 4.7.5"},
		{"certificate-expired certificate-host-mismatch certificate-not-trusted", "550 5.7.5", "454 4.7.5"},
		{"tlsa-invalid dnssec-invalid dane-required sts-policy-invalid sts-mx-mismatch sts-webpki-invalid", "550 5.7.5", "454 4.7.5"},
		{"requiretls-not-supported", "550 5.7.30", "454 4.7.4"},
		{"no-such-domain", "550 5.1.2", "451 4.1.2"},
		{"null-mx", "556 5.1.10", "556 5.1.10"},
		{"no-mail-host", "550 5.4.4", "451 4.4.4"},
		{"mail-loop", "550 5.4.6", "451 4.4.6"},
		{"recipient-rejected", "550 5.1.1", "451 4.1.1"},
		{"dns-failure", "550 5.4.3", "451 4.4.3"},
		{"connect-failed connect-timeout", "550 5.4.1", "451 4.4.1"},
		{"connection-lost", "550 5.4.2", "451 4.4.2"},
		{"protocol-error", "550 5.5.0", "451 4.5.0"},
		{"greylisted throttled mailbox-full policy-rejected content-rejected sender-rejected server-rejected server-deferred", "550 5.0.0", "451 4.0.0"},
		{"message-too-large", "552 5.3.4", "452 4.3.4"},
		{"eight-bit-not-supported", "550 5.6.3", "451 4.6.3"},
		{"smtputf8-not-supported", "550 5.6.7", "451 4.6.7"},
		{"expired", "550 5.4.7", "451 4.4.7"},
		{"cancelled", "", ""},
	} {
		for r := range strings.FieldsSeq(row.reasons) {
			seen[policy.Reason(r)] = true
			for _, c := range []struct {
				final bool
				want  string
			}{{true, row.final}, {false, row.deferred}} {
				code, status := Code(policy.Reason(r), c.final)
				if got := (mail.Reply{Code: code, Status: status}).String(); got != c.want {
					t.Errorf("%s, final %v: %q, want %q", r, c.final, got, c.want)
				}
			}
		}
	}
	for _, r := range policy.Reasons() {
		if !seen[r] {
			t.Errorf("no row for %s", r)
		}
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	for _, r := range policy.Reasons() {
		o := Outcome{Status: Deferred, Reason: r, Text: "mx1 said so", Attempts: []Attempt{{Reason: r}}}
		o.Code, o.Enhanced = Code(r, false)
		got := Expire(o)
		want := policy.Expired
		if r.Category() == policy.CategoryTLS {
			want = r
		}
		code, status := Code(want, true)
		if got.Status != Bounced || got.Reason != want || got.Code != code || got.Enhanced != status || !strings.HasSuffix(got.Text, "mx1 said so") {
			t.Errorf("%s: %+v", r, got)
		}
		if !slices.ContainsFunc(got.Attempts, func(a Attempt) bool { return a.Reason == r }) {
			t.Errorf("%s: the last reason is lost", r)
		}
	}
}

// F14: only a verdict over dates waits for the clock to be looked at.
func TestUnclear(t *testing.T) {
	t.Parallel()
	for _, r := range policy.Reasons() {
		for _, status := range []Status{Bounced, Deferred} {
			o := Outcome{Status: status, Reason: r, Text: "mx1 said so"}
			o.Code, o.Enhanced = Code(r, status == Bounced)
			got := Unclear(o)
			if r != policy.CertificateExpired || status != Bounced {
				if got.Status != o.Status || got.Code != o.Code || got.Text != o.Text {
					t.Errorf("%s %s: %+v", status, r, got)
				}
				continue
			}
			if got.Status != Deferred || got.Code != 454 || got.Enhanced.Class != 4 || !strings.Contains(got.Text, "clock") {
				t.Errorf("%+v", got)
			}
		}
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	for s, want := range map[Status]bool{Queued: false, Delivered: true, Deferred: false, Bounced: true, InDoubt: false, Held: false, Cancelled: true} {
		if s.Settled() != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}
