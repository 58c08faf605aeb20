package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SPEC §2: where configuration and state are. In paths ~ stands for a home with .config/sendctl,
// ^ for one without, ! for a place where nothing is.
func TestFind(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	home, bare, none := filepath.Join(root, "home"), filepath.Join(root, "bare"), filepath.Join(root, "none")
	for _, dir := range []string{filepath.Join(home, ".config", "sendctl"), filepath.Join(home, "xdg", "sendctl"), bare, filepath.Join(root, "etc")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(bare, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expand := strings.NewReplacer("~", home, "^", bare, "!", none, "ETC", filepath.Join(root, "etc"), "VAR", filepath.Join(root, "var")).Replace
	for _, tt := range []struct {
		name                  string
		env                   map[string]string
		config, state         string
		root, noEtc           bool
		wantConfig, wantState string
		create, err           string
	}{
		{name: "user", env: map[string]string{"HOME": "~"}, wantConfig: "~/.config/sendctl", wantState: "~/.local/state/sendctl"},
		{name: "XDG", env: map[string]string{"HOME": "~", "XDG_CONFIG_HOME": "~/xdg", "XDG_STATE_HOME": "~/s"}, wantConfig: "~/xdg/sendctl", wantState: "~/s/sendctl"},
		{name: "XDG, relative", env: map[string]string{"HOME": "~", "XDG_CONFIG_HOME": "xdg", "XDG_STATE_HOME": "."}, wantConfig: "~/.config/sendctl", wantState: "~/.local/state/sendctl"},
		{name: "XDG without HOME", env: map[string]string{"XDG_CONFIG_HOME": "~/xdg", "XDG_STATE_HOME": "~/s"}, wantConfig: "~/xdg/sendctl", wantState: "~/s/sendctl"},
		{name: "system", env: map[string]string{"HOME": "^"}, wantConfig: "ETC", wantState: "^/.local/state/sendctl"},
		{name: "nowhere", env: map[string]string{"HOME": "^"}, noEtc: true, create: "^/.config/sendctl", wantState: "^/.local/state/sendctl"},
		{name: "HOME is a file", env: map[string]string{"HOME": "^/file"}, wantConfig: "ETC", wantState: "^/file/.local/state/sendctl"},
		{name: "root", root: true, env: map[string]string{"HOME": "~"}, wantConfig: "~/.config/sendctl", wantState: "VAR"},
		{name: "root without HOME", root: true, wantConfig: "ETC", wantState: "VAR"},
		{name: "root without HOME, nowhere", root: true, noEtc: true, create: "!/etc", wantState: "VAR"},
		{name: "no HOME", err: "HOME is not set"},
		{name: "no HOME, config named", config: "~", err: "HOME is not set"},
		{name: "no HOME, both named", config: "~", state: "!", wantConfig: "~", wantState: "!"},
		{name: "relative HOME", env: map[string]string{"HOME": "."}, err: "HOME is not set"},
		{name: "flag before environment", config: "^", env: map[string]string{"HOME": "~", "SENDCTL_CONFIG": "!", "SENDCTL_STATE": "~/s"}, wantConfig: "^", wantState: "~/s"},
		{name: "environment", env: map[string]string{"HOME": "~", "SENDCTL_CONFIG": "^"}, wantConfig: "^", wantState: "~/.local/state/sendctl"},
		{name: "flag names nothing", config: "!", env: map[string]string{"HOME": "~"}, err: "--config names "},
		{name: "environment names nothing", env: map[string]string{"HOME": "~", "SENDCTL_CONFIG": "!"}, err: "$SENDCTL_CONFIG names "},
		{name: "flag names a file", config: "^/file", env: map[string]string{"HOME": "~"}, err: "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := Env{ConfigFlag: expand(tt.config), StateFlag: expand(tt.state), UID: 1000, Etc: expand("ETC"), Var: expand("VAR"),
				Getenv: func(name string) string { return expand(tt.env[name]) }}
			if tt.root {
				env.UID = 0
			}
			if tt.noEtc {
				env.Etc = expand("!/etc")
			}
			got, err := Find(env)
			if tt.err != "" {
				var e *Error
				if !errors.As(err, &e) || !strings.Contains(e.Message, tt.err) || e.Hint == "" {
					t.Errorf("%v, want %q", err, tt.err)
				}
				return
			}
			want := Dirs{Config: expand(tt.wantConfig), Create: expand(tt.wantConfig), State: expand(tt.wantState)}
			if tt.create != "" {
				want.Create = expand(tt.create)
			}
			if err != nil || got != want {
				t.Errorf("%+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

// The current directory is never searched, but may be named.
func TestFindNamesRelative(t *testing.T) {
	t.Parallel()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Find(Env{ConfigFlag: ".", StateFlag: "x", UID: 1000, Getenv: func(string) string { return "" }})
	if err != nil || d.Config != wd || d.State != filepath.Join(wd, "x") {
		t.Errorf("%+v, %v", d, err)
	}
}

// A directory that is there but cannot be read is an error, not skipped.
func TestFindUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, ".config", "sendctl"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(home, ".config", "sendctl"), filepath.Join(home, ".config")} {
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
		_, err := FindConfig(Env{UID: 1000, Getenv: func(name string) string { return map[string]string{"HOME": home}[name] }, Etc: home})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, "permission denied") {
			t.Errorf("%v", err)
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
