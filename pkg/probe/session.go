package probe

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsauth"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// sessionResult is what one full session came to.
type sessionResult struct {
	starttls    StartTLS
	handshake   *handshake // nil: it did not come to one
	failure     *smtp.Failure
	best        *Best
	chain       []*x509.Certificate
	unreachable bool
	traces      traces // where STARTTLS is not offered
}

func (s *sessionResult) text() string {
	if s.failure == nil {
		return ""
	}
	return s.failure.Text
}

// session is one full session: EHLO, STARTTLS, TLS with everything on offer, EHLO, QUIT. seen is
// called as soon as STARTTLS was announced; nil for nobody.
func (a *asker) session(ctx context.Context, h smtp.Hello, seen func()) sessionResult {
	const everything = "TLSv1.0-1.3"
	var out sessionResult
	a.patiently(ctx, func() *smtp.Failure {
		out = sessionResult{starttls: Unasked}
		s, heard, f := a.open(ctx)
		if f != nil {
			out.failure, out.unreachable = f, unreachable(f.Err)
			a.note(failureEvidence(everything, f))
			return f
		}
		if !s.Offers("STARTTLS") {
			out.starttls = NotOffered
			a.note(Evidence{Version: everything, Error: s.Peer().String() + " offers no TLS (no STARTTLS in its answer to EHLO)"})
			out.traces = a.traces(ctx, s)
			return nil
		}
		out.starttls = Offered
		if seen != nil {
			seen()
			seen = nil
		}
		f = s.StartTLS(smtp.Security{
			Offer: policy.Offer{StartTLS: true, Versions: tlsnames.AllVersions, Suites: tlsnames.AllSuites()},
			Roots: tlsauth.Roots{Public: a.p.cfg.Roots}, Hello: h,
		})
		out.failure = f
		if got := s.Protection(); got.Encrypted {
			// What comes after the handshake does not undo what it showed.
			out.best = &Best{got.Version.String(), got.Suite.String(), got.Group.String()}
			out.chain = s.Chain()
			out.handshake = &handshake{version: got.Version, suite: got.Suite}
		}
		if f == nil {
			s.Quit()
			return nil
		}
		a.note(failureEvidence(everything, f))
		if out.handshake != nil {
			return f
		}
		if f.Stage == delivery.StageSTARTTLS && !f.Reply.IsZero() {
			out.starttls = Refused
			return f
		}
		_, alerted := f.Alert()
		chosen := heard.answer()
		out.handshake = &handshake{
			version: chosen.Version, suite: chosen.Suite, failure: f, client: wantsCertificate(f),
			certificate: f.Definitive && !alerted && f.Reason == policy.TLSHandshakeFailed,
		}
		return f
	})
	return out
}

// raw asks one question with a bare ClientHello.
func (a *asker) raw(ctx context.Context, q question) reply {
	h := hello.New(q.max, a.host, a.p.cfg.Random())
	if q.usable {
		h = h.UsableOnly()
	}
	r := a.sendHello(ctx, h.Bytes(), false)
	a.note(evidenceOf(q.max, r))
	return r
}

// sendHello sends a ClientHello and reads the answer, on a connection of its own; with the group
// of an older version where that is wanted.
func (a *asker) sendHello(ctx context.Context, octets []byte, group bool) reply {
	var out reply
	again := a.patiently(ctx, func() *smtp.Failure {
		out = reply{}
		s, _, f := a.open(ctx)
		var conn net.Conn
		if f == nil && !s.Offers("STARTTLS") {
			s.Quit()
			out.err = errors.New("no STARTTLS in this answer to EHLO, though there was before")
			return nil
		}
		if f == nil {
			conn, f = s.Surrender()
		}
		if f != nil {
			out.failure = f
			out.stop = f.Reason == policy.StartTLSInjection
			return f
		}
		defer conn.Close()
		out.answer, out.err = exchange(ctx, conn, octets, group, a.p.cfg.Session.Timeouts.Handshake)
		return nil
	})
	out.stop = out.stop || !again
	if !again && out.failure == nil {
		out.err = errLeftAlone
	}
	if errors.Is(out.err, errTooSlow) || out.failure != nil && passing(out.failure) {
		a.mu.Lock()
		a.slow = true
		a.mu.Unlock()
	}
	return out
}

