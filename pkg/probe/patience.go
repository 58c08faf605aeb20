package probe

import (
	"context"
	"time"

	"github.com/sendctl/sendctl/pkg/smtp"
)

// patiently runs a try. Where the host answers 421 or another 4yz it is left alone for a while,
// once for the address, and then tried once more; from then on it is talked to by one
// connection at a time, for that may be all that it minds. False where it throttled again:
// it wants to be left alone, and what was not learnt stays unknown.
func (a *asker) patiently(ctx context.Context, try func() *smtp.Failure) bool {
	a.mu.Lock()
	serial, over := a.paused, a.throttled
	a.mu.Unlock()
	if over {
		return false
	}
	if serial {
		return a.lastTry(ctx, try)
	}
	f := try()
	if !throttles(f) {
		return true
	}
	return a.pause(ctx) && a.lastTry(ctx, try)
}

// throttles reports a 4yz before TLS: what a host says inside of it is about the session.
func throttles(f *smtp.Failure) bool {
	return f != nil && f.Reply.Transient() && f.TLSVersion == ""
}

// lastTry waits for its turn after a pause, and takes no 4yz any more.
func (a *asker) lastTry(ctx context.Context, try func() *smtp.Failure) bool {
	if !a.pause(ctx) {
		return false
	}
	a.turn.Lock()
	defer a.turn.Unlock()
	// The host may be a while in noticing that the connection before is closed.
	if !sleep(ctx, min(a.p.cfg.Pause/10, 100*time.Millisecond)) {
		return false
	}
	a.mu.Lock()
	over := a.throttled
	a.mu.Unlock()
	if over {
		return false // another one had no luck meanwhile
	}
	if f := try(); throttles(f) {
		a.mu.Lock()
		a.throttled = true
		a.mu.Unlock()
		return false
	}
	return true
}

// pause waits until the host may be asked again: the first to be throttled sets the time.
func (a *asker) pause(ctx context.Context) bool {
	a.mu.Lock()
	if !a.paused {
		a.paused, a.resume = true, make(chan struct{})
		resume := a.resume
		time.AfterFunc(a.p.cfg.Pause, func() { close(resume) })
	}
	resume := a.resume
	a.mu.Unlock()
	select {
	case <-resume:
		return true
	case <-ctx.Done():
		return false
	}
}

// sleep waits; false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
