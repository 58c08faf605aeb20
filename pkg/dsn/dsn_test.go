package dsn

import (
	"fmt"
	"mime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// Every fixture is well formed as the standard library reads it, and the plain words wrap
// where they can.
func TestFixturesAreWellFormed(t *testing.T) {
	t.Parallel()
	for name, n := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := check(t, n)
			for line := range strings.SplitSeq(r.words, "\r\n") {
				if words := strings.Fields(line); utf8.RuneCountInString(line) > 78 && len(words) > 2 {
					t.Errorf("a line of words is too long: %q", line)
				}
			}
		})
	}
}

// Whatever strangers say and headers hold, the notification is well formed and holds nothing
// that steers a terminal (FAULTS S25).
func TestAnythingIsWellFormed(t *testing.T) {
	t.Parallel()
	words := rapid.OneOf(rapid.String(), rapid.SampledFrom(hostile()),
		rapid.StringMatching(`[ -~]{0,100}`), rapid.Just(strings.Repeat("ä", 3000)), rapid.Just(strings.Repeat("long ", 500)))
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string) string { return words.Draw(rt, label) }
		var rcpts []Recipient
		for i := range rapid.IntRange(1, 3).Draw(rt, "recipients") {
			a := delivery.Attempt{
				Time: noon(), MX: draw("mx"), IP: "192.0.2.1", Stage: delivery.StageFinal, Text: draw("text"),
				Reason: rapid.SampledFrom(policy.Reasons()).Draw(rt, "reason"), Definitive: rapid.Bool().Draw(rt, "definitive"),
				Reply: mail.Reply{Code: rapid.SampledFrom([]int{0, 250, 354, 421, 550}).Draw(rt, "code"), Lines: []string{draw("line"), draw("line")}},
			}
			r := recipient(t, fmt.Sprintf("r%d@plain.test", i), policy.Requirement{}, a)
			r.Because = []string{draw("because")}
			rcpts = append(rcpts, r)
		}
		n := notification(t, rcpts...)
		n.Action = rapid.SampledFrom([]Action{Failed, Delayed}).Draw(rt, "action")
		n.Original.From, n.Original.Date, n.Original.MessageID = draw("from"), draw("date"), draw("id")
		check(t, n)
		if t.Failed() {
			rt.FailNow()
		}
	})
}

// Nothing of the original is told but From, Date and Message-ID: there is no way in for more.
func TestNothingElseOfTheOriginal(t *testing.T) {
	t.Parallel()
	n := fixtures(t)["tls"]
	r := check(t, n)
	want := "From: Ward 3 <ward@clinic.test>\r\nDate: Wed, 04 Mar 2026 11:59:00 +0000\r\nMessage-ID: <letter-1@clinic.test>\r\n"
	if r.headers != want {
		t.Errorf("third part %q, want %q", r.headers, want)
	}
	// Folded fields with others inside stay values of theirs.
	n.Original.From = "ward@clinic.test\r\nSubject: marker-subject\r\n\r\nmarker-body"
	r = check(t, n)
	for line := range strings.SplitSeq(r.headers, "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok && !slices.Contains([]string{"From", "Date", "Message-ID"}, name) && line[0] != ' ' {
			t.Errorf("a field that is not ours to tell: %q", line)
		}
	}
	if r := check(t, fixtures(t)["bare"]); strings.TrimSpace(r.headers) != "" || strings.Contains(r.words, "The message was") {
		t.Errorf("of nothing: %q, %q", r.headers, r.words)
	}
}

