package cmd

import (
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// sendFlags are the flags of send.
type sendFlags struct {
	profile string
	from    string
	to      []string
	list    string
	all     bool
	// noNotify keeps bounce messages instead of sending them.
	noNotify bool
	dryRun   bool
	// queueOnly accepts and leaves delivering to queue run.
	queueOnly bool
	again     bool
	wait      time.Duration
	gate      string // "all" or "recipient": ask the mail hosts first
	done      string // where files go that were accepted; "" where they stay
	box       sandboxFlags
}

func (a *app) sendCommand() *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send [--profile NAME|-] PATH...",
		Short: "Send .eml files to their recipients' mail hosts under a sender profile",
		Long: `Send .eml files straight to the mail hosts of their recipients, with the TLS that the
profile demands. A directory means its *.eml in order, - one message on standard input.
Without --profile the null profile applies: what null_profile in sendctl.toml says, else
unencrypted transport. Enabled rules demand TLS for their recipients whatever the profile.
` + exitStatusHelp,
		Example: `  sendctl send --profile hipaa batch/
  sendctl send --profile newsletter --from news@clinic.example letter.eml
  sendctl send --profile hipaa --to doctor@example.org - < result.eml
  sendctl send --dry-run --profile hipaa batch/
  sendctl send --profile hipaa --wait 10m batch/
  sendctl send --profile hipaa --done sent/ drop/
  sendctl send --sandbox --profile hipaa examples/batch`,
		RunE: func(c *cobra.Command, args []string) error { return a.runSend(c, &f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.profile, "profile", policy.NullProfile, "sender profile `NAME`, - for the null profile")
	fl.StringVar(&f.from, "from", "", "reverse-path `ADDR` (default: Return-Path, else Sender, else From)")
	fl.StringArrayVar(&f.to, "to", nil, "recipient `ADDR` instead of those in To, Cc and Bcc; may be given again")
	fl.StringVar(&f.list, "files-from", "", "also send the files named in `LIST`, one a line, - for standard input")
	fl.BoolVar(&f.all, "all", false, "a row for every recipient, however many")
	fl.BoolVar(&f.dryRun, "dry-run", false, "only show what each recipient's copy must get, and why; nothing is sent or written")
	fl.BoolVar(&f.noNotify, "no-notify", false, "send no bounce messages; a copy is kept all the same")
	fl.BoolVar(&f.queueOnly, "queue-only", false, "only accept the messages; queue run sends them")
	fl.BoolVar(&f.again, "again", false, "send again what was accepted before")
	fl.DurationVar(&f.wait, "wait", 0, "keep trying what is deferred for `DUR`, such as 10m")
	fl.StringVar(&f.done, "done", "", "move each file into `DIR` once all of it is accepted; files younger than 2s are left alone")
	fl.StringVar(&f.gate, "gate", "", "ask the mail hosts first: `all` sends nothing unless everybody would get it encrypted, recipient leaves out those who would be bounced")
	f.box.register(c)
	_ = c.RegisterFlagCompletionFunc("profile", a.completeProfiles(false, -1))
	return c
}

func (a *app) runSend(c *cobra.Command, f *sendFlags, paths []string) error {
	out, cfg, err := a.opening()
	if err != nil {
		return err
	}
	opts, err := a.sendOptions(c, f, cfg)
	if err != nil {
		return err
	}
	ins, err := a.inputs(paths, f.list)
	if f.done != "" {
		ins, err = settledInputs(ins, err, a.now())
	}
	if err != nil {
		return err
	}
	if f.dryRun {
		return a.dryRun(c.Context(), f, cfg, opts, ins)
	}
	e, err := a.engine(cfg, &f.box, !f.noNotify)
	if err != nil {
		return err
	}
	a.warn(out, cfg, opts, e.net)
	if opts.Leave, err = a.gate(c.Context(), e, cfg, opts, gated{f.gate, ins}); err != nil {
		return errors.Join(err, e.close())
	}
	out.All(f.all)
	report := send.Send(c.Context(), e.Config, opts, ins)
	err = a.finish(e, report, c.Context().Err() != nil)
	e.watcher.disabled.hint(out, report.Rows)
	if f.done != "" {
		err = errors.Join(err, moveDone(f.done, ins, report))
	}
	if closing := e.close(); closing != nil {
		return closing
	}
	return f.status(err, report)
}

// status is the exit status of send: with --queue-only all is well when all was accepted.
func (f *sendFlags) status(err error, r *send.Report) error {
	var o outcome
	if f.queueOnly && errors.As(err, &o) && o == exitDeferred && r.Summary.Deferred+r.Summary.InDoubt+r.Summary.Held == 0 {
		return nil
	}
	return err
}

// sendOptions reads profile and addresses; a typo in any of them sends nothing.
func (a *app) sendOptions(c *cobra.Command, f *sendFlags, cfg *config.Config) (send.Options, error) {
	if c.Flags().Changed("profile") && f.profile == "" {
		return send.Options{}, usagef("name a profile, or - for the null profile", "--profile is empty")
	}
	sender, err := cfg.Sender(f.profile)
	if err != nil {
		return send.Options{}, configError(err)
	}
	opts := send.Options{
		Sender: sender, Rules: cfg.PolicyRules(), Again: f.again, QueueOnly: f.queueOnly, Wait: f.wait,
	}
	if f.queueOnly && f.wait > 0 {
		return opts, usagef("", "--queue-only and --wait exclude each other")
	}
	if c.Flags().Changed("from") {
		from, err := parseReversePath(f.from)
		if err != nil {
			return opts, usagef("", "--from: %w", err)
		}
		opts.From = &from
	}
	for _, to := range f.to {
		addr, err := mail.ParseAddress(to)
		if err != nil {
			return opts, usagef("", "--to: %w", err)
		}
		opts.To = append(opts.To, addr)
	}
	return opts, nil
}

// parseReversePath reads an address, or <> for the null reverse-path.
func parseReversePath(s string) (mail.Address, error) {
	if s == "<>" {
		return mail.Address{}, nil
	}
	return mail.ParseAddress(s)
}

// warn tells what is legal but unwise about this run.
func (a *app) warn(out *ui.Output, cfg *config.Config, opts send.Options, net *network) {
	if opts.Sender.Profile == nil {
		out.Warn("no profile is chosen and null_profile is not set: mail goes out unencrypted, except where a rule demands TLS",
			"choose one with --profile, or set null_profile or require_profile in sendctl.toml")
	}
	if !net.sandboxed {
		a.warnOfNames(out, cfg, opts, net.hostname)
	}
}

// warnOfNames tells of EHLO names of the run's pool by which this host is not known to others.
func (a *app) warnOfNames(out *ui.Output, cfg *config.Config, opts send.Options, hostname string) {
	names := []string{}
	for _, s := range cfg.PoolOf(opts.Sender.Profile).Sources {
		names = append(names, s.EHLO)
	}
	if len(names) == 0 {
		names = append(names, "")
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		if n == "" {
			n = hostname
		}
		if !config.PublicName(n) {
			out.Warn("EHLO says "+n+", which is no public host name: many servers reject that",
				"set hostname in sendctl.toml, or ehlo of the pool's sources, to this host's public name")
		}
	}
}

// watcher shows a run as it goes.
type watcher struct {
	out      *ui.Output
	progress *ui.Progress
	planned  int
	disabled disabledOnly // of rows that the report does not list
}

// Planned sets the progress bar's length.
func (w *watcher) Planned(n int) {
	w.planned += n
	w.progress.Total(w.planned)
}

// Settled shows recipients.
func (w *watcher) Settled(rows ...*send.Row) {
	for _, r := range rows {
		w.progress.Add(r)
		if r.Unlisted {
			w.disabled.add(r.Decision)
		}
	}
	// A stream that cannot be written is told of by the report's own error.
	_ = w.out.Recipients(rows...)
}

// Refused shows nothing: the report does.
func (w *watcher) Refused(send.Refusal) {}

// statusOfReport is the exit status of a run (SPEC §3: the first that applies).
func statusOfReport(r *send.Report, interrupted bool) error {
	s := r.Summary
	switch {
	case interrupted:
		return outcome(exitInterrupted)
	case s.Refused > 0:
		return statusOfRefused(refusalsOf(r))
	case s.Bounced > 0:
		return outcome(exitBounced)
	case s.Deferred+s.Queued+s.InDoubt+s.Held > 0, slices.ContainsFunc(r.Rows, waits):
		return outcome(exitDeferred)
	}
	return nil
}

// waits reports a recipient that an earlier run accepted and that is not settled yet.
func waits(r *send.Row) bool { return r.Skipped && !r.Outcome.Status.Settled() }
