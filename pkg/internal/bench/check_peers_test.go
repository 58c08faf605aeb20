//go:build peers && linux

package bench

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The parts in which Postfix has a turn run through with a few messages, and leave nothing behind.
func TestSuiteWithPostfix(t *testing.T) {
	if os.Getuid() != 0 || os.Getenv("SENDCTL_PEERS_DIR") == "" {
		t.Skip("needs root, and SENDCTL_PEERS_DIR to be set")
	}
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} { // Postfix's users enter, too
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "page.md")
	places := ""
	for _, key := range []string{"machine", "a", "g"} {
		places += "<!-- bench " + key + " -->\n<!-- end " + key + " -->\n"
	}
	if err := os.WriteFile(page, []byte(places), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &suite{
		lab:    lab{self: self, dir: dir, connections: 3},
		rounds: 1, messages: 40, only: []string{"a", "g"}, senders: []string{"postfix", "loop"},
		report: page, say: io.Discard,
	}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	tables, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{loopName, relayName, flushName, sendmailName} {
		if !strings.Contains(string(tables), "\n| "+row) {
			t.Errorf("no row for %s:\n%s", row, tables)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "trial-*")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}
