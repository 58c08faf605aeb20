package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/send"
)

// preflightFlags are the flags of preflight.
type preflightFlags struct {
	profile string
	from    string
	to      []string
	list    string
	failing string
	require string
	maxAge  time.Duration
	all     bool
	box     sandboxFlags
}

// preflightAge is for how long what was found out counts as known.
const preflightAge = time.Hour

// memoryFile is where preflight keeps, in the state directory, what it found out.
const memoryFile = "preflight.json"

func (a *app) preflightCommand() *cobra.Command {
	var f preflightFlags
	c := &cobra.Command{
		Use:   "preflight --profile NAME PATH...",
		Short: "Before anything is sent: who will get it encrypted, who will not, and why",
		Long: `Ask the mail hosts of a batch's recipients, each domain once, what sending under the profile
and the enabled rules would come to: by the very code of send, up to where MAIL would follow.
Nothing is sent: a host hears EHLO, STARTTLS and QUIT. Whether it knows the recipient is not
asked. Definite answers are kept in the state directory and used again while they are
younger than --max-age.

EXIT STATUS
  0 nobody would be bounced, or --require is met · 64 usage · 65 a message is invalid
  66 no input, or a file could not be read · 69 some would be bounced, or --require is not met
  70 a bug · 74 a file cannot be written · 75 nobody would be bounced, but something could not
  be found out · 78 the configuration is invalid · 130 interrupted`,
		Example: `  sendctl preflight --profile hipaa batch/
  sendctl preflight --profile hipaa --require 100% batch/ && sendctl send --profile hipaa batch/
  sendctl preflight --profile hipaa-strict --failing call-these.csv batch/
  sendctl preflight --sandbox --profile hipaa examples/batch`,
		RunE: func(c *cobra.Command, args []string) error { return a.runPreflight(c, &f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.profile, "profile", policy.NullProfile, "sender profile `NAME`, - for the null profile")
	fl.StringVar(&f.from, "from", "", "reverse-path `ADDR`, as for send")
	fl.StringArrayVar(&f.to, "to", nil, "recipient `ADDR` instead of those in To, Cc and Bcc; may be given again")
	fl.StringVar(&f.list, "files-from", "", "also the files named in `LIST`, one a line, - for standard input")
	fl.StringVar(&f.failing, "failing", "", "write those who would not get it encrypted to `FILE`, as CSV")
	fl.StringVar(&f.require, "require", "", "the `PERCENT` of recipients that must be reached encrypted, such as 100%")
	fl.DurationVar(&f.maxAge, "max-age", preflightAge, "use answers of an earlier preflight up to this `old`; 0 asks anew")
	fl.BoolVar(&f.all, "all", false, "a row for every recipient, however many")
	f.box.register(c)
	_ = c.RegisterFlagCompletionFunc("profile", a.completeProfiles(false, -1))
	return c
}

// flown is what a preflight found out.
type flown struct {
	Recipients []probe.Forecast `json:"recipients"`
	Summary    probe.Coverage   `json:"summary"`
	Refused    []refusal        `json:"refused"`

	rows []*send.Row // as planned, in the same order
}

func (a *app) runPreflight(c *cobra.Command, f *preflightFlags, paths []string) error {
	out, cfg, err := a.opening()
	if err != nil {
		return err
	}
	least, err := parsePercent(f.require)
	if err != nil {
		return err
	}
	opts, err := a.sendOptions(c, &sendFlags{profile: f.profile, from: f.from, to: f.to}, cfg)
	if err != nil {
		return err
	}
	ins, err := a.inputs(paths, f.list)
	if err != nil {
		return err
	}
	var got *flown
	err = a.within(&f.box, func(box *sandboxNetwork) (err error) {
		got, err = a.preflight(c.Context(), cfg, box, opts, preflightOf{ins, f.maxAge})
		return err
	})
	switch {
	case err != nil:
		return err
	case c.Context().Err() != nil:
		return outcome(exitInterrupted)
	}
	if f.failing != "" {
		if err := writeFailing(f.failing, got.Recipients); err != nil {
			return fail(exitState, err, "name another file with --failing")
		}
	}
	if err := showPreflight(out, got, f.all); err != nil {
		return fail(exitState, fmt.Errorf("writing the results: %w", err), "")
	}
	return got.status(least, f.require != "")
}

// preflightOf is what a preflight is about.
type preflightOf struct {
	ins    []send.Input
	maxAge time.Duration
}

// preflight asks what sending the inputs would come to. send --gate uses it too.
func (a *app) preflight(ctx context.Context, cfg *config.Config, box *sandboxNetwork, opts send.Options, of preflightOf) (*flown, error) {
	out, err := a.output()
	if err != nil {
		return nil, err
	}
	p, err := a.probing(cfg, box)
	if err != nil {
		return nil, err
	}
	defer p.close()
	state, err := a.stateDir(box)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(state, memoryFile)
	memory, err := probe.LoadMemory(path)
	if err != nil {
		out.Warn(err.Error(), "everything is asked anew")
	}
	memory = memory.Usable(time.Now(), of.maxAge)
	report := send.Plan(ctx, send.Config{Clock: time.Now, Hostname: p.Hostname}, opts, of.ins)
	got := &flown{Recipients: []probe.Forecast{}, Refused: refusalsOf(report), rows: report.Rows}
	recipients := recipientsOf(report.Rows)
	progress := out.Progress(destinations(recipients, memory))
	got.Recipients = probe.New(p.Config).Preflight(ctx, recipients, memory, progress.Step)
	progress.Done()
	for i := range got.Recipients {
		foresee(&got.Recipients[i], report.Rows[i])
	}
	got.Summary = probe.Cover(got.Recipients)
	if err := memory.Save(path); err != nil {
		out.Warn(err.Error(), "the next preflight asks everything anew")
	}
	return got, nil
}

func recipientsOf(rows []*send.Row) []probe.Recipient {
	out := make([]probe.Recipient, len(rows))
	for i := range rows {
		d := rows[i].Decision
		out[i] = probe.Recipient{
			File: rows[i].File, Address: rows[i].Recipient.String(), Profile: d.Profile,
			Destination: courier.Destination{Domain: rows[i].Recipient.Domain, Requirement: d.Requirement, Offer: d.Offer, Pool: d.Pool},
		}
	}
	return out
}

// destinations counts those that are to be asked.
func destinations(recipients []probe.Recipient, known probe.Memory) int {
	open := map[string]bool{}
	for _, r := range recipients {
		if key := r.Destination.Key(); known[key].Asked.IsZero() {
			open[key] = true
		}
	}
	return len(open)
}

// foresee takes over what planning itself found against a recipient.
func foresee(f *probe.Forecast, row *send.Row) {
	if row.Outcome.Status == delivery.Bounced {
		f.Fate, f.Reason, f.Text = probe.Bounced, string(row.Outcome.Reason), row.Outcome.Text
		f.MX, f.Version, f.Cipher, f.Verified = "", "", "", ""
	}
}

// parsePercent reads "100%" or "99.5"; 0 where there is none.
func parsePercent(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(s, "%")), 64)
	if err != nil || !(n >= 0 && n <= 100) {
		return 0, usagef("such as --require 100%", "--require: %q is no percentage", s)
	}
	return n, nil
}