// The second part, field by field.
func TestStatusFields(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	type fields map[string]string
	for _, tt := range []struct {
		name string
		n    Notification
		i    int
		want fields
	}{
		{"our verdict", all["tls"], 1, fields{"Final-Recipient": "rfc822; doctor@plain.test", "Action": "failed", "Status": "5.7.10",
			"Remote-Mta":      "dns; mx.plain.test (192.0.2.15)",
			"Diagnostic-Code": "x-sendctl; 550 5.7.10 mx.plain.test [192.0.2.15] offers no TLS (no STARTTLS in its answer to EHLO) (starttls-not-supported)",
			"Final-Log-Id":    "a1b2c3-1", "Last-Attempt-Date": "Wed, 04 Mar 2026 12:00:30 +0000"}},
		{"the message", all["tls"], 0, fields{"Reporting-Mta": "dns; mta1.clinic.test", "Original-Envelope-Id": "a1b2c3", "Arrival-Date": "Wed, 04 Mar 2026 12:00:00 +0000"}},
		{"the server's", all["rejected"], 1, fields{"Status": "5.1.1", "Diagnostic-Code": "smtp; 550 5.1.1 The email account that you tried to reach " +
			"does not exist. Please try double-checking the recipient's email address for typos"}},
		{"no host", all["several"], 2, fields{"Status": "5.1.2", "Remote-Mta": "", "Diagnostic-Code": "x-sendctl; 550 5.1.2 the domain nxdomain.test does not exist (no-such-domain)"}},
		{"expired", all["several"], 4, fields{"Status": "5.4.7", "Remote-Mta": "dns; mx.full.test (192.0.2.28)", "Diagnostic-Code": "smtp; 452 mailbox is over quota"}},
		{"a reply without status", all["several"], 5, fields{"Status": "5.7.1", "Diagnostic-Code": "smtp; 554 policy violation"}},
		{"delayed", all["delayed"], 2, fields{"Action": "delayed", "Status": "4.7.4", "Will-Retry-Until": "Mon, 09 Mar 2026 12:00:00 +0000"}},
		{"UTF-8", all["utf8"], 1, fields{"Final-Recipient": `utf-8; "\x{E4}rztin\x{20}1"@xn--bcher-kva.test`}},
		{"bare", all["bare"], 1, fields{"Final-Log-Id": "", "Last-Attempt-Date": ""}},
	} {
		got := check(t, tt.n).groups[tt.i]
		for name, want := range tt.want {
			if got.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", tt.name, name, got.Get(name), want)
			}
		}
	}
}

// smtp; is for what a server said against the message, and nothing else (SPEC §4).
func TestDiagnosticTypes(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{0: "x-sendctl; ", 250: "x-sendctl; ", 354: "x-sendctl; ", 421: "smtp; 421", 450: "smtp; 450", 554: "smtp; 554"} {
		a := noTLS("mx.plain.test", "192.0.2.15")
		a.Reply = mail.Reply{Code: code, Lines: []string{"words"}}
		n := notification(t, recipient(t, "a@plain.test", policy.Requirement{Encrypt: true}, a))
		if got := check(t, n).groups[1].Get("Diagnostic-Code"); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %q, want %q", code, got, want)
		}
	}
}

// Class and action agree whatever the server says (RFC 3464 §2.3.4); what it says besides
// stands, and where it says nothing there is more than x.0.0 for what we know.
func TestStatusClass(t *testing.T) {
	t.Parallel()
	for _, reason := range policy.Reasons() {
		for said, want := range map[mail.Status]string{{Class: 2, Subject: 1, Detail: 5}: ".1.5", {Class: 4, Subject: 2, Detail: 2}: ".2.2", {Class: 5, Subject: 7, Detail: 1}: ".7.1"} {
			r := Recipient{Outcome: delivery.Outcome{Reason: reason, Enhanced: said}}
			if f, d := r.status(Failed), r.status(Delayed); f != "5"+want || d != "4"+want {
				t.Errorf("%s %v: %s and %s", reason, said, f, d)
			}
		}
		r := Recipient{Outcome: delivery.Outcome{Reason: reason}}
		vague := slices.Contains([]policy.Reason{policy.ServerRejected, policy.ServerDeferred, policy.Cancelled}, reason)
		if f, d := r.status(Failed), r.status(Delayed); f[0] != '5' || d[0] != '4' || (f == "5.0.0") != vague || (d == "4.0.0") != vague {
			t.Errorf("%s without a status: %s and %s", reason, f, d)
		}
	}
}

// Every reason of the closed set has plain words, without the words of the trade.
func TestEveryReasonHasPlainWords(t *testing.T) {
	t.Parallel()
	for _, reason := range policy.Reasons() {
		text := plainly[reason]
		if !strings.HasSuffix(text, ".") || !unicode.IsUpper(rune(text[0])) {
			t.Errorf("%s: %q is no sentence", reason, text)
		}
		for _, jargon := range []string{"STARTTLS", "EHLO", "SMTP", "DNS", "MX", "TLSA", "handshake", "PKIX", "MTA"} {
			if strings.Contains(text, jargon) {
				t.Errorf("%s: a secretary does not know %s: %q", reason, jargon, text)
			}
		}
		if reason.Category() == policy.CategoryTLS && !strings.Contains(text, "TLS (encrypted) connection") {
			t.Errorf("%s: %q does not say that it was about TLS", reason, text)
		}
	}
	if len(plainly) != len(policy.Reasons()) {
		t.Error("there are words for reasons outside the set")
	}
}

