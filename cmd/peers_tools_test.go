//go:build peers && linux

package cmd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The units are what systemd takes for right.
func TestPeersSystemd(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd is not installed")
	}
	scripts, err := filepath.Abs("../examples/cron")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"verify", "--man=no"}
	for _, name := range []string{"sendctl.service", "sendctl.timer"} {
		unit := strings.ReplaceAll(readExample(t, name), "/usr/local/libexec", scripts)
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	if out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// The manual pages are what groff takes for right.
func TestPeersGroff(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("groff is not installed")
	}
	for _, c := range wholeTree() {
		cmd := exec.CommandContext(t.Context(), "groff", "-man", "-Kutf8", "-Tutf8", "-P-cbou", "-ww")
		cmd.Stdin = strings.NewReader(manPage(c))
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil || said.Len() > 0 {
			t.Errorf("groff on %s: %v\n%s", pageName(c), err, said.String())
		}
		if !strings.Contains(string(out), "EXIT STATUS") {
			t.Errorf("groff on %s shows no exit statuses", pageName(c))
		}
	}
}
