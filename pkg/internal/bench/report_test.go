//go:build linux

package bench

import (
	"fmt"
	"io"
	"time"
)

type column struct{}
type target struct{}

func (s *suite) machine() string { return "" }
func (p part) write(w io.Writer, results [][]figures) {}
func record(file, part, name string, f figures) error { return nil }
func publish(file, text string) error { fmt.Println(text); return nil }
func (f figures) line() string {
	return fmt.Sprintf("%.0f/s wall %s cpu %s/msg conns %d (peak %d) full %d resumed %d mem %d MiB sink %s/msg", f.rate(), f.Wall.Round(time.Millisecond), f.perMessage(f.usage.CPU), f.Connections, f.Peak, f.Full, f.Resumed, f.Memory>>20, f.perMessage(f.counts.CPU))
}
