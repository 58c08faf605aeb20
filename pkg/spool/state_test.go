//go:build unix

package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// F7: what others can look into, or SQLite cannot work on, is refused with what mends it.
func TestStateDirectories(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		make func(t *testing.T, dir string)
		hint string // of the refusal; "" where the directory is fine
	}{
		"missing":                {func(*testing.T, string) {}, ""},
		"0700":                   {func(t *testing.T, dir string) { mkdir(t, dir, 0o700) }, ""},
		"0755 and empty":         {func(t *testing.T, dir string) { mkdir(t, dir, 0o755) }, ""},
		"0755 with something":    {func(t *testing.T, dir string) { mkdir(t, dir, 0o755); mkfile(t, dir+"/x", 0o600) }, "chmod 700 "},
		"0777":                   {func(t *testing.T, dir string) { mkdir(t, dir, 0o777) }, "chmod 700 "},
		"0770 with something":    {func(t *testing.T, dir string) { mkdir(t, dir, 0o770); mkfile(t, dir+"/x", 0o600) }, "chmod 700 "},
		"a link":                 {func(t *testing.T, dir string) { mkdir(t, dir+".target", 0o700); link(t, dir+".target", dir) }, "--state "},
		"a file":                 {func(t *testing.T, dir string) { mkfile(t, dir, 0o600) }, "move it away"},
		"the database is 0644":   {func(t *testing.T, dir string) { mkdir(t, dir, 0o700); mkfile(t, dir+"/spool.db", 0o644) }, "chmod 600 "},
		"the database is a link": {func(t *testing.T, dir string) { mkdir(t, dir, 0o700); link(t, "/dev/null", dir+"/spool.db") }, "move it away"},
		"bodies is 0755":         {func(t *testing.T, dir string) { mkdir(t, dir, 0o700); mkdir(t, dir+"/bodies", 0o755) }, "chmod 700 "},
		"bodies is a file":       {func(t *testing.T, dir string) { mkdir(t, dir, 0o700); mkfile(t, dir+"/bodies", 0o600) }, "move it away"},
		"bodies without database": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o700)
			mkdir(t, dir+"/bodies", 0o700)
			mkfile(t, dir+"/bodies/01.seg", 0o600)
		}, "put the database back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() + "/it's state?#%41"
			tt.make(t, dir)
			s, err := Open(dir, Options{})
			if tt.hint != "" {
				var state *StateError
				if !errors.As(err, &state) || !strings.Contains(state.Hint, tt.hint) {
					t.Fatalf("%v; %+v", err, state)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			mustAdd(t, s, incoming(1, "a@b.test"))
			onlyOurs(t, dir)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			onlyOurs(t, dir)
		})
	}
}

// onlyOurs checks that no file or directory is open to others.
func onlyOurs(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, databaseName)); err != nil {
		t.Error(err)
	}
}

func mkdir(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, mode)); err != nil {
		t.Fatal(err)
	}
}

func mkfile(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.WriteFile(path, []byte("something"), mode), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestForeignDatabases(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(t *testing.T, path string)
		says   string
	}{
		"newer":   {func(t *testing.T, path string) { sql(t, path, "PRAGMA user_version = 999") }, "newer sendctl"},
		"foreign": {func(t *testing.T, path string) { sql(t, path, "PRAGMA application_id = 7") }, "not a spool"},
		"no database": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("garbage ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a database"},
		"cut off": {func(t *testing.T, path string) {
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
		}, "missing or empty"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := stateDir(t)
			s := openTest(t, dir, Options{})
			mustAdd(t, s, incoming(1, "a@b.test"))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			tt.change(t, filepath.Join(dir, databaseName))
			_, err := Open(dir, Options{})
			var state *StateError
			if !errors.As(err, &state) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("opened, or with another error: %v", err)
			}
			if len(grep(t, dir, "MARKER")) != 1 {
				t.Error("the bodies were touched")
			}
		})
	}
}

