//go:build linux

package cmd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// cost is what a command took.
type cost struct {
	time   time.Duration
	memory int64 // the most that was resident, in MiB
	out    []byte
}

func (c cost) String() string {
	return fmt.Sprintf("%s, %d MiB", c.time.Round(time.Millisecond), c.memory)
}

func costOf(t *testing.T, c *exec.Cmd, allowed ...int) cost {
	t.Helper()
	file := filepath.Join(t.TempDir(), "status")
	c.Env = append(c.Env, statusFile+"="+file)
	began := time.Now()
	out := runToEnd(t, c, allowed...)
	took := cost{time: time.Since(began), out: out}
	status, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(peak, "%d kB", &took.memory); err != nil {
		t.Fatalf("no peak of memory in %q: %v", status, err)
	}
	took.memory >>= 10
	return took
}

// crowd writes messages with recipients and gives their directory.
func crowd(t *testing.T, messages, recipients int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "batch")
	for m := range messages {
		to := make([]string, recipients)
		for i := range to {
			to[i] = fmt.Sprintf("r%d-%d@modern.test", m, i)
		}
		mailFile(t, filepath.Join(dir, fmt.Sprintf("%05d.eml", m)), "body", to...)
	}
	return dir
}

// FAULTS F16, small: many messages, and one message for many, within bounded memory.
func TestManyRecipients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	t.Parallel()
	s := newSink(t)
	for _, c := range []struct{ messages, recipients int }{{3000, 1}, {1, 3000}} {
		state := filepath.Join(t.TempDir(), "state")
		all := c.messages * c.recipients
		took := costOf(t, s.sendctl(state, "send", "--profile", "hipaa", "-o", "csv", crowd(t, c.messages, c.recipients)), 0)
		t.Logf("%d messages for %d: %s", c.messages, c.recipients, took)
		if n := bytes.Count(took.out, []byte(",delivered,")); n != all {
			t.Errorf("%d of %d delivered", n, all)
		}
		if took.memory > 150 && !underRace { // the detector's own memory is a multiple of it
			t.Errorf("it took %d MiB", took.memory)
		}
	}
}

// FAULTS F16: 100,000 queued recipients in bounded memory, whatever the output. SENDCTL_SCALE=1
// go test ./cmd -run TestScale -v prints the figures.
func TestScale(t *testing.T) {
	if os.Getenv("SENDCTL_SCALE") == "" {
		t.Skip("set SENDCTL_SCALE=1")
	}
	s := newSink(t)
	state := filepath.Join(t.TempDir(), "state")
	const messages, recipients = 1000, 100
	bounded := func(most int64, args ...string) cost {
		c := costOf(t, s.sendctl(state, args...), 0)
		t.Logf("%v: %s", args, c)
		if c.memory > most {
			t.Errorf("%v: %d MiB, at most %d should do", args, c.memory, most)
		}
		return c
	}
	batch := crowd(t, messages, recipients)
	bounded(150, "send", "--queue-only", "--profile", "hipaa", batch)
	for _, format := range []string{"csv", "json", "jsonl"} {
		list := bounded(64, "queue", "list", "-o", format)
		if n := bytes.Count(list.out, []byte("\n")); n < messages*recipients || n > messages*recipients+1 {
			t.Errorf("%d lines of %s", n, format)
		}
	}
	run := bounded(150, "queue", "run")
	if n := bytes.Count(run.out, []byte(" delivered ")); n < messages*recipients {
		t.Errorf("%d rows say delivered", n)
	}
	bounded(64, "queue", "run", "-q")
}
