//go:build peers && linux

package bench

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is what /proc says about one, proc(5).
type process struct {
	pid int
	cpu time.Duration // its own, and that of children that it has waited for
}

// tick is the unit of times in /proc, USER_HZ: the same on every Linux.
const tick = time.Second / 100

// group are the processes of a process group that have not ended. One that nobody has buried yet (in a container
// without an init, nobody does) has ended.
func group(id int) []process {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var all []process
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // it is gone
		}
		// pid (name) state ppid pgrp … 10: utime stime cutime cstime
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) < 15 || fields[2] != strconv.Itoa(id) || fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		p := process{pid: number(filepath.Base(filepath.Dir(stat)))}
		for _, f := range fields[11:15] {
			p.cpu += time.Duration(number(f)) * tick
		}
		all = append(all, p)
	}
	return all
}

// groupCPU is what a process group has used, with those of its processes that have ended: their parent has waited
// for them.
func groupCPU(id int) time.Duration {
	var sum time.Duration
	for _, p := range group(id) {
		sum += p.cpu
	}
	return sum
}

// groupMemory is what a process group has resident, each page shared out among those who share it.
func groupMemory(id int) int64 {
	var sum int64
	for _, p := range group(id) {
		sum += kilobytes("/proc/"+strconv.Itoa(p.pid)+"/smaps_rollup", "Pss:")
	}
	return sum
}
