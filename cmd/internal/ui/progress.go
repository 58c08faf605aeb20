package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/send"
)

const (
	redrawEvery = 100 * time.Millisecond
	shortBar    = 10
	longBar     = 20
	// eraseLine returns to the first column and erases the line (ECMA-48 §8.3.41, EL).
	eraseLine = "\r\x1b[K"
)

// Progress is one line on stderr about a run that goes on. Where it is not to be shown (see
// the package comment) it counts and stays silent. Its methods may be called from several
// goroutines; Done must be called at the end.
type Progress struct {
	o       *Output
	shown   bool
	started time.Time
	stop    chan struct{}
	ended   sync.WaitGroup

	// guarded by o.mu
	total     int
	counts    counts
	steps     bool                            // it counts other things than recipients
	unsettled map[progressKey]delivery.Status // of recipients that may come again
	drawn     string                          // what stands on the line now
	drawnAt   time.Time
	over      bool
}

type counts struct{ delivered, deferred, bounced, cleartext, other int }

func (c counts) done() int { return c.delivered + c.deferred + c.bounced + c.other }

type progressKey struct {
	queueID   string
	recipient mail.Address
}

// Progress starts the bar of a run over total recipients, 0 where that is not known yet. It
// is never nil. A bar that is still running ends.
func (o *Output) Progress(total int) *Progress {
	o.endProgress()
	p := &Progress{
		o: o, started: o.now(), total: total, stop: make(chan struct{}), unsettled: make(map[progressKey]delivery.Status),
		shown: o.err.Terminal && !o.quiet && o.getenv("CI") == "" && o.getenv("TERM") != "dumb",
	}
	if !p.shown {
		return p
	}
	o.mu.Lock()
	o.progress = p
	o.mu.Unlock()
	p.ended.Go(p.run)
	return p
}

// run redraws the line while nothing happens, for the time goes on.
func (p *Progress) run() {
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.o.mu.Lock()
			p.draw()
			p.o.mu.Unlock()
		}
	}
}

// Total tells of how many recipients the run consists, as soon as that is known or changes.
func (p *Progress) Total(n int) {
	p.o.mu.Lock()
	defer p.o.mu.Unlock()
	p.total = n
	p.draw()
}

// Add counts what became of a recipient. One that was deferred may come again and is not
// counted twice.
func (p *Progress) Add(r *send.Row) {
	if !p.shown {
		return
	}
	p.o.mu.Lock()
	defer p.o.mu.Unlock()
	key := progressKey{r.QueueID, r.Recipient}
	if old, ok := p.unsettled[key]; ok {
		p.counts.add(old, -1)
		delete(p.unsettled, key)
	}
	status := r.Outcome.Status
	switch {
	case r.Skipped:
		p.counts.other++
	default:
		p.counts.add(status, 1)
		if r.Cleartext() {
			p.counts.cleartext++
		}
		if !status.Settled() {
			p.unsettled[key] = status
		}
	}
	p.draw()
}

// Step counts one of those things that a run over something else than recipients consists of.
func (p *Progress) Step() {
	p.o.mu.Lock()
	defer p.o.mu.Unlock()
	p.steps = true
	p.counts.other++
	p.draw()
}

func (c *counts) add(s delivery.Status, n int) {
	switch s {
	case delivery.Delivered:
		c.delivered += n
	case delivery.Deferred:
		c.deferred += n
	case delivery.Bounced:
		c.bounced += n
	default:
		c.other += n
	}
}

// Done wipes the line and ends the bar; it may be called more than once.
func (p *Progress) Done() {
	p.o.mu.Lock()
	if p.over {
		p.o.mu.Unlock()
		return
	}
	p.o.wipe()
	p.over = true
	if p.o.progress == p {
		p.o.progress = nil
	}
	p.o.mu.Unlock()
	close(p.stop)
	p.ended.Wait()
}

// endProgress ends the bar that is running, if any.
func (o *Output) endProgress() {
	o.mu.Lock()
	p := o.progress
	o.mu.Unlock()
	if p != nil {
		p.Done()
	}
}

// wipe takes the bar off the terminal; it comes back with the next redraw. o.mu is held.
func (o *Output) wipe() {
	if p := o.progress; p != nil && p.drawn != "" {
		p.drawn = ""
		_, _ = io.WriteString(o.err.W, eraseLine)
	}
}

// draw brings the line up to date, at most every redrawEvery. o.mu is held.
func (p *Progress) draw() {
	if !p.shown || p.over {
		return
	}
	now := p.o.now()
	if !p.drawnAt.IsZero() && now.Sub(p.drawnAt) < redrawEvery {
		return
	}
	line := p.line(now)
	if line == p.drawn {
		return
	}
	p.drawn, p.drawnAt = line, now
	_, _ = io.WriteString(p.o.err.W, eraseLine+line)
}

// part is a piece of the line. Where the terminal is narrow those of the highest rank go first.
type part struct {
	text string
	tone Tone
	rank int
}

func (p *Progress) line(now time.Time) string {
	c, elapsed := &p.counts, now.Sub(p.started)
	parts := []part{{p.fraction(), Strong, 0}}
	if !p.steps {
		parts = append(parts,
			part{counted(c.delivered, "delivered"), Plain, 1},
			part{counted(c.deferred, "deferred"), toneIf(c.deferred, Notice), 3},
			part{counted(c.bounced, "bounced"), toneIf(c.bounced, Bad), 2},
		)
	}
	if c.cleartext > 0 {
		parts = append(parts, part{counted(c.cleartext, cleartext), Alarm, 1})
	}
	if s := elapsed.Seconds(); s >= 1 {
		parts = append(parts, part{fmt.Sprintf("%.0f/s", float64(c.done())/s), Plain, 6})
	}
	parts = append(parts, part{clock(elapsed), Faint, 4})
	return p.join(parts)
}

// bar shows how much is done, "" where the total is not known.
func (p *Progress) bar(columns int) part {
	if p.total <= 0 {
		return part{}
	}
	full := min(columns, columns*p.counts.done()/p.total)
	return part{strings.Repeat(p.o.glyphs.barFull, full) + strings.Repeat(p.o.glyphs.barMissing, columns-full), Plain, 5}
}

func (p *Progress) fraction() string {
	if p.total <= 0 {
		return fmt.Sprint(p.counts.done())
	}
	return fmt.Sprintf("%d/%d", p.counts.done(), max(p.total, p.counts.done()))
}

// join makes the line of as many parts as fit. It leaves the last column free, where many
// terminals would break the line.
func (p *Progress) join(parts []part) string {
	room := p.o.err.columns() - 1
	for _, columns := range []int{longBar, shortBar} {
		if line, fits := p.ranked(append([]part{p.bar(columns)}, parts...), 6, room); fits {
			return line
		}
	}
	for rank := 5; rank >= 0; rank-- {
		if line, fits := p.ranked(append([]part{p.bar(shortBar)}, parts...), rank, room); fits {
			return line
		}
	}
	return ""
}

// ranked joins the parts up to a rank.
func (p *Progress) ranked(parts []part, rank, room int) (string, bool) {
	var plain, painted []string
	for _, part := range parts {
		if part.text != "" && part.rank <= rank {
			plain = append(plain, part.text)
			painted = append(painted, p.o.shade.as(part.tone, part.text))
		}
	}
	return strings.Join(painted, "  "), textWidth(strings.Join(plain, "  ")) <= room
}

// clock is a duration as a stopwatch shows it: 0:07, 12:34, 1:02:03.
func clock(d time.Duration) string {
	s := int(d.Seconds())
	if s >= 3600 {
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
