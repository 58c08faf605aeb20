//go:build peers && linux

package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// FAULTS F3, F4: a disk that is full before, or in the middle, loses nothing: what was not
// accepted is named, and goes out when there is space again.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	s := newSink(t)
	for _, free := range []int{0, 64, 256, 448, 512, 576, 640, 704, 768, 1024, 1536} {
		t.Run(fmt.Sprintf("%dk free", free), func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "state")
			if err := errors.Join(os.Mkdir(state, 0o700), syscall.Mount("none", state, "tmpfs", 0, "mode=0700,size=2m")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(state, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			ballast := filepath.Join(state, "ballast")
			if err := os.WriteFile(ballast, make([]byte, (2048-free)<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			const messages = 30
			batch := filepath.Join(filepath.Dir(state), "batch")
			for i := range messages {
				mailFile(t, filepath.Join(batch, fmt.Sprintf("%02d.eml", i)), "secret body", fmt.Sprintf("full%d-%d@modern.test", free, i))
			}
			status, stdout, stderr := ended(t, s.sendctl(state, "send", "--profile", "hipaa", batch))
			sent := 0
			for i := range messages {
				sent += min(1, s.copies(fmt.Sprintf("full%d-%d@modern.test", free, i)))
			}
			t.Logf("exit status %d, %d of %d sent", status, sent, messages)
			if status != 0 && status != exitState {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
			if free == 0 && sent != 0 {
				t.Error("something was sent that could not be accepted")
			}
			if err := errors.Join(os.Remove(ballast), syscall.Mount("none", state, "tmpfs", syscall.MS_REMOUNT, "mode=0700,size=8m")); err != nil {
				t.Fatal(err)
			}
			runToEnd(t, s.sendctl(state, "send", "--profile", "hipaa", batch), 0, exitDeferred)
			runToEnd(t, s.sendctl(state, "queue", "run", "--now"), 0)
			all := standings(t, s, state)
			marked := doubted(t, runToEnd(t, s.sendctl(state, "history", "-o", "json"), 0))
			for i := range messages {
				rcpt := fmt.Sprintf("full%d-%d@modern.test", free, i)
				if fmt.Sprint(all[rcpt]) != fmt.Sprint(standing{settled: []string{"delivered"}}) {
					t.Errorf("%s stands at %s", rcpt, all[rcpt])
				}
				if n := s.copies(rcpt); n < 1 || n > 1 && !marked[rcpt] {
					t.Errorf("%s: %d copies, marked %v", rcpt, n, marked[rcpt])
				}
			}
			if files := holding(t, state, "secret body"); len(files) > 0 {
				t.Errorf("bodies that are settled are still in %s", files)
			}
		})
	}
}
