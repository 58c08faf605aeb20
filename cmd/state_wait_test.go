//go:build unix

package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// deferredSoon starts a send that waits, and returns when its only recipient was put off once.
func deferredSoon(t *testing.T, s *sink, c *wallClock, state, rcpt string) (wait func() (status int, said string)) {
	t.Helper()
	path := mailFile(t, filepath.Join(filepath.Dir(state), "a.eml"), "body", rcpt)
	cmd := c.of(s.sendctl(state, "send", "--wait", "10m", "--profile", "hipaa", path))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is put off", func() bool { return attempts(t, s, state, rcpt) == 1 })
	return func() (int, string) {
		status := waited(t, cmd)
		return status, said.String()
	}
}

// FAULTS F8: a send that waits, and a queue run that is faster: one copy, and both know.
func TestWaitOvertaken(t *testing.T) {
	t.Parallel()
	s, c := newSink(t), newWallClock(t)
	state := filepath.Join(t.TempDir(), "state")
	const rcpt = "overtaken@greylist.test"
	wait := deferredSoon(t, s, c, state, rcpt)
	eventually(t, "the queue run delivers it", func() bool {
		runToEnd(t, c.of(s.sendctl(state, "queue", "run", "--now")), 0, exitDeferred)
		return s.copies(rcpt) == 1
	})
	if status, said := wait(); status != 0 || !strings.Contains(said, "1 delivered") {
		t.Errorf("exit status %d\n%s", status, said)
	}
	if n := s.copies(rcpt); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// F14: the clock jumps while a send waits; what it waits for is tried all the same.
func TestClockJumpsDuringWait(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for name, wrong := range jumps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWallClock(t)
			state := filepath.Join(t.TempDir(), "state")
			rcpt := "wait-" + strings.ReplaceAll(name, " ", "-") + "@greylist.test"
			wait := deferredSoon(t, s, c, state, rcpt)
			c.jump(t, wrong)
			if status, said := wait(); wrong < 0 && status != 0 || status != 0 && status != exitDeferred {
				t.Errorf("exit status %d\n%s", status, said)
			}
			runToEnd(t, c.of(s.sendctl(state, "queue", "run", "--now")), 0)
			if got := standings(t, s, state)[rcpt]; s.copies(rcpt) != 1 || fmt.Sprint(got) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
				t.Errorf("%d copies, it stands at %s", s.copies(rcpt), got)
			}
		})
	}
}

// F14: with a clock that stands at 1970 nobody bounces for the dates of certificates, and with
// one that is years ahead the bounce says what the clock says.
func TestClockWrongAtSend(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for name, want := range map[string]struct {
		wrong  time.Duration
		status int
	}{
		"1970": {-time.Since(time.Unix(0, 0)), exitDeferred}, "ten years behind": {-10 * year, exitDeferred},
		"ten years ahead": {10 * year, exitBounced},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWallClock(t)
			c.jump(t, want.wrong)
			dir := t.TempDir()
			path := mailFile(t, filepath.Join(dir, "a.eml"), "body", "dates@modern.test")
			status, stdout, stderr := ended(t, c.of(s.sendctl(filepath.Join(dir, "state"), "send", "--profile", "pci", path)))
			says := "clock says " + time.Now().Add(want.wrong).UTC().Format("2006")
			if status != want.status || !strings.Contains(stdout, says) {
				t.Errorf("exit status %d, want %d and %q\n%s%s", status, want.status, says, stdout, stderr)
			}
		})
	}
}

// F14: a file that is from the future, by a clock that was set back, is not left in the drop
// folder for ever as one that is still being written.
func TestClockAndDropFolder(t *testing.T) {
	t.Parallel()
	s, c := newSink(t), newWallClock(t)
	dir := t.TempDir()
	drop := filepath.Join(dir, "drop")
	old := mailFile(t, filepath.Join(drop, "old.eml"), "body", "old@modern.test")
	fresh := mailFile(t, filepath.Join(drop, "fresh.eml"), "body", "fresh@modern.test")
	c.jump(t, -10*year)
	now := time.Now().Add(-10 * year)
	if err := os.Chtimes(fresh, now, now); err != nil {
		t.Fatal(err)
	}
	runToEnd(t, c.of(s.sendctl(filepath.Join(dir, "state"), "send", "--profile", "hipaa", "--done", filepath.Join(dir, "done"), drop)), 0)
	if _, err := os.Stat(old); err == nil || s.copies("old@modern.test") != 1 {
		t.Error("it is left alone")
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("what is being written was taken: %v", err)
	}
}
