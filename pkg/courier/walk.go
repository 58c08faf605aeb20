package courier

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
)

// Link is a judged session with a mail host, ready for mail.
type Link struct {
	*smtp.Mailer
	Session delivery.Session
	EHLO    string

	c  *Courier
	at target
}

// Stream runs transactions (see smtp.Mailer.Stream). How the host coped with the pace is
// remembered for its next session (S21).
func (l *Link) Stream(next func() *smtp.Transaction) {
	l.Mailer.Stream(next)
	l.c.rememberPace(l.at, l.Pace(), l.Proven())
}

// Send runs one transaction (see smtp.Mailer.Send).
func (l *Link) Send(tx *smtp.Transaction) []smtp.Answer {
	answers := l.Mailer.Send(tx)
	l.c.rememberPace(l.at, l.Pace(), l.Proven())
	return answers
}

// Walk is one pass of the host loop for one destination. It is used by one goroutine at a time.
type Walk struct {
	c        *Courier
	dest     Destination
	resolved bool
	until    time.Time // when the search for a session is over; zero for no bound
	targets  []target  // not tried yet, best first
	clear    []clearing
	attempts []delivery.Attempt
}

// clearing is an address that may be used in clear once no other host is left that might do TLS.
type clearing struct {
	target
	// failed: it failed in or after STARTTLS, so hosts of any preference are asked first; one
	// that merely offers no STARTTLS yields to its equals only.
	failed bool
	// open is the session that was found without STARTTLS, kept for use; nil for a new one.
	open *opened
}

// opened is a session before TLS.
type opened struct {
	session *smtp.Session
	source  Source
	local   string
}

// Walk begins a pass of the host loop.
func (c *Courier) Walk(dest Destination) *Walk { return &Walk{c: c, dest: dest} }

// Attempts is what went wrong so far, oldest first.
func (w *Walk) Attempts() []delivery.Attempt { return slices.Clone(w.attempts) }

// Fork is a walk over the hosts that are left, with the same history: for recipients that a
// host put off and that go on to the next one.
func (w *Walk) Fork() *Walk {
	fork := *w
	fork.targets, fork.attempts = slices.Clone(w.targets), slices.Clone(w.attempts)
	fork.clear = slices.Clone(w.clear)
	for i := range fork.clear {
		fork.clear[i].open = nil // the session stays with its walk
	}
	return &fork
}

// Close ends what the walk keeps open.
func (w *Walk) Close() {
	for i := range w.clear {
		if o := w.clear[i].open; o != nil {
			o.session.Quit()
			w.clear[i].open = nil
		}
	}
}

// Next gives the next host's session that satisfies the requirement; false when there is
// none left, and Attempts then says why.
func (w *Walk) Next(ctx context.Context) (*Link, bool) {
	if pass := w.c.cfg.Pass; pass > 0 {
		// By the clock that no one sets, since only the time that goes by counts here.
		w.until = time.Now().Add(pass)
	}
	if c := w.dest.Requirement.Conflict(); !c.Satisfied() {
		w.refuse(c)
		return nil, false
	}
	sec, err := w.c.security(w.dest)
	if err != nil {
		w.note(delivery.Attempt{Stage: delivery.StagePolicy, Reason: policy.TLSHandshakeFailed, Text: err.Error()})
		return nil, false
	}
	if !w.resolved {
		soon, cancel := w.bounded(ctx)
		w.resolve(soon)
		cancel()
	}
	for ctx.Err() == nil && !w.overdue() {
		if len(w.clear) > 0 && !w.mightDoTLS() {
			c := w.clear[0]
			w.clear = w.clear[1:]
			if link := w.inClear(ctx, c); link != nil {
				return link, true
			}
			continue
		}
		if len(w.targets) == 0 {
			return nil, false
		}
		t := w.targets[0]
		w.targets = w.targets[1:]
		if link := w.try(ctx, t, sec); link != nil {
			return link, true
		}
	}
	w.interrupted(ctx)
	return nil, false
}

// mightDoTLS reports whether a host is left that is to be asked before cleartext is used.
func (w *Walk) mightDoTLS() bool {
	first := w.clear[0]
	return slices.ContainsFunc(w.targets, func(t target) bool {
		// Less than it: who greylisted is asked again before others that are preferred to it.
		return first.failed || t.preference <= first.preference
	})
}

