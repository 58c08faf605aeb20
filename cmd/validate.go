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
	var cases string
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check every profile, rule and sendctl.toml",
		Long: `Check the whole configuration without touching the network, and show everything that is wrong
or may not be meant, with file, line, column and what to do. While there are errors nothing is
sent; warnings are for you to judge.

With --cases also hold the configuration against tests of your own, in TOML: each is a message
and what explain has to say of its recipient, and what is not named is not looked at.

  [[case]]
  name    = "statements are forced, whoever sends them"
  profile = "newsletter"                 # default: the null profile
  from    = "billing@clinic.example"
  subject = "your statement"
  to      = "someone@firstnational.com"
  [case.expect]
  tls_mode    = "forced"
  encrypt     = true
  protocols   = ["TLSv1.2", "TLSv1.3"]
  certificate = "default"
  rules       = ["first-national"]       # all that match

expect also knows profile, ciphers and on_tls_failure.

EXIT STATUS
  0 no errors, and every case passed · 64 usage
  78 there are errors, there is no such directory, or a case failed`,
		Example: "  sendctl validate\n  sendctl validate --config ./etc -o json\n  sendctl validate --config ./etc --cases cases.toml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.loadToShow()
			if err != nil {
				return err
			}
			if c.Flags().Changed("cases") {
				return a.runCases(s, cases)
			}
			return a.showProblems(s)
		},
	}
	c.Flags().StringVar(&cases, "cases", "", "also hold the configuration against the policy tests in `FILE`")
	return c
}

// listed is what was found; JSON has empty lists rather than null.
func (s shown) listed() config.Problems {
	return config.Problems{
		Errors:   append([]config.Problem{}, s.problems.Errors...),
		Warnings: append([]config.Problem{}, s.problems.Warnings...),
	}
}

func (a *app) showProblems(s shown) error {
	v := s.listed()
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
