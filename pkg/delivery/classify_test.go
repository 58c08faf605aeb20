package delivery

import (
	"bufio"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

var allStages = []Stage{
	StageDNS, StagePolicy, StageConnect, StageGreeting, StageEHLO, StageSTARTTLS, StageHandshake,
	StageMAIL, StageRCPT, StageDATA, StageContent, StageFinal, StageRSET, StageQUIT,
}

// parse reads a reply as a server writes it, its lines joined by a literal \n.
func parse(t testing.TB, text string) mail.Reply {
	t.Helper()
	var r mail.Reply
	for line := range strings.SplitSeq(text, `\n`) {
		code, err := strconv.Atoi(line[:3])
		if err != nil || r.Code != 0 && code != r.Code {
			t.Fatalf("not a reply: %q", text)
		}
		r.Code = code
		line = strings.TrimPrefix(strings.TrimPrefix(line[3:], "-"), " ")
		word, rest, _ := strings.Cut(line, " ")
		if s, ok := mail.ParseStatus(word); ok {
			r.Status, line = s, rest
		}
		if line != "" {
			r.Lines = append(r.Lines, line)
		}
	}
	return r
}

// sample is a row of testdata/replies.tsv.
type sample struct {
	line   int
	stage  Stage
	reason policy.Reason
	final  bool
	source string
	reply  mail.Reply
	text   string
}

func samples(t testing.TB) []sample {
	t.Helper()
	f, err := os.Open("testdata/replies.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []sample
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		c := strings.Split(lines.Text(), "\t")
		if len(c) != 5 || c[2] != "final" && c[2] != "temporary" || !slices.Contains(allStages, Stage(c[0])) ||
			!slices.Contains(policy.Reasons(), policy.Reason(c[1])) {
			t.Fatalf("replies.tsv:%d: %q", n, lines.Text())
		}
		out = append(out, sample{n, Stage(c[0]), policy.Reason(c[1]), c[2] == "final", c[3], parse(t, c[4]), c[4]})
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestClassifyRealReplies(t *testing.T) {
	t.Parallel()
	all := samples(t)
	if len(all) < 250 {
		t.Errorf("only %d replies", len(all))
	}
	seen := map[policy.Reason]bool{}
	for _, s := range all {
		seen[s.reason] = true
		if got := Classify(s.stage, s.reply); got != (Verdict{s.reason, s.final}) {
			t.Errorf("replies.tsv:%d: %s at %s: got %s, definitive %v; want %s, %v\n\t%s",
				s.line, s.source, s.stage, got.Reason, got.Definitive, s.reason, s.final, s.text)
		}
	}
	for _, r := range policy.Reasons() {
		if r.Category() == policy.CategoryServer && !seen[r] {
			t.Errorf("no reply for %s", r)
		}
	}
}

// Every rule is there for a reply that somebody really sends.
func TestEveryRuleIsUsed(t *testing.T) {
	t.Parallel()
	used := make([]bool, len(rules))
	for _, s := range samples(t) {
		class := classOf(s.stage, s.reply.Code)
		said := answer{at: phaseOf(s.stage), class: class, code: s.reply.Code, status: statusOf(s.reply), text: plain(s.reply.Lines)}
		if i := slices.IndexFunc(rules, func(r rule) bool { return r.applies(&said) }); i >= 0 {
			used[i] = true
		}
	}
	for i, u := range used {
		if !u {
			t.Errorf("rule %d decides no sample: %+v", i, rules[i])
		}
	}
}

// Phrases are written as plain gives texts, else they never match.
func TestRulesAreWrittenPlain(t *testing.T) {
	t.Parallel()
	for i, r := range rules {
		for _, w := range r.words {
			if p := plain([]string{w}); strings.TrimSuffix(p, " ") != w {
				t.Errorf("rule %d: %q should be %q", i, w, p)
			}
		}
		if r.reason.Category() != policy.CategoryServer && r.reason != policy.RecipientRejected {
			t.Errorf("rule %d: %s is no reason that a server's reply can have", i, r.reason)
		}
		if r.reason == policy.RecipientRejected && r.at&^(atRecipient|atContent) != 0 {
			t.Errorf("rule %d: a recipient cannot be refused before it is named", i)
		}
	}
}

func TestClassifyCodes(t *testing.T) {
	t.Parallel()
	protocol := Verdict{Reason: policy.ProtocolError}
	for _, c := range []struct {
		stage Stage
		code  int
		want  Verdict
	}{
		{StageGreeting, 220, Verdict{}},
		{StageGreeting, 250, protocol},
		{StageGreeting, 354, protocol},
		{StageEHLO, 250, Verdict{}},
		{StageEHLO, 220, protocol},
		{StageSTARTTLS, 220, Verdict{}},
		{StageSTARTTLS, 250, protocol}, // T3
		{StageSTARTTLS, 454, Verdict{policy.StartTLSRefused, false}},
		{StageSTARTTLS, 421, Verdict{policy.StartTLSRefused, false}},
		{StageSTARTTLS, 502, Verdict{policy.StartTLSRefused, true}}, // T3
		{StageSTARTTLS, 554, Verdict{policy.StartTLSRefused, true}},
		{StageHandshake, 550, protocol},
		{StageConnect, 220, protocol},
		{StageMAIL, 250, Verdict{}},
		{StageMAIL, 354, protocol},
		{StageRCPT, 250, Verdict{}},
		{StageRCPT, 251, Verdict{}}, // S13
		{StageRCPT, 252, Verdict{}},
		{StageRCPT, 552, Verdict{policy.ServerDeferred, false}}, // RFC 5321 §4.5.3.1.10
		{StageRCPT, 550, Verdict{policy.RecipientRejected, true}},
		{StageDATA, 354, Verdict{}},
		{StageDATA, 250, protocol}, // S15
		{StageDATA, 334, protocol},
		{StageContent, 250, protocol}, // S20
		{StageContent, 451, Verdict{policy.ServerDeferred, false}},
		{StageFinal, 250, Verdict{}},
		{StageFinal, 354, protocol},
		{StageFinal, 550, Verdict{policy.ServerRejected, true}},  // S19
		{StageFinal, 552, Verdict{policy.ServerRejected, true}},  // S19
		{StageFinal, 451, Verdict{policy.ServerDeferred, false}}, // S19
		{StageRSET, 250, Verdict{}},
		{StageRSET, 503, protocol}, // S22
		{StageRSET, 421, Verdict{policy.Throttled, false}},
		{StageQUIT, 221, Verdict{}},
		{StageQUIT, 500, protocol}, // S18
		{StageRCPT, 0, protocol},
		{StageRCPT, 150, protocol},
		{StageRCPT, 99, protocol}, // S9
		{StageRCPT, 600, protocol},
		{StageRCPT, -550, protocol},
		{Stage("unheard-of"), 550, Verdict{policy.ServerRejected, true}},
		{Stage("unheard-of"), 250, protocol},
	} {
		if got := Classify(c.stage, mail.Reply{Code: c.code}); got != c.want {
			t.Errorf("%d at %s: got %+v, want %+v", c.code, c.stage, got, c.want)
		}
	}
}

// The code's first digit alone makes an answer final; a status of the other class does not.
func TestClassifyStatusDoesNotMakeFinal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want Verdict
	}{
		{"451 5.7.1 Sorry, blocked", Verdict{policy.PolicyRejected, false}},
		{"450 5.1.1 User unknown", Verdict{policy.ServerDeferred, false}},
		{"550 4.2.2 Over quota", Verdict{policy.MailboxFull, true}},
		{"550 2.1.1 No such user", Verdict{policy.RecipientRejected, true}}, // a success status says nothing
	} {
		if got := Classify(StageRCPT, parse(t, c.text)); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.text, got, c.want)
		}
	}
}

