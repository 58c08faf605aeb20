//go:build linux

package bench

import (
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The table has medians, the least and the most, ratios to the first row, and what became of the targets.
func TestTable(t *testing.T) {
	t.Parallel()
	run := func(rate, ms int) figures {
		first := time.Unix(1, 0)
		seen := counts{Messages: rate + 1, First: first, Last: first.Add(time.Second), Peak: 2}
		return figures{usage{Wall: time.Second, CPU: time.Duration(ms) * time.Millisecond, Syncs: -1}, seen, 1000, 20 * time.Millisecond}
	}
	rows := [][]figures{{run(400, 200), run(600, 100)}, {run(3000, 30), run(1000, 50), run(2000, 40)}}
	p := part{
		key: "x", title: "try",
		entries: []entry{{name: "two"}, {name: "sendctl"}},
		columns: []column{rateColumn(), timesColumn(), cpuColumn(), tripColumn(), syncsColumn(), memoryColumn()},
		targets: []target{
			{"times two", rateColumn(), "sendctl", "two", 4, false},
			{"times two's CPU", cpuColumn(), "sendctl", "two", 0.2, true},
			{"alone", cpuColumn(), "sendctl", "", 0, true},
			{"of nobody", cpuColumn(), "sendctl", "three", 1, true},
		},
	}
	want := `**x: try**

| | messages/s | sendctl is | CPU µs a message | a round trip and session | syncs a message | peak MiB |
|---|---:|---:|---:|---:|---:|---:|
| two | 500 (400–600) | 4 x | 150 | 5 (4–6) | – | – |
| sendctl | 2,000 (1,000–3,000) | 1 x | 40 | 20 (10–30) | – | – |

- 4 times two; target at least 4: met
- 0.267 times two's CPU; target at most 0.2: **missed**
- 40 alone
`
	if got := p.table(rows); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0.0833: "0.0833", 12.34: "12.3", 999.6: "1,000", 1234567: "1,234,567", 100: "100"} {
		if got := short(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if !math.IsNaN(rateColumn().median(nil)) {
		t.Error("a median of nothing")
	}
}

func TestPublish(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(file, []byte("head\n<!-- bench a -->\nold\n<!-- end a -->\ntail\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := publish(file, "a", "new\n"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "head\n<!-- bench a -->\nnew\n<!-- end a -->\ntail\n" {
		t.Errorf("%v: %s", err, b)
	}
	if err := publish(file, "b", "new\n"); err == nil {
		t.Error("a part without a place is published")
	}
}

// The page has a place for each part, so that no run ends without being able to say what it found.
func TestPageHasPlaces(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/benchmarks.md")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(copied, page, 0o644); err != nil {
		t.Fatal(err)
	}
	keys := []string{"machine"}
	for _, p := range (&suite{messages: 100}).parts() {
		keys = append(keys, p.key)
	}
	for _, key := range keys {
		if err := publish(copied, key, ""); err != nil {
			t.Error(err)
		}
	}
}

func TestStraceCalls(t *testing.T) {
	t.Parallel()
	table := `strace: Process 1 attached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 91.05    0.003367          56        60           fdatasync
  8.95    0.000331         331         2         1 fsync
------ ----------- ----------- --------- --------- ----------------
100.00    0.003698          60        62         1 total
`
	if got := straceCalls(table); got != 62 {
		t.Error(got)
	}
}

// Without a million recipients asked for, what was measured about them before stays.
func TestPartsLeftOut(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "page.md")
	const page = "<!-- bench machine -->\n<!-- end machine -->\n<!-- bench e -->\nold\n<!-- end e -->\n"
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &suite{messages: 100, rounds: 1, only: []string{"e"}, report: file}
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "\nold\n") {
		t.Errorf("%v: %s", err, b)
	}
}

// The zone leads to all addresses of the host, and it listens on them: on Linux all of 127.0.0.0/8 is the loopback.
func TestHostAddresses(t *testing.T) {
	t.Parallel()
	const addresses = 3
	h := aHost(t, hostOptions{addresses: addresses})
	for n := range addresses {
		answer, err := dns.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion("mx."+domain(n)+".", dns.TypeA), h.DNS)
		if err != nil || len(answer.Answer) != 1 {
			t.Fatal(answer, err)
		}
		at := answer.Answer[0].(*dns.A).A.String()
		if want := fmt.Sprintf("127.0.0.%d", n+1); at != want {
			t.Errorf("%s instead of %s", at, want)
		}
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprintf("%s:%d", at, h.Port))
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
}

// Each run is a line that benchstat can read.
func TestRecord(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "raw")
	f := figures{usage: usage{Wall: time.Second, CPU: time.Second / 2}, recipients: 1000}
	if err := record(file, "a", "sendctl, default settings", f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if want := "BenchmarkSuite/a/sendctl-default-settings 1000 1000000 ns/op 1000.0 messages/s 500000 cpu-ns/op 0 peak-B\n"; err != nil || string(b) != want {
		t.Errorf("%v: %s", err, b)
	}
	if strings.Count(string(b), "\n") != 1 {
		t.Error("more than a line")
	}
}
