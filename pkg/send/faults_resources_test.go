package send_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
)

// The tests of this file do not run beside others: they measure the whole process.

// peak measures the most heap in use while something is done, in octets.
func peak(do func()) uint64 {
	runtime.GC()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var top uint64
		var m runtime.MemStats
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			top = max(top, m.HeapInuse)
			select {
			case <-stop:
				most <- top
				return
			case <-tick.C:
			}
		}
	}()
	do()
	close(stop)
	return <-most
}

// leavesNothing holds that what is done leaves no goroutine and no descriptor behind.
func leavesNothing(t *testing.T, do func()) {
	t.Helper()
	before, running := descriptors(), goleak.IgnoreCurrent()
	do()
	if err := goleak.Find(running); err != nil {
		t.Error(err)
	}
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

// TestManyMessages: 2,000 messages in one run need no more memory than a few do.
func TestManyMessages(t *testing.T) { //nolint:paralleltest // measures the whole process
	const n, size, limit = 2000, 10_000, 100 << 20
	l := newLab(t, plan{hosts: hosts(host()), keep: sandbox.KeepCounts})
	dir := t.TempDir()
	in := make([]send.Input, n)
	for i := range in {
		in[i].Name = filepath.Join(dir, fmt.Sprintf("%04d.eml", i))
		one := letter(fmt.Sprintf("m%d", i), size, fmt.Sprintf("m%d-%s@fault.test", i, marker))
		if err := os.WriteFile(in[i].Name, one.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opts := send.Options{Sender: l.sender(strict), Again: true}
	first := l.begin(oddities{}, in[:10]) // makes everything open what it keeps open
	send.Send(t.Context(), l.config(first.watcher), opts, in[:10])
	leavesNothing(t, func() {
		r := l.begin(oddities{}, in)
		used := peak(func() { r.Report = send.Send(t.Context(), l.config(r.watcher), opts, in) })
		if err := l.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		r.checkRows(t)
		r.counts(t, map[delivery.Status]int{delivery.Delivered: n})
		t.Logf("%d messages, at most %d KiB of heap in use", n, used>>10)
		if used > limit {
			t.Errorf("%d octets of heap were in use, the limit is %d", used, limit)
		}
		if got := l.Accepted(); got != n+10 {
			t.Errorf("the host took %d messages", got)
		}
	})
}

// TestHostileReplies is S8: what has no end is cut off before it costs memory, at every stage,
// and leaves nothing behind.
func TestHostileReplies(t *testing.T) { //nolint:paralleltest // measures the whole process
	const limit = 64 << 20
	endless := map[string]*sandbox.Action{
		"line": sandbox.Endless("x"), "lines": sandbox.Endless("250-x\r\n"), "long lines": sandbox.Endless("250-" + strings.Repeat("x", 4000) + "\r\n"),
	}
	var domains []sandbox.Domain
	for name, a := range endless {
		for _, at := range []sandbox.Script{
			sandbox.On(sandbox.Connect, a), before("EHLO", a), sandbox.On("STARTTLS", a), inTLS("EHLO", a),
			sandbox.On("MAIL", a), sandbox.On("RCPT", a), sandbox.On("DATA", a), sandbox.On(sandbox.Dot, a), sandbox.On("QUIT", a),
		} {
			name := fmt.Sprintf("%s%d.test", strings.ReplaceAll(name, " ", "-"), len(domains))
			domains = append(domains, sandbox.Domain{Name: name, Hosts: hosts(host(at))})
		}
	}
	l := newLab(t, plan{domains: domains, keep: sandbox.KeepCounts})
	for _, w := range []way{hipaa, newsletter} {
		leavesNothing(t, func() {
			var in []send.Input
			for _, d := range domains {
				in = append(in, letter(string(w)+d.Name, 0, to(d.Name, 1)...))
			}
			r := l.begin(oddities{}, in)
			used := peak(func() {
				r.Report = send.Send(t.Context(), l.config(r.watcher), send.Options{Sender: l.sender(w), Again: true}, in)
			})
			r.checkRows(t)
			for i := range r.Rows {
				if o := r.Rows[i].Outcome; o.Status != delivery.Delivered && o.Reason != policy.ProtocolError {
					t.Errorf("%s: %s %s: %s", r.Rows[i].Recipient, o.Status, o.Reason, o.Text)
				}
			}
			t.Logf("%s: at most %d KiB of heap in use", w, used>>10)
			if used > limit {
				t.Errorf("%d octets of heap were in use, the limit is %d", used, limit)
			}
			if err := l.Wait(t.Context()); err != nil {
				t.Error(err)
			}
			r.within(t, promptly)
		})
	}
}
