package cmd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// plan is what a dry run prints: the batch as explain shows it, and what would be refused.
type plan struct {
	Recipients []explained `json:"recipients"`
	Refused    []refusal   `json:"refused"`

	summary string
}

// refusal is a file of which nothing would be sent, as send's own report has it.
type refusal struct {
	File  string `json:"file"`
	Line  int    `json:"line"`
	Error string `json:"error"`

	hint   string
	unread bool
}

// refusalsOf lists the files that a run refused.
func refusalsOf(r *send.Report) []refusal {
	out := make([]refusal, len(r.Refused))
	for i, f := range r.Refused {
		out[i] = refusal{f.File, f.Line, f.Error, f.Hint, f.Unread}
	}
	return out
}

// statusOfRefused tells files that are no good from those that only could not be read.
func statusOfRefused(all []refusal) error {
	if slices.ContainsFunc(all, func(r refusal) bool { return !r.unread }) {
		return outcome(exitInvalid)
	}
	return outcome(exitNoInput)
}

// dryRun plans a batch and prints what each recipient's copy must get. It asks the DNS where
// mail would go, and neither talks to a mail host nor writes anything.
func (a *app) dryRun(ctx context.Context, f *sendFlags, cfg *config.Config, opts send.Options, ins []send.Input) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	l, err := a.lookup(&f.box, cfg)
	if err != nil {
		return err
	}
	defer l.close()
	name := l.hostname()
	a.warn(out, cfg, opts, &network{sandboxed: f.box.at != "", hostname: name})
	report := send.Plan(ctx, send.Config{Clock: a.now, Hostname: name}, opts, ins)
	p := planOf(report)
	l.fill(ctx, p.Recipients)
	for _, n := range report.Notes {
		out.Warn(n, "")
	}
	if err := p.print(out); err != nil {
		return fail(exitState, fmt.Errorf("writing the plan: %w", err), "")
	}
	new(disabledOnly).hint(out, report.Rows)
	switch {
	case ctx.Err() != nil:
		return outcome(exitInterrupted)
	case len(p.Refused) > 0:
		return statusOfRefused(p.Refused)
	}
	return nil
}

func planOf(r *send.Report) plan {
	p := plan{Recipients: make([]explained, len(r.Rows)), Refused: refusalsOf(r)}
	modes := map[policy.Mode]int{}
	for i := range r.Rows {
		row := r.Rows[i]
		p.Recipients[i] = explain(row.Recipient, *row.Decision)
		p.Recipients[i].File = row.File
		modes[row.Decision.Mode]++
	}
	p.summary = fmt.Sprintf("dry run, nothing was sent: %s, %s: %d forced, %d opportunistic, %d unencrypted",
		plural(r.Summary.Messages, "message"), plural(r.Summary.Recipients, "recipient"),
		modes[policy.ModeForced], modes[policy.ModeOpportunistic], modes[policy.ModeNone])
	if n := len(p.Refused); n > 0 {
		p.summary += fmt.Sprintf(", %d refused", n)
	}
	return p
}

// print writes the plan: in jsonl a recipient a line and then the refused files, as send does.
func (p *plan) print(out *ui.Output) error {
	switch out.Format() {
	case ui.FormatJSON:
		return out.Print(p)
	case ui.FormatJSONL:
		if err := ui.List(out, "recipients", p.Recipients, ui.Table{}); err != nil {
			return err
		}
		for _, r := range p.Refused {
			if err := out.Print(map[string]refusal{"refused": r}); err != nil {
				return err
			}
		}
		return nil
	case ui.FormatCSV:
		for _, r := range p.Refused {
			out.Warn(r.String(), r.hint)
		}
	case ui.FormatTable:
	}
	var tables []ui.Table
	if len(p.Recipients) > 0 || out.Format() == ui.FormatCSV {
		tables = append(tables, explainTable(out, ui.Blocks, p.Recipients))
	}
	if len(p.Refused) > 0 {
		tables = append(tables, p.refusedTable())
	}
	if err := out.Print(p, tables...); err != nil {
		return err
	}
	if len(tables) > 0 {
		if err := out.Line(""); err != nil {
			return err
		}
	}
	return out.Line(p.summary)
}

func (p *plan) refusedTable() ui.Table {
	t := ui.Table{Title: "Refused", Columns: []ui.Column{
		{Title: "File"}, {Title: "Line", Right: true}, {Title: "Error", Wrap: true}, {Title: "What to do", Wrap: true, Fold: 1},
	}}
	for _, r := range p.Refused {
		line := ""
		if r.Line > 0 {
			line = strconv.Itoa(r.Line)
		}
		t.Add(r.File, line, r.Error, r.hint)
	}
	return t
}

// String is the place and what is wrong there.
func (r refusal) String() string {
	if r.Line > 0 {
		return fmt.Sprintf("%s:%d: refused: %s", r.File, r.Line, r.Error)
	}
	return r.File + ": refused: " + r.Error
}

// disabledOnly counts the recipients that match no enabled rule and a disabled one at least,
// for somebody may think that these protect them, and names these rules in the order in which
// they were met.
type disabledOnly struct {
	count int
	names []string
}

func (x *disabledOnly) add(d *policy.Decision) {
	if len(d.Rules) > 0 {
		return
	}
	matched := false
	for _, m := range d.NearMisses {
		if !m.Disabled {
			continue
		}
		matched = true
		if !slices.Contains(x.names, m.Rule) {
			x.names = append(x.names, m.Rule)
		}
	}
	if matched {
		x.count++
	}
}

// hint tells of them, those that a report lists included.
func (x *disabledOnly) hint(out *ui.Output, rows []*send.Row) {
	for _, r := range rows {
		x.add(r.Decision)
	}
	if x.count == 0 {
		return
	}
	what := "only a disabled rule matches "
	if len(x.names) > 1 {
		what = "only disabled rules match "
	}
	what += plural(x.count, "recipient") + ": " + joined(x.names)
	const most = 3
	commands := make([]string, 0, most)
	for _, n := range x.names[:min(most, len(x.names))] {
		commands = append(commands, "sendctl rule enable "+n)
	}
	out.Hint(what + " (" + strings.Join(commands, "; ") + ")")
}
