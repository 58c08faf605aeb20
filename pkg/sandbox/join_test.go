package sandbox

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "box")
	if _, err := Join(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("before: %v", err)
	}
	s, err := Start(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sandbox.json")
	if info, err := os.Stat(path); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("%v, %v", info, err)
	}
	j, err := Join(dir)
	if err != nil {
		t.Fatal(err)
	}
	if j.DNS() != s.DNS() || string(j.CA()) != string(s.CA()) || len(j.Table()) != len(Domains()) {
		t.Errorf("joined %q, %d domains", j.DNS(), len(j.Table()))
	}
	c := secured(t, j, "mx.modern.test")
	c.send("a@clinic.test", "b@modern.test", message)
	c.quit()
	if d := only(t, s); d.Host != "mx.modern.test" {
		t.Errorf("received %+v", d)
	}
	if _, err := j.Dial(t.Context(), netip.Addr{}, address(t, j, "mx1.backup.test")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the dead host: %v", err)
	}
	if c, err := j.DialContext(t.Context(), "tcp", address(t, j, "mx.plain.test").String()); err != nil {
		t.Error(err)
	} else {
		_ = c.Close()
	}
	if _, err := Start(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "already running") {
		t.Errorf("a second sandbox in the directory: %v", err)
	}
	if err := errors.Join(j.Close(), s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	if _, err := Join(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestDirections: the names in sandbox.json are a contract.
func TestDirections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Options{Dir: dir})
	text, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Version   int
		PID       int
		DNS, CA   string
		Addresses map[string]string
		Domains   []struct {
			Domain, About string
			MX            []string
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	at := address(t, s, "mx.modern.test").Addr().String()
	if got.Version != 1 || got.PID != os.Getpid() || got.DNS != s.DNS() || got.CA != string(s.CA()) ||
		got.Addresses[at] != s.Server("mx.modern.test").Addr().String() || got.Addresses["2001:db8::d"] != got.Addresses[at] {
		t.Errorf("%s", text)
	}
	if d := got.Domains[12]; d.Domain != "backup.test" || d.About == "" || !slices.Equal(d.MX, []string{"mx1.backup.test", "mx2.backup.test"}) {
		t.Errorf("domains %+v", got.Domains)
	}
}

// TestStale: a file that a killed sandbox left is seen through, and replaced.
func TestStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "sandbox.json")
	s := start(t, Options{Dir: dir})
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Join(dir); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "does not answer any more") {
		t.Errorf("stale: %v", err)
	}
	s = start(t, Options{Dir: dir})
	if j, err := Join(dir); err != nil || j.DNS() != s.DNS() {
		t.Errorf("replaced: %v", err)
	}
	// Closing one does not take another's file away.
	other := strings.Replace(string(text), `"pid": `, `"pid": 1`, 1)
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("another's file: %v", err)
	}
	for _, bad := range []string{"", "{", `{"version":2}`, `{"version":1,"addresses":{"x":"y"}}`} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Join(dir); err == nil || errors.Is(err, ErrNotRunning) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestStartFails: what goes wrong at the start leaves nothing running (the leak check of TestMain sees to that).
func TestStartFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"dir":   {Dir: filepath.Join(file, "x")},
		"mail":  {MessageDir: filepath.Join(file, "x")},
		"state": {StatePath: filepath.Join(file, "x", "y")},
		"hosts": {Domains: []Domain{{Name: "d.test", Hosts: make([]Host, 721)}}},
	} {
		if name == "hosts" {
			for i := range o.Domains[0].Hosts {
				o.Domains[0].Hosts[i].Reach = Refuses
			}
		}
		if s, err := Start(o); err == nil {
			t.Errorf("%s: started", name)
			_ = s.Close()
		}
	}
}
