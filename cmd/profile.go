package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/config"
)

const configExitHelp = `

EXIT STATUS
  0 done · 64 usage, a value that is not accepted among it · 78 the configuration is invalid,
  the name is not there, or what is asked for would make it invalid: nothing was written
  130 interrupted, nothing was written`

func (a *app) profileCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "profile",
		Short: "Create, list, show, edit, copy and delete sender profiles",
		Long: `A sender profile is a named level of transport security and an IP pool: a file
profiles/NAME.toml in the configuration directory. The shipped ones cannot be changed, but copied.` + configExitHelp,
		Example: `  sendctl profile list
  sendctl profile copy hipaa ours`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.profileCreate(), a.profileList(), a.profileShow(), a.profileEdit(), a.profileCopy(), a.profileDelete())
	return c
}

// profileFlags are the flags of profile create and profile edit.
type profileFlags struct {
	description, pool, mode, certificate, caFile, clientCertificate, clientKey, onTLSFailure string

	protocols, ciphers []string
}

func (f *profileFlags) register(a *app, c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.description, "description", "", "what the profile is for, in your `words`")
	fl.StringVar(&f.pool, "pool", "default", "IP `pool` of sendctl.toml that mail leaves from")
	fl.StringVar(&f.mode, "mode", "forced", "`mode`: forced (encrypted or not at all) or opportunistic (encrypted first, else in clear)")
	fl.StringSliceVar(&f.protocols, "protocols", nil, "TLS `versions`, consecutive, separated by commas (default TLSv1.2,TLSv1.3; all for opportunistic)")
	fl.StringVar(&f.certificate, "certificate", "", "what the server's certificate must `be`: none, default (trusted, for the MX name) or custom (--ca-file) (default \"default\"; none for opportunistic)")
	fl.StringVar(&f.caFile, "ca-file", "", "`file` of the roots to trust with --certificate custom")
	fl.StringSliceVar(&f.ciphers, "ciphers", nil, "cipher `suites` by IANA or OpenSSL names, separated by commas (default the secure ones; all for opportunistic)")
	fl.StringVar(&f.clientCertificate, "client-certificate", "", "`file` of the certificate to show to servers that ask for one")
	fl.StringVar(&f.clientKey, "client-key", "", "`file` of its key, readable for its owner only")
	fl.StringVar(&f.onTLSFailure, "on-tls-failure", "bounce", "forced only: `bounce` or defer where a server definitively has no such TLS")
	completeFlag(c, "mode", "forced", "opportunistic")
	completeFlag(c, "protocols", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")
	completeFlag(c, "certificate", "none", "default", "custom")
	completeFlag(c, "on-tls-failure", "bounce", "defer")
	_ = c.RegisterFlagCompletionFunc("pool", a.completePools)
}

// fields is what was given; what was not stays nil.
func (f *profileFlags) fields(fl *pflag.FlagSet, dir string) config.ProfileFields {
	caFile, cert, key := besideProfiles(dir, f.caFile), besideProfiles(dir, f.clientCertificate), besideProfiles(dir, f.clientKey)
	return config.ProfileFields{
		Description:       given(fl, "description", &f.description),
		Pool:              given(fl, "pool", &f.pool),
		Mode:              given(fl, "mode", &f.mode),
		Protocols:         given(fl, "protocols", &f.protocols),
		Certificate:       given(fl, "certificate", &f.certificate),
		CAFile:            given(fl, "ca-file", &caFile),
		Ciphers:           given(fl, "ciphers", &f.ciphers),
		ClientCertificate: given(fl, "client-certificate", &cert),
		ClientKey:         given(fl, "client-key", &key),
		OnTLSFailure:      given(fl, "on-tls-failure", &f.onTLSFailure),
	}
}

// given is a flag's value where the flag was given, else nil.
func given[T any](fl *pflag.FlagSet, name string, value *T) *T {
	if !fl.Changed(name) {
		return nil
	}
	return value
}

// anyGiven tells whether a flag of the command's own was given, global ones aside.
func anyGiven(c *cobra.Command) bool {
	own, found := c.LocalNonPersistentFlags(), false
	c.Flags().Visit(func(f *pflag.Flag) { found = found || own.Lookup(f.Name) != nil })
	return found
}

// besideProfiles turns a file named on the command line, where the shell completes it from
// the current directory, into what a profile says: relative to the directory of profiles
// where it lies in there, else absolute. What is in neither place stays as it is.
func besideProfiles(dir, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	profiles := filepath.Join(dir, "profiles")
	if _, err := os.Stat(filepath.Join(profiles, name)); err == nil {
		return name
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	if _, err := os.Stat(abs); err != nil {
		return name
	}
	if rel, err := filepath.Rel(profiles, abs); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return abs
}

func (a *app) profileCreate() *cobra.Command {
	var f profileFlags
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a profile, from flags or by asking",
		Long: `Create a profile in the configuration directory, which is made where there is none. Without
flags it asks on a terminal; else what no flag says has its default. Nothing is written unless
the profile is valid.` + configExitHelp,
		Example: `  sendctl profile create medical
  sendctl profile create medical --description "diagnoses and lab results" --protocols TLSv1.3
  sendctl profile create partner --certificate custom --ca-file partner-ca.pem --on-tls-failure defer`,
		Args: cobra.ExactArgs(1),
		RunE: a.inConfig(func(c *cobra.Command, dirs config.Dirs, args []string) error {
			fields := f.fields(c.Flags(), dirs.Create)
			if q := a.asker(c.Context()); q != nil && !anyGiven(c) {
				if err := askProfile(q, dirs.Create, args[0], &fields); err != nil {
					return err
				}
			}
			path, err := config.CreateProfile(dirs.Create, args[0], fields)
			return a.profileWritten("created", args[0], path, err)
		}),
	}
	f.register(a, c)
	return c
}

