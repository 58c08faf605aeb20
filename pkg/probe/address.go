package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// observation is what an address showed, before it is held against a domain.
type observation struct {
	starttls    StartTLS
	versions    map[string]Answer
	best        *Best
	chain       []*x509.Certificate
	evidence    []Evidence
	connections int
	took        time.Duration
	deep        *Deep

	clientCert   bool
	throttled    bool
	inconclusive bool
	unreachable  bool
	neverTLS     bool
	traces       traces
	why          string // why there is no session, in a sentence
}

// shared is the observation of an address that several domains, or several names, may have.
type shared struct {
	done chan struct{}
	host string // the name that it was asked by
	seen observation
}

// observe asks an address once; whoever comes later, waits and gets the same. Where it shows a
// certificate that is not for the name that it is asked by this time, it may have another one
// for that: then the session alone is repeated (RFC 6066 §3).
func (p *Prober) observe(ctx context.Context, host string, addr netip.Addr) observation {
	p.mu.Lock()
	s, known := p.addresses[addr]
	if !known {
		s = &shared{done: make(chan struct{}), host: host}
		p.addresses[addr] = s
	}
	p.mu.Unlock()
	if !known {
		s.seen = p.ask(ctx, host, addr)
		close(s.done)
		return s.seen
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return observation{starttls: Unasked, versions: nothingKnown(), inconclusive: true, why: "no time was left to ask"}
	}
	if s.host == host || len(s.seen.chain) == 0 || s.seen.chain[0].VerifyHostname(host) == nil {
		return s.seen
	}
	return p.askAgain(ctx, host, addr, s.seen)
}

// askAgain is the observation under another name: the versions are the address's.
func (p *Prober) askAgain(ctx context.Context, host string, addr netip.Addr, before observation) observation {
	a := p.asker(host, addr)
	began := p.now()
	sess := a.session(ctx, smtp.HelloFull, nil)
	if sess.failure != nil || sess.handshake == nil {
		return before
	}
	before.best, before.chain = sess.best, sess.chain
	before.connections, before.took = a.connections, p.now().Sub(began)
	return before
}

func nothingKnown() map[string]Answer {
	return newLadder().conclude()
}

// asker asks one address, under one name. Its methods may run at the same time.
type asker struct {
	p    *Prober
	host string
	addr netip.Addr

	mu          sync.Mutex
	turn        sync.Mutex // held by who talks to a host that throttled
	connections int
	evidence    []Evidence
	paused      bool          // it throttled once
	resume      chan struct{} // closed when the pause is over
	throttled   bool          // it did so again
	slow        bool          // an answer did not come in time
}

func (p *Prober) asker(host string, addr netip.Addr) *asker {
	return &asker{p: p, host: host, addr: addr}
}

// event is something that happened while an address is asked.
type event struct {
	seen     bool // STARTTLS
	session  *sessionResult
	question *question // nil: of the first session
	reply    reply
}

// ask asks an address everything that is to be known of it.
func (p *Prober) ask(ctx context.Context, host string, addr netip.Addr) observation {
	a, l := p.asker(host, addr), newLadder()
	began := p.now()
	// Room for every event that can come, so that nobody is ever stuck in sending one.
	events := make(chan event, 32)
	pending := 1
	go func() {
		s := a.session(ctx, smtp.HelloFull, func() { events <- event{seen: true} })
		events <- event{session: &s}
	}()
	var first, again *sessionResult
	for pending > 0 {
		e := <-events
		var more []question
		switch {
		case e.seen:
			more = l.seen()
		case e.question != nil:
			pending--
			more = l.replied(*e.question, e.reply)
			if e.session != nil && e.session.failure == nil {
				again = e.session
			}
		case e.session.handshake != nil:
			pending--
			first = e.session
			more = l.session(*first.handshake)
		default:
			pending--
			first, l.stopped = e.session, true
		}
		for _, q := range more {
			pending++
			go func() { events <- a.answer(ctx, q) }()
		}
	}
	o := a.observation(l, first, again)
	if p.cfg.Deep && o.starttls == Offered && !a.throttled {
		o.deep = a.deep(ctx, &o)
	}
	o.connections, o.evidence, o.took = a.connections, a.evidence, p.now().Sub(began)
	return o
}

