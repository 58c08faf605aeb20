package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Env is what decides where the directories are.
type Env struct {
	ConfigFlag string // --config, "" where it was not given
	StateFlag  string // --state, "" where it was not given
	// Getenv reads the environment; looked at are SENDCTL_CONFIG, SENDCTL_STATE, HOME,
	// XDG_CONFIG_HOME and XDG_STATE_HOME.
	Getenv func(string) string
	UID    int
	// Etc and Var are "/etc/sendctl" and "/var/lib/sendctl" where empty.
	Etc, Var string
}

// Dirs is where configuration and state are.
type Dirs struct {
	// Config is the configuration directory, "" where there is none: then only the shipped
	// profiles are there, which is no error.
	Config string
	// Create is where a command that writes configuration makes the directory, or Config.
	Create string
	// State is the state directory, which need not exist yet.
	State string
}

// Find resolves both directories (SPEC §2). Errors are an *Error.
func Find(env Env) (Dirs, error) {
	d, err := FindConfig(env)
	if err != nil {
		return Dirs{}, err
	}
	d.State, err = FindState(env)
	return d, err
}

// FindConfig resolves the configuration directory alone: Dirs.State stays empty. What is named
// by flag or environment must be there; else the user's and the system's are looked for, the
// first that exists wins, and one that cannot be read is an error rather than skipped.
func FindConfig(env Env) (Dirs, error) {
	for _, named := range []struct{ what, dir string }{
		{"--config", env.ConfigFlag}, {"$SENDCTL_CONFIG", env.Getenv("SENDCTL_CONFIG")},
	} {
		if named.dir != "" {
			dir, err := absolute(named.dir)
			if err != nil {
				return Dirs{}, err
			}
			if _, err := isDir(dir); err != nil {
				return Dirs{}, dirError(named.what+" names "+dir, err)
			}
			return Dirs{Config: dir, Create: dir}, nil
		}
	}
	candidates := []string{orDefault(env.Etc, "/etc/sendctl")}
	switch home, err := env.base("XDG_CONFIG_HOME", ".config"); {
	case err == nil:
		candidates = append([]string{filepath.Join(home, "sendctl")}, candidates...)
	case env.UID != 0:
		return Dirs{}, err
	}
	for _, dir := range candidates {
		there, err := isDir(dir)
		switch {
		case there:
			return Dirs{Config: dir, Create: dir}, nil
		case !missing(err):
			return Dirs{}, dirError("looking for the configuration in "+dir, err)
		}
	}
	return Dirs{Create: candidates[0]}, nil
}

// FindState resolves the state directory alone. It need not exist; whoever opens it creates it.
func FindState(env Env) (string, error) {
	for _, named := range []string{env.StateFlag, env.Getenv("SENDCTL_STATE")} {
		if named != "" {
			return absolute(named)
		}
	}
	if env.UID == 0 {
		return orDefault(env.Var, "/var/lib/sendctl"), nil
	}
	base, err := env.base("XDG_STATE_HOME", filepath.Join(".local", "state"))
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "sendctl"), nil
}

// base is an XDG base directory. The XDG specification wants paths that are not absolute
// ignored, and so must we: the current directory is never searched by itself.
func (env Env) base(variable, underHome string) (string, error) {
	if dir := env.Getenv(variable); filepath.IsAbs(dir) {
		return dir, nil
	}
	home := env.Getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", &Error{
			Message: "cannot tell where the files of this user are: HOME is not set",
			Hint:    "set HOME (cron and systemd may not), or name the directories with --config and --state",
		}
	}
	return filepath.Join(home, underHome), nil
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

func absolute(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", dirError("resolving "+dir, err)
	}
	return abs, nil
}

// isDir reports whether dir is a directory that can be read.
func isDir(dir string) (bool, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return false, bare(err)
	}
	if !info.IsDir() {
		return false, errors.New("not a directory")
	}
	f, err := os.Open(dir)
	if err != nil {
		return false, bare(err)
	}
	return true, f.Close()
}

// missing tells that there is nothing; HOME=/dev/null, as some daemons have it, counts too.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// bare is an error of package os without operation and path, which the message names already.
func bare(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func dirError(doing string, err error) error {
	return &Error{
		Message: fmt.Sprintf("%s: %v", doing, err),
		Hint:    "create the directory, make it readable for this user, or name another with --config",
		Cause:   err,
	}
}
