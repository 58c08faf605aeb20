package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
)

// caseView is one policy test and what came of it.
type caseView struct {
	Name        string              `json:"name"`
	File        string              `json:"file"`
	Line        int                 `json:"line"`
	Recipient   string              `json:"recipient"`
	Profile     string              `json:"profile"`
	Passed      bool                `json:"passed"`
	Differences []config.Difference `json:"differences"`
}

// casesView is what validate --cases prints: the object of validate, and the cases.
type casesView struct {
	config.Problems

	Cases []caseView `json:"cases"`
}

// runCases holds a file of policy tests against the configuration. With errors in either of
// them nothing is tested, and the errors are shown instead.
func (a *app) runCases(s shown, path string) error {
	if path == "" {
		return usagef("name a file of [[case]] tables", "--cases is empty")
	}
	if len(s.problems.Errors) > 0 {
		return a.showProblems(s)
	}
	tests, problems := config.LoadCases(path, s.cfg)
	s.problems.Errors = problems.Errors
	if len(problems.Errors) > 0 {
		return a.showProblems(s)
	}
	v := casesView{Problems: s.listed(), Cases: make([]caseView, len(tests))}
	failed := 0
	for i, test := range tests {
		diff, err := s.cfg.Check(test)
		if err != nil {
			return configError(err)
		}
		v.Cases[i] = caseView{test.Name, path, test.Line, test.To.String(), test.Profile, len(diff) == 0, append([]config.Difference{}, diff...)}
		if len(diff) > 0 {
			failed++
		}
	}
	if err := a.showCases(s, v); err != nil {
		return err
	}
	if err := s.out.Line(fmt.Sprintf("%s: %s, %d passed, %d failed", path, plural(len(tests), "case"), len(tests)-failed, failed)); err != nil {
		return err
	}
	if failed > 0 {
		return outcome(exitConfig)
	}
	return nil
}

// showCases prints the cases: with -q those that failed, if any.
func (a *app) showCases(s shown, v casesView) error {
	format := s.out.Format()
	t := caseTable(v, a.flags.quiet)
	tables := []ui.Table{t}
	if len(v.Warnings) > 0 && format == ui.FormatTable && !a.flags.quiet {
		tables = []ui.Table{problemTable(format, v.Problems), t}
	}
	if format == ui.FormatTable && t.Len() == 0 {
		return nil
	}
	return s.out.Print(v, tables...)
}

func caseTable(v casesView, failedOnly bool) ui.Table {
	t := ui.Table{Columns: []ui.Column{
		{Title: "Case"}, {Title: "Result", Tone: resultTone}, {Title: "Recipient", Fold: 1},
		{Title: "Line", Right: true, Fold: 2}, {Title: "Differences", Wrap: true},
	}}
	for _, c := range v.Cases {
		if failedOnly && c.Passed {
			continue
		}
		result := passed
		if !c.Passed {
			result = "FAILED"
		}
		texts := make([]string, len(c.Differences))
		for i, d := range c.Differences {
			texts[i] = d.String()
		}
		t.Add(c.Name, result, c.Recipient, strconv.Itoa(c.Line), strings.Join(texts, "; "))
	}
	return t
}

const passed = "passed"

func resultTone(cell string) ui.Tone {
	if cell == passed {
		return ui.Good
	}
	return ui.Bad
}
