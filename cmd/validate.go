package cmd

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check every profile, rule and sendctl.toml",
		Long: `Check the whole configuration without touching the network, and show everything that is wrong
or may not be meant, with file, line, column and what to do. While there are errors nothing is
sent; warnings are for you to judge.

EXIT STATUS
  0 no errors · 64 usage · 78 there are errors, or there is no such directory`,
		Example: "  sendctl validate\n  sendctl validate --config ./etc -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.loadToShow()
			if err != nil {
				return err
			}
			return a.showProblems(s)
		},
	}
}

func (a *app) showProblems(s shown) error {
	// JSON has empty lists rather than null.
	v := config.Problems{Errors: append([]config.Problem{}, s.problems.Errors...), Warnings: append([]config.Problem{}, s.problems.Warnings...)}
	nothing := len(v.Errors) == 0 && (len(v.Warnings) == 0 || a.flags.quiet)
	if s.out.Format() != ui.FormatTable || !nothing {
		if err := s.out.Print(v, problemTable(s.out.Format(), v)); err != nil {
			return err
		}
	}
	if err := s.out.Line(s.summary()); err != nil {
		return err
	}
	if len(v.Errors) > 0 {
		return outcome(exitConfig)
	}
	return nil
}

// summary is what was checked and what came of it.
func (s shown) summary() string {
	where := s.cfg.Dir
	if where == "" {
		where = "no configuration directory, the shipped profiles alone"
	}
	return fmt.Sprintf("%s: %s, %s, %s, %s", where, plural(len(s.cfg.Profiles), "profile"), plural(len(s.cfg.Rules), "rule"),
		plural(len(s.problems.Errors), "error"), plural(len(s.problems.Warnings), "warning"))
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// problemTable shows errors before warnings; in CSV the place is split into columns.
func problemTable(format ui.Format, v config.Problems) ui.Table {
	t := ui.Table{Shape: ui.Blocks, Columns: []ui.Column{{Title: "Where"}, {Title: "Severity", Tone: severityTone}, {Title: "Message", Wrap: true}, {Title: "Hint", Wrap: true}}}
	if format == ui.FormatCSV {
		t.Columns = []ui.Column{{Title: "Severity"}, {Title: "File"}, {Title: "Line"}, {Title: "Column"}, {Title: "Message"}, {Title: "Hint"}}
	}
	for _, group := range []struct {
		severity string
		problems []config.Problem
	}{{"error", v.Errors}, {"warning", v.Warnings}} {
		for _, p := range group.problems {
			if format == ui.FormatCSV {
				t.Add(group.severity, p.File, strconv.Itoa(p.Line), strconv.Itoa(p.Column), p.Message, p.Hint)
				continue
			}
			t.Add(whereOf(p), group.severity, p.Message, p.Hint)
		}
	}
	return t
}

// whereOf is file:line:column, as editors jump to it.
func whereOf(p config.Problem) string {
	switch {
	case p.File == "":
		return "configuration"
	case p.Line == 0:
		return mail.Clean(p.File)
	}
	return fmt.Sprintf("%s:%d:%d", mail.Clean(p.File), p.Line, p.Column)
}

func severityTone(cell string) ui.Tone {
	if cell == "error" {
		return ui.Bad
	}
	return ui.Notice
}
