//go:build peers && linux

package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// sweep is one way in which a system call fails.
type sweep struct {
	call string
	// how is the fault, and where it happens, in strace's words.
	how string
}

const (
	dies = "signal=KILL:when=%d"   // in the Nth call
	eio  = "error=EIO:when=%d"     // the Nth call alone
	full = "error=ENOSPC:when=%d+" // the Nth call and all behind it
	few  = "error=EMFILE:when=%d+"
)

// kills reports a fault that ends the process.
func (w sweep) kills() bool { return w.how == dies }

// sweeps leaves write(2) to die only: it is sockets and standard output that it writes to.
// Data at rest is written by pwrite64(2), but for copies of bounces, which are synced too.
func sweeps() []sweep {
	var all []sweep
	for call, faults := range map[string][]string{
		"fsync":     {eio, full, dies},
		"fdatasync": {eio, full, dies},
		"pwrite64":  {eio, full, dies},
		"openat":    {eio, few, full, dies},
		"mkdirat":   {eio, full, dies},
		"renameat":  {eio, full, dies},
		"linkat":    {eio, full, dies},
		"unlinkat":  {eio, dies},
		"unlink":    {eio, dies},
		"ftruncate": {eio, full, dies},
		"write":     {dies},
	} {
		for _, how := range faults {
			all = append(all, sweep{call, how})
		}
	}
	return all
}

// FAULTS F2, F3: the Nth call of a kind fails, or the process dies in it, for every N of a
// small batch. Afterwards the same command and a queue run put everything in order. strace
// counts calls by thread, so each call of the batch is the Nth of its thread in some round, and
// often more than one fails in the same.
func TestSweep(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace: ", err)
	}
	s := newSink(t)
	var serial atomic.Int64
	for _, w := range sweeps() {
		fault, _, _ := strings.Cut(w.how, ":")
		t.Run(w.call+" "+fault, func(t *testing.T) {
			t.Parallel()
			began, rounds, idle := time.Now(), 0, 0
			statuses := map[int]int{}
			// Threads share their work differently each time: one round without a fault is not the end.
			for n := 1; idle < 3 && !t.Failed(); n++ {
				c := faultCase{sink: s, dir: t.TempDir(), id: int(serial.Add(1)), where: w.call + " " + fmt.Sprintf(w.how, n)}
				if !c.run(t, w, n) {
					idle++
					continue
				}
				idle = 0
				rounds++
				statuses[c.status]++
			}
			t.Logf("%d rounds, exit statuses %v, %s", rounds, statuses, time.Since(began).Round(time.Millisecond))
		})
	}
}

// faultCase is one fault in one batch of three messages: one is delivered, one bounces, one
// is deferred.
type faultCase struct {
	sink   *sink
	dir    string
	id     int
	where  string
	status int // exit status of the command that the fault befell; -1 where it was killed
}

func (c *faultCase) recipient(kind string) string {
	domain := map[string]string{"good": "modern.test", "bad": "unknown.test", "later": "full.test"}[kind]
	return fmt.Sprintf("%s%d@%s", kind, c.id, domain)
}

func (c *faultCase) sender() string { return fmt.Sprintf("lab%d@clinic.test", c.id) }

func (c *faultCase) body(kind string) string { return fmt.Sprintf("secret%d-%s", c.id, kind) }

// run has the fault happen and holds that all can be put in order; false where there was no
// call to fail any more.
func (c *faultCase) run(t *testing.T, w sweep, n int) (injected bool) {
	t.Helper()
	sources := map[string][]byte{}
	batch := filepath.Join(c.dir, "batch")
	for _, kind := range []string{"good", "bad", "later"} {
		path := mailFile(t, filepath.Join(batch, kind+".eml"), c.body(kind), c.recipient(kind))
		edit(t, path, func(b []byte) []byte { return bytes.Replace(b, []byte("lab@"), fmt.Appendf(nil, "lab%d@", c.id), 1) })
		sources[path], _ = os.ReadFile(path)
	}
	state := filepath.Join(c.dir, "state")
	send := []string{"send", "-o", "json", "--profile", "hipaa", batch}
	out, injected := c.traced(t, w, n, c.sink.sendctl(state, send...))
	if !injected {
		return false
	}
	c.checkFirst(t, w, out)
	runToEnd(t, c.sink.sendctl(state, send...), exitBounced, exitDeferred)
	runToEnd(t, c.sink.sendctl(state, "queue", "run", "--now"), exitDeferred, exitBounced)
	c.checkOrder(t, state)
	for path, content := range sources {
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
			t.Errorf("%s: %s was touched: %v", c.where, path, err)
		}
	}
	return true
}

