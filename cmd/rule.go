package cmd

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/policy"
)

func (a *app) ruleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "rule",
		Short: "Create, list, show, edit, enable, disable and delete message rules",
		Long: `An outgoing message rule demands TLS for some recipients, senders or subjects, whatever the
profile: a file rules/NAME.toml in the configuration directory. A rule only ever strengthens. A
new one is disabled until it is switched on.` + configExitHelp,
		Example: `  sendctl rule create bank --to firstnational.com --to .firstnational.com
  sendctl rule enable bank
  sendctl explain --profile newsletter someone@firstnational.com`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.ruleCreate(), a.ruleList(), a.ruleShow(), a.ruleEdit(), a.ruleSwitch("enable", true), a.ruleSwitch("disable", false), a.ruleDelete())
	return c
}

// ruleFlags are the flags of rule create and rule edit.
type ruleFlags struct {
	description, profile string
	to, from, subject    []string
	relay, enable        bool
}

func (f *ruleFlags) register(a *app, c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.description, "description", "", "what the rule is for, in your `words`")
	fl.StringArrayVar(&f.to, "to", nil, "recipients: `domain`, .domain for its subdomains, or an address; may be given again")
	fl.StringArrayVar(&f.from, "from", nil, "senders (reverse-path, From or Sender): `domain`, .domain or an address; may be given again")
	fl.StringArrayVar(&f.subject, "subject", nil, "`text` that a subject contains, whatever its case; may be given again")
	fl.BoolVar(&f.relay, "relay-with-tls", true, "demand TLS: what every rule does")
	fl.StringVar(&f.profile, "profile", "", "forced profile `NAME` whose demands apply instead of TLS 1.2 or higher with secure suites")
	fl.BoolVar(&f.enable, "enable", false, "switch the rule on at once")
	_ = c.RegisterFlagCompletionFunc("profile", a.completeProfiles(false, -1))
}

// fields is what was given; what was not stays nil.
func (f *ruleFlags) fields(fl *pflag.FlagSet) config.RuleFields {
	to, from := splitPatterns(f.to), splitPatterns(f.from)
	subject := f.subject
	if len(subject) == 1 && subject[0] == "" {
		subject = nil
	}
	return config.RuleFields{
		Description:  given(fl, "description", &f.description),
		Enabled:      given(fl, "enable", &f.enable),
		To:           given(fl, "to", &to),
		From:         given(fl, "from", &from),
		Subject:      given(fl, "subject", &subject),
		RelayWithTLS: given(fl, "relay-with-tls", &f.relay),
		Profile:      given(fl, "profile", &f.profile),
	}
}

// splitPatterns takes values apart at commas, save where a quoted local part may hold one.
func splitPatterns(values []string) []string {
	var out []string
	for _, v := range values {
		parts := []string{v}
		if !strings.Contains(v, `"`) {
			parts = strings.Split(v, ",")
		}
		for _, p := range parts {
			if p = strings.TrimSpace(p); p != "" {
				out = append(out, p)
			}
		}
	}
	return out
}

func (a *app) ruleCreate() *cobra.Command {
	var f ruleFlags
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a rule, from flags or by asking",
		Long: `Create a rule in the configuration directory, which is made where there is none. Values of one
flag are alternatives; where several flags are given, all of them must match. Without flags it
asks on a terminal. Nothing is written unless the rule is valid.` + configExitHelp,
		Example: `  sendctl rule create bank --to firstnational.com,.firstnational.com --enable
  sendctl rule create secure --subject '[secure]' --from clinic.example --profile hipaa-strict`,
		Args: cobra.ExactArgs(1),
		RunE: a.inConfig(func(c *cobra.Command, dirs config.Dirs, args []string) error {
			fields := f.fields(c.Flags())
			if q := a.asker(c.Context()); q != nil && !anyGiven(c) {
				if err := askRule(q, dirs.Create, args[0], &fields); err != nil {
					return err
				}
			}
			path, err := config.CreateRule(dirs.Create, args[0], fields)
			return a.ruleWritten("created", args[0], path, err)
		}),
	}
	f.register(a, c)
	return c
}

