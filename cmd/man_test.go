package cmd

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// wholeTree is every command that people are told of.
func wholeTree() []*cobra.Command {
	root := (&app{surroundings: surroundings{getenv: func(string) string { return "" }}}).root()
	root.InitDefaultHelpCmd()
	return available(root)
}

// Every help text says what the command is for, shows examples that work, and lists its exit statuses (SPEC §3).
func TestHelpTexts(t *testing.T) {
	t.Parallel()
	known := []int{exitOK, exitUsage, exitInvalid, exitNoInput, exitNoDomain, exitBounced, exitBug, exitState, exitDeferred, exitConfig, exitInterrupted}
	for _, c := range wholeTree() {
		t.Run(pageName(c), func(t *testing.T) {
			t.Parallel()
			if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Short[0] < 'A' || c.Short[0] > 'Z' {
				t.Errorf("short: %q; a sentence without its full stop is wanted", c.Short)
			}
			description, status := splitHelp(c.Long)
			if description == "" {
				t.Error("no description")
			}
			codes := statusCodes(status)
			if len(codes) < 2 || codes[0] != exitOK {
				t.Errorf("EXIT STATUS %q: 0 is to come first, and 64 at least after it", status)
			}
			for _, code := range codes {
				if !slices.Contains(known, code) {
					t.Errorf("EXIT STATUS %q has %d, which sendctl never ends with", status, code)
				}
			}
			if !strings.HasPrefix(c.Example, "  ") || strings.HasSuffix(c.Example, "\n") || !strings.Contains(c.Example, c.CommandPath()) {
				t.Errorf("examples %q: indented lines that show the command are wanted", c.Example)
			}
			checkExamples(t, c.Example)
		})
	}
}

// statusCodes are the numbers in the list of exit statuses.
func statusCodes(status string) []int {
	var out []int
	for line := range strings.SplitSeq(statuses(status), "\n") {
		if number, ok := strings.CutPrefix(line, ".B "); ok {
			n, err := strconv.Atoi(number)
			if err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// checkExamples holds that commands and flags of examples exist.
func checkExamples(t *testing.T, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "sendctl" {
			continue
		}
		if end := slices.IndexFunc(words, func(w string) bool { return strings.Trim(w, "|<>") == "" }); end > 0 {
			words = words[:end]
		}
		root := wholeTree()[0]
		c, rest, err := root.Find(words[1:])
		if err != nil || len(words) > 1 && c == root {
			t.Errorf("example %q: no such command: %v", line, err)
			continue
		}
		if err := c.ParseFlags(rest); err != nil {
			t.Errorf("example %q: %v", line, err)
		}
	}
}

// A manual page has its sections, balanced, and nothing in the text is taken for a request.
func TestManPages(t *testing.T) {
	t.Parallel()
	requests := strings.Fields(".TH .SH .B .TP .PP .nf .fi")
	var names []string
	for _, c := range wholeTree() {
		names = append(names, "\\fB"+roff(pageName(c))+"\\fR(1)")
	}
	for _, c := range wholeTree() {
		page := manPage(c)
		last := 0
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "SEE ALSO"} {
			at := strings.Index(page, "\n.SH "+section+"\n")
			if at < last {
				t.Errorf("%s: section %s is missing or not in its place", pageName(c), section)
			}
			last = at
		}
		literal := false
		for line := range strings.SplitSeq(page, "\n") {
			word, _, _ := strings.Cut(line, " ")
			switch {
			case strings.HasPrefix(line, ".") && !slices.Contains(requests, word), strings.HasPrefix(line, "'"):
				t.Errorf("%s: %q is taken for a request", pageName(c), line)
			case word == ".nf" && literal, word == ".fi" && !literal, word == ".SH" && literal:
				t.Errorf("%s: %s out of turn", pageName(c), word)
			case word == ".nf" || word == ".fi":
				literal = word == ".nf"
			}
		}
		_, also, _ := strings.Cut(page, ".SH SEE ALSO\n")
		for ref := range strings.SplitSeq(strings.TrimSpace(also), ",\n") {
			if !slices.Contains(names, ref) {
				t.Errorf("%s refers to %s, which is no page", pageName(c), ref)
			}
		}
	}
}

func TestRoff(t *testing.T) {
	t.Parallel()
	if got, want := roff("--a \\n\n.TH x\n'y\nz."), "\\-\\-a \\en\n\\&.TH x\n\\&'y\nz."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := paragraphs("one\ntwo\n\n  as it is\nthree"), "one\ntwo\n.PP\n.nf\n  as it is\n.fi\nthree\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := statuses("  0 done · 64 usage,\n  or worse"), ".TP\n.B 0\ndone\n.TP\n.B 64\nusage,\nor worse\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