// The words that come first: who, what, and what to do; TLS as the receiving server's fault
// only where it is.
func TestWords(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	flat := func(name string) string { return strings.Join(strings.Fields(check(t, all[name]).words), " ") }
	for name, want := range map[string][]string{
		"tls": {"doctor@plain.test The receiving server could not establish a TLS (encrypted) connection: it does not offer one. " +
			"Your message may only be sent over such a connection, so nothing of it was sent there. What to do: Ask the recipient's provider to enable TLS",
			"Policy: profile hipaa demands", "Policy: rule first-national (to plain.test) demands"},
		"several": {"the 6 recipients named below", "doctor@plain.test nurse@plain.test The receiving server could not", "nobody@nxdomain.test The address leads nowhere. What to do: Check the address"},
		"hosts": {"- starttls-not-supported (550 5.7.10): mx1.mixed.test [192.0.2.21] offers no TLS", "- mx2.mixed.test [192.0.2.22]: the certificate expired",
			"- mx3.mixed.test [2001:db8::23] ended", "- mx4.mixed.test [192.0.2.24] refused STARTTLS. The server said: 502 command not implemented."},
		"conflict": {"contradicts itself, so that no server can meet it.", "What to do: Show this notice to your mail administrator."},
		"delayed":  {"has not been delivered to the 2 recipients named below yet. The mail system goes on trying until 9 March 2026 12:00 UTC", "so nothing of it has been sent there yet."},
		"utf8":     {`"ärztin 1"@xn--bcher-kva.test The receiving server does not know the special letters`, "From: Station für Innere <ward@clinic.test>"},
	} {
		got := flat(name)
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s lacks %q:\n%s", name, w, got)
			}
		}
	}
	for name, unwanted := range map[string]string{"rejected": "Policy: ", "conflict": "receiving server", "several": "nothing of it was sent there. What to do: Check"} {
		if got := flat(name); strings.Contains(got, unwanted) {
			t.Errorf("%s says %q:\n%s", name, unwanted, got)
		}
	}
	if n := strings.Count(flat("hosts"), "mx1.mixed.test"); n != 1 {
		t.Errorf("the same failure of a host is told %d times", n)
	}
}

// Hundreds of attempts over days are told in brief.
func TestManyAttempts(t *testing.T) {
	t.Parallel()
	var attempts []delivery.Attempt
	for i := range 300 {
		a := at(fmt.Sprintf("mx%d.far.test", i%20), "192.0.2.1", delivery.StageConnect, policy.ConnectTimeout, "")
		a.Time, a.Definitive = noon().Add(time.Duration(i)*time.Hour), false
		attempts = append(attempts, a)
	}
	r := recipient(t, "a@far.test", policy.Requirement{}, attempts...)
	r.Outcome = delivery.Expire(r.Outcome)
	got := check(t, notification(t, r)).words
	if n := strings.Count(got, "did not answer in time"); n != maxDetails || !strings.Contains(got, "And 10 more of the kind.") {
		t.Errorf("%d attempts are told:\n%s", n, got)
	}
}

// The subject is read as it is meant even where an address looks like an encoded word.
func TestSubjects(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"a@plain.test":               "Not delivered: your message to a@plain.test",
		`"=?utf-8?q?x?="@plain.test`: "Not delivered: your message to one recipient",
		"ü@plain.test":               "Not delivered: your message to ü@plain.test",
	} {
		n := notification(t, recipient(t, to, policy.Requirement{}, noTLS("mx.plain.test", "192.0.2.15")))
		got := read(t, Compose(n)).header.Get("Subject")
		if plain, err := new(mime.WordDecoder).DecodeHeader(got); err != nil || plain != want {
			t.Errorf("%s: %q (%v), want %q", to, plain, err, want)
		}
	}
}

// In-Reply-To and References hold an identifier or are not there.
func TestReferences(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"<a@b>": "<a@b>", " <a@b>\r\n": "<a@b>", "a@b": "", "<a@b> <c@d>": "", "<ü@b>": "", "<>": "", "": "", "<a\x07@b>": "", "<" + strings.Repeat("i", 1000) + ">": "",
	} {
		if got := (Original{MessageID: id}).reference(); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
	n := fixtures(t)["tls"]
	n.Original.MessageID = "<" + strings.Repeat("i", 994) + ">"
	if r := check(t, n); !cmp.Equal(r.header["In-Reply-To"], []string{n.Original.MessageID}) {
		t.Error("the longest identifier is lost")
	}
}

// A reverse-path in UTF-8 is written as it is: only servers with SMTPUTF8 get it (RFC 6531 §3.2).
func TestReversePathInUTF8(t *testing.T) {
	t.Parallel()
	n := fixtures(t)["tls"]
	n.To = address(t, "ärztin@clinic.test")
	check(t, n)
}

func BenchmarkCompose(b *testing.B) {
	n := fixtures(b)["several"]
	for b.Loop() {
		Compose(n)
	}
}
