//go:build linux

package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	return fmt.Sprintf("connections_per_destination = %d\nmessages_per_connection = 100000\n", t.connections)
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