func (a *app) ruleEdit() *cobra.Command {
	var f ruleFlags
	c := &cobra.Command{
		Use:   "edit NAME",
		Short: "Change fields of a rule, or open it in $EDITOR",
		Long: `Change the fields that flags name and nothing else: comments and order stay. A list is
replaced as a whole; an empty value removes a field. Without flags $EDITOR opens a copy, which
takes the rule's place once it is valid.` + configExitHelp,
		Example: `  sendctl rule edit bank --to firstnational.com --to firstnational.example
  sendctl rule edit bank --profile ''
  sendctl rule edit bank`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeRules(1),
		RunE: a.inConfig(func(c *cobra.Command, dirs config.Dirs, args []string) error {
			if !anyGiven(c) {
				path, err := a.edit(c.Context(), ruleTexts(dirs.Config), args[0])
				return a.ruleWritten("changed", args[0], path, err)
			}
			path, err := config.EditRule(dirs.Config, args[0], f.fields(c.Flags()))
			return a.ruleWritten("changed", args[0], path, err)
		}),
	}
	f.register(a, c)
	return c
}

func (a *app) ruleSwitch(verb string, on bool) *cobra.Command {
	what := map[bool]string{true: "Switch rules on", false: "Switch rules off"}[on]
	return &cobra.Command{
		Use:     verb + " NAME...",
		Short:   what,
		Long:    what + "; comments and all else in their files stay." + configExitHelp,
		Example: "  sendctl rule " + verb + " bank",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: a.completeRules(-1),
		RunE: a.inConfig(func(_ *cobra.Command, dirs config.Dirs, args []string) error {
			for _, name := range args {
				path, err := config.EnableRule(dirs.Config, name, on)
				if err := a.ruleWritten(verb+"d", name, path, err); err != nil {
					return err
				}
			}
			return nil
		}),
	}
}

func (a *app) ruleDelete() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a rule",
		Long:    "Delete a rule. What it matched is no longer bound by it; queued mail keeps what it was accepted with." + configExitHelp,
		Example: "  sendctl rule delete bank",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeRules(1),
		RunE: a.inConfig(func(_ *cobra.Command, dirs config.Dirs, args []string) error {
			path, err := config.DeleteRule(dirs.Config, args[0])
			return a.removed("rule", args[0], path, err)
		}),
	}
}

// ruleWritten tells of a rule that was created or changed, and shows it in formats for programs.
func (a *app) ruleWritten(done, name, path string, err error) error {
	out, cfg, err := a.written(path, err)
	if err != nil || cfg == nil {
		return err
	}
	r, ok := cfg.Rule(name)
	if ok && out.Format().JSON() {
		return out.Print(ruleViewOf(r))
	}
	if err := out.Line(fmt.Sprintf("%s rule %s: %s", done, name, path)); err != nil {
		return err
	}
	if ok && !r.Enabled && done != "disabled" {
		out.Hint("the rule is off: sendctl rule enable " + name)
	}
	return nil
}

// ruleView is a rule in `rule list` and `rule show` (SPEC §3).
type ruleView struct {
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	Enabled      bool     `json:"enabled"`
	To           []string `json:"to"`
	From         []string `json:"from"`
	Subject      []string `json:"subject"`
	RelayWithTLS bool     `json:"relay_with_tls"`
	Profile      string   `json:"profile"`
	File         string   `json:"file"`
	// Hits is how many recipients it matched so far; only the list tells.
	Hits *int `json:"hits,omitempty"`
}

func ruleViewOf(r *config.Rule) ruleView {
	return ruleView{
		Name: r.Name, Description: r.Description, Enabled: r.Enabled, To: patternNames(r.To), From: patternNames(r.From),
		Subject: append([]string{}, r.Subject...), RelayWithTLS: true, Profile: r.ProfileName, File: r.File,
	}
}

func patternNames(patterns []policy.Pattern) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = p.String()
	}
	return out
}