// exchange writes a ClientHello and reads the first answer, within a time for both.
func exchange(ctx context.Context, conn net.Conn, octets []byte, group bool, timeout time.Duration) (hello.Answer, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return hello.Answer{}, err
	}
	if _, err := conn.Write(octets); err != nil {
		return hello.Answer{}, worded(err)
	}
	r := hello.Reader{Group: group}
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		done, ferr := r.Feed(buf[:n])
		switch {
		case ferr != nil:
			return hello.Answer{}, errors.New(mail.Clean(ferr.Error()))
		case done:
			// The server waits for the rest of a handshake: tell it that none comes.
			_, _ = conn.Write(hello.Goodbye(r.Answer().Version))
			return r.Answer(), nil
		case err != nil && r.End():
			return r.Answer(), nil
		case err != nil:
			return hello.Answer{}, worded(err)
		}
	}
}

var (
	errTooSlow   = errors.New("no answer to the ClientHello in time")
	errLeftAlone = errors.New("not asked: the host wants to be left alone")
)

// worded says why a ClientHello got no answer.
func worded(err error) error {
	var ne net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		return errTooSlow
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return errors.New("the connection was reset in answer to the ClientHello")
	case err.Error() == "EOF":
		return errors.New("the connection was closed in answer to the ClientHello")
	}
	return fmt.Errorf("the connection was lost: %s", mail.Clean(err.Error()))
}

// open connects, reads the greeting and says EHLO.
func (a *asker) open(ctx context.Context) (*smtp.Session, *overheard, *smtp.Failure) {
	cfg := &a.p.cfg
	src, ok := sourceFor(cfg, a.addr)
	peer := smtp.Peer{Host: a.host, IP: a.addr.String()}
	if !ok {
		return nil, nil, &smtp.Failure{Stage: delivery.StageConnect, Reason: policy.ConnectFailed, Err: syscall.EAFNOSUPPORT,
			Text: "the pool has no address to reach " + peer.String() + " from"}
	}
	dialled, err := cfg.Dial(ctx, src.Address, netip.AddrPortFrom(a.addr, cfg.Port))
	if err != nil {
		return nil, nil, connectFailure(peer, err)
	}
	a.mu.Lock()
	a.connections++
	a.mu.Unlock()
	conn := &overheard{Conn: dialled}
	s, f := smtp.Open(ctx, conn, peer, cfg.Session)
	if f != nil {
		return nil, nil, f
	}
	return s, conn, s.Hello(src.EHLO)
}

func sourceFor(cfg *Config, addr netip.Addr) (courier.Source, bool) {
	if len(cfg.Sources) == 0 {
		return courier.Source{EHLO: cfg.Hostname}, true
	}
	for _, s := range cfg.Sources {
		if s.Address.Is4() == addr.Is4() {
			if s.EHLO == "" {
				s.EHLO = cfg.Hostname
			}
			return s, true
		}
	}
	return courier.Source{}, false
}

func connectFailure(peer smtp.Peer, err error) *smtp.Failure {
	f := &smtp.Failure{Stage: delivery.StageConnect, Reason: policy.ConnectFailed, Err: err}
	var ne net.Error
	switch {
	case errors.Is(err, errNoPlace):
		f.Text = "no time was left to ask " + peer.String() + ": " + err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		f.Text = peer.String() + " refused the connection"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &ne) && ne.Timeout():
		f.Reason, f.Text = policy.ConnectTimeout, peer.String()+" did not answer the connection in time"
	case unreachable(err):
		f.Text = "this host has no way to " + peer.String()
	default:
		f.Text = "no connection to " + peer.String() + ": " + mail.Clean(err.Error())
	}
	return f
}

// unreachable reports that the way to an address is missing here, which says nothing about
// who is there: no IPv6, for the most part.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
