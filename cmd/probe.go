package cmd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/send"
)

// probeFlags are the flags of probe.
type probeFlags struct {
	list       string
	eml        []string
	profile    string
	profiles   string
	require    string
	deep, wide bool
	box        sandboxFlags
}

const probeHelp = `Ask the mail hosts of domains which TLS they speak: every MX, every address, with one polite
session (EHLO, STARTTLS, TLS, EHLO, QUIT; never MAIL) and up to three bare ClientHellos for
the older versions. A version's answer is yes, no, unknown (throttled, too slow, broken) or
unusable (offered, but with nothing that sendctl's TLS has). The grade is A+, A, B (TLS 1.0
or 1.1 still on), C (certificate at fault), F (a host without TLS) or U (unknown).
A host without TLS is called stripped? where something speaks for TLS having been taken out
on the way: a keyword written over in its answer to EHLO, a STARTTLS that works though it is
not announced, an earlier delivery over TLS, TLSA records or an MTA-STS policy.

--profile adds what sending under that profile would come to, by the very code of send up
to where MAIL would follow: tls, cleartext, bounce or defer.

EXIT STATUS
  0 probed, or would deliver · 64 usage · 66 no input · 68 a domain cannot receive mail
  69 would bounce, or --require is not met on some MX · 70 a bug · 75 would be deferred, or
  something could not be found out (throttled, timeout, DNS failure) · 78 the configuration
  is invalid`

