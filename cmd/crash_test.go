package cmd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/sandbox"
)

// asCommand makes the test binary be sendctl, so that there is a process to kill.
const asCommand = "SENDCTL_TEST_COMMAND"

// sink is a mail host that writes down the Message-ID of every message, and syncs it, before
// it says 250: what is in its book was accepted, whatever the sender may believe.
type sink struct {
	dir  string
	mu   sync.Mutex
	book *os.File
	took map[string]int
}

func newSink(t *testing.T) *sink {
	t.Helper()
	dir := t.TempDir()
	book, err := os.Create(filepath.Join(dir, "book"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	s := &sink{dir: filepath.Join(dir, "box"), book: book, took: map[string]int{}}
	box, err := sandbox.Start(sandbox.Options{Dir: s.dir, OnDelivery: s.accept, Keep: sandbox.KeepEnvelopes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *sink) accept(d sandbox.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range d.Recipients {
		if _, err := fmt.Fprintln(s.book, r.Address); err != nil {
			return err
		}
		s.took[strings.Trim(r.Address, "<>")]++
	}
	return s.book.Sync()
}

func (s *sink) copies(recipient string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took[recipient]
}

// sendctl is a process of the command line on the sink, in a state directory.
func (s *sink) sendctl(state string, args ...string) *exec.Cmd {
	args = append(args, "--sandbox="+s.dir, "--state", state)
	c := exec.Command(os.Args[0], args...)
	c.Env = []string{asCommand + "=1", "HOME=" + filepath.Dir(state), "PATH=" + os.Getenv("PATH")}
	return c
}

// runToEnd runs a command and demands one of some exit statuses.
func runToEnd(t *testing.T, c *exec.Cmd, allowed ...int) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	status := 0
	var ee *exec.ExitError
	if errors.As(err, &ee) {
		status = ee.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	for _, a := range allowed {
		if status == a {
			return stdout.Bytes()
		}
	}
	t.Fatalf("%v: exit status %d, want one of %v\n%s%s", c.Args[1:], status, allowed, stdout.Bytes(), stderr.Bytes())
	return nil
}

// kills is how often the crash test kills: SENDCTL_KILLS, or 200, or a few where processes
// start slowly.
func kills(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("SENDCTL_KILLS")); err == nil {
		return n
	}
	if underRace {
		return 10
	}
	return 200
}

// FAULTS F1: kill -9 at random moments. Nothing that was accepted is lost; a second copy is
// there only where a 250 was in flight, and each such recipient is marked.
func TestKillAtRandom(t *testing.T) {
	if testing.Short() {
		t.Skip("many processes")
	}
	t.Parallel()
	s := newSink(t)
	state := filepath.Join(t.TempDir(), "state")
	var batches []string
	n := kills(t)
	for k := range n {
		dir := filepath.Join(filepath.Dir(state), fmt.Sprintf("batch%04d", k))
		writeBatch(t, dir, k, batchSize(k))
		batches = append(batches, dir)
		c := s.sendctl(state, "send", "--profile", "hipaa", dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(70)) * time.Millisecond) // the random moment is the test
		_ = c.Process.Kill()
		_ = c.Wait() // killed, or just done
	}
	// What was not accepted is sent by the same command again, which skips the rest.
	for _, dir := range batches {
		runToEnd(t, s.sendctl(state, "send", "--profile", "hipaa", dir), 0, 75)
	}
	runToEnd(t, s.sendctl(state, "queue", "run", "--now", "--wait-lock"), 0)
	marked := doubted(t, runToEnd(t, s.sendctl(state, "history", "-o", "json"), 0))
	messages, lost, twice, most := 0, 0, 0, 0
	for k := range n {
		before := twice
		for i := range batchSize(k) {
			messages++
			rcpt := fmt.Sprintf("r%d-%d@modern.test", k, i)
			switch copies := s.copies(rcpt); {
			case copies == 0:
				lost++
				t.Errorf("%s is lost", rcpt)
			case copies > 1:
				twice++
				if copies > 2 || !marked[rcpt] { // one kill is one doubt
					t.Errorf("%s has %d copies, marked as in doubt: %v", rcpt, copies, marked[rcpt])
				}
			}
		}
		most = max(most, twice-before)
	}
	t.Logf("%d kills, %d messages: %d lost, %d with a second copy (at most %d of one kill), %d marked as in doubt", n, messages, lost, twice, most, len(marked))
}

// batchSize is how many messages a batch has: few, so that a kill often falls between them,
// and now and then enough for several to be on their way on one connection.
func batchSize(k int) int {
	if k%4 == 3 {
		return 24
	}
	return 4
}

func writeBatch(t *testing.T, dir string, k, n int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		text := fmt.Sprintf("From: lab@clinic.test\nTo: r%d-%d@modern.test\nSubject: s\nMessage-ID: <%d-%d@clinic.test>\n\nbody\n", k, i, k, i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.eml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// doubted lists the recipients of a history that have an attempt whose final reply was lost.
func doubted(t *testing.T, history []byte) map[string]bool {
	t.Helper()
	var h struct {
		Entries []struct {
			Recipient string `json:"recipient"`
			Attempts  []struct {
				Stage string `json:"stage"`
			} `json:"attempts"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(history, &h); err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, e := range h.Entries {
		for _, a := range e.Attempts {
			if a.Stage == "final" {
				out[e.Recipient] = true
			}
		}
	}
	return out
}