// T18: the server's own words are what is shown, for no reason of that name exists.
func TestClassifyWantsSTARTTLS(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"550 must issue STARTTLS", "530 5.7.0 Must issue a STARTTLS command first", "554 5.7.1 STARTTLS required", "550 5.7.10 Encryption needed",
	} {
		for _, stage := range []Stage{StageMAIL, StageRCPT, StageFinal} {
			if got := Classify(stage, parse(t, text)); got != (Verdict{policy.PolicyRejected, true}) {
				t.Errorf("%s at %s: %+v", text, stage, got)
			}
		}
	}
	if got := Classify(StageMAIL, parse(t, "451 5.7.3 STARTTLS is required to send mail")); got != (Verdict{policy.PolicyRejected, false}) {
		t.Errorf("451: %+v", got)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"Mailbox FULL", "mailbox full "},
		{"  rate-limited; (see: http://x.example/a_b) ", "rate limited see http x example a b "},
		{"<spam-virus.quota+x@greylist.example>: User unknown", "user unknown "},
		{"no such user someone@example.com:blocked)", "no such user blocked "},
		{"a@", ""},
		{"@b.example relays", "relays "},
		{"'o'brien@x.example' doesn't exist", "doesn t exist "},
		{"Überlastet", "Überlastet "},
		{"a\x00b\tc\r", "a b c "},
	} {
		if got := plain([]string{c.in}); got != c.want {
			t.Errorf("plain(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := plain([]string{"over", "quota"}); !hasWords(got, "over quota") {
		t.Errorf("lines are not joined: %q", got)
	}
	if got := plain([]string{strings.Repeat("x ", 1<<16), "spam"}); len(got) > maxWording+1 {
		t.Errorf("%d bytes are read", len(got))
	}
}

func TestHasWords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text, phrase string
		want         bool
	}{
		{"spf check failed ", "spf", true},
		{"failed spf ", "spf", true},
		{"yxspf7 spfless ", "spf", true},
		{"yxspf7 ", "spf", false},
		{"openspam spamhaus ", "spam", true},
		{"overquota ", "quota", false},
		{"", "quota", false},
	} {
		if got := hasWords(c.text, c.phrase); got != c.want {
			t.Errorf("hasWords(%q, %q) = %v", c.text, c.phrase, got)
		}
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"550 5.1.1 x", "5.1.1"},
		{"550 sorry (#5.7.1)", "5.7.1"},
		{"550 #5.1.0 Address rejected.", "5.1.0"},
		{"550 ends with #5.1.1.", "5.1.1"},
		{"550 ends with #5.1.1", "5.1.1"},
		{"550 ticket #12345", ""},
		{"550 #2.0.0 x", ""},
		{"550 2.0.0 x (#5.2.2)", "5.2.2"},
		{"550 #", ""},
	} {
		if got := statusOf(parse(t, c.in)).String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestClassifyIsLight(t *testing.T) {
	reply := parse(t, "550 5.0.0 A refusal that no rule knows and that is as long as such texts are, from mx.example.com for someone@example.com")
	if n := testing.AllocsPerRun(100, func() { Classify(StageFinal, reply) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkClassify(b *testing.B) {
	all := samples(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s := &all[i%len(all)]
		Classify(s.stage, s.reply)
	}
}

// Whatever a server says, the verdict is one that the stage can have, and only a 5yz is definitive.
func FuzzClassify(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(string(s.stage), s.reply.Code, s.reply.Status.Subject, s.reply.Status.Detail, strings.Join(s.reply.Lines, "\n"))
	}
	f.Fuzz(func(t *testing.T, stage string, code, subject, detail int, text string) {
		r := mail.Reply{Code: code, Lines: strings.Split(text, "\n")}
		if subject >= 0 && detail >= 0 && subject+detail > 0 {
			r.Status = mail.Status{Class: 5, Subject: subject, Detail: detail}
		}
		v := Classify(Stage(stage), r)
		switch {
		case v.Accepted() && (v.Definitive || code/100 != 2 && code != 354):
			t.Fatalf("%d is accepted at %s", code, stage)
		case v.Definitive && code/100 != 5:
			t.Fatalf("%d is definitive at %s", code, stage)
		case !v.Accepted() && !slices.Contains(policy.Reasons(), v.Reason):
			t.Fatalf("%q is no reason", v.Reason)
		case v.Reason == policy.RecipientRejected && phaseOf(Stage(stage))&(atRecipient|atContent) == 0:
			t.Fatalf("a recipient is refused at %s", stage)
		case v.Reason == policy.RecipientRejected && !v.Definitive, v.Reason == policy.ServerRejected && !v.Definitive:
			t.Fatalf("%s is temporary", v.Reason)
		case v.Reason == policy.ServerDeferred && v.Definitive:
			t.Fatalf("%s is final", v.Reason)
		}
	})
}
