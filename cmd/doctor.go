package cmd

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
)

// verdict is the result of one check of doctor.
type verdict string

// The verdicts. Only a fault changes the exit status: an unknown is a check that could not be
// made, here or without being asked to.
const (
	verdictOK      verdict = "ok"
	verdictWarning verdict = "warning"
	verdictFault   verdict = "fault"
	verdictUnknown verdict = "unknown"
)

// finding is what one check came to.
type finding struct {
	Name   string  `json:"name"`
	Result verdict `json:"result"`
	Found  string  `json:"found"`
	Hint   string  `json:"hint"`

	status int // exit status, should this be a fault
}

// checkOf names a check, and the exit status of its faults.
type checkOf struct {
	name   string
	status int
}

func (c checkOf) is(v verdict, found, hint string) finding {
	return finding{Name: c.name, Result: v, Found: found, Hint: hint, status: c.status}
}

func (c checkOf) ok(format string, args ...any) finding {
	return c.is(verdictOK, fmt.Sprintf(format, args...), "")
}

// deadlines of doctor: of all checks together, and of each step on the network.
const (
	doctorDeadline = 60 * time.Second
	doctorConnect  = 5 * time.Second
	doctorReply    = 10 * time.Second
	doctorDNS      = 5 * time.Second
)

const doctorHelp = `Look over everything around sendctl that mail depends on, before it matters: the state
directory (owner, permissions, space, file system), the configuration, resolvers (do they
answer, do they validate DNSSEC, is their word believed), EHLO names and the PTR records of
the pool's addresses, port 25, the clock, certificates near their end, public roots, and the
environment. No mail is sent; with --egress the hosts named hear EHLO and QUIT, nothing else.

What could not be looked at is unknown, which is no fault: without --egress, for one, port 25
is not tried, since that takes somebody else's mail host.

EXIT STATUS
  0 no faults (warnings are for you to judge) · 64 usage · 78 a fault in the configuration
  74 a fault of the state directory · 75 a fault of anything else: resolver, names, port 25,
  clock · 130 interrupted. Of several the first in the order 78, 74, 75`

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	egress []string
	box    sandboxFlags
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check state directory, resolver, names, port 25, clock and certificates",
		Long:  doctorHelp,
		Example: `  sendctl doctor
  sendctl doctor --egress example.com
  sendctl doctor --egress mx.partner.org:25 -o json
  sendctl doctor --sandbox`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runDoctor(c.Context(), &f) },
	}
	c.Flags().StringArrayVar(&f.egress, "egress", nil, "say EHLO and QUIT to `HOST[:PORT]`, a mail host or a domain that has some; may be given again")
	f.box.register(c)
	return c
}

func (a *app) runDoctor(ctx context.Context, f *doctorFlags) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	box, err := f.box.open(a.flags.state)
	if err != nil {
		return err
	}
	if box != nil {
		defer func() { _ = box.close() }() // what it leaves in the temporary directory harms nobody
	}
	p, err := a.patient(f.egress, box)
	if err != nil {
		return err
	}
	deadline, stop := context.WithTimeout(ctx, doctorDeadline)
	defer stop()
	found := examine(deadline, p.checks())
	if err := a.showFindings(out, found); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return outcome(exitInterrupted)
	}
	return statusOfFindings(found)
}

// check looks at one thing and tells what it found; it ends soon after its context does.
type check func(context.Context) []finding

// examine makes all checks at once and gives their findings in the order of the checks.
func examine(ctx context.Context, checks []check) []finding {
	found := make([][]finding, len(checks))
	var all sync.WaitGroup
	for i, look := range checks {
		all.Go(func() { found[i] = look(ctx) })
	}
	all.Wait()
	return slices.Concat(found...)
}

// statusOfFindings is the exit status: faults of the configuration first, for nothing can be
// sent until they are mended, then those of the state directory.
func statusOfFindings(found []finding) error {
	for _, status := range []int{exitConfig, exitState, exitDeferred} {
		if slices.ContainsFunc(found, func(f finding) bool { return f.Result == verdictFault && f.status == status }) {
			return outcome(status)
		}
	}
	return nil
}

func (a *app) showFindings(out *ui.Output, found []finding) error {
	shown := found
	if a.flags.quiet && out.Format() == ui.FormatTable {
		shown = slices.DeleteFunc(slices.Clone(found), func(f finding) bool { return f.Result == verdictOK || f.Result == verdictUnknown })
	}
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "Check", Name: "name"}, {Title: "Result", Tone: verdictTone},
		{Title: "Found", Wrap: true}, {Title: "What to do", Name: "hint", Wrap: true, Fold: 1},
	}}
	for _, f := range shown {
		t.Add(f.Name, string(f.Result), f.Found, f.Hint)
	}
	if len(shown) > 0 {
		if err := ui.List(out, "checks", shown, t); err != nil {
			return fail(exitState, fmt.Errorf("writing the findings: %w", err), "")
		}
	}
	return out.Line(tally(found))
}

// tally counts the findings by verdict, the worst first.
func tally(found []finding) string {
	counts := map[verdict]int{}
	for _, f := range found {
		counts[f.Result]++
	}
	var parts []string
	for _, v := range []struct {
		is verdict
		as string
	}{{verdictFault, "at fault"}, {verdictWarning, "with a warning"}, {verdictUnknown, "unknown"}, {verdictOK, "ok"}} {
		if n := counts[v.is]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v.as))
		}
	}
	return plural(len(found), "check") + ": " + joined(parts)
}

func verdictTone(cell string) ui.Tone {
	switch verdict(cell) {
	case verdictOK:
		return ui.Good
	case verdictFault:
		return ui.Bad
	case verdictUnknown:
		return ui.Faint
	case verdictWarning:
	}
	return ui.Notice
}
