package ui

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// lines are the lines of a screen without its colours.
func lines(screen string) []string {
	return strings.Split(strings.TrimRight(sgr.ReplaceAllString(screen, ""), "\n"), "\n")
}

// A report is never wider than its terminal, whatever that is; colour changes nothing else and
// never reaches beyond its line (ECOSYSTEM 2.3: it bleeds where coloured cells wrap).
func TestWidths(t *testing.T) {
	t.Parallel()
	for columns := 24; columns <= 240; columns += 3 {
		coloured, sober := onTerminal(columns, Options{Verbose: true}), onTerminal(columns, Options{Verbose: true, NoColor: true})
		for _, s := range []screenful{coloured, sober} {
			if err := s.Report(report()); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range lines(coloured.stdout.String()) {
			if n := textWidth(l); n > columns {
				t.Errorf("at %d columns a line has %d: %q", columns, n, l)
			}
		}
		if strings.Join(lines(coloured.stdout.String()), "\n") != strings.Join(lines(sober.stdout.String()), "\n") {
			t.Errorf("at %d columns colour changes the layout", columns)
		}
		for l := range strings.Lines(coloured.stdout.String()) {
			codes := sgr.FindAllString(l, -1)
			if len(codes) > 0 && codes[len(codes)-1] != "\x1b[0m" {
				t.Errorf("at %d columns colour is not reset: %q", columns, l)
			}
		}
	}
}

// Addresses stay whole wherever the terminal has room for the longest.
func TestAddressesStayWhole(t *testing.T) {
	t.Parallel()
	for columns := 60; columns <= 200; columns += 5 {
		s := onTerminal(columns, Options{NoColor: true})
		if err := s.Report(report()); err != nil {
			t.Fatal(err)
		}
		for _, r := range report().Rows {
			if !strings.Contains(s.stdout.String(), r.Recipient.String()) {
				t.Errorf("at %d columns %s is broken", columns, r.Recipient)
			}
		}
	}
}

// cells draws texts of strangers, controls, wide and combining characters among them.
func cells() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringN(0, 30, -1),
		rapid.StringMatching(`[a-z]{1,12}(\.[a-z]{1,12}){0,3}@[a-z]{1,20}\.example`),
		rapid.StringMatching(`([a-z]{1,12} ){0,12}[a-z]{0,5}`),
		rapid.SampledFrom([]string{"", "日本語の件名", "ｶﾞｷﾞｸﾞ", "☁\ufe0f☁\ufe0f☁\ufe0f", "🇩🇪🇫🇷", "e\u0301\u0302", "a\tb\r\nc", "\x1b]0;title\x07", "\u202eabc", "-"}),
	)
}

// Whatever the cells are: on a terminal no line is too wide and no letter is lost; in a pipe
// there is one line a row, and it splits into as many cells as there are columns.
func TestTableProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		table := Table{Shape: rapid.SampledFrom([]Shape{Folding, Blocks}).Draw(t, "shape")}
		n := rapid.IntRange(1, 6).Draw(t, "columns")
		for i := range n {
			table.Columns = append(table.Columns, Column{
				Title: fmt.Sprintf("Col%d", i), Wrap: rapid.Bool().Draw(t, "wrap"),
				Right: rapid.Bool().Draw(t, "right"), Fold: rapid.IntRange(0, 3).Draw(t, "fold"),
			})
		}
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			table.Add(rapid.SliceOfN(cells(), n, n).Draw(t, "cells")...)
		}
		columns := rapid.IntRange(20, 120).Draw(t, "width")
		screen, pipe := onTerminal(columns, Options{}), piped(Options{})
		for _, s := range []screenful{screen, pipe} {
			if err := s.Print(nil, table); err != nil {
				t.Fatal(err)
			}
		}
		checkScreen(t, &table, screen.stdout.String(), columns)
		checkPipe(t, &table, pipe.stdout.String())
	})
}

func checkScreen(t *rapid.T, table *Table, screen string, columns int) {
	for _, l := range lines(screen) {
		if textWidth(l) > columns {
			t.Fatalf("at %d columns: %q", columns, l)
		}
	}
	seen := make(map[rune]int)
	for _, r := range screen {
		seen[r]++
	}
	for _, row := range table.rows {
		for _, cell := range row {
			for _, r := range cell {
				if r > ' ' && r < 0x7f && r != '-' {
					seen[r]--
				}
			}
		}
	}
	for r, n := range seen {
		if n < 0 {
			t.Fatalf("%q was lost:\n%s", r, screen)
		}
	}
}

func checkPipe(t *rapid.T, table *Table, out string) {
	got := lines(out)
	if len(got) != table.Len()+1 {
		t.Fatalf("%d rows on %d lines:\n%s", table.Len(), len(got), out)
	}
	for i, l := range got[1:] {
		fields := regexp.MustCompile("  +").Split(strings.TrimLeft(l, " "), -1)
		want := make([]string, len(table.Columns))
		for c, cell := range table.rows[i] {
			want[c] = shown(cell)
		}
		if strings.Join(fields, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q splits into %q, want %q", l, fields, want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("firstname.lastname@subsidiary.example and a few words", 12)
	f.Add("日本語の件名です", 3)
	f.Add("AAAAAAAAﾞ", 8)
	f.Add("☁\ufe0f☁\ufe0f☁\ufe0f", 3)
	f.Add("", 1)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if width < 2 || width > 200 || len(text) > 2000 {
			return
		}
		text = cleanCell(text)
		got := wrap(text, width)
		if len(got) == 0 {
			t.Fatal("no line at all")
		}
		for _, l := range got {
			if textWidth(l) > width {
				t.Errorf("%q is wider than %d", l, width)
			}
		}
		if squash(strings.Join(got, "")) != squash(text) {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func squash(s string) string { return strings.Join(strings.Fields(s), "") }

func TestRecordAndNotes(t *testing.T) {
	t.Parallel()
	table := Table{Title: "Profile", Shape: Record, Columns: []Column{{Title: "Name"}, {Title: "Mode"}, {Title: "TLS versions"}, {Title: "Pool"}}}
	table.Note("lost", "there is no row yet")
	table.Add("hipaa", "forced", "TLSv1.2-1.3")
	table.Note("Advice", "hipaa-strict demands a certificate too")
	table.Note("Advice", "it guards against active attackers")
	want := `Profile
hipaa
  Mode          forced
  TLS versions  TLSv1.2-1.3
  Advice        hipaa-strict demands a certificate too
                it guards against active attackers
`
	s := piped(Options{})
	if err := s.Print(nil, table); err != nil {
		t.Fatal(err)
	}
	if got := s.stdout.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
