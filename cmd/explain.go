package cmd

import (
	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// explainFlags are the flags of explain.
type explainFlags struct {
	profile, from, subject string
	dns                    bool
	box                    sandboxFlags
}

func (a *app) explainCommand() *cobra.Command {
	var f explainFlags
	c := &cobra.Command{
		Use:   "explain [--profile NAME|-] ADDRESS...",
		Short: "Show what a recipient's mail must get, and every cause",
		Long: `Show for each recipient the requirement that the profile and the enabled rules add up to,
every cause of it, and the rules that look as if they applied but do not, with why not.
Nothing is sent, and without --dns the network is not touched. --from and --subject stand
for the message's: rules may look at them.

EXIT STATUS
  0 explained · 64 usage · 66 no sandbox runs in the directory named · 70 a bug
  74 the results cannot be written · 78 the configuration is invalid`,
		Example: `  sendctl explain --profile newsletter someone@firstnational.com
  sendctl explain --from lab@clinic.example --subject '[secure] results' doctor@example.org
  sendctl explain --profile hipaa --dns -o json doctor@example.org
  sendctl explain --profile hipaa --dns --sandbox doctor@plain.test`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return a.runExplain(c, &f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.profile, "profile", policy.NullProfile, "sender profile `NAME`, - for the null profile")
	fl.StringVar(&f.from, "from", "", "the sender's `ADDR`: reverse-path and From; <> for the null reverse-path")
	fl.StringVar(&f.subject, "subject", "", "the message's subject, decoded: `TEXT`")
	fl.BoolVar(&f.dns, "dns", false, "also look up the mail hosts and their addresses")
	f.box.register(c)
	_ = c.RegisterFlagCompletionFunc("profile", a.completeProfiles(false, -1))
	return c
}

func (a *app) runExplain(c *cobra.Command, f *explainFlags, args []string) error {
	out, cfg, err := a.opening()
	if err != nil {
		return err
	}
	opts, err := a.sendOptions(c, &sendFlags{profile: f.profile, from: f.from, to: args}, cfg)
	if err != nil {
		return err
	}
	facts := policy.Facts{}
	if opts.From != nil {
		facts.ReversePath = *opts.From
	}
	if c.Flags().Changed("subject") {
		facts.Subjects = []string{f.subject}
	}
	list := make([]explained, len(opts.To))
	for i, to := range opts.To {
		list[i] = explain(to, policy.For(opts.Sender, opts.Rules, facts, to))
	}
	if f.dns {
		l, err := a.lookup(&f.box, cfg)
		if err != nil {
			return err
		}
		defer l.close()
		l.fill(c.Context(), list)
	}
	return ui.List(out, "recipients", list, explainTable(out, ui.Record, list))
}

// explained is one recipient's decision as explain shows it; the order of the fields is that
// of SPEC §3.
type explained struct {
	File        string            `json:"file,omitempty"` // of a dry run, which has messages
	Recipient   string            `json:"recipient"`
	Profile     string            `json:"profile"`
	TLSMode     policy.Mode       `json:"tls_mode"`
	Requirement requirementView   `json:"requirement"`
	DNS         *dnsView          `json:"dns"`
	Because     []policy.Cause    `json:"because"`
	NearMisses  []policy.NearMiss `json:"near_misses"`

	address  mail.Address
	decision policy.Decision
}

// requirementView is a requirement as programs read it: what is demanded, so that an
// opportunistic profile, which demands nothing, has empty lists.
type requirementView struct {
	Encrypt     bool               `json:"encrypt"`
	Protocols   []string           `json:"protocols"`
	Ciphers     []string           `json:"ciphers"`
	Certificate policy.Certificate `json:"certificate"`
	DANE        string             `json:"dane"`
	RequireTLS  bool               `json:"requiretls"`
	Hosts       []string           `json:"allowed_hosts"`
}

// noDANE is what stands where DANE demands nothing.
const noDANE = "none"

func requirementOf(r policy.Requirement) requirementView {
	v := requirementView{
		Encrypt: r.Encrypt, Protocols: []string{}, Ciphers: []string{}, Certificate: r.Certificate(), DANE: noDANE, Hosts: []string{},
	}
	if r.Encrypt {
		v.Protocols, v.Ciphers = r.Versions().Names(), r.Suites().Names()
	}
	return v
}

func explain(to mail.Address, d policy.Decision) explained {
	e := explained{
		Recipient: to.String(), Profile: d.Profile, TLSMode: d.Mode, Requirement: requirementOf(d.Requirement),
		Because: d.Requirement.Because, NearMisses: d.NearMisses, address: to, decision: d,
	}
	if e.Because == nil {
		e.Because = []policy.Cause{}
	}
	if e.NearMisses == nil {
		e.NearMisses = []policy.NearMiss{}
	}
	return e
}
