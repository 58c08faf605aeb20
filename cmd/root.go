// Package cmd is sendctl's command line: one file per command, and the one switch from errors to exit status.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
)

// surroundings is what a command gets from its process: everything that tests replace.
type surroundings struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	uid            int
	now            func() time.Time // nil: time.Now
}

// app is one call of the command line: its surroundings and the global flags.
type app struct {
	surroundings
	flags struct {
		config, state, output   string
		noColor, quiet, verbose bool
		trace                   string
	}
	made *ui.Output
}

// Main runs the command line of this process and returns its exit status.
func Main() int { return runProcess(time.Now) }

// runProcess is Main by a clock.
func runProcess(clock func() time.Time) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// The first signal ends the run at a safe point, a second one at once: nothing is lost by it.
	context.AfterFunc(ctx, stop)
	if os.Getenv("GOGC") == "" {
		// Little lives long in a run: to collect half as often costs some memory and saves time.
		debug.SetGCPercent(200)
	}
	// A reader that went away must not end the process before its state is put in order.
	signal.Ignore(syscall.SIGPIPE)
	return run(ctx, surroundings{
		args: os.Args[1:], stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		getenv: os.Getenv, uid: os.Getuid(), now: clock,
	})
}

func run(ctx context.Context, s surroundings) (status int) {
	if s.now == nil {
		s.now = time.Now
	}
	a := &app{surroundings: s}
	defer func() {
		if v := recover(); v != nil {
			a.stderrOutput().Error(exitBug, fmt.Sprintf("a bug in sendctl: %v\n%s", v, debug.Stack()), "what was accepted is kept; report this, with the lines above")
			status = exitBug
		}
	}()
	root := a.root()
	root.SetArgs(s.args)
	root.SetIn(s.stdin)
	root.SetOut(s.stdout)
	root.SetErr(s.stderr)
	err := root.ExecuteContext(ctx)
	a.report(err)
	return statusOf(err)
}

// report tells of an error, unless the output has already told the story.
func (a *app) report(err error) {
	var o outcome
	if err == nil || errors.As(err, &o) || errors.Is(err, syscall.EPIPE) {
		return
	}
	a.stderrOutput().Error(statusOf(err), err.Error(), hintOf(err))
}

// output is the process's output in the format asked for.
func (a *app) output() (*ui.Output, error) {
	if a.made != nil {
		return a.made, nil
	}
	format, err := ui.ParseFormat(a.flags.output)
	if err != nil {
		return nil, usagef("", "--output: %w", err)
	}
	a.made = a.newOutput(format)
	return a.made, nil
}

func (a *app) newOutput(format ui.Format) *ui.Output {
	return ui.New(ui.Options{
		Stdout: ui.NewStream(a.stdout), Stderr: ui.NewStream(a.stderr), Format: format,
		NoColor: a.flags.noColor, Quiet: a.flags.quiet, Verbose: a.flags.verbose, Getenv: a.getenv,
	})
}

// stderrOutput is where an error is told even if the format asked for does not exist.
func (a *app) stderrOutput() *ui.Output {
	if out, err := a.output(); err == nil {
		return out
	}
	return a.newOutput(ui.FormatTable)
}

const exitStatusHelp = `
EXIT STATUS
  0 every recipient delivered · 64 usage · 65 a message was refused as invalid · 66 no input, or a
  file could not be read · 69 a recipient bounced · 70 a bug · 74 the state directory cannot be
  written · 75 some are deferred · 78 the configuration is invalid, nothing was sent
  130 interrupted at a safe point`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sendctl",
		Short: "Send mail over the TLS that its sender's policy demands",
		Long: `sendctl sends batches of .eml files straight to the recipients' mail hosts. A sender profile
says which TLS a message must get; a recipient whose server cannot give it gets no mail,
and the table, the bounce and the exit status say so.` + "\n" + exitStatusHelp,
		Example: `  sendctl send --profile hipaa batch/
  sendctl send --sandbox --profile hipaa examples/batch
  sendctl profile list
  sendctl explain --profile newsletter someone@example.com`,
		SilenceUsage: true, SilenceErrors: true,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&a.flags.config, "config", "", "configuration `directory` (default $SENDCTL_CONFIG, ~/.config/sendctl, /etc/sendctl)")
	f.StringVar(&a.flags.state, "state", "", "state `directory` (default $SENDCTL_STATE, /var/lib/sendctl or ~/.local/state/sendctl)")
	f.StringVarP(&a.flags.output, "output", "o", "table", "output `format`: table, json, jsonl or csv")
	f.BoolVar(&a.flags.noColor, "no-color", false, "no colour, whatever the terminal")
	f.BoolVarP(&a.flags.quiet, "quiet", "q", false, "nothing on success, only failures otherwise")
	f.BoolVarP(&a.flags.verbose, "verbose", "v", false, "say more, such as every attempt")
	f.StringVar(&a.flags.trace, "trace", "", "write the SMTP dialogues, without message content, to `file`")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("see "+c.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(a.commands()...)
	root.SetHelpCommand(a.helpCommand())
	a.completions(root)
	return root
}
