package send_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

func planConfig() send.Config {
	// No courier: whatever would touch the network fails the test.
	return send.Config{Hostname: "mta1.clinic.test", Clock: func() time.Time { return time.Unix(1e9, 0) }}
}

func planned(ctx context.Context, t *testing.T, opts send.Options, texts ...string) *send.Report {
	t.Helper()
	var inputs []send.Input
	for i, text := range texts {
		inputs = append(inputs, send.Input{Name: string(rune('a'+i)) + ".eml", Data: []byte(strings.ReplaceAll(text, "\n", "\r\n"))})
	}
	return send.Plan(ctx, planConfig(), opts, inputs)
}

const planMail = "From: Ward <ward@clinic.test>\nTo: a@bank.test, b@other.test\nCc: c@SUB.bank.test\nSubject: =?utf-8?q?=5BSecure=5D_x?=\n\nbody\n"

// Plan decides for every recipient as Send would, with what rules see of the message, and
// neither sends anything nor invents an outcome.
func TestPlan(t *testing.T) {
	t.Parallel()
	to, err := policy.ParsePattern(".bank.test")
	if err != nil {
		t.Fatal(err)
	}
	opts := send.Options{Sender: policy.Sender{Name: policy.NullProfile}, Rules: []policy.Rule{
		{Name: "sub", Enabled: true, To: []policy.Pattern{to}, Subject: []string{"[secure]"}},
	}}
	r := planned(t.Context(), t, opts, planMail, "no header at all")
	if len(r.Refused) != 1 || r.Refused[0].File != "b.eml" || r.Refused[0].Line == 0 {
		t.Errorf("refused %+v", r.Refused)
	}
	if s := (send.Summary{Messages: 1, Recipients: 3, Refused: 1}); r.Summary != s {
		t.Errorf("summary %+v, want %+v", r.Summary, s)
	}
	for i, want := range []struct {
		rcpt string
		mode policy.Mode
	}{{"a@bank.test", policy.ModeNone}, {"b@other.test", policy.ModeNone}, {"c@sub.bank.test", policy.ModeForced}} {
		row := r.Rows[i]
		if row.File != "a.eml" || row.Recipient.String() != want.rcpt || row.Decision.Mode != want.mode {
			t.Errorf("row %d: %s %s %s, want %s %s", i, row.File, row.Recipient, row.Decision.Mode, want.rcpt, want.mode)
		}
		if row.Outcome.Status != "" || row.Outcome.Attempts != nil {
			t.Errorf("row %d has an outcome: %+v", i, row.Outcome)
		}
	}
	if why := r.Rows[0].Decision.NearMisses; len(why) != 1 || !strings.Contains(why[0].Why, "subdomains only") {
		t.Errorf("near misses of the domain itself: %+v", why)
	}
}

// FAULTS M13: a message that goes round in circles is told of, for Send bounces it.
func TestPlanTellsOfLoops(t *testing.T) {
	t.Parallel()
	loop := strings.Repeat("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n", 100) + planMail
	r := planned(t.Context(), t, send.Options{Sender: policy.Sender{Name: policy.NullProfile}}, loop)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "a.eml: the message has 100 Received fields") {
		t.Errorf("notes %q", r.Notes)
	}
}

// --from and --to take the place of what the message says; an interrupt reads nothing more.
func TestPlanOptionsAndInterrupt(t *testing.T) {
	t.Parallel()
	from := mail.Address{Local: "bounces", Domain: "clinic.test"}
	opts := send.Options{Sender: policy.Sender{Name: policy.NullProfile}, From: &from, To: []mail.Address{{Local: "x", Domain: "bank.test"}}}
	r := planned(t.Context(), t, opts, planMail)
	if len(r.Rows) != 1 || r.Rows[0].Recipient != opts.To[0] || r.Rows[0].Sender != from {
		t.Errorf("rows %+v", r.Rows)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := planned(ctx, t, opts, planMail); len(r.Rows) != 0 || len(r.Refused) != 1 || !strings.Contains(r.Refused[0].Error, "interrupted") {
		t.Errorf("interrupted: %+v", r)
	}
}
