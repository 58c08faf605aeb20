//go:build unix

package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/sandbox"
)

// wallClock is the clock of all commands of a test.
type wallClock struct{ path string }

func newWallClock(t *testing.T) *wallClock {
	t.Helper()
	c := &wallClock{filepath.Join(t.TempDir(), "clock")}
	c.jump(t, 0)
	return c
}

// jump sets the clock wrong by so much; 0 sets it right.
func (c *wallClock) jump(t *testing.T, wrong time.Duration) {
	t.Helper()
	err := os.WriteFile(c.path+".new", []byte(wrong.String()), 0o600)
	if err := errors.Join(err, os.Rename(c.path+".new", c.path)); err != nil {
		t.Fatal(err)
	}
}

// of makes a command go by the clock.
func (c *wallClock) of(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, clockFile+"="+c.path)
	return cmd
}

const year = 365 * 24 * time.Hour

// jumps are what befalls clocks.
func jumps() map[string]time.Duration {
	return map[string]time.Duration{
		"forward by ten years": 10 * year, "back by ten years": -10 * year, "to 1970": -time.Since(time.Unix(86400, 0)),
		"forward by a month": 30 * 24 * time.Hour, "back by a month": -30 * 24 * time.Hour, "back by an hour": -time.Hour,
	}
}

// F14: between acceptance and queue run the clock jumps, and jumps back. Nothing bounces for
// it, and nothing that was put off by one clock is stuck by the other.
func TestClockJumpsBetweenRuns(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for name, wrong := range jumps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWallClock(t)
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			id := strings.ReplaceAll(name, " ", "-")
			good, late, bad := id+"@modern.test", id+"@full.test", id+"@unknown.test"
			for _, rcpt := range []string{good, late, bad} {
				mailFile(t, filepath.Join(dir, "batch", rcpt+".eml"), "body", rcpt)
			}
			runToEnd(t, c.of(s.sendctl(state, "send", "--queue-only", "--profile", "hipaa", filepath.Join(dir, "batch"))), 0)
			c.jump(t, wrong)
			runToEnd(t, c.of(s.sendctl(state, "queue", "run")), exitBounced)
			all := standings(t, s, state)
			for rcpt, want := range map[string]standing{
				good: {settled: []string{"delivered"}}, late: {queued: []string{"deferred"}}, bad: {settled: []string{"bounced"}},
			} {
				if fmt.Sprint(all[rcpt]) != fmt.Sprint(want) {
					t.Errorf("%s stands at %s", rcpt, all[rcpt])
				}
			}
			c.jump(t, 0)
			tries := attempts(t, s, state, late)
			eventually(t, "what was put off is tried again by the right clock", func() bool {
				runToEnd(t, c.of(s.sendctl(state, "queue", "run")), exitDeferred)
				return attempts(t, s, state, late) > tries
			})
			if got := standings(t, s, state)[late]; fmt.Sprint(got) != fmt.Sprint(standing{queued: []string{"deferred"}}) {
				t.Errorf("it stands at %s", got)
			}
			if n := s.copies(good); n != 1 {
				t.Errorf("%d copies", n)
			}
		})
	}
}

// attempts counts those for a recipient that waits.
func attempts(t *testing.T, s *sink, state, rcpt string) int {
	t.Helper()
	var list struct {
		Entries []struct {
			Recipient string
			Attempts  []json.RawMessage
		}
	}
	if err := json.Unmarshal(runToEnd(t, s.sendctl(state, "queue", "list", "-o", "json"), 0), &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Entries {
		if e.Recipient == rcpt {
			return len(e.Attempts)
		}
	}
	return 0
}

// F14: while a message is on its way the clock jumps, and another run, which sees that the
// first one's lease has ended, takes over what is not being sent.
func TestClockJumpsDuringRun(t *testing.T) {
	t.Parallel()
	for name, wrong := range jumps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWallClock(t)
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			s := &sink{dir: filepath.Join(dir, "box"), took: map[string]int{}}
			arrived, over := make(chan struct{}, 100), make(chan struct{})
			box, err := sandbox.Start(sandbox.Options{Dir: s.dir, Keep: sandbox.KeepEnvelopes, OnDelivery: func(d sandbox.Delivery) error {
				arrived <- struct{}{}
				<-over
				return s.count(d)
			}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := box.Close(); err != nil {
					t.Error(err)
				}
			})
			const messages = 20
			for i := range messages {
				mailFile(t, filepath.Join(dir, "batch", fmt.Sprintf("%02d.eml", i)), "body", fmt.Sprintf("r%d@modern.test", i))
			}
			first := c.of(s.sendctl(state, "send", "--profile", "hipaa", filepath.Join(dir, "batch")))
			var talk strings.Builder
			first.Stderr = &talk
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			<-arrived
			c.jump(t, wrong)
			second := c.of(s.sendctl(state, "queue", "run"))
			if err := second.Start(); err != nil {
				t.Fatal(err)
			}
			close(over)
			for _, cmd := range []*exec.Cmd{first, second} {
				if status := waited(t, cmd); status != 0 && status != exitDeferred {
					t.Errorf("%v: exit status %d\n%s", cmd.Args[1:], status, &talk)
				}
			}
			runToEnd(t, c.of(s.sendctl(state, "queue", "run")), 0)
			all := standings(t, s, state)
			for i := range messages {
				rcpt := fmt.Sprintf("r%d@modern.test", i)
				if n := s.copies(rcpt); n != 1 || fmt.Sprint(all[rcpt]) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
					t.Errorf("%s: %d copies, stands at %s", rcpt, n, all[rcpt])
				}
			}
		})
	}
}

// count notes who was delivered to.
func (s *sink) count(d sandbox.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range d.Recipients {
		s.took[strings.Trim(r.Address, "<>")]++
	}
	return nil
}

// F14: certificates are judged by the clock, so while that is wrong nobody bounces for it; and
// once it is right again the mail goes out.
func TestClockAndCertificates(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for name, wrong := range jumps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newWallClock(t)
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			rcpt := "cert-" + strings.ReplaceAll(name, " ", "-") + "@modern.test"
			mailFile(t, filepath.Join(dir, "a.eml"), "body", rcpt)
			runToEnd(t, c.of(s.sendctl(state, "send", "--queue-only", "--profile", "pci", filepath.Join(dir, "a.eml"))), 0)
			c.jump(t, wrong)
			status, stdout, stderr := ended(t, c.of(s.sendctl(state, "queue", "run")))
			if status != 0 && (status != exitDeferred || !strings.Contains(stdout, "machine's clock")) {
				t.Errorf("exit status %d, and it does not say that the clock may be wrong\n%s%s", status, stdout, stderr)
			}
			c.jump(t, 0)
			eventually(t, "it is delivered by the right clock", func() bool {
				runToEnd(t, c.of(s.sendctl(state, "queue", "run")), 0, exitDeferred)
				return s.copies(rcpt) == 1
			})
		})
	}
}