// status is the exit status of a preflight.
func (got *flown) status(least float64, demanded bool) error {
	s := got.Summary
	switch {
	case len(got.Refused) > 0:
		return statusOfRefused(got.Refused)
	case demanded && s.Percent >= least:
		return nil
	case demanded && 100*float64(s.Encrypted+s.Unknown) >= least*float64(s.Recipients):
		return outcome(exitDeferred) // what is unknown may still make it
	case demanded, s.Bounce > 0:
		return outcome(exitBounced)
	case s.Unknown > 0:
		return outcome(exitDeferred)
	}
	return nil
}

// sheetAddress is an address as it may stand in a spreadsheet. One that a program might take for
// a formula is written with its local part in quotes, and not with an apostrophe before it as
// other cells are: it still is the same address (RFC 5321 §4.1.2), for whoever reads the file as
// a list of recipients.
func sheetAddress(address string) string {
	first, _ := utf8.DecodeRuneInString(address)
	if at := strings.LastIndexByte(address, '@'); at > 0 && strings.ContainsRune("=+-@＝＋－＠", first) {
		return `"` + address[:at] + `"` + address[at:]
	}
	return address
}

// writeFailing writes those who would not get it encrypted, for the telephone or a portal.
func writeFailing(path string, all []probe.Forecast) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("--failing: %w", err)
	}
	t := ui.Table{Columns: []ui.Column{
		{Title: "Recipient"}, {Title: "Outlook"}, {Title: "Reason"}, {Title: "Text"}, {Title: "File"},
	}}
	for _, r := range all {
		if r.Fate != probe.Encrypted {
			t.Add(sheetAddress(r.Recipient), string(r.Fate), r.Reason, r.Text, r.File)
		}
	}
	err = ui.New(ui.Options{Stdout: ui.Stream{W: f}, Format: ui.FormatCSV}).Print(nil, t)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("--failing: writing %s: %w", path, err)
	}
	return nil
}
