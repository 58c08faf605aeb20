//go:build peers && linux

package cmd

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

// FAULTS F5: a file system without inodes left, before or in the middle, loses nothing, and is
// named with what to look at.
func TestInodesRunOut(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to mount a small file system")
	}
	s := newSink(t)
	for inodes := 2; inodes <= 24; inodes++ {
		t.Run(fmt.Sprintf("%d inodes", inodes), func(t *testing.T) {
			t.Parallel()
			b := newLimitedBatch(t, s, fmt.Sprintf("inodes%d", inodes), 30, 100)
			err := errors.Join(os.Mkdir(b.state, 0o700),
				syscall.Mount("none", b.state, "tmpfs", 0, fmt.Sprintf("mode=0700,nr_inodes=%d", inodes)))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := syscall.Unmount(b.state, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			status, stdout, stderr := ended(t, b.send())
			t.Logf("exit status %d, %d of %d sent", status, b.sent(), len(b.rcpts))
			if status != 0 && (status != exitState || !strings.Contains(stderr, "df -i")) {
				t.Errorf("exit status %d\n%s%s", status, stdout, stderr)
			}
			if err := syscall.Mount("none", b.state, "tmpfs", syscall.MS_REMOUNT, "mode=0700,nr_inodes=1000"); err != nil {
				t.Fatal(err)
			}
			b.completes(t)
		})
	}
}
