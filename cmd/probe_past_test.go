package cmd

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// partner runs a sandbox in which partner.test has one host, with or without TLS, and gives its directory.
func partner(t *testing.T, h sandbox.Host) string {
	t.Helper()
	dir := t.TempDir()
	box, err := sandbox.Start(sandbox.Options{Dir: dir, Keep: sandbox.KeepCounts, Domains: []sandbox.Domain{{Name: "partner.test", Hosts: []sandbox.Host{h}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return dir
}

func probed(t *testing.T, args ...string) probe.MX {
	t.Helper()
	var said struct{ Domains []probe.Result }
	if err := json.Unmarshal(inProcess(t, append([]string{"probe", "-o", "json", "partner.test"}, args...)...), &said); err != nil {
		t.Fatal(err)
	}
	return said.Domains[0].MX[0]
}

// FAULTS T7: a host without TLS that had it in a delivery is suspected; one to which mail went in
// clear, or never, is not. A probe makes no state.
func TestProbeRemembersDeliveries(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	plain := partner(t, sandbox.Host{NoSTARTTLS: true})
	if m := probed(t, "--sandbox="+plain, "--state", state); m.Stripping != "" {
		t.Errorf("suspected without a past: %q", m.Stripping)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("a probe made the state directory: %v", err)
	}
	message := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(message, []byte("From: a@clinic.test\r\nTo: b@partner.test\r\nSubject: x\r\n\r\nhello\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inProcess(t, "send", "--sandbox="+plain, "--state", state, "--profile", "newsletter", message)
	if m := probed(t, "--sandbox="+plain, "--state", state); m.Stripping != "" {
		t.Errorf("suspected for mail in clear: %q", m.Stripping)
	}
	inProcess(t, "send", "--sandbox="+partner(t, sandbox.Host{}), "--state", state, "--profile", "newsletter", "--again", message)
	m := probed(t, "--sandbox="+plain, "--state", state)
	if m.StartTLS != probe.NotOffered || !strings.HasPrefix(m.Stripping, "mail went to it over TLSv1.3 on 20") {
		t.Errorf("%s, suspected %q", m.StartTLS, m.Stripping)
	}
	table := string(inProcess(t, "probe", "--sandbox="+plain, "--state", state, "partner.test"))
	if !strings.Contains(table, " stripped? ") || !strings.Contains(table, "somebody on the way may be taking it out, for mail went to it over TLSv1.3") {
		t.Errorf("the table does not say so:\n%s", table)
	}
	// A state that cannot be used is told of, and the probe goes on.
	if err := os.WriteFile(filepath.Join(state, spoolFile), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := probed(t, "--sandbox="+plain, "--state", state); m.StartTLS != probe.NotOffered || m.Stripping != "" {
		t.Errorf("%s, suspected %q", m.StartTLS, m.Stripping)
	}
}
