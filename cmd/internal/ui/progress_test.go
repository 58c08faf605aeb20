package ui

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/send"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// vt shows what a terminal would show of a stream whose only controls are CR and EL: the
// finished lines, and the one where the cursor is.
func vt(t *testing.T, out string) (finished []string, current string) {
	t.Helper()
	for i, l := range strings.Split(out, "\n") {
		if i > 0 {
			finished = append(finished, current)
		}
		parts := strings.Split(l, eraseLine)
		for _, p := range parts {
			if strings.ContainsAny(p, "\r\x1b") {
				t.Errorf("more than CR and EL in %q", p)
			}
		}
		current = parts[len(parts)-1]
	}
	return finished, current
}

// talk is what stands on stderr so far.
func (s *screenful) talk() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// The bar through a run: it tells the numbers as they are, ten times a second at most, makes
// room for warnings and results, and leaves nothing behind.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := onTerminal(80, Options{NoColor: true})
		rows := slices.Concat(many(100).Rows, bounces())
		rows = append(rows, deferrals()[0])
		p := s.Progress(len(rows))
		for i := range rows {
			time.Sleep(20 * time.Millisecond)
			p.Add(rows[i])
		}
		time.Sleep(time.Second)
		synctest.Wait()
		_, line := vt(t, s.talk())
		if want := "██████████  104/104  100 delivered  1 deferred  3 bounced  1 CLEARTEXT  0:03"; line != want {
			t.Errorf("the line is %q, want %q", line, want)
		}
		if n := strings.Count(s.talk(), eraseLine); n > 31 {
			t.Errorf("drawn %d times in 3 s", n)
		}

		s.Warn("mail host mx.example is slow", "")
		if lines, line := vt(t, s.talk()); line != "" || lines[0] != "sendctl: warning: mail host mx.example is slow" {
			t.Errorf("after a warning: %q, then %q", lines, line)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if _, line := vt(t, s.talk()); !strings.Contains(line, "104/104") {
			t.Errorf("after a warning the bar is %q", line)
		}

		if err := s.Report(&send.Report{}); err != nil {
			t.Fatal(err)
		}
		at := len(s.talk())
		if _, line := vt(t, s.talk()); line != "" {
			t.Errorf("after the report the line is %q", line)
		}
		time.Sleep(time.Second)
		p.Add(rows[0])
		p.Total(1)
		p.Done()
		p.Done()
		if len(s.talk()) != at {
			t.Errorf("after the end came %q", s.talk()[at:])
		}
	})
}

// A recipient that is deferred and delivered later is one recipient.
func TestProgressCountsOnce(t *testing.T) {
	t.Parallel()
	p := onTerminal(80, Options{}).Progress(3)
	row := deferrals()[0]
	p.Add(row)
	p.Add(row)
	if p.counts != (counts{deferred: 1}) {
		t.Errorf("twice deferred: %+v", p.counts)
	}
	row.Outcome.Status = delivery.Delivered
	p.Add(row)
	if p.counts != (counts{delivered: 1, cleartext: 1}) {
		t.Errorf("then delivered: %+v", p.counts)
	}
	skipped := *row
	skipped.Skipped = true
	p.Add(&skipped)
	if p.counts != (counts{delivered: 1, cleartext: 1, other: 1}) {
		t.Errorf("then one skipped: %+v", p.counts)
	}
	p.Done()
}

// Nothing at all is drawn where the bar is not wanted or could not be wiped.
func TestProgressSilent(t *testing.T) {
	t.Parallel()
	tty := func() Stream { return terminal(new(bytes.Buffer), 80) }
	for what, o := range map[string]Options{
		"stderr is no terminal": {Stdout: tty(), Stderr: Stream{W: new(bytes.Buffer)}, Getenv: environ()},
		"-q":                    {Stdout: tty(), Stderr: tty(), Quiet: true, Getenv: environ()},
		"CI":                    {Stdout: tty(), Stderr: tty(), Getenv: environ("CI", "true")},
		"TERM=dumb":             {Stdout: tty(), Stderr: tty(), Getenv: environ("TERM", "dumb")},
	} {
		p := New(o).Progress(2)
		rows := bounces()
		p.Add(rows[0])
		p.Total(5)
		p.Done()
		if b := o.Stderr.W.(*bytes.Buffer); b.Len() > 0 {
			t.Errorf("%s: %q", what, b)
		}
	}
	s := onTerminal(80, Options{Format: FormatJSON}) // JSON on stdout does not silence stderr
	p := s.Progress(2)
	p.Total(2)
	p.Done()
	if s.stderr.Len() == 0 {
		t.Error("no bar in a JSON format")
	}
}

// However narrow the terminal, the line fits and leaves the last column free.
func TestProgressFits(t *testing.T) {
	t.Parallel()
	now := started
	for columns := 1; columns <= 140; columns++ {
		s := onTerminal(columns, Options{NoColor: true, Quiet: true, Now: func() time.Time { return now }})
		p := s.Progress(123456)
		p.counts = counts{delivered: 100000, deferred: 3000, bounced: 456, cleartext: 7890}
		line := p.line(now.Add(2*time.Hour + 3*time.Second))
		if n := textWidth(line); n > columns-1 {
			t.Errorf("at %d columns the line has %d: %q", columns, n, line)
		}
		if columns > 14 && !strings.Contains(line, "103456/123456") {
			t.Errorf("at %d columns the line is %q", columns, line)
		}
		p.Done()
	}
	p := onTerminal(120, Options{NoColor: true, Quiet: true}).Progress(0)
	if line := p.line(p.started.Add(9 * time.Second)); line != "0  0 delivered  0 deferred  0 bounced  0/s  0:09" {
		t.Errorf("without a total the line is %q", line)
	}
	p.Done()
}

// Everything at once from many lanes (for -race).
func TestProgressConcurrently(t *testing.T) {
	t.Parallel()
	s := onTerminal(80, Options{Format: FormatJSONL})
	rows := many(40).Rows
	p := s.Progress(len(rows))
	var lanes sync.WaitGroup
	for i := range rows {
		lanes.Go(func() {
			p.Add(rows[i])
			if err := s.Recipients(rows[i]); err != nil {
				t.Error(err)
			}
			s.Warn("slow", "")
			p.Total(len(rows))
		})
	}
	lanes.Wait()
	next := s.Progress(1) // ends the first
	s.Error(70, "bug", "")
	p.Done()
	next.Done()
	if p.counts.delivered != len(rows) || !p.over || !next.over {
		t.Errorf("counted %+v", p.counts)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0:00", 7900 * time.Millisecond: "0:07", 754 * time.Second: "12:34", 3723 * time.Second: "1:02:03"} {
		if got := clock(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
