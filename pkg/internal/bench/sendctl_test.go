//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// settings is sendctl.toml for a trial. The profile demands TLS 1.3; the certificate is verified and recorded, and
// found wanting: it is the sink's own.
const settings = `hostname = "client.test"
[dns]
servers = [%q]
[delivery]
port = %d
allow_private_addresses = true
%s`

const profile = `name = "bench"
[tls]
mode = "forced"
protocols = ["TLSv1.3"]
certificate = "none"
`

// tuned are the settings that give sendctl what the others have: as many connections, and kept as long.
func (t *trial) tuned() string {
	return fmt.Sprintf("connections_per_destination = %d\nmessages_per_connection = 100000\n", max(1, t.connections/t.batch.domains))
}

// configure writes sendctl's configuration; delivery is added to that section.
func (t *trial) configure(delivery string) error {
	text := fmt.Sprintf(settings, t.host.DNS, t.host.Port, delivery)
	return errors.Join(
		os.MkdirAll(filepath.Join(t.dir, "config", "profiles"), 0o755),
		os.WriteFile(filepath.Join(t.dir, "config", "sendctl.toml"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(t.dir, "config", "profiles", "bench.toml"), []byte(profile), 0o644),
	)
}

// program prepares sendctl's process, with the trial's configuration and state and nothing from the environment.
func (t *trial) program(ctx context.Context, args ...string) *exec.Cmd {
	own := []string{"--config", filepath.Join(t.dir, "config"), "--state", filepath.Join(t.dir, "state")}
	c := command(ctx, t.sendctl, append(own, args...)...)
	c.Env = []string{"HOME=" + t.dir, "TMPDIR=" + t.dir}
	return c
}

// sendAll is sendctl, tuned: one command from the files to the last outcome.
func sendAll(ctx context.Context, t *trial) (usage, error) {
	if err := t.configure(t.tuned()); err != nil {
		return usage{}, err
	}
	return measure(t.program(ctx, "send", "--profile", "bench", t.batch.dir))
}

// sendAsShipped is sendctl with its own settings.
func sendAsShipped(ctx context.Context, t *trial) (usage, error) {
	if err := t.configure(""); err != nil {
		return usage{}, err
	}
	return measure(t.program(ctx, "send", "--profile", "bench", t.batch.dir))
}

// queueOnly is sendctl that accepts, and delivers nothing.
func queueOnly(ctx context.Context, t *trial) (usage, error) {
	if err := t.configure(""); err != nil {
		return usage{}, err
	}
	return measure(t.program(ctx, "send", "--queue-only", "--profile", "bench", t.batch.dir))
}

// queueOnlyTraced is the same under strace, which counts how often the disk is waited for. It is slow by that.
func queueOnlyTraced(ctx context.Context, t *trial) (usage, error) {
	if err := t.configure(""); err != nil {
		return usage{}, err
	}
	table := filepath.Join(t.dir, "strace")
	c := t.program(ctx, "send", "--queue-only", "--profile", "bench", t.batch.dir)
	traced := command(ctx, "strace", append([]string{"-f", "-c", "-o", table, "-e", "trace=fsync,fdatasync,msync,sync_file_range"}, c.Args...)...)
	traced.Env = c.Env
	used, err := measure(traced)
	if err != nil {
		return used, err
	}
	b, err := os.ReadFile(table)
	if err != nil {
		return used, err
	}
	used.Syncs, used.Memory = straceCalls(string(b)), 0 // the memory was strace's
	return used, nil
}

// straceCalls adds up the calls in strace's table, whose lines are: share, seconds, microseconds a call, calls,
// errors (if any), name.
func straceCalls(table string) int {
	sum := 0
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[len(fields)-1] == "total" {
			continue
		}
		if n, err := strconv.Atoi(fields[3]); err == nil {
			sum += n
		}
	}
	return sum
}

// queueAndRun accepts everything first, and then delivers it with a command of its own.
func queueAndRun(ctx context.Context, t *trial) (usage, error) {
	accepting, err := queueOnly(ctx, t)
	if err != nil {
		return usage{}, err
	}
	if err := t.configure(t.tuned()); err != nil {
		return usage{}, err
	}
	delivering, err := measure(t.program(ctx, "queue", "run"))
	return usage{
		Wall:   accepting.Wall + delivering.Wall,
		CPU:    accepting.CPU + delivering.CPU,
		Memory: max(accepting.Memory, delivering.Memory),
		Syncs:  -1,

		Queuing:       accepting.Wall,
		QueuingMemory: accepting.Memory,
	}, err
}

// startUp runs a command several times, and gives what one of them takes.
func (l *lab) startUp(ctx context.Context, args ...string) (figures, error) {
	const times = 10
	sum := usage{Syncs: -1}
	for range times {
		home, err := os.MkdirTemp(l.dir, "home-")
		if err != nil {
			return figures{}, err
		}
		c := command(ctx, l.sendctl, args...)
		c.Env = []string{"HOME=" + home, "TMPDIR=" + home, "XDG_CONFIG_HOME=" + home, "XDG_STATE_HOME=" + home}
		used, err := measure(c)
		if err = errors.Join(err, os.RemoveAll(home)); err != nil {
			return figures{}, err
		}
		sum.Wall += used.Wall
		sum.CPU += used.CPU
		sum.Memory = max(sum.Memory, used.Memory)
	}
	sum.Wall /= times
	sum.CPU /= times
	return figures{usage: sum, recipients: 1}, nil
}
