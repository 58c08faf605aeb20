package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The messages are complete, of the size that was asked for, and each is another one.
func TestBatch(t *testing.T) {
	t.Parallel()
	for _, octets := range []int{0, 512, 2048, 2049, 51200} {
		b := batch{dir: t.TempDir(), messages: 3, octets: octets, recipients: 2, domains: 2}
		if err := b.write(); err != nil {
			t.Fatal(err)
		}
		for n := range b.messages {
			raw, err := os.ReadFile(filepath.Join(b.dir, name(n)))
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) < octets || octets > 0 && len(raw) > octets+2 {
				t.Errorf("%d octets instead of %d", len(raw), octets)
			}
			m, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			to, err := m.Header.AddressList("To")
			if err != nil || len(to) != 2 || to[1].Address != fmt.Sprintf("r%d@d%d.test", 2*n+1, n%2) {
				t.Error(to, err)
			}
			_, good, err := content(bufio.NewReader(strings.NewReader(string(raw) + ".\r\n")))
			if !good || err != nil {
				t.Error("no message of lines:", err)
			}
		}
	}
}

// The loop delivers each message once, and has a line for each.
func TestLoop(t *testing.T) {
	t.Parallel()
	b := batch{dir: t.TempDir(), messages: 100, octets: 1024, recipients: 1, domains: 3}
	if err := b.write(); err != nil {
		t.Fatal(err)
	}
	keep, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	h := aHost(t, hostOptions{})
	l := &loop{batch: b, address: fmt.Sprintf("127.0.0.1:%d", h.Port), connections: 3, journal: newJournal(keep)}
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := h.sink.counts()
	if got.Messages != b.messages || got.Repeated != 0 || got.Faults != 0 || got.Full != 3 || got.Octets < b.messages*b.octets {
		t.Errorf("%+v", got)
	}
	if got.rate() <= 0 {
		t.Error("no rate")
	}
	lines, err := os.ReadFile(keep.Name())
	if err != nil || bytes.Count(lines, []byte("\n")) != b.messages {
		t.Errorf("%v: %s", err, lines)
	}
}

// What a host refuses ends the loop with what it said.
func TestLoopRefused(t *testing.T) {
	t.Parallel()
	h := aHost(t, hostOptions{})
	l := &loop{batch: batch{messages: 1, recipients: 1, domains: 1}, address: fmt.Sprintf("127.0.0.1:%d", h.Port), connections: 1, clear: true}
	if err := l.run(t.Context()); err == nil || !strings.Contains(err.Error(), "530") {
		t.Error(err)
	}
}

// Every line is in the file when commit returns.
func TestJournal(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	j := newJournal(f)
	var working sync.WaitGroup
	for i := range 50 {
		working.Go(func() {
			line := fmt.Sprintf("line %d\n", i)
			if err := j.commit([]byte(line)); err != nil {
				t.Error(err)
			}
			if b, err := os.ReadFile(f.Name()); err != nil || !strings.Contains(string(b), line) {
				t.Error(err, "not there:", line)
			}
		})
	}
	working.Wait()
	f.Close()
	for range 2 { // what failed once is not tried again
		if err := j.commit([]byte("late\n")); !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	}
}
