//go:build unix

package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// FAULTS F6: what else lies in bodies/ is moved aside and named, and the mail goes on.
func TestStrayFiles(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	state := waiting(t, s, "strayed")
	bodies := filepath.Join(state, "bodies")
	strays := []string{"notes.txt", "empty", "dir", "link", "fifo", "00000000000000ff.seg"}
	err := errors.Join(
		os.WriteFile(filepath.Join(bodies, "notes.txt"), []byte("notes"), 0o600),
		os.WriteFile(filepath.Join(bodies, "empty"), nil, 0o600),
		os.WriteFile(filepath.Join(bodies, "00000000000000ff.seg"), []byte("of another spool"), 0o600),
		os.Mkdir(filepath.Join(bodies, "dir"), 0o700),
		os.Symlink("/etc/passwd", filepath.Join(bodies, "link")),
		syscall.Mkfifo(filepath.Join(bodies, "fifo"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := ended(t, s.sendctl(state, "queue", "run"))
	if status != 0 {
		t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
	}
	for _, name := range strays {
		if _, err := os.Lstat(filepath.Join(state, "corrupt", name)); err != nil {
			t.Error(err)
		}
		if !strings.Contains(stderr, filepath.Join(bodies, name)) {
			t.Errorf("%s is not named:\n%s", name, stderr)
		}
	}
	if n := s.copies("strayed@modern.test"); n != 1 {
		t.Errorf("%d copies arrived", n)
	}
}

// FAULTS F6: a segment that was replaced by something that is no file is not waited for.
func TestSegmentIsNoFile(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for name, replace := range map[string]func(path string) error{
		"fifo":          func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"symbolic link": func(path string) error { return os.Symlink("/dev/zero", path) },
		"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"nothing":       func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := waiting(t, s, "unfiled")
			path := segmentOf(t, state)
			if err := errors.Join(os.Remove(path), replace(path)); err != nil {
				t.Fatal(err)
			}
			status, stdout, stderr := ended(t, s.sendctl(state, "queue", "run"))
			if status != exitDeferred && status != exitState || !strings.Contains(stdout+stderr, filepath.Base(path)) {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
			if got := standings(t, s, state)["unfiled@modern.test"]; len(got.queued) != 1 || len(got.settled) != 0 {
				t.Errorf("it stands at %s", got)
			}
			if s.copies("unfiled@modern.test") != 0 {
				t.Error("something was delivered")
			}
		})
	}
}

// FAULTS F8: two senders of one batch and five queue runs at once give one copy each.
func TestTogether(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	const messages = 40
	for i := range messages {
		mailFile(t, filepath.Join(dir, "batch", fmt.Sprintf("%02d.eml", i)), "body", fmt.Sprintf("shared%d@modern.test", i))
	}
	var all []*exec.Cmd
	for range 2 {
		all = append(all, s.sendctl(state, "send", "--profile", "hipaa", filepath.Join(dir, "batch")))
	}
	for range 5 {
		all = append(all, s.sendctl(state, "queue", "run", "--now"))
	}
	talk := make([]strings.Builder, len(all))
	for i, c := range all {
		c.Stderr = &talk[i]
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range all {
		status := waited(t, c)
		if status != 0 && status != exitDeferred {
			t.Errorf("%v: exit status %d\n%s", c.Args[1:], status, &talk[i])
		}
	}
	runToEnd(t, s.sendctl(state, "queue", "run", "--now"), 0)
	record := standings(t, s, state)
	for i := range messages {
		rcpt := fmt.Sprintf("shared%d@modern.test", i)
		if n := s.copies(rcpt); n != 1 || fmt.Sprint(record[rcpt]) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
			t.Errorf("%s: %d copies, stands at %s", rcpt, n, record[rcpt])
		}
	}
}

// FAULTS F10: the same file again, under whatever name, is sent once.
func TestSameFileAgain(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	path := mailFile(t, filepath.Join(dir, "a.eml"), "body", "same@modern.test")
	link := filepath.Join(dir, "b.eml")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{path, path}, {path, link}, {dir}, {dir}} {
		out := string(runToEnd(t, s.sendctl(state, append([]string{"send", "--profile", "hipaa"}, args...)...), 0, exitDeferred))
		if !strings.Contains(out, "skipped") {
			t.Errorf("%v does not say that something is skipped:\n%s", args, out)
		}
	}
	if n := s.copies("same@modern.test"); n != 1 {
		t.Errorf("%d copies arrived", n)
	}
	runToEnd(t, s.sendctl(state, "send", "--profile", "hipaa", "--again", path), 0)
	if n := s.copies("same@modern.test"); n != 2 {
		t.Errorf("%d copies arrived after --again", n)
	}
}

// FAULTS F11: what was accepted is what is sent, whatever becomes of the file.
func TestFileChangesAfterwards(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state, got := filepath.Join(dir, "state"), filepath.Join(dir, "got")
	changed := mailFile(t, filepath.Join(dir, "changed.eml"), "as accepted", "one@modern.test")
	vanished := mailFile(t, filepath.Join(dir, "vanished.eml"), "as accepted too", "two@modern.test")
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(os.Args[0], append(args, "--sandbox", "--state", state)...)
		c.Env = []string{asCommand + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		return c
	}
	runToEnd(t, command("send", "--queue-only", "--profile", "hipaa", changed, vanished), 0)
	edit(t, changed, func(b []byte) []byte { return append(b, "and something behind it\n"...) })
	if err := os.Remove(vanished); err != nil {
		t.Fatal(err)
	}
	runToEnd(t, command("queue", "run", "--sandbox-dir", got), 0)
	if len(holding(t, got, "as accepted\r\n")) != 1 || len(holding(t, got, "as accepted too\r\n")) != 1 || len(holding(t, got, "behind it")) != 0 {
		t.Error("what arrived is not what was accepted")
	}
	if status, _, _ := ended(t, command("send", "--profile", "hipaa", vanished)); status != exitNoInput {
		t.Errorf("a file that is not there: exit status %d, want %d", status, exitNoInput)
	}
}

// FAULTS F5: with few descriptors some of a batch goes out, what does not is named, and a
// run with enough of them does the rest.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	domains := []string{"modern.test", "tls13.test", "tls12.test", "selfsigned.test", "expired.test", "wrongname.test", "backup.test", "mixed.test"}
	var rcpts []string
	for i := range 80 {
		rcpts = append(rcpts, fmt.Sprintf("few%d@%s", i, domains[i%len(domains)]))
		mailFile(t, filepath.Join(dir, "batch", fmt.Sprintf("%02d.eml", i)), "body", rcpts[i])
	}
	for _, limit := range []int{12, 16, 20, 24, 32, 48} {
		c := s.sendctl(state, "send", "--profile", "hipaa", filepath.Join(dir, "batch"))
		limited := exec.Command("/bin/sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, limit), "sh"}, c.Args...)...)
		limited.Env = c.Env
		status, stdout, stderr := ended(t, limited)
		t.Logf("%d descriptors: exit status %d", limit, status)
		if !slices.Contains([]int{0, exitNoInput, exitState, exitDeferred}, status) || status != 0 && !strings.Contains(stdout+stderr, "too many open files") && status != exitDeferred {
			t.Errorf("%d descriptors: exit status %d\n%s%s", limit, status, stdout, stderr)
		}
	}
	runToEnd(t, s.sendctl(state, "send", "--profile", "hipaa", filepath.Join(dir, "batch")), 0, exitDeferred)
	runToEnd(t, s.sendctl(state, "queue", "run", "--now"), 0)
	record := standings(t, s, state)
	for _, rcpt := range rcpts {
		if n := s.copies(rcpt); n != 1 || fmt.Sprint(record[rcpt]) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
			t.Errorf("%s: %d copies, stands at %s", rcpt, n, record[rcpt])
		}
	}
}
