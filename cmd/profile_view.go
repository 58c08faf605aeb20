package cmd

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// profileView is a profile in `profile list` (SPEC §3).
type profileView struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Type        string     `json:"type"`
	TLSMode     string     `json:"tls_mode"`
	Protocols   []string   `json:"protocols"`
	Certificate string     `json:"certificate"`
	Ciphers     []string   `json:"ciphers"` // as listed, by IANA names; none: the default ones
	Pool        string     `json:"pool"`
	Created     *time.Time `json:"created"`
	Updated     *time.Time `json:"updated"`
	File        string     `json:"file"`
}

// profileDetail is a profile in `profile show`.
type profileDetail struct {
	profileView
	AllowedCiphers    []string `json:"allowed_ciphers"` // what the list comes to
	CAFile            string   `json:"ca_file"`
	ClientCertificate string   `json:"client_certificate"`
	ClientKey         string   `json:"client_key"` // the file's name, never the key
	OnTLSFailure      string   `json:"on_tls_failure"`
	UsedBy            []string `json:"used_by"`
}

func viewOf(p *config.Profile) profileView {
	v := profileView{
		Name: p.Name, Description: p.Description, Type: p.Type, TLSMode: string(p.Mode), Protocols: p.Versions.Names(),
		Certificate: string(p.Certificate), Ciphers: []string{}, Pool: p.Pool,
		Created: moment(p.Created), Updated: moment(p.Updated), File: p.File,
	}
	for _, s := range p.Ciphers {
		v.Ciphers = append(v.Ciphers, s.String())
	}
	return v
}

// moment is a time to the second in UTC, nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

func detailOf(cfg *config.Config, p *config.Profile) profileDetail {
	users := cfg.UsersOf(p.Name)
	if users == nil {
		users = []string{}
	}
	return profileDetail{
		profileView: viewOf(p), AllowedCiphers: allowedSuites(p).Names(), CAFile: p.CAFile,
		ClientCertificate: p.ClientCertificateFile, ClientKey: p.ClientKeyFile, OnTLSFailure: p.OnFailure.String(), UsedBy: users,
	}
}

// allowedSuites is what a profile's list comes to under the versions that it allows.
func allowedSuites(p *config.Profile) tlsnames.SuiteSet {
	s := p.Suites()
	if !p.Versions.Has(tlsnames.TLS13) {
		s = s.Old()
	}
	if p.Versions.Min() == tlsnames.TLS13 {
		s = s.New()
	}
	return s
}

func (a *app) profileList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the profiles, shipped ones and your own",
		Long:    "List the profiles: the shipped ones (type default) and your own (custom), with what they demand." + configExitHelp,
		Example: "  sendctl profile list\n  sendctl profile list -o json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := a.loadToShow()
			if err != nil {
				return err
			}
			views := make([]profileView, len(s.cfg.Profiles))
			t := ui.Table{Columns: []ui.Column{
				{Title: "Name"}, {Title: "Type"}, {Title: "TLS", Name: "tls_mode", Tone: modeTone}, {Title: "Protocols"}, {Title: "Certificate"},
				{Title: "Ciphers", Fold: 2}, {Title: "Pool", Fold: 3}, {Title: "Created", Fold: 5}, {Title: "Updated", Fold: 4}, {Title: "Description", Wrap: true, Fold: 1},
			}}
			for i := range s.cfg.Profiles {
				p := &s.cfg.Profiles[i]
				views[i] = viewOf(p)
				t.Add(p.Name, p.Type, string(p.Mode), p.Versions.String(), string(p.Certificate), suitesInBrief(p), p.Pool,
					dayOf(p.Created), dayOf(p.Updated), p.Description)
			}
			if err := ui.List(s.out, "profiles", views, t); err != nil {
				return err
			}
			return s.complete()
		},
	}
}

// suitesInBrief is a cipher list in a table cell.
func suitesInBrief(p *config.Profile) string {
	if len(p.Ciphers) == 0 {
		return "default"
	}
	return strconv.Itoa(len(p.Ciphers)) + " suites"
}

func dayOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04")
}

// modeTone makes what may go out in clear stand out.
func modeTone(cell string) ui.Tone {
	if cell == string(policy.ModeForced) {
		return ui.Good
	}
	return ui.Notice
}

func (a *app) profileShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show NAME",
		Short:   "Show one profile with everything that it comes to",
		Long:    "Show one profile: what it demands or offers, the cipher suites that its list comes to, and what names it." + configExitHelp,
		Example: "  sendctl profile show hipaa\n  sendctl profile show medical -o json",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeProfiles(false, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.loadToShow()
			if err != nil {
				return err
			}
			p, err := s.cfg.Named(args[0])
			if err != nil {
				return configError(err)
			}
			s.warn()
			v := detailOf(s.cfg, p)
			return s.out.Print(v, profileTable(p, &v))
		},
	}
}

func profileTable(p *config.Profile, v *profileDetail) ui.Table {
	rows := []struct{ title, text string }{
		{"Name", v.Name}, {"Description", v.Description}, {"Type", v.Type}, {"TLS", inWords(p.Mode)}, {"Protocols", joined(v.Protocols)},
		{"Certificate", certificateInWords(p)}, {"Ciphers", joined(v.AllowedCiphers)}, {"Client certificate", v.ClientCertificate}, {"Client key", v.ClientKey},
		{"On TLS failure", v.OnTLSFailure}, {"Pool", v.Pool}, {"Created", dayOf(p.Created)}, {"Updated", dayOf(p.Updated)},
		{"File", v.File}, {"Used by", joined(v.UsedBy)},
	}
	t := ui.Table{Shape: ui.Record}
	cells := make([]string, len(rows))
	for i, r := range rows {
		t.Columns = append(t.Columns, ui.Column{Title: r.title, Wrap: true})
		cells[i] = r.text
	}
	t.Add(cells...)
	return t
}

func inWords(m policy.Mode) string {
	if m == policy.ModeForced {
		return "forced: encrypted or not at all"
	}
	return "opportunistic: encrypted first, in clear for servers that reject it"
}

func certificateInWords(p *config.Profile) string {
	switch p.Certificate {
	case policy.CertificateDefault:
		return "default: a publicly trusted one for the MX host's name"
	case policy.CertificateCustom:
		return fmt.Sprintf("custom: one for the MX host's name from %s", p.CAFile)
	default:
		return "none: nothing is demanded of it, but what it is gets recorded"
	}
}

// shown is the configuration for commands that only show it: what is right is shown even
// where something else is wrong.
type shown struct {
	out      *ui.Output
	cfg      *config.Config
	problems config.Problems
}

func (a *app) loadToShow() (shown, error) {
	out, err := a.output()
	if err != nil {
		return shown{}, err
	}
	dirs, err := a.configDirs()
	if err != nil {
		return shown{}, err
	}
	cfg, problems := config.Load(dirs.Config)
	return shown{out, cfg, problems}, nil
}

// complete ends a list that lacks what could not be read.
func (s shown) complete() error {
	if err := s.problems.Err(); err != nil {
		hint := configError(err)
		return fail(exitConfig, fmt.Errorf("the list may lack something: %w", err), hintOf(hint))
	}
	return nil
}

// warn tells beside what is right that something else is wrong.
func (s shown) warn() {
	if err := s.problems.Err(); err != nil {
		s.out.Warn("the configuration has errors, so nothing can be sent: "+err.Error(), "sendctl validate shows them")
	}
}
