//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is what a sender took.
type usage struct {
	Wall   time.Duration // from its start to its end
	CPU    time.Duration // user and system, of all its processes
	Memory int64         // octets that were resident at once, at most
	Syncs  int           // calls of fsync and its like; -1: not counted

	// Where accepting and delivering are two commands: what of it was the first one's.
	Queuing       time.Duration
	QueuingMemory int64
}

// sampling is the time between two looks at a process's memory.
const sampling = 20 * time.Millisecond

// command prepares a process that ends with this one, at the latest.
func command(ctx context.Context, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, program, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	return c
}

// measure runs a process to its end, with its output thrown away. Its memory is its own high-water mark, read while it
// runs: what wait4(2) reports includes the parent's, from before exec.
func measure(c *exec.Cmd) (usage, error) {
	var said bytes.Buffer
	c.Stderr = &said
	began := time.Now()
	if err := c.Start(); err != nil {
		return usage{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	used := usage{Syncs: -1}
	look := time.NewTicker(sampling)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			used.Memory = max(used.Memory, highWater(c.Process.Pid))
		case err := <-ended:
			used.Wall = time.Since(began)
			used.CPU = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
			if err != nil {
				text := said.String()
				err = fmt.Errorf("%s: %w: %s", c.Path, err, text[max(0, len(text)-2000):])
			}
			return used, err
		}
	}
}

// highWater is the most that a process had resident so far, 0 if it is not known.
func highWater(pid int) int64 {
	return kilobytes("/proc/"+strconv.Itoa(pid)+"/status", "VmHWM:")
}

// kilobytes reads a line "key: 123 kB" of a file below /proc, in octets.
func kilobytes(file, key string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == key {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				return 0
			}
			return n << 10
		}
	}
	return 0
}

// remote is a host in its own process.
type remote struct {
	where
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// startRemote runs a host until it is stopped.
func startRemote(ctx context.Context, self string, o hostOptions) (*remote, error) {
	r := &remote{command: command(ctx, self, o.arguments()...)}
	r.command.Stderr = os.Stderr
	in, err := r.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := r.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	r.in, r.out = in, bufio.NewReader(out)
	if err := r.hear(&r.where); err != nil {
		return nil, errors.Join(fmt.Errorf("the sink does not come up: %w", err), r.stop())
	}
	return r, nil
}

func (r *remote) hear(v any) error {
	line, err := r.out.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, v)
}

// counts asks the host what it has seen.
func (r *remote) counts() (counts, error) {
	var c counts
	if _, err := r.in.Write([]byte("\n")); err != nil {
		return c, err
	}
	err := r.hear(&c)
	return c, err
}

// await returns when so many recipients' mail has arrived. It gives up when nothing more comes for half a minute.
func (r *remote) await(ctx context.Context, recipients int) error {
	const patience = 30 * time.Second
	seen, last := -1, time.Now()
	for {
		c, err := r.counts()
		if err != nil || c.Recipients >= recipients {
			return err
		}
		if c.Recipients > seen {
			seen, last = c.Recipients, time.Now()
		}
		if time.Since(last) > patience {
			return fmt.Errorf("%d of %d recipients, and nothing more comes", seen, recipients)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (r *remote) stop() error {
	_ = r.in.Close()
	return r.command.Wait()
}
