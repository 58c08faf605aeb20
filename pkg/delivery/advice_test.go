package delivery

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// jargon is what the sender of a letter need not know.
var jargon = regexp.MustCompile(`(?i)please|\b(SMTP|STARTTLS|MX|DNS|DNSSEC|DANE|TLSA|STS|PKIX|EHLO|RCPT|MTA|greylist\w*|4xx|5xx|PTR|SPF)\b|sorry|!`)

func TestAdviceForEveryReason(t *testing.T) {
	t.Parallel()
	for _, r := range policy.Reasons() {
		for _, s := range []Status{Bounced, Deferred, Cancelled, Held} {
			got := Advice(Outcome{Status: s, Reason: r})
			switch {
			case got == "":
				t.Errorf("%s %s: no advice", s, r)
			case len(got) > 130 || !strings.HasSuffix(got, ".") || strings.Contains(strings.TrimSuffix(got, "."), ". "):
				t.Errorf("%s %s: not one short sentence: %q", s, r, got)
			case jargon.MatchString(got):
				t.Errorf("%s %s: %q in %q", s, r, jargon.FindString(got), got)
			case s == Deferred && !strings.Contains(got, "again") && r != policy.Greylisted:
				t.Errorf("%s %s: does not say that it is tried again: %q", s, r, got)
			case s == Bounced && strings.HasPrefix(got, "Nothing to do"):
				t.Errorf("%s %s: %q", s, r, got)
			case r.Category() == policy.CategoryTLS && strings.Contains(got, "resend in clear") && !strings.Contains(got, "do not"):
				t.Errorf("%s %s: advises cleartext: %q", s, r, got)
			}
		}
	}
	for r := range todo {
		if r.Category() == "" {
			t.Errorf("advice for %q, which is no reason", r)
		}
	}
	for r := range meanwhile {
		if r.Category() == "" {
			t.Errorf("advice for %q, which is no reason", r)
		}
	}
}

func TestAdvice(t *testing.T) {
	t.Parallel()
	inClear, encrypted := &Session{}, &Session{Protection: policy.Protection{Encrypted: true}}
	demand := mail.Reply{Code: 530, Lines: []string{"Must issue a STARTTLS command first"}}
	listed := mail.Reply{Code: 554, Lines: []string{"Your host is listed"}}
	for _, c := range []struct {
		o    Outcome
		want string
	}{
		{Outcome{Status: Delivered}, ""},
		{Outcome{Status: Queued}, ""},
		{Outcome{Status: Bounced, Reason: "unheard-of"}, ""},
		{Outcome{Status: Held}, "Release it or cancel it."},
		{Outcome{Status: InDoubt}, "Nothing to do: it is sent again, since nobody knows whether it arrived; it may arrive twice."},
		{Outcome{Status: Deferred, Reason: policy.ConnectTimeout}, "Nothing to do yet: it will be tried again."},
		{Outcome{Status: Bounced, Reason: policy.StartTLSNotSupported},
			"Ask the recipient's provider to enable TLS on its mail server, or use another way; do not resend in clear."},
		{Outcome{Status: Bounced, Reason: policy.PolicyRejected, Session: inClear, Reply: demand},
			"Send again under a profile that encrypts: the recipient's mail server takes nothing else."},
		{Outcome{Status: Bounced, Reason: policy.PolicyRejected, Session: encrypted, Reply: demand}, todo[policy.PolicyRejected]},
		{Outcome{Status: Bounced, Reason: policy.PolicyRejected, Session: inClear, Reply: listed}, todo[policy.PolicyRejected]},
		{Outcome{Status: Bounced, Reason: policy.PolicyRejected, Reply: demand}, todo[policy.PolicyRejected]},
	} {
		if got := Advice(c.o); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.o.Status, c.o.Reason, got, c.want)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	unknown := mail.Reply{Code: 550, Status: mail.Status{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"User unknown"}}
	for _, c := range []struct {
		a    Attempt
		want string
	}{
		{Attempt{MX: "mx1.example.com", IP: "192.0.2.1", Reason: policy.StartTLSNotSupported},
			"mx1.example.com [192.0.2.1] offers no TLS (no STARTTLS in its answer to EHLO)"},
		{Attempt{MX: "mx1.example.com", IP: "192.0.2.1", Reason: policy.RecipientRejected, Reply: unknown},
			"mx1.example.com [192.0.2.1] refused the recipient: 550 5.1.1 User unknown"},
		{Attempt{MX: "mx1.example.com", Reason: policy.ConnectFailed}, "mx1.example.com could not be reached"},
		{Attempt{IP: "2001:db8::1", Reason: policy.ConnectTimeout}, "2001:db8::1 did not answer in time"},
		{Attempt{Stage: StageDNS, Reason: policy.NoSuchDomain}, "the recipient's domain does not exist"},
		{Attempt{MX: "mx1.example.com", IP: "192.0.2.1", Reason: policy.TLSVersionMismatch, Text: "the server chose TLSv1.0, allowed is TLSv1.2-TLSv1.3"},
			"mx1.example.com [192.0.2.1]: the server chose TLSv1.0, allowed is TLSv1.2-TLSv1.3"},
		{Attempt{MX: "mx1.example.com", IP: "192.0.2.1", Text: "mx1.example.com [192.0.2.1] closed the connection in answer to MAIL"},
			"mx1.example.com [192.0.2.1] closed the connection in answer to MAIL"},
		{Attempt{Stage: StageDNS, Reason: policy.DNSFailure, Text: "looking up example.com: SERVFAIL"}, "looking up example.com: SERVFAIL"},
		{Attempt{MX: "mx1.example.com", Reply: mail.Reply{Code: 250, Lines: []string{"ok"}}}, "mx1.example.com answered: 250 ok"},
	} {
		if got := Explain(c.a); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
	// S25: whatever a host is called or says, a terminal stays itself.
	hostile := Attempt{MX: "mx\x1b[31m.example", IP: "192.0.2.1", Reason: policy.ServerRejected, Reply: mail.Reply{Code: 550, Lines: []string{"\x1b]0;x\x07\r\n\u202e"}}}
	if got := Explain(hostile); strings.ContainsAny(got, "\x1b\x07\r\n\u202e") {
		t.Errorf("not clean: %q", got)
	}
}

func TestExplainEveryReason(t *testing.T) {
	t.Parallel()
	for _, r := range policy.Reasons() {
		if got := Explain(Attempt{MX: "mx.example", Reason: r}); !strings.HasPrefix(got, "mx.example ") || strings.HasSuffix(got, "answered") {
			t.Errorf("%s: %q", r, got)
		}
	}
	for r := range happened {
		if r.Category() == "" {
			t.Errorf("words for %q, which is no reason", r)
		}
	}
}