func (a *app) profileEdit() *cobra.Command {
	var f profileFlags
	c := &cobra.Command{
		Use:   "edit NAME",
		Short: "Change fields of a profile, or open it in $EDITOR",
		Long: `Change the fields that flags name and nothing else: comments and order stay. An empty value
removes a field. Without flags $EDITOR opens a copy, which takes the profile's place once it
is valid.` + configExitHelp,
		Example: `  sendctl profile edit medical --on-tls-failure defer
  sendctl profile edit medical --ciphers ''
  sendctl profile edit medical`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeProfiles(true, 1),
		RunE: a.inConfig(func(c *cobra.Command, dirs config.Dirs, args []string) error {
			if !anyGiven(c) {
				path, err := a.edit(c.Context(), profileTexts(dirs.Config), args[0])
				return a.profileWritten("changed", args[0], path, err)
			}
			path, err := config.EditProfile(dirs.Config, args[0], f.fields(c.Flags(), dirs.Config))
			return a.profileWritten("changed", args[0], path, err)
		}),
	}
	f.register(a, c)
	return c
}

func (a *app) profileCopy() *cobra.Command {
	return &cobra.Command{
		Use:     "copy FROM NAME",
		Short:   "Copy a profile, a shipped one too, under another name",
		Long:    "Copy a profile, shipped or your own, comments included, under another name." + configExitHelp,
		Example: "  sendctl profile copy hipaa ours\n  sendctl profile edit ours --on-tls-failure defer",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: a.completeProfiles(false, 1),
		RunE: a.inConfig(func(_ *cobra.Command, dirs config.Dirs, args []string) error {
			path, err := config.CopyProfile(dirs.Create, args[0], args[1])
			return a.profileWritten("created", args[1], path, err)
		}),
	}
}

func (a *app) profileDelete() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Delete a profile that nothing names",
		Long:    "Delete a profile of your own. Refused while a rule, null_profile or queued mail names it." + configExitHelp,
		Example: "  sendctl profile delete medical",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeProfiles(true, 1),
		RunE: a.inConfig(func(c *cobra.Command, dirs config.Dirs, args []string) error {
			if err := a.refuseQueued(c.Context(), args[0]); err != nil {
				return err
			}
			path, err := config.DeleteProfile(dirs.Config, args[0])
			return a.removed("profile", args[0], path, err)
		}),
	}
}

// configDirs finds the configuration directory.
func (a *app) configDirs() (config.Dirs, error) {
	dirs, err := config.FindConfig(a.configEnv())
	if err != nil {
		return dirs, configError(err)
	}
	return dirs, nil
}

// inConfig is a command that works on the configuration directory. The state directory is
// none of its business.
func (a *app) inConfig(run func(*cobra.Command, config.Dirs, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		dirs, err := a.configDirs()
		if err != nil {
			return err
		}
		return run(c, dirs, args)
	}
}

// profileWritten tells of a profile that was created or changed, and shows it in formats for programs.
func (a *app) profileWritten(done, name, path string, err error) error {
	out, cfg, err := a.written(path, err)
	if err != nil || cfg == nil {
		return err
	}
	if p, ok := cfg.Profile(name); ok && out.Format().JSON() {
		return out.Print(detailOf(cfg, p))
	}
	return out.Line(fmt.Sprintf("%s profile %s: %s", done, name, path))
}

// written reads the configuration after one of its files was written, and tells what may not
// be meant in that file; nil, said, where nothing was changed.
func (a *app) written(path string, err error) (*ui.Output, *config.Config, error) {
	if err != nil {
		return nil, nil, asExit(err)
	}
	out, err := a.output()
	if err != nil {
		return nil, nil, err
	}
	if path == "" {
		return out, nil, out.Line("nothing was changed")
	}
	cfg, problems := config.Load(filepath.Dir(filepath.Dir(path)))
	for _, p := range problems.Warnings {
		if p.File == path {
			out.Warn(p.Message, p.Hint)
		}
	}
	return out, cfg, nil
}

// asExit gives an error of package config its exit status; others have theirs.
func asExit(err error) error {
	var e *exitError
	if errors.As(err, &e) {
		return err
	}
	return configError(err)
}

// removed tells of a file that was deleted.
func (a *app) removed(noun, name, path string, err error) error {
	if err != nil {
		return configError(err)
	}
	out, err := a.output()
	if err != nil {
		return err
	}
	if out.Format().JSON() {
		return out.Print(map[string]string{"deleted": name, "file": path})
	}
	return out.Line(strings.Join([]string{"deleted", noun, name + ":", path}, " "))
}
