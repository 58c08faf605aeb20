//go:build linux

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// limitedBatch is a batch that is sent under limits until one lets all of it through.
type limitedBatch struct {
	sink  *sink
	state string
	dir   string
	rcpts []string
}

func newLimitedBatch(t *testing.T, s *sink, name string, messages, size int) *limitedBatch {
	t.Helper()
	b := &limitedBatch{sink: s, dir: filepath.Join(t.TempDir(), "batch")}
	b.state = filepath.Join(filepath.Dir(b.dir), "state")
	body := strings.Repeat("a line of the body that is neither short nor long\n", 1+size/50)
	for i := range messages {
		b.rcpts = append(b.rcpts, fmt.Sprintf("%s-%d@modern.test", name, i))
		mailFile(t, filepath.Join(b.dir, fmt.Sprintf("%02d.eml", i)), body, b.rcpts[i])
	}
	return b
}

func (b *limitedBatch) send() *exec.Cmd {
	return b.sink.sendctl(b.state, "send", "--profile", "hipaa", b.dir)
}

// under is a command under a limit, in the words of ulimit.
func under(limit string, c *exec.Cmd) *exec.Cmd {
	limited := exec.Command("/bin/sh", append([]string{"-c", "ulimit " + limit + `; exec "$@"`, "sh"}, c.Args...)...)
	limited.Env = c.Env
	return limited
}

// sent counts the recipients of whom the sink has a copy.
func (b *limitedBatch) sent() int {
	n := 0
	for _, rcpt := range b.rcpts {
		n += min(1, b.sink.copies(rcpt))
	}
	return n
}

// completes holds that without the limit the same command and a queue run do the rest, that
// nothing is lost, and that a second copy is marked.
func (b *limitedBatch) completes(t *testing.T) {
	t.Helper()
	runToEnd(t, b.send(), 0, exitDeferred)
	runToEnd(t, b.sink.sendctl(b.state, "queue", "run", "--now"), 0)
	all := standings(t, b.sink, b.state)
	marked := doubted(t, runToEnd(t, b.sink.sendctl(b.state, "history", "-o", "json"), 0))
	for _, rcpt := range b.rcpts {
		if fmt.Sprint(all[rcpt]) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
			t.Errorf("%s stands at %s", rcpt, all[rcpt])
		}
		if n := b.sink.copies(rcpt); n < 1 || n > 1 && !marked[rcpt] {
			t.Errorf("%s: %d copies, marked %v", rcpt, n, marked[rcpt])
		}
	}
	if files := holding(t, b.state, "a line of the body"); len(files) > 0 {
		t.Errorf("bodies that are settled are still in %s", files)
	}
}

// FAULTS F5: a limit of file size that is met anywhere, in the database, its log or a body, is
// an error with its cause, and never the end by SIGXFSZ.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for _, blocks := range []int{1, 128, 256, 512, 1024, 1600} { // of 512 octets
		t.Run(fmt.Sprintf("%d blocks", blocks), func(t *testing.T) {
			t.Parallel()
			b := newLimitedBatch(t, s, fmt.Sprintf("fsize%d", blocks), 30, 20_000)
			status, stdout, stderr := ended(t, under(fmt.Sprintf("-f %d", blocks), b.send()))
			t.Logf("exit status %d, %d of %d sent", status, b.sent(), len(b.rcpts))
			if status != 0 && (status != exitState || !strings.Contains(stderr, "ulimit -f")) {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
			if lines := strings.Split(strings.TrimSpace(stderr), "\n"); len(slices.Compact(lines)) != len(lines) {
				t.Errorf("it says the same again and again:\n%s", stderr)
			}
			b.completes(t)
		})
	}
}

// FAULTS F4, F5: the limit is met while outcomes are recorded: what was delivered and could
// not be written down is in doubt, the run ends, and the rest waits.
func TestFileSizeLimitInQueueRun(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	for _, more := range []int{0, 16, 64, 128, 256, 512} { // KiB more than the database has
		t.Run(fmt.Sprintf("%d KiB", more), func(t *testing.T) {
			t.Parallel()
			b := newLimitedBatch(t, s, fmt.Sprintf("settle%d", more), 100, 100)
			runToEnd(t, b.sink.sendctl(b.state, "send", "--queue-only", "--profile", "hipaa", b.dir), 0)
			info, err := os.Stat(filepath.Join(b.state, "spool.db"))
			if err != nil {
				t.Fatal(err)
			}
			limit := fmt.Sprintf("-f %d", info.Size()/512+2*int64(more))
			status, stdout, stderr := ended(t, under(limit, b.sink.sendctl(b.state, "queue", "run")))
			t.Logf("exit status %d, %d of %d sent", status, b.sent(), len(b.rcpts))
			if status != 0 && (status != exitState || !strings.Contains(stderr, "ulimit -f")) {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
			b.completes(t)
		})
	}
}

// FAULTS F5: Go reserves address space in advance, so that a small ulimit -v ends the process
// somewhere in the middle, as kill -9 does: nothing is lost by it. With 4 GiB all goes well.
func TestAddressSpaceLimit(t *testing.T) {
	if underRace {
		t.Skip("the race detector needs address space without bounds")
	}
	t.Parallel()
	s := newSink(t)
	for _, mib := range []int{64, 700, 900, 1500, 4096} {
		t.Run(fmt.Sprintf("%d MiB", mib), func(t *testing.T) {
			t.Parallel()
			b := newLimitedBatch(t, s, fmt.Sprintf("space%d", mib), 30, 20_000)
			status, stdout, stderr := ended(t, under(fmt.Sprintf("-v %d", mib<<10), b.send()))
			t.Logf("exit status %d, %d of %d sent", status, b.sent(), len(b.rcpts))
			if mib == 4096 && (status != 0 || b.sent() != len(b.rcpts)) {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
			b.completes(t)
		})
	}
}
