//go:build peers && linux

package cmd

import (
	"fmt"
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
	s := newSink(t)
	for i, c := range []struct {
		fault, says string
		status      int
	}{
		{"openat:error=EIO", "reports errors", exitNoInput},
		{"openat:error=EACCES", "let the user", exitNoInput},
		{"openat:error=ENOENT", "moved or removed", exitNoInput},
		{"openat:error=EMFILE", "ulimit -n", exitNoInput},
		{"openat:error=ENFILE", "fs.file-max", exitNoInput},
		{"openat:error=ENOMEM", "short of memory", exitNoInput},
		{"openat:error=EMFILE:when=1..3", "", 0},
		{"pread64:error=EIO:when=1", "reports errors", exitNoInput},
		{"pread64:error=EIO:when=2", "reports errors", exitNoInput},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			b := newLimitedBatch(t, s, fmt.Sprintf("source%d", i), 3, 100)
			cmd := b.send()
			traced := exec.Command("strace", append([]string{"-f", "-qq", "-o", filepath.Join(filepath.Dir(b.state), "strace"),
				"-P", filepath.Join(b.dir, "01.eml"), "-e", "inject=" + c.fault}, cmd.Args...)...)
			traced.Env = cmd.Env
			status, stdout, stderr := ended(t, traced)
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
