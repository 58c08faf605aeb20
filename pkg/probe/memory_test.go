package probe_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/probe"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "preflight.json")
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	if m, err := probe.LoadMemory(path); err != nil || len(m) != 0 {
		t.Fatalf("a missing file: %v, %v", m, err)
	}
	m := probe.Memory{
		"new":    {Verdict: probe.Verdict{Verdict: probe.ByTLS, MX: "mx.example.test"}, Asked: now.Add(-time.Minute)},
		"old":    {Asked: now.Add(-2 * time.Hour)},
		"future": {Asked: now.Add(time.Hour)},
	}
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	read, err := probe.LoadMemory(path)
	if err != nil || len(read) != 3 || read["new"].Verdict.MX != "mx.example.test" {
		t.Fatalf("%v, %v", read, err)
	}
	if usable := read.Usable(now, time.Hour); len(usable) != 1 || usable["new"].Verdict.Verdict != probe.ByTLS {
		t.Errorf("usable: %v", usable)
	}
	// What cannot be read is forgotten, not fatal: all is asked anew.
	for _, garbage := range []string{"", "null", "[]", "{\"new\":", "\x00"} {
		if err := os.WriteFile(path, []byte(garbage), 0o600); err != nil {
			t.Fatal(err)
		}
		if m, err := probe.LoadMemory(path); err != nil || m == nil || len(m) != 0 {
			t.Errorf("%q: %v, %v", garbage, m, err)
		}
	}
}
