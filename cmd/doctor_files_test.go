//go:build unix

package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/sendctl/sendctl/pkg/config"
)

// F7: whose the state directory is, who else can look into it, and what it really is.
func TestDoctorStateDirectory(t *testing.T) {
	t.Parallel()
	mkdir := func(mode fs.FileMode, files ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			errs := []error{os.Mkdir(dir, 0o700)}
			for _, name := range files {
				errs = append(errs, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
			}
			if err := errors.Join(append(errs, os.Chmod(dir, mode))...); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		make  func(t *testing.T, dir string)
		uid   int // added to this user's
		want  verdict
		found string
	}{
		{"not there", func(*testing.T, string) {}, 0, verdictOK, "will be made"},
		{"private", mkdir(0o700, "spool.db"), 0, verdictOK, "mode 0700"},
		{"open to others", mkdir(0o755, "spool.db"), 0, verdictFault, "chmod 700 "},
		{"open to the group", mkdir(0o750, "spool.db"), 0, verdictFault, "chmod 700 "},
		{"open but empty", mkdir(0o755), 0, verdictWarning, "chmod 700 "},
		{"empty, and everybody can write", mkdir(0o777), 0, verdictFault, "chmod 700 "},
		{"private, but not what is in it", func(t *testing.T, dir string) {
			mkdir(0o700, "spool.db")(t, dir)
			if err := os.Chmod(filepath.Join(dir, "spool.db"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, 0, verdictFault, "spool.db in "},
		{"another's", mkdir(0o700), 1, verdictFault, "chown -R "},
		{"a link", func(t *testing.T, dir string) {
			if err := os.Symlink(t.TempDir(), dir); err != nil {
				t.Fatal(err)
			}
		}, 0, verdictFault, "symbolic link"},
		{"a file", func(t *testing.T, dir string) {
			if err := os.WriteFile(dir, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 0, verdictFault, "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := wholesome(t)
			tt.make(t, p.state)
			p.uid += tt.uid
			f := p.stateDirectory()
			says(t, f, tt.want, tt.found)
			if f.status != exitState {
				t.Errorf("exit status %d", f.status)
			}
			left, err := filepath.Glob(filepath.Join(p.state, ".doctor*"))
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
	p := wholesome(t)
	p.state = filepath.Join(p.state, "below", "nothing")
	says(t, p.stateDirectory(), verdictOK, "will be made")
	p.stateErr = &config.Error{Message: "HOME is not set", Hint: "set HOME"}
	says(t, p.stateDirectory(), verdictFault, "HOME is not set", "set HOME")
	says(t, p.stateVolume(), verdictUnknown)
}

// A directory in which this user may not make anything. Root may everywhere.
func TestDoctorStateForbidden(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	p := wholesome(t)
	parent := filepath.Dir(p.state)
	if err := os.Chmod(parent, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(parent, 0o700) })
	says(t, p.stateDirectory(), verdictFault, "cannot be made: "+parent+": permission denied", "install -d -m 700")
}

// F4, F5, F7: room for the spool, on a disk that keeps it.
func TestDoctorVolume(t *testing.T) {
	t.Parallel()
	const gb = 1000 * 1000 * 1000
	for _, tt := range []struct {
		name  string
		v     volume
		want  verdict
		found string
	}{
		{"roomy", volume{freeBytes: 100 * gb, freeNode: 1e6, nodes: 2e6}, verdictOK, "100 GB free, 1000000 inodes"},
		{"no inodes counted", volume{freeBytes: 100 * gb}, verdictOK, "100 GB free"},
		{"scarce", volume{freeBytes: gb, nodes: 10, freeNode: 1e6}, verdictWarning, "1000 MB free"},
		{"full", volume{freeBytes: 1000}, verdictFault, "0 MB free"},
		{"few inodes", volume{freeBytes: 100 * gb, freeNode: 900, nodes: 1e6}, verdictWarning, "900 inodes"},
		{"no inodes", volume{freeBytes: 100 * gb, freeNode: 3, nodes: 1e6}, verdictFault, "3 inodes"},
		{"network", volume{freeBytes: 100 * gb, name: "NFS", network: true}, verdictFault, "local disk"},
		{"read-only", volume{freeBytes: 100 * gb, readOnly: true}, verdictFault, "read-only"},
		{"in memory", volume{freeBytes: 100 * gb, volatile: true}, verdictWarning, "next boot"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := wholesome(t)
			p.volume = func(string) (volume, error) { return tt.v, nil }
			says(t, p.stateVolume(), tt.want, tt.found)
		})
	}
	v, err := volumeOf(t.TempDir())
	if err != nil || v.freeBytes == 0 {
		t.Errorf("the temporary directory: %+v, %v", v, err)
	}
	if _, err := volumeOf(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a directory that is not there")
	}
}

// C9: who can change the configuration can weaken what is sent.
func TestDoctorConfiguration(t *testing.T) {
	t.Parallel()
	p := wholesome(t)
	says(t, p.configDirectory(), verdictOK, "shipped profiles alone")
	p.config = t.TempDir()
	says(t, p.configDirectory(), verdictOK, p.config)
	rules := filepath.Join(p.config, "rules")
	for _, tt := range []struct {
		mode fs.FileMode
		want verdict
	}{{0o755, verdictOK}, {0o775, verdictWarning}, {0o777, verdictFault}} {
		if err := errors.Join(os.MkdirAll(rules, 0o755), os.Chmod(rules, tt.mode)); err != nil {
			t.Fatal(err)
		}
		says(t, p.configDirectory(), tt.want)
	}
	p.configErr = &config.Error{Message: "--config names /nowhere", Hint: "create it"}
	says(t, p.configDirectory(), verdictFault, "/nowhere")
	says(t, p.configuration(), verdictUnknown)

	p = wholesome(t)
	p.problems = config.Problems{Warnings: []config.Problem{{File: "a.toml", Line: 2, Column: 3, Message: "odd"}}}
	says(t, p.configuration(), verdictWarning, "a.toml:2:3: odd")
	p.problems.Errors = []config.Problem{{File: "b.toml", Message: "bad"}, {Message: "worse"}}
	says(t, p.configuration(), verdictFault, "2 errors, the first: b.toml: bad", "sendctl validate shows 3 findings")
	p.problems = config.Problems{}
	says(t, p.configuration(), verdictOK, "5 profiles")
}
