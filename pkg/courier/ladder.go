package courier

import (
	"context"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// try takes one address up the ladder: TLS with the full hello, then with humbler ones; an
// address that cannot do TLS at all is kept for cleartext where the offer alone applies.
func (w *Walk) try(ctx context.Context, t target, sec smtp.Security) *Link {
	if !sec.Offer.StartTLS {
		return w.plain(ctx, t, nil)
	}
	hellos := w.hellos(t, sec.Offer)
	var said []*smtp.Failure // of each hello
	sessions := map[*smtp.Failure]*delivery.Session{}
	local := ""
	for i := 0; i < len(hellos); i++ {
		o := w.open(ctx, t)
		if o == nil {
			// What an earlier hello failed by was a failure too, but a passing trouble of the
			// network is what decides now.
			return nil
		}
		local = o.local
		if !o.session.Offers("STARTTLS") {
			w.withoutTLS(t, o)
			return nil
		}
		sec.Hello = hellos[i]
		sec.Tickets = w.c.ticketsFor(w.dest, t, o.local+"|"+o.source.EHLO, sec)
		m, f := w.secure(o, sec)
		if f == nil {
			if sec.Hello != smtp.HelloFull {
				w.c.rememberHello(t, sec.Offer, sec.Hello)
			}
			return w.link(t, o, m)
		}
		if f.Reason == policy.StartTLSInjection {
			w.c.taint(t.host)
		}
		said = append(said, f)
		sessions[f] = w.refusedSession(t, o)
		hellos = append(hellos[:i+1], retries(hellos[i+1:], f)...)
	}
	f := decisive(said)
	w.noteFailure(t, local, f)
	w.attempts[len(w.attempts)-1].Session = sessions[f]
	if !w.dest.Requirement.Encrypt && !w.c.isTainted(t.host) {
		w.clear = append(w.clear, clearing{target: t, failed: true})
	}
	return nil
}

// secure runs STARTTLS and the judgement over an open session.
func (w *Walk) secure(o *opened, sec smtp.Security) (*smtp.Mailer, *smtp.Failure) {
	if f := o.session.StartTLS(sec); f != nil {
		return nil, f
	}
	return o.session.Admit(w.dest.Requirement)
}

// hellos lists the hellos to try in turn: from the one that the address was seen to need on.
func (w *Walk) hellos(t target, offer policy.Offer) []smtp.Hello {
	all := []smtp.Hello{smtp.HelloFull, smtp.HelloSmall}
	if offer.Versions.Has(tlsnames.TLS13) && offer.Versions.Has(tlsnames.TLS12) {
		all = append(all, smtp.HelloTLS12)
	}
	if known := w.c.helloFor(t, offer); int(known) < len(all) {
		return all[known:]
	}
	return all
}

// retries keeps those hellos that may end better than the failure before.
func retries(left []smtp.Hello, f *smtp.Failure) []smtp.Hello {
	var out []smtp.Hello
	for _, h := range left {
		switch {
		case h == smtp.HelloSmall && f.Retry&smtp.RetrySmall != 0,
			h == smtp.HelloTLS12 && f.Retry&smtp.RetryTLS12 != 0:
			out = append(out, h)
		}
	}
	return out
}

// decisive is the failure that speaks for an address: of several hellos a temporary answer
// wins over a definitive one, and the last of its kind is the most telling. But where only
// the suite of TLS 1.3 offended, that is what has to change at the server, whatever it says to
// a hello without TLS 1.3.
func decisive(said []*smtp.Failure) *smtp.Failure {
	last := said[len(said)-1]
	for _, f := range said {
		switch {
		case !f.Definitive:
			last = f
		case last.Definitive && f.Stage == delivery.StagePolicy && f.Reason == policy.TLSCipherMismatch:
			last = f
		}
	}
	return last
}

// withoutTLS deals with a host that offers no STARTTLS: a failure where encryption is
// required, else its session is kept until it is clear that no equal host does better.
func (w *Walk) withoutTLS(t target, o *opened) {
	if w.dest.Requirement.Encrypt {
		o.session.Quit()
		w.noteFailure(t, o.local, &smtp.Failure{
			Stage: delivery.StageEHLO, Reason: policy.StartTLSNotSupported, Definitive: true,
			Text: o.session.Peer().String() + " offers no TLS (no STARTTLS in its answer to EHLO)",
		})
		return
	}
	w.clear = append(w.clear, clearing{target: t, open: o})
}

// inClear uses an address in clear, as the last rung of an opportunistic ladder: never that
// of a host that injected plaintext, which may be an attack that has just this for its aim.
func (w *Walk) inClear(ctx context.Context, c clearing) *Link {
	switch {
	case w.dest.Requirement.Encrypt:
		return nil // not reached: such an address is never kept; Admit would refuse it too
	case w.c.isTainted(c.host):
		if c.open != nil {
			c.open.session.Quit()
		}
		w.noteFailure(c.target, "", &smtp.Failure{
			Stage: delivery.StageSTARTTLS, Reason: policy.StartTLSInjection,
			Text: c.host + " sent plaintext behind its answer to STARTTLS before, so nothing goes there in clear",
		})
		return nil
	}
	return w.plain(ctx, c.target, c.open)
}

// plain makes a link without STARTTLS, over an open session or a new one.
func (w *Walk) plain(ctx context.Context, t target, o *opened) *Link {
	if o == nil || !o.session.Ready() {
		if o = w.open(ctx, t); o == nil {
			return nil
		}
	}
	m, f := o.session.Admit(w.dest.Requirement)
	if f != nil {
		w.noteFailure(t, o.local, f)
		return nil
	}
	return w.link(t, o, m)
}