// sql runs statements on a database that nobody has open.
func sql(t *testing.T, path string, statements ...string) {
	t.Helper()
	c, err := dial(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := c.exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

// The driver ignores settings that it does not know; the spool does not.
func TestSettingsAreReadBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	if _, err := dial(path, []pragma{{"jornal_mode", "wal", "wal"}}); err == nil || !strings.Contains(err.Error(), "jornal_mode") {
		t.Errorf("a setting that does not exist: %v", err)
	}
	if _, err := dial(path, []pragma{{"synchronous", "fool", "2"}, {"journal_mode", "off", "wal"}}); err == nil {
		t.Error("a value that is not taken: no error")
	}
}

// F6: damaged entries are put on hold, each with its reason, and the others go on.
func TestDamagedEntries(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	for i := range 6 {
		in := incoming(i, "a@b.test")
		if i == 1 {
			in.Recipients[0].Decision.Rules = []string{"its own"}
		}
		mustAdd(t, s, in)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	segments, _ := filepath.Glob(filepath.Join(dir, bodiesName, "*"))
	data, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	data[strings.Index(string(data), "MARKER-0")] ^= 1 // a bit flips
	cut := strings.Index(string(data), "MARKER-5")     // and the end is missing
	if err := os.WriteFile(segments[0], data[:cut], 0o600); err != nil {
		t.Fatal(err)
	}
	sql(t, filepath.Join(dir, databaseName),
		`UPDATE fact SET body = replace(body, '"encrypt":true', '"encrypt":false') WHERE body LIKE '%its own%'`,
		`UPDATE recipient SET latest = 'no JSON' WHERE message = 3`,
		`UPDATE recipient SET decision = 999 WHERE message = 4`)

	s = openTest(t, dir, Options{})
	if rows := queued(t, s); len(rows) != 6 || rows[1].Recipient.Fault == "" || rows[2].Recipient.Fault == "" || rows[3].Recipient.Fault == "" || rows[4].Recipient.Fault != "" {
		t.Errorf("listed %+v", rows)
	}
	entries := mustClaim(t, s, ClaimRequest{})
	if len(entries) != 3 {
		t.Fatalf("claimed %+v", entries)
	}
	for _, e := range entries {
		_, err := s.Body(t.Context(), &e.Message)
		var corrupt *CorruptError
		if bad := e.Message.QueueID != "q000004"; errors.As(err, &corrupt) != bad || !bad && err != nil {
			t.Errorf("%s: %v", e.Message.QueueID, err)
		}
	}
	held := listed(t, s.List(t.Context(), Filter{Statuses: []delivery.Status{delivery.Held}}))
	if len(held) != 5 {
		t.Fatalf("held %+v", held)
	}
	for _, r := range held {
		if r.Recipient.Claimed || r.Recipient.Fault == "" && !strings.Contains(r.Recipient.Outcome.Text, "damaged") {
			t.Errorf("%+v", r.Recipient)
		}
	}
}

// F6: strange files beside the segments are moved aside, and block nothing.
func TestStrays(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	mustAdd(t, s, incoming(1, "a@b.test"))
	bodies := filepath.Join(dir, bodiesName)
	mkfile(t, bodies+"/stray.eml", 0o600)
	mkfile(t, bodies+"/000000000000ffff.seg", 0o600)
	mkdir(t, bodies+"/directory.seg", 0o700)
	link(t, "/etc/passwd", bodies+"/link.seg")
	if err := syscall.Mkfifo(bodies+"/0000000000000abc.seg", 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := s.Sweep(t.Context())
	if err != nil || len(found.Strays) != 5 {
		t.Fatalf("%+v %v", found, err)
	}
	mkfile(t, bodies+"/stray.eml", 0o600) // a name that is taken in corrupt/
	if found, err = s.Sweep(t.Context()); err != nil || len(found.Strays) != 1 {
		t.Fatalf("%+v %v", found, err)
	}
	if left, _ := filepath.Glob(bodies + "/*"); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, corruptName) + "/*"); len(aside) != 6 {
		t.Errorf("aside %v", aside)
	}
	for _, e := range mustClaim(t, s, ClaimRequest{}) {
		bodyOf(t, s, &e.Message)
	}
}

// F3-F5: whatever ails the state directory comes with what to do about it.
func TestHints(t *testing.T) {
	t.Parallel()
	for err, hint := range map[error]string{
		syscall.ENOSPC: "free some space", syscall.EROFS: "read-only", syscall.EMFILE: "ulimit -n", syscall.ENFILE: "file handles",
		syscall.EIO: "system's log", syscall.EACCES: "run as the owner", syscall.EPERM: "run as the owner", syscall.EINVAL: "",
	} {
		got := stateError("writing", "/var/lib/x", &os.PathError{Op: "write", Path: "y", Err: err})
		var state *StateError
		if !errors.As(got, &state) || !strings.Contains(state.Hint, hint) || hint == "" && state.Hint != "" || !errors.Is(got, err) {
			t.Errorf("%v: %+v", err, got)
		}
		if again := stateError("reading", "/elsewhere", got); again != got { //nolint:errorlint // the very same
			t.Errorf("wrapped twice: %v", again)
		}
	}
	if stateError("writing", "x", nil) != nil {
		t.Error("an error out of nothing")
	}
	for path, want := range map[string]string{"/a/b-c_d.e": "/a/b-c_d.e", "/it's here": `'/it'\''s here'`, "": "''", "/$HOME": "'/$HOME'"} {
		if got := shellQuoted(path); got != want {
			t.Errorf("%q is quoted %s", path, got)
		}
	}
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	a, b := errors.New("a"), errors.New("b")
	for _, tt := range []struct {
		first error
		more  []error
		want  string
	}{
		{nil, nil, "<nil>"},
		{nil, []error{nil, a, nil}, "a"},
		{a, []error{errors.New("a"), b, errors.New("b")}, "a\nb"},
		{a, []error{errors.Join(a, b), errors.Join(b, a)}, "a\na\nb"},
	} {
		if got := fmt.Sprint(distinct(tt.first, tt.more...)); got != tt.want {
			t.Errorf("%v and %v: %q, want %q", tt.first, tt.more, got, tt.want)
		}
	}
	if !errors.Is(distinct(a, b), b) {
		t.Error("the second is lost")
	}
}
