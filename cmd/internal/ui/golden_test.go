package ui

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden compares with testdata/NAME; UPDATE_GOLDEN=1 writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s differs (UPDATE_GOLDEN=1 accepts it), - want + got:\n%s", name, d)
	}
}

// What a person sees: the screens of SPEC §3 at several widths and in several surroundings.
func TestReportScreens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		columns int
		options Options
	}{
		{"report-80.golden", 80, Options{}},
		{"report-80-nocolor.golden", 80, Options{NoColor: true}},
		{"report-80-verbose.golden", 80, Options{NoColor: true, Verbose: true}},
		{"report-80-ascii.golden", 80, Options{NoColor: true, Getenv: environ("LC_ALL", "C")}},
		{"report-80-quiet.golden", 80, Options{NoColor: true, Quiet: true}},
		{"report-120.golden", 120, Options{NoColor: true}},
		{"report-200.golden", 200, Options{NoColor: true}},
		{"report-20.golden", 20, Options{NoColor: true}}, // C12
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := onTerminal(c.columns, c.options)
			if err := s.Report(report()); err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, s.stdout.String()+"=== stderr\n"+s.stderr.String())
		})
	}
}

// What a program or a mail from cron sees.
func TestReportPiped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options Options
	}{
		{"report-piped.golden", Options{}},
		{"report-piped-quiet.golden", Options{Quiet: true}},
		{"report.json", Options{Format: FormatJSON}},
		{"report.jsonl", Options{Format: FormatJSONL}},
		{"report.csv", Options{Format: FormatCSV}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, r := piped(c.options), report()
			for i := range r.Rows {
				if err := s.Recipients(r.Rows[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Report(r); err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, s.stdout.String())
			golden(t, c.name+".stderr", s.stderr.String())
		})
	}
}

// Above 50 recipients a terminal shows a line per domain, unless --all; a pipe never folds.
func TestReportFolds(t *testing.T) {
	t.Parallel()
	s := onTerminal(80, Options{NoColor: true})
	if err := s.Report(many(700)); err != nil {
		t.Fatal(err)
	}
	golden(t, "folded-80.golden", s.stdout.String())

	lines := func(s screenful, n int, all bool) int {
		s.All(all)
		if err := s.Report(many(n)); err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, b := range s.stdout.Bytes() {
			if b == '@' {
				count++
			}
		}
		return count
	}
	for _, c := range []struct {
		what string
		got  int
		want int
	}{
		{"50 on a terminal", lines(onTerminal(200, Options{}), 50, false), 50},
		{"51 on a terminal", lines(onTerminal(200, Options{}), 51, false), 0},
		{"51 on a terminal with --all", lines(onTerminal(200, Options{}), 51, true), 51},
		{"51 in a pipe", lines(piped(Options{}), 51, false), 51},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d addresses shown, want %d", c.what, c.got, c.want)
		}
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	rows := report().Rows[7:]
	listing := given(rows)
	for i := range rows {
		rows[i].Skipped = false
	}
	s := onTerminal(80, Options{NoColor: true, Now: clockAt(finished)})
	if _, err := s.Queue(listing); err != nil {
		t.Fatal(err)
	}
	golden(t, "queue-80.golden", s.stdout.String())
	p := piped(Options{Now: clockAt(finished)})
	if _, err := p.Queue(listing); err != nil {
		t.Fatal(err)
	}
	golden(t, "queue-piped.golden", p.stdout.String())
	j := piped(Options{Format: FormatJSON})
	if n, err := j.Queue(listing); n != len(rows) || err != nil {
		t.Fatal(err)
	}
	var object struct{ Entries []recipientJSON }
	if err := json.Unmarshal(j.stdout.Bytes(), &object); err != nil || len(object.Entries) != len(rows) {
		t.Errorf("%d entries, error %v, want %d", len(object.Entries), err, len(rows))
	}
}