// answer asks one question.
func (a *asker) answer(ctx context.Context, q question) event {
	if q.humble == smtp.HelloFull {
		return event{question: &q, reply: a.raw(ctx, q)}
	}
	s := a.session(ctx, q.humble, nil)
	return event{question: &q, session: &s, reply: reply{handshake: s.handshake, failure: s.failure}}
}

// observation puts together what the sessions and the ladder came to.
func (a *asker) observation(l *ladder, sess, again *sessionResult) observation {
	o := observation{starttls: sess.starttls, versions: l.conclude(), why: sess.text(), unreachable: sess.unreachable}
	if sess.starttls == Unasked {
		o.inconclusive = true
	}
	if sess.starttls == NotOffered {
		o.versions, o.traces = sess.traces.versions(), sess.traces
	}
	if sess.starttls != Offered {
		o.throttled, o.neverTLS = a.throttled, sess.starttls == Refused
		return o
	}
	for _, v := range l.unasked() {
		a.note(Evidence{Version: v.String(), Error: "not asked: an address gets no more than four connections"})
	}
	o.clientCert = wantsCertificate(sess.failure)
	if again != nil {
		o.why = "it needs a small ClientHello: " + sess.failure.Text
		sess = again
	}
	failure := sess.failure
	o.best, o.chain, o.throttled = sess.best, sess.chain, a.throttled
	o.inconclusive = a.throttled || a.slow || failure != nil && passing(failure) && !o.clientCert
	o.neverTLS = failure != nil && !o.inconclusive && (sess.best == nil || o.clientCert)
	return o
}

// wantsCertificate reports that the server ended the handshake for want of a client certificate
// that it trusts, after version and suite had been agreed on (RFC 8446 §4.4.2.4).
func wantsCertificate(f *smtp.Failure) bool {
	if f == nil {
		return false
	}
	if f.TLSVersion != "" && strings.Contains(strings.ToLower(f.Reply.Text()), "certificate") {
		return true // Postfix: "421 4.7.1 Error: No client certificate presented" to EHLO inside TLS
	}
	if f.Reason != policy.TLSHandshakeFailed {
		return false
	}
	alert, ok := f.Alert()
	if ok && strings.Contains(f.Text, "client certificate") {
		return true // GnuTLS ends with decode_error, after it had asked for one
	}
	switch alert {
	case 40, 42, 43, 44, 45, 46, 48, 49, 116:
		return ok
	}
	return false
}

// passing reports a failure that another time may bring another end: time ran out, or the
// host said that it was not now.
func passing(f *smtp.Failure) bool {
	var ne net.Error
	return f.Reason == policy.ConnectTimeout || f.Reply.Transient() || errors.As(f.Err, &ne) && ne.Timeout()
}

// note keeps evidence.
func (a *asker) note(e Evidence) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.evidence = append(a.evidence, e)
}

// evidenceOf words what a question came to, so that every answer can be checked.
func evidenceOf(version tlsnames.Version, r reply) Evidence {
	e := Evidence{Version: hello.VersionName(version)}
	switch {
	case r.failure != nil:
		return failureEvidence(e.Version, r.failure)
	case r.err != nil:
		e.Error = r.err.Error()
	case r.answer.Kind == hello.Alert:
		e.Alert = r.answer.Alert.String()
	default:
		e.Reply = hello.VersionName(r.answer.Version) + " " + r.answer.Suite.String()
		if r.answer.Group != 0 {
			e.Reply += " " + r.answer.Group.String()
		}
	}
	return e
}

func failureEvidence(version string, f *smtp.Failure) Evidence {
	e := Evidence{Version: version, Error: f.Text}
	if alert, ok := f.Alert(); ok {
		e.Alert = alert.String()
	}
	if !f.Reply.IsZero() {
		e.Reply = f.Reply.String()
	}
	return e
}
