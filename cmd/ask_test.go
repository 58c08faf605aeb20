package cmd

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sendctl/sendctl/pkg/config"
)

// answers is an asker whose answers are lines, and what it wrote.
func answers(t *testing.T, lines ...string) (*asker, *strings.Builder) {
	t.Helper()
	var out strings.Builder
	return &asker{t.Context(), bufio.NewReader(strings.NewReader(strings.Join(lines, "\n") + "\n")), &out}, &out
}

// Enter alone takes what is offered, and a bad answer is asked for again.
func TestAskProfile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		answers []string
		want    []string // in the file
		told    []string
	}{
		{"defaults", make([]string, 8), []string{
			`mode        = "forced"`, `protocols   = ["TLSv1.2", "TLSv1.3"]`, `certificate = "default"`, `on_tls_failure = "bounce"`, `pool        = "default"`,
		}, []string{"TLS versions [TLSv1.2, TLSv1.3]: ", "IP pool [default]: "}},
		{"bad answers", []string{
			"lab \x1b results", "lab results", "force", "forced", "1.0, 1.2", "TLSv1.4", "1.3", "any", "custom", "none.pem", "none",
			"DHE-RSA-AES256-SHA", "", "missing.pem", "missing.key", "", "never", "defer", "nowhere", "",
		}, []string{
			`description = "lab results"`, `protocols   = ["TLSv1.3"]`, `certificate = "none"`, `on_tls_failure = "defer"`,
		}, []string{
			"control characters are not allowed", `"force" is not known here`, "there is a gap: TLSv1.1 missing", `"TLSv1.4" is not a protocol version`,
			"none.pem: there is no such file", "finite-field Diffie-Hellman", "missing.pem: there is no such file", `accepted: bounce or defer`, "there is no pool nowhere",
		}},
		{"opportunistic", []string{"", "opportunistic", "", "", "", "", ""}, []string{
			`mode        = "opportunistic"`, `protocols   = ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]`, `certificate = "none"`,
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "sendctl")
			q, out := answers(t, tt.answers...)
			var f config.ProfileFields
			if err := askProfile(q, dir, "mine", &f); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if _, err := config.CreateProfile(dir, "mine", f); err != nil {
				t.Fatal(err)
			}
			text, err := config.ProfileSource(dir, "mine")
			if err != nil {
				t.Fatal(err)
			}
			wantIn(t, string(text), tt.want)
			wantIn(t, out.String(), tt.told)
			if strings.ContainsRune(out.String(), 0x1b) {
				t.Errorf("escape character in %q", out)
			}
		})
	}
}

func wantIn(t *testing.T, text string, want []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

func TestAskRule(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sendctl")
	q, out := answers(t, "statements", "", "", "", "*.bank.example", "", "", "bank.example, .bank.example", "", "[secure]", "newsletter", "pci", "perhaps", "Yes")
	var f config.RuleFields
	if err := askRule(q, dir, "bank", &f); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := config.CreateRule(dir, "bank", f); err != nil {
		t.Fatal(err)
	}
	text, err := config.RuleSource(dir, "bank")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, string(text), []string{`description = "statements"`, `enabled     = true`, `to          = ["bank.example", ".bank.example"]`, `subject     = ["[secure]"]`, `profile     = "pci"`})
	wantIn(t, out.String(), []string{"the rule has no criterion", "there are no wildcards", "newsletter is opportunistic", "answer yes or no"})
}

// A name that cannot be is told before any question; who ends the input or interrupts writes nothing.
func TestAskEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, status := range map[string]int{"A": exitUsage, "pci": exitConfig} {
		q, out := answers(t)
		if err := askProfile(q, dir, name, &config.ProfileFields{}); statusOf(err) != status || out.Len() > 0 {
			t.Errorf("%s: %v, asked %q", name, err, out)
		}
	}
	q, _ := answers(t, "only a description")
	if err := askProfile(q, dir, "x", &config.ProfileFields{}); statusOf(err) != exitUsage || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("end of input: %v", err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	silent, end := io.Pipe()
	t.Cleanup(func() { _ = end.Close() })
	interrupted := &asker{ctx, bufio.NewReader(silent), io.Discard}
	interrupt()
	if _, err := interrupted.ask("Name", ""); statusOf(err) != exitInterrupted {
		t.Errorf("interrupted: %v", err)
	}
	if err := (&app{surroundings: surroundings{stdin: strings.NewReader("")}}).asker(t.Context()); err != nil {
		t.Error("asks where there is no terminal")
	}
}

// lineByLine gives a line at each Read, as a terminal does, and counts.
type lineByLine struct {
	lines []string
	reads atomic.Int32
}

func (l *lineByLine) Read(p []byte) (int, error) {
	n := int(l.reads.Add(1))
	if n > len(l.lines) {
		return 0, io.EOF
	}
	return copy(p, l.lines[n-1]+"\n"), nil
}

// Between questions nothing is read: the next line may be meant for an editor.
func TestAskReadsNoMoreThanTheAnswer(t *testing.T) {
	t.Parallel()
	in := &lineByLine{lines: []string{"one", "two"}}
	q := &asker{t.Context(), bufio.NewReader(in), io.Discard}
	for i, want := range in.lines {
		if got, err := q.ask("?", ""); err != nil || got != want || int(in.reads.Load()) != i+1 {
			t.Errorf("%q, %v after %d reads", got, err, in.reads.Load())
		}
	}
}