func (a *app) probeCommand() *cobra.Command {
	var f probeFlags
	c := &cobra.Command{
		Use:   "probe DOMAIN...",
		Short: "Ask the mail hosts of domains which TLS they speak, and whether a profile would deliver",
		Long:  probeHelp,
		Example: `  sendctl probe example.com
  sendctl probe --profile hipaa example.com example.org
  sendctl probe --profiles all example.com
  sendctl probe --require tls1.2,valid-cert --files-from partners.txt -o json
  sendctl probe --deep --wide example.com
  sendctl probe --sandbox modern.test plain.test expired.test`,
		RunE: func(c *cobra.Command, args []string) error { return a.runProbe(c, &f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.list, "files-from", "", "also the domains named in `LIST`, one a line, - for standard input")
	fl.StringArrayVar(&f.eml, "eml", nil, "also the recipients' domains of the .eml files at `PATH`; may be given again")
	fl.StringVar(&f.profile, "profile", "", "would sender profile `NAME` deliver? - for the null profile")
	fl.StringVar(&f.profiles, "profiles", "", "all: a verdict for every profile")
	fl.StringVar(&f.require, "require", "", "what every MX must have: `LIST` of "+strings.Join(requirements(), ", ")+", with commas")
	fl.BoolVar(&f.deep, "deep", false, "also SSLv2 and SSLv3, cipher suites and groups in the server's order: up to 120 more connections")
	fl.BoolVar(&f.wide, "wide", false, "more columns")
	f.box.register(c)
	_ = c.RegisterFlagCompletionFunc("profile", a.completeProfiles(false, -1))
	completeFlag(c, "profiles", "all")
	return c
}

func (a *app) runProbe(c *cobra.Command, f *probeFlags, args []string) error {
	out, cfg, err := a.opening()
	if err != nil {
		return err
	}
	wanted, err := parseRequirements(f.require)
	if err != nil {
		return err
	}
	profiles, err := f.selected(c, cfg)
	if err != nil {
		return err
	}
	domains, err := a.domains(f, args)
	if err != nil {
		return err
	}
	var results []*probe.Result
	err = a.within(&f.box, func(box *sandboxNetwork) error {
		p, err := a.probing(cfg, box)
		if err != nil {
			return err
		}
		defer p.close()
		p.Past = a.past(c.Context(), cfg, box)
		p.Deep, p.EachHost = f.deep, f.profile != ""
		for _, s := range profiles {
			p.Profiles = append(p.Profiles, profileOf(s))
		}
		p.Sources = pools(cfg.Settings)[policy.DefaultPool]
		if f.profile != "" {
			p.Sources = pools(cfg.Settings)[p.Profiles[0].Pool]
		}
		results = a.probeAll(c.Context(), out, p, domains)
		return nil
	})
	switch {
	case err != nil:
		return err
	case c.Context().Err() != nil:
		return outcome(exitInterrupted)
	}
	if err := showProbe(out, results, f.wide, wanted); err != nil {
		return fail(exitState, fmt.Errorf("writing the results: %w", err), "")
	}
	return statusOfProbe(results, wanted)
}

// selected are the profiles whose verdicts are wanted.
func (f *probeFlags) selected(c *cobra.Command, cfg *config.Config) ([]policy.Sender, error) {
	fl := c.Flags()
	names := []string{}
	switch {
	case fl.Changed("profile") && fl.Changed("profiles"):
		return nil, usagef("", "--profile and --profiles exclude each other")
	case fl.Changed("profile") && f.profile == "":
		return nil, usagef("name a profile, or - for the null profile", "--profile is empty")
	case fl.Changed("profile"):
		names = append(names, f.profile)
	case fl.Changed("profiles") && f.profiles != "all":
		return nil, usagef("for one profile: --profile "+f.profiles, "--profiles takes the word all")
	case fl.Changed("profiles"):
		names = cfg.ProfileNames()
	}
	var out []policy.Sender
	for _, n := range names {
		s, err := cfg.Sender(n)
		if err != nil {
			return nil, configError(err)
		}
		out = append(out, s)
	}
	return out, nil
}

// domains are those to ask, in A-labels, each once, in the order in which they were named.
func (a *app) domains(f *probeFlags, args []string) ([]string, error) {
	named := append([]string{}, args...)
	if f.list != "" {
		listed, err := a.readList(f.list)
		if err != nil {
			return nil, err
		}
		named = append(named, listed...)
	}
	if len(f.eml) > 0 {
		of, err := a.recipientDomains(f.eml)
		if err != nil {
			return nil, err
		}
		named = append(named, of...)
	}
	if len(named) == 0 {
		return nil, usagef("sendctl probe example.com", "no domain is named")
	}
	seen := map[string]bool{}
	var out []string
	for _, n := range named {
		if _, domain, ok := strings.Cut(n, "@"); ok {
			n = domain
		}
		domain, err := mail.CanonicalDomain(n)
		if err != nil {
			return nil, usagef("name a mail domain, such as example.com", "%w", err)
		}
		if !seen[domain] {
			seen[domain] = true
			out = append(out, domain)
		}
	}
	return out, nil
}

// recipientDomains are those of the messages at the paths.
func (a *app) recipientDomains(paths []string) ([]string, error) {
	ins, err := a.inputs(paths, "")
	if err != nil {
		return nil, err
	}
	report := send.Plan(context.Background(), send.Config{Clock: time.Now}, send.Options{Sender: policy.Sender{Name: policy.NullProfile}}, ins)
	if len(report.Refused) > 0 {
		r := report.Refused[0]
		return nil, fail(exitInvalid, fmt.Errorf("%s: %s", r.File, r.Error), "")
	}
	var out []string
	for i := range report.Rows {
		out = append(out, report.Rows[i].Recipient.Domain)
	}
	return out, nil
}

// probeAll asks the domains, several at once, and shows each in jsonl as it is done.
func (a *app) probeAll(ctx context.Context, out *ui.Output, p *probing, domains []string) []*probe.Result {
	prober := probe.New(p.Config)
	results := make([]*probe.Result, len(domains))
	progress := out.Progress(len(domains))
	defer progress.Done()
	index := make([]int, len(domains))
	for i := range index {
		index[i] = i
	}
	probe.Each(ctx, index, probeDomains, func(i int) {
		results[i] = prober.Domain(ctx, domains[i])
		progress.Step()
		if out.Format() == ui.FormatJSONL {
			// A stream that cannot be written is told of when the rest is.
			_ = out.Print(results[i])
		}
	})
	return results
}
