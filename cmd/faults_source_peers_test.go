//go:build peers && linux

package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// FAULTS F5: a file that cannot be opened, or read the first or the second time, is named with
// what to do, the others go out, and nobody takes it for an invalid message. Where descriptors
// are short for a while only, it goes out too.
func TestSourceFaults(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("needs strace: ", err)
	}
	const short, long = 100, 100_000 // read at once, and piece by piece
	s := newSink(t)
	for i, c := range []struct {
		fault  string
		size   int
		status int
		says   string
	}{
		{"openat:error=EIO", short, exitNoInput, "reports errors"},
		{"openat:error=EACCES", short, exitNoInput, "let the user"},
		{"openat:error=ENOENT", short, exitNoInput, "moved or removed"},
		{"openat:error=EMFILE", short, exitNoInput, "ulimit -n"},
		{"openat:error=ENFILE", long, exitNoInput, "fs.file-max"},
		{"openat:error=ENOMEM", long, exitNoInput, "short of memory"},
		{"openat:error=EMFILE:when=1..3", short, 0, ""},
		{"openat:error=EMFILE:when=1..3", long, 0, ""},
		{"read:error=EIO", short, exitNoInput, "reports errors"},
		{"read:error=EINTR:when=1..3", short, 0, ""},
		{"pread64:error=EIO:when=1", long, exitNoInput, "reports errors"},
		{"pread64:error=EIO:when=9", long, exitNoInput, "reports errors"}, // it is read twice, the second time to be kept
	} {
		t.Run(fmt.Sprintf("%s, %d octets", c.fault, c.size), func(t *testing.T) {
			t.Parallel()
			b := newLimitedBatch(t, s, fmt.Sprintf("source%d", i), 3, c.size)
			cmd := b.send()
			log := filepath.Join(filepath.Dir(b.state), "strace")
			traced := exec.Command("strace", append([]string{"-f", "-qq", "-o", log, "-P",
				filepath.Join(b.dir, "01.eml"), "-e", "inject=" + c.fault}, cmd.Args...)...)
			traced.Env = cmd.Env
			status, stdout, stderr := ended(t, traced)
			if calls, err := os.ReadFile(log); err != nil || !strings.Contains(string(calls), "(INJECTED)") {
				t.Skip("no call failed, for strace counts them by thread: ", err)
			}
			if status != c.status || !strings.Contains(stdout, c.says) {
				t.Errorf("exit status %d, want %d and %q\n%s%s", status, c.status, c.says, stdout, stderr)
			}
			if s.copies(b.rcpts[0]) != 1 || s.copies(b.rcpts[2]) != 1 || c.status != 0 && s.copies(b.rcpts[1]) != 0 {
				t.Error("the others did not go out, or it did")
			}
			b.completes(t)
		})
	}
}
