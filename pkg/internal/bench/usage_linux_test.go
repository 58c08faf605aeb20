package bench

import (
	"os"
	"syscall"
)

// dataSync makes a file's content durable, as the loop does it for each group.
func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