// traced runs a command under strace with the fault.
func (c *faultCase) traced(t *testing.T, w sweep, n int, cmd *exec.Cmd) (stdout []byte, injected bool) {
	t.Helper()
	log := filepath.Join(c.dir, "strace")
	args := append([]string{"-f", "-qq", "-o", log, "-e", "trace=" + w.call,
		"-e", "inject=" + w.call + ":" + fmt.Sprintf(w.how, n)}, cmd.Args...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	traced := exec.CommandContext(ctx, "strace", args...)
	traced.Env = cmd.Env
	traced.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	traced.Cancel = func() error { return syscall.Kill(-traced.Process.Pid, syscall.SIGKILL) }
	var out, talk bytes.Buffer
	traced.Stdout, traced.Stderr = &out, &talk
	err := traced.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s: it hangs\n%s", c.where, &talk)
	}
	if traced.ProcessState == nil {
		t.Fatal(err)
	}
	c.status = traced.ProcessState.ExitCode()
	if w.kills() {
		return out.Bytes(), c.status == -1
	}
	calls, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if c.status != exitBounced && c.status != exitState && c.status != 127 {
		t.Logf("%s: exit status %d\n%s", c.where, c.status, &talk)
	}
	return out.Bytes(), bytes.Contains(calls, []byte("(INJECTED)"))
}

// checkFirst holds that a run which a fault befell says so, or that it did no harm: then all
// three have the outcome that they have without.
func (c *faultCase) checkFirst(t *testing.T, w sweep, out []byte) {
	t.Helper()
	if w.kills() {
		return
	}
	switch c.status {
	case exitState:
	case exitBounced:
		var report struct {
			Recipients []struct{ Recipient, Status string }
		}
		if err := json.Unmarshal(out, &report); err != nil {
			t.Errorf("%s: %v", c.where, err)
		}
		got := map[string]string{}
		for _, r := range report.Recipients {
			got[r.Recipient] = r.Status
		}
		want := map[string]string{c.recipient("good"): "delivered", c.recipient("bad"): "bounced", c.recipient("later"): "deferred"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: the report says %v", c.where, got)
		}
	default:
		// Libraries (127: the program did not start), configuration and messages are opened too. No
		// such fault is taken for one of the message.
		if w.call != "openat" || !slices.Contains([]int{127, exitNoInput, exitDeferred, exitConfig}, c.status) {
			t.Errorf("%s: exit status %d", c.where, c.status)
		}
	}
}

// checkOrder holds that every recipient is delivered, bounced or queued, and only that, that
// the sender was told, and that nothing is left of what is settled.
func (c *faultCase) checkOrder(t *testing.T, state string) {
	t.Helper()
	all := standings(t, c.sink, state)
	good, bad, later := all[c.recipient("good")], all[c.recipient("bad")], all[c.recipient("later")]
	if fmt.Sprint(good) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
		t.Errorf("%s: the good one stands at %s", c.where, good)
	}
	// What bounced is sent again by the same command, and bounces again.
	if len(bad.queued) != 0 || len(bad.settled) == 0 || len(slices.Compact(bad.settled)) != 1 || bad.settled[0] != "bounced" {
		t.Errorf("%s: the bad one stands at %s", c.where, bad)
	}
	if fmt.Sprint(later) != fmt.Sprint(standing{queued: []string{"deferred"}}) {
		t.Errorf("%s: the late one stands at %s", c.where, later)
	}
	marked := doubted(t, runToEnd(t, c.sink.sendctl(state, "history", "-o", "json"), 0))
	switch n := c.sink.copies(c.recipient("good")); {
	case n < 1 || n > 2:
		t.Errorf("%s: %d copies arrived", c.where, n)
	case n == 2 && !marked[c.recipient("good")]:
		t.Errorf("%s: a second copy is not marked", c.where)
	}
	if c.sink.copies(c.sender()) == 0 {
		t.Errorf("%s: the sender was not told", c.where)
	}
	for _, kind := range []string{"good", "bad"} {
		if files := holding(t, state, c.body(kind)); len(files) > 0 {
			t.Errorf("%s: the body that is settled is still in %s", c.where, files)
		}
	}
	if files := holding(t, state, c.body("later")); len(files) != 1 {
		t.Errorf("%s: the body that waits is in %s", c.where, files)
	}
}
