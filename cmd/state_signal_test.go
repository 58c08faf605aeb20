//go:build unix

package cmd

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/sandbox"
)

// FAULTS F12: the first signal ends a run at a safe point, with its table; nothing is lost.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for name, sig := range map[string]syscall.Signal{"SIGINT": syscall.SIGINT, "SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			state := filepath.Join(dir, "state")
			quick, slow := strings.ToLower(name)+"@modern.test", strings.ToLower(name)+"@slow.test"
			mailFile(t, filepath.Join(dir, "batch", "1.eml"), "body", quick)
			mailFile(t, filepath.Join(dir, "batch", "2.eml"), "body", slow)
			c := s.sendctl(state, "send", "--profile", "hipaa", filepath.Join(dir, "batch"))
			var out, talk strings.Builder
			c.Stdout, c.Stderr = &out, &talk
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the quick one is delivered", func() bool { return s.copies(quick) == 1 })
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if status := waited(t, c); status != exitInterrupted {
				t.Errorf("exit status %d, want %d\n%s%s", status, exitInterrupted, &out, &talk)
			}
			if !strings.Contains(out.String(), quick) || !strings.Contains(out.String(), slow) {
				t.Errorf("the table lacks a recipient:\n%s", &out)
			}
			all := standings(t, s, state)
			if got := all[quick]; fmt.Sprint(got) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
				t.Errorf("%s stands at %s", quick, got)
			}
			if got := all[slow]; len(got.queued) != 1 || len(got.settled) != 0 {
				t.Errorf("%s stands at %s", slow, got)
			}
		})
	}
}

// FAULTS F12: while a final reply is out the first signal waits for it; a second one ends the
// run at once, and what may have been taken is marked.
func TestInterruptedTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	s := &sink{dir: filepath.Join(dir, "box"), took: map[string]int{}}
	arrived, over := make(chan struct{}, 1), make(chan struct{})
	box, err := sandbox.Start(sandbox.Options{Dir: s.dir, Keep: sandbox.KeepEnvelopes, OnDelivery: func(sandbox.Delivery) error {
		arrived <- struct{}{}
		<-over
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	defer close(over)
	c := s.sendctl(state, "send", "--profile", "hipaa", mailFile(t, filepath.Join(dir, "1.eml"), "body", "twice@modern.test"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	began := time.Now()
	// Two that come before the first was seen would be one to the process, so there are as
	// many as it takes; a run that waits for the reply would do so for ten seconds.
	interrupts := make(chan int, 1)
	go func() {
		n := 0
		for c.Process.Signal(syscall.SIGINT) == nil {
			n++
			time.Sleep(50 * time.Millisecond)
		}
		interrupts <- n
	}()
	waited(t, c)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it went on for %s", took)
	}
	if ws, ok := c.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
		t.Errorf("%s, want the end by a signal", c.ProcessState)
	}
	if n := <-interrupts; n < 2 {
		t.Errorf("it ended after %d signals", n)
	}
	if got := standings(t, s, state)["twice@modern.test"]; fmt.Sprint(got) != fmt.Sprint(standing{queued: []string{"in-doubt"}}) {
		t.Errorf("it stands at %s", got)
	}
}

// FAULTS F12: nobody reads what is said any more; the mail goes out all the same.
func TestStdoutClosed(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	const messages = 40
	for i := range messages {
		mailFile(t, filepath.Join(dir, "batch", fmt.Sprintf("%02d.eml", i)), "body", fmt.Sprintf("unread%d@modern.test", i))
	}
	c := s.sendctl(state, "send", "-o", "jsonl", "--profile", "hipaa", filepath.Join(dir, "batch"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout = w
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close() // the process has its own
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Error(err)
	}
	_ = r.Close() // as head -1 does
	if status := waited(t, c); status != exitState {
		t.Errorf("exit status %d, want %d: the report could not be written", status, exitState)
	}
	all := standings(t, s, state)
	for i := range messages {
		rcpt := fmt.Sprintf("unread%d@modern.test", i)
		if n := s.copies(rcpt); n != 1 || fmt.Sprint(all[rcpt]) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
			t.Errorf("%s: %d copies, stands at %s", rcpt, n, all[rcpt])
		}
	}
}