// refuse notes a requirement that nothing can meet, once.
func (w *Walk) refuse(v policy.Verdict) {
	if len(w.attempts) == 0 {
		w.note(delivery.Attempt{Stage: delivery.StagePolicy, Reason: v.Reason, Definitive: true, Text: v.Text})
	}
}

// overdue reports that the search has taken too long.
func (w *Walk) overdue() bool {
	return !w.until.IsZero() && !time.Now().Before(w.until)
}

// bounded ends with ctx, or when the search is over.
func (w *Walk) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.until.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, w.until)
}

// interrupted notes that a pass ended before its hosts did, which never bounces anything.
func (w *Walk) interrupted(ctx context.Context) {
	text := "the pass over the mail hosts took too long; the rest is tried next time"
	if ctx.Err() != nil {
		text = "interrupted before every mail host was tried"
	}
	w.note(delivery.Attempt{Stage: delivery.StageConnect, Reason: policy.ConnectTimeout, Text: text})
}

func (w *Walk) now() time.Time { return w.c.cfg.Session.Clock() }

func (w *Walk) note(a delivery.Attempt) {
	a.Time = w.now()
	w.attempts = append(w.attempts, a)
}

// noteFailure notes what a session came to.
func (w *Walk) noteFailure(t target, local string, f *smtp.Failure) {
	w.note(delivery.Attempt{
		MX: t.host, IP: t.addr.String(), SourceIP: local, Stage: f.Stage, Reason: f.Reason,
		Definitive: f.Definitive, Reply: f.Reply, Text: f.Text, TLSVersion: f.TLSVersion,
	})
}

// open connects, reads the greeting and says EHLO; nil after a failure, which is noted.
func (w *Walk) open(ctx context.Context, t target) *opened {
	opts := w.c.options(t)
	opts.Until = w.until
	soon, cancel := w.bounded(ctx)
	defer cancel()
	conn, src, err := w.c.connect(soon, w.dest.Pool, t.addr, w.dest.Again.Source)
	if err != nil {
		w.note(connectAttempt(t, src, err))
		return nil
	}
	local := localAddress(conn)
	if src.Address.IsValid() {
		local = src.Address.String()
	}
	s, f := smtp.Open(ctx, conn, smtp.Peer{Host: t.host, IP: t.addr.String()}, opts)
	if f == nil {
		f = s.Hello(src.EHLO)
	}
	if f != nil {
		w.noteFailure(t, local, f)
		return nil
	}
	return &opened{s, src, local}
}

func connectAttempt(t target, src Source, err error) delivery.Attempt {
	a := delivery.Attempt{MX: t.host, IP: t.addr.String(), Stage: delivery.StageConnect, Reason: policy.ConnectFailed}
	if src.Address.IsValid() {
		a.SourceIP = src.Address.String()
	}
	where := t.host + " [" + t.addr.String() + "]"
	var none *noSource
	var ne net.Error
	switch {
	case errors.As(err, &none):
		a.Text = none.text
	case errors.Is(err, syscall.ECONNREFUSED):
		a.Text = where + " refused the connection"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		a.Reason, a.Text = policy.ConnectTimeout, where+" did not answer the connection in time"
	default:
		a.Text = "no connection to " + where + ": " + mail.Clean(err.Error())
	}
	return a
}

// refusedSession is the facts of a session that got as far as TLS and no further, so that a
// bounce shows the certificate for which it bounced; nil where the handshake came to nothing.
func (w *Walk) refusedSession(t target, o *opened) *delivery.Session {
	if !o.session.Protection().Encrypted {
		return nil
	}
	s := w.session(t, o)
	return &s
}

// session is the facts of a session.
func (w *Walk) session(t target, o *opened) delivery.Session {
	got := o.session.Protection()
	verified, verifyError := got.Verified(w.dest.Requirement)
	return delivery.Session{
		MX: t.host, IP: t.addr.String(), SourceIP: o.local, Protection: got,
		Verified: verified, VerifyError: verifyError,
	}
}

// link finishes a session that was admitted.
func (w *Walk) link(t target, o *opened, m *smtp.Mailer) *Link {
	return &Link{Mailer: m, EHLO: o.source.EHLO, c: w.c, at: t, Session: w.session(t, o)}
}