func (a *app) ruleList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the rules, disabled ones too",
		Long:    "List the rules with what they match, what they demand, and how many recipients they matched so far." + configExitHelp,
		Example: "  sendctl rule list\n  sendctl rule list -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.loadToShow()
			if err != nil {
				return err
			}
			hits := a.ruleHits(c.Context())
			views := make([]ruleView, len(s.cfg.Rules))
			t := ui.Table{Columns: []ui.Column{
				{Title: "Name"}, {Title: "Enabled", Tone: switchTone}, {Title: "To", Wrap: true}, {Title: "From", Wrap: true, Fold: 2}, {Title: "Subject", Wrap: true, Fold: 3},
				{Title: "Demands", Name: "profile"}, {Title: "Hits", Right: true}, {Title: "Description", Wrap: true, Fold: 1},
			}}
			for i := range s.cfg.Rules {
				v := ruleViewOf(&s.cfg.Rules[i])
				n := hits[v.Name]
				v.Hits = &n
				views[i] = v
				t.Add(v.Name, yesNo(v.Enabled), joined(v.To), joined(v.From), joined(v.Subject), demandInBrief(v.Profile), strconv.Itoa(n), v.Description)
			}
			if len(views) == 0 && len(s.problems.Errors) == 0 && s.out.Format() == ui.FormatTable {
				return s.out.Line("there are no rules")
			}
			if err := ui.List(s.out, "rules", views, t); err != nil {
				return err
			}
			return s.complete()
		},
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func switchTone(cell string) ui.Tone {
	if cell == yesNo(true) {
		return ui.Good
	}
	return ui.Notice
}

// demandInBrief is what a rule demands: a profile's demands or the basic ones.
func demandInBrief(profile string) string {
	if profile == "" {
		return "TLSv1.2-1.3"
	}
	return profile
}

func (a *app) ruleShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show one rule with what it demands",
		Long:    "Show one rule: what it matches, and the requirement that follows from it." + configExitHelp,
		Example: "  sendctl rule show bank",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeRules(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.loadToShow()
			if err != nil {
				return err
			}
			r, ok := s.cfg.Rule(args[0])
			if !ok {
				if _, err := config.RuleSource(s.cfg.Dir, args[0]); err == nil {
					return configf("sendctl validate shows them", "rule %s has errors", args[0])
				}
				_, err := s.cfg.NamedRule(args[0])
				return configError(err)
			}
			s.warn()
			v := ruleViewOf(r)
			t := ui.Table{Shape: ui.Record}
			for _, title := range []string{"Name", "Description", "Enabled", "To", "From", "Subject", "Demands", "File"} {
				t.Columns = append(t.Columns, ui.Column{Title: title, Wrap: true})
			}
			t.Add(v.Name, v.Description, yesNo(v.Enabled), joined(v.To), joined(v.From), joined(v.Subject), r.Requirement().Causes(), v.File)
			return s.out.Print(v, t)
		},
	}
}

// askRule asks for what a rule says.
func askRule(q *asker, dir, name string, f *config.RuleFields) error {
	check := func() error { return config.CheckRule(dir, name, *f) }
	// Until the criteria are asked for, this one stands for them.
	f.To = &[]string{"pending.invalid"}
	if err := check(); err != nil {
		return configError(err) // the name, before any question
	}
	if err := q.until(check, q.text("Description", "", &f.Description)); err != nil {
		return err
	}
	if err := q.until(check,
		q.list("To: recipients' domains, .domains for subdomains, or addresses, separated by commas", &f.To),
		q.list("From: senders, likewise", &f.From),
		q.list("Subject contains", &f.Subject),
	); err != nil {
		return err
	}
	if err := q.until(check, q.text("Profile whose demands apply, empty for TLS 1.2 or higher", "", &f.Profile)); err != nil {
		return err
	}
	var answer *string
	return q.until(func() error {
		on := strings.EqualFold(*answer, "yes")
		if !on && !strings.EqualFold(*answer, "no") {
			return usagef("", "answer yes or no")
		}
		f.Enabled = &on
		return nil
	}, q.text("Switch it on now (yes, no)", "no", &answer))
}
