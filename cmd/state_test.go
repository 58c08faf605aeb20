//go:build unix

package cmd

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a command of these tests may take; one that takes longer hangs.
const patience = time.Minute

// ended runs a command and gives its exit status, -1 where a signal ended it, and what it said.
func ended(t *testing.T, c *exec.Cmd) (status int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	c.Stdout, c.Stderr = &out, &talk
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return waited(t, c), out.String(), talk.String()
}

// waited waits for a command that was started and gives its exit status.
func waited(t *testing.T, c *exec.Cmd) int {
	t.Helper()
	hung := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	err := c.Wait()
	if !hung.Stop() {
		t.Fatalf("%v hangs", c.Args[1:])
	}
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

// standing is where a recipient stands: its statuses in the queue and in the record.
type standing struct{ queued, settled []string }

// standings asks a state directory about all its recipients.
func standings(t *testing.T, s *sink, state string) map[string]standing {
	t.Helper()
	all := map[string]standing{}
	entries := func(args ...string) {
		var list struct {
			Entries []struct {
				Recipient string `json:"recipient"`
				Status    string `json:"status"`
			} `json:"entries"`
		}
		if err := json.Unmarshal(runToEnd(t, s.sendctl(state, args...), 0), &list); err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Entries {
			st := all[e.Recipient]
			if args[0] == "queue" {
				st.queued = append(st.queued, e.Status)
			} else {
				st.settled = append(st.settled, e.Status)
			}
			all[e.Recipient] = st
		}
	}
	entries("queue", "list", "-o", "json")
	entries("history", "-o", "json")
	return all
}

// mailFile writes a message; its body is a text that is nowhere else.
func mailFile(t *testing.T, path, body string, to ...string) string {
	t.Helper()
	text := fmt.Sprintf("From: lab@clinic.test\nTo: %s\nSubject: result\nMessage-ID: <%s@clinic.test>\n\n%s\n",
		strings.Join(to, ",\n "), filepath.Base(path), body)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// waiting is a state directory with messages that wait: one.eml to one@modern.test, and so on.
func waiting(t *testing.T, s *sink, names ...string) (state string) {
	t.Helper()
	dir := t.TempDir()
	state = filepath.Join(dir, "state")
	for _, name := range names {
		mailFile(t, filepath.Join(dir, "batch", name+".eml"), "body of "+name, name+"@modern.test")
	}
	runToEnd(t, s.sendctl(state, "send", "--queue-only", "--profile", "hipaa", filepath.Join(dir, "batch")), 0)
	return state
}

// holding lists the files under a directory that contain a text.
func holding(t *testing.T, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// segmentOf is the only segment file of a state directory.
func segmentOf(t *testing.T, state string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(state, "bodies", "*.seg"))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments: %v, %v", files, err)
	}
	return files[0]
}

// edit changes a file's content in place.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(content), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// FAULTS F6, F7: a state directory that is not ours alone, or not what it was, is refused with
// the command that mends it, and nothing is lost once it is mended.
func TestStateRefused(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	database := func(state string) string { return filepath.Join(state, "spool.db") }
	for name, c := range map[string]struct {
		spoil func(t *testing.T, state string) (named string)
		says  string
		root  bool
	}{
		"others may write": {says: "chmod 700 ", spoil: func(t *testing.T, state string) string { return chmod(t, state, 0o777) }},
		"others may read":  {says: "chmod 700 ", spoil: func(t *testing.T, state string) string { return chmod(t, state, 0o750) }},
		"bodies are open": {says: "chmod 700 ", spoil: func(t *testing.T, state string) string {
			chmod(t, filepath.Join(state, "bodies"), 0o755)
			return state
		}},
		"database is open": {says: "chmod 600 ", spoil: func(t *testing.T, state string) string {
			chmod(t, database(state), 0o644)
			return state
		}},
		"symbolic link": {says: "--state ", spoil: func(t *testing.T, state string) string {
			link := state + "-link"
			if err := os.Symlink(state, link); err != nil {
				t.Fatal(err)
			}
			return link
		}},
		"no directory": {says: "--state", spoil: func(t *testing.T, state string) string { return database(state) }},
		"another owner": {root: true, says: "chown -R ", spoil: func(t *testing.T, state string) string {
			if err := os.Chown(state, 65534, 65534); err != nil {
				t.Fatal(err)
			}
			return state
		}},
		"database is empty": {says: "backup", spoil: func(t *testing.T, state string) string {
			edit(t, database(state), func([]byte) []byte { return nil })
			return state
		}},
		"database of another version": {says: "version", spoil: func(t *testing.T, state string) string {
			edit(t, database(state), func(b []byte) []byte { binary.BigEndian.PutUint32(b[60:], 99); return b })
			return state
		}},
		"database is none": {says: "spool.db", spoil: func(t *testing.T, state string) string {
			edit(t, database(state), func(b []byte) []byte { copy(b, "this is not a database at all"); return b })
			return state
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.root && os.Getuid() != 0 {
				t.Skip("needs root, to give a directory away")
			}
			state := waiting(t, s, "refused")
			named := c.spoil(t, state)
			batch := filepath.Join(filepath.Dir(state), "batch")
			for _, args := range [][]string{{"send", "--profile", "hipaa", batch}, {"queue", "run"}, {"queue", "list"}} {
				status, _, stderr := ended(t, s.sendctl(named, args...))
				if status != exitState || !strings.Contains(stderr, "sendctl: error: ") || !strings.Contains(stderr, c.says) {
					t.Errorf("%v: exit status %d, and says\n%s", args, status, stderr)
				}
			}
			if len(holding(t, state, "body of refused")) == 0 {
				t.Error("the body is gone")
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) string {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// FAULTS F6: a body that is not what was accepted is held and named, and the others go on.
func TestDamagedBody(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	names := []string{"bits1", "bits2", "bits3"}
	for name, damage := range map[string]func(segment []byte) []byte{
		"bit flipped": func(b []byte) []byte { b[bytes.Index(b, []byte("body of bits2"))] ^= 1; return b },
		"truncated":   func(b []byte) []byte { return b[:len(b)-len("bits1\r\n")] },
		"emptied":     func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := waiting(t, s, names...)
			edit(t, segmentOf(t, state), damage)
			left, err := os.ReadFile(segmentOf(t, state))
			if err != nil {
				t.Fatal(err)
			}
			status, stdout, stderr := ended(t, s.sendctl(state, "queue", "run"))
			if status != exitDeferred {
				t.Errorf("exit status %d, want %d\n%s%s", status, exitDeferred, stdout, stderr)
			}
			all := standings(t, s, state)
			for _, n := range names {
				rcpt, want := n+"@modern.test", standing{settled: []string{"delivered"}}
				if !bytes.Contains(left, []byte("body of "+n)) {
					want = standing{queued: []string{"held"}}
				}
				if !strings.Contains(stdout, rcpt) {
					t.Errorf("the run did not name %s:\n%s%s", rcpt, stdout, stderr)
				}
				if got := all[rcpt]; fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s stands at %s, want %s", rcpt, got, want)
				}
			}
		})
	}
}

// FAULTS F9: what a killed process held is free, and no manual step is needed.
func TestLocksOfTheKilled(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	state := waiting(t, s, "locked")
	watch := s.sendctl(state, "queue", "run", "--watch", "--wait-lock") // one of those below may be first
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = watch.Process.Kill() })
	eventually(t, "another queue run is refused", func() bool {
		status, _, stderr := ended(t, s.sendctl(state, "queue", "run"))
		return status == exitDeferred && strings.Contains(stderr, "another queue run")
	})
	if err := watch.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = watch.Wait() // killed
	if status, _, stderr := ended(t, s.sendctl(state, "queue", "run", "--now")); status != 0 {
		t.Errorf("after a kill -9: exit status %d\n%s", status, stderr)
	}
	if got := fmt.Sprint(standings(t, s, state)["locked@modern.test"].settled); got != "[delivered]" {
		t.Errorf("it is %s", got)
	}
}

// eventually asks until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for began := time.Now(); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("never: %s", what)
		}
	}
}
