package smtp

import (
	"crypto/tls"
	"errors"
	"net"
	"net/netip"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsauth"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Security is what a session proposes in its handshake and verifies the answer against.
type Security struct {
	Offer  policy.Offer
	Roots  tlsauth.Roots
	Hello  Hello
	Client *tls.Certificate // presented to servers that ask; nil for none
	// Tickets keeps sessions for resumption; nil for none. It must be used with this host, these
	// demands and this offer only.
	Tickets tls.ClientSessionCache
}

// Hello says how humble the ClientHello is.
type Hello uint8

// The hellos, from the full one to the humblest.
const (
	HelloFull  Hello = iota // with the post-quantum key share: does not fit one TCP segment
	HelloSmall              // classical groups only
	HelloTLS12              // classical groups, TLS 1.3 not mentioned
)

// StartTLS secures the session and says EHLO again (RFC 3207 §4.2: what was announced before
// is forgotten). On a failure the session is closed and nothing but EHLO and STARTTLS was said.
func (s *Session) StartTLS(sec Security) *Failure {
	reply, err := s.ask("STARTTLS")
	if err != nil {
		return s.lost(delivery.StageSTARTTLS, err)
	}
	switch {
	case reply.Code == 220:
	case reply.Transient() || reply.Permanent():
		return s.no(delivery.StageSTARTTLS, reply)
	default:
		return s.lost(delivery.StageSTARTTLS, &protocolError{"STARTTLS was answered by " + reply.String(), reply})
	}
	if s.in.Buffered() > 0 {
		return s.injected(nil)
	}
	if f := s.handshake(sec); f != nil {
		return f
	}
	if f := s.Hello(s.helloName); f != nil {
		return s.afterHandshake(f)
	}
	return nil
}

// injected ends a session into which somebody put plaintext behind the 220 (CVE-2011-0411).
func (s *Session) injected(cause error) *Failure {
	s.Close()
	return &Failure{
		Stage: delivery.StageSTARTTLS, Reason: policy.StartTLSInjection, Err: cause,
		Text: s.peer.String() + " sent plaintext behind its answer to STARTTLS: somebody may be tampering with the connection",
	}
}

// handshake runs TLS over the connection and records what came of it.
func (s *Session) handshake(sec Security) *Failure {
	var progress progress
	conn := tls.Client(s.raw, config(s.peer.Host, sec, &progress))
	if err := s.raw.SetDeadline(s.deadline(s.opts.Timeouts.Handshake)); err != nil {
		return s.lost(delivery.StageHandshake, err)
	}
	if err := conn.HandshakeContext(s.ctx); err != nil {
		if looksLikeReply(err) {
			return s.injected(err)
		}
		s.Close()
		f := s.classify(err, progress, sec)
		s.trace.line("*", f.Text)
		return f
	}
	if err := s.raw.SetDeadline(s.deadline(s.opts.Timeouts.Command)); err != nil {
		return s.lost(delivery.StageHandshake, err)
	}
	state := conn.ConnectionState()
	s.askedForOurs = progress.clientCertificate
	s.conn = conn
	s.in.Reset(conn)
	s.out.Reset(gate{s})
	s.begun = 0
	s.extensions = nil
	s.protection = policy.Protection{
		Encrypted:   true,
		Version:     tlsnames.Version(state.Version),
		Suite:       tlsnames.Suite(state.CipherSuite),
		Group:       tlsnames.Group(state.CurveID),
		Resumed:     state.DidResume,
		Certificate: cleaned(tlsauth.Inspect(state.PeerCertificates, s.peer.Host, sec.Roots, s.opts.Clock())),
	}
	s.trace.line("*", "TLS: "+s.protection.Version.String()+" "+s.protection.Suite.String()+" "+s.protection.Group.String())
	return nil
}

// cleaned makes the facts of a certificate fit to be shown: its names are a stranger's words.
func cleaned(c policy.PeerCertificate) policy.PeerCertificate {
	c.Subject, c.Public.Text = mail.Clean(c.Subject), mail.Clean(c.Public.Text)
	for id, f := range c.Custom {
		f.Text = mail.Clean(f.Text)
		c.Custom[id] = f
	}
	return c
}

// afterHandshake corrects the stage of a failure in the first talk inside TLS: under TLS 1.3
// the server's judgement of our certificate arrives only there (RFC 8446 §4.4.2.4), and a
// server that closes here has rolled a failed handshake into the next command.
func (s *Session) afterHandshake(f *Failure) *Failure {
	if f.Err == nil || f.Reason == policy.ProtocolError {
		return f
	}
	if alert, ok := remoteAlert(f.Err); ok {
		g := s.alerted(alert, progress{serverHello: true, clientCertificate: s.askedForOurs})
		g.Err, g.TLSVersion = f.Err, f.TLSVersion
		return g
	}
	f.Stage, f.Reason = delivery.StageHandshake, policy.TLSHandshakeFailed
	return f
}

// progress is how far a handshake had come when it failed.
type progress struct {
	serverHello       bool // the server sent its certificate, so version and suite were agreed
	clientCertificate bool // the server asked for ours
}

// config builds the TLS configuration. Certificates are verified after the handshake, where
// each verdict can be told apart and a failed one still leaves a way to say QUIT.
func config(host string, sec Security, p *progress) *tls.Config {
	versions := sec.Offer.Versions
	if sec.Hello == HelloTLS12 {
		versions = versions.Without(tlsnames.VersionsOf(tlsnames.TLS13))
	}
	c := &tls.Config{
		MinVersion:         uint16(versions.Min()),
		MaxVersion:         uint16(versions.Max()),
		InsecureSkipVerify: true, //nolint:gosec // verified after the handshake by tlsauth and judged by policy
		// What is written together leaves in one record, and so in one segment or system call.
		DynamicRecordSizingDisabled: true,
		ClientSessionCache:          sec.Tickets,
		VerifyConnection: func(tls.ConnectionState) error {
			p.serverHello = true
			return nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			p.clientCertificate = true
			if sec.Client != nil {
				return sec.Client, nil
			}
			return &tls.Certificate{}, nil
		},
	}
	// RFC 8461 §7.1: SNI is the MX host's name; an address is none (RFC 6066 §3).
	if _, err := netip.ParseAddr(host); err != nil {
		c.ServerName = host
	}
	for _, id := range sec.Offer.Suites.Old().List() {
		c.CipherSuites = append(c.CipherSuites, uint16(id))
	}
	if sec.Hello != HelloFull {
		c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384}
	}
	return c
}

// looksLikeReply reports whether what came instead of TLS begins like an SMTP reply:
// plaintext that was put behind the 220 and arrived a moment later. The code alone says so,
// for a part of a line may be all that was injected, and TLS follows.
func looksLikeReply(err error) bool {
	var rh tls.RecordHeaderError
	if !errors.As(err, &rh) {
		return false
	}
	h := rh.RecordHeader
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	return h[0] >= '2' && h[0] <= '5' && digit(h[1]) && digit(h[2])
}

// remoteAlert finds the alert by which the server ended TLS.
func remoteAlert(err error) (tlsnames.Alert, bool) {
	var oe *net.OpError
	if !errors.As(err, &oe) || oe.Op != "remote error" {
		return 0, false
	}
	return alertNumber(oe.Err)
}

func (s *Session) alerted(alert tlsnames.Alert, p progress) *Failure {
	f := &Failure{Stage: delivery.StageHandshake, Reason: policy.TLSHandshakeFailed, Definitive: alert.Definitive()}
	f.Text = s.peer.String() + " ended the TLS handshake with the alert " + alert.String()
	switch alert {
	case 70: // protocol_version
		f.Reason = policy.TLSVersionMismatch
	case 71: // insufficient_security
		f.Reason = policy.TLSCipherMismatch
	case 40: // handshake_failure: before the server's certificate it means that nothing is shared
		if !p.serverHello && !p.clientCertificate {
			f.Reason = policy.TLSCipherMismatch
		}
	}
	switch {
	case !p.clientCertificate || f.Reason != policy.TLSHandshakeFailed:
	case f.Definitive:
		f.Text += ": it wants a client certificate that it trusts"
	default: // GnuTLS says decode_error under TLS 1.2 when it gets none
		f.Text += ", after it had asked for a client certificate"
	}
	return f
}

// classify names the reason why a handshake failed.
func (s *Session) classify(err error, p progress, sec Security) *Failure {
	f := &Failure{Stage: delivery.StageHandshake, Reason: policy.TLSHandshakeFailed}
	var rh tls.RecordHeaderError
	alert, alerted := remoteAlert(err)
	switch local := localVerdict(err); {
	case alerted:
		f = s.alerted(alert, p)
		f.Retry = RetrySmall
		if !f.Definitive {
			f.Retry |= RetryTLS12
		}
	case local.reason != "":
		f.Reason, f.Definitive = local.reason, local.definitive
		f.Text = s.peer.String() + ": " + local.text
	case errors.As(err, &rh):
		f.Text = s.peer.String() + " answered the TLS handshake with something that is not TLS"
		f.Retry = RetrySmall
	default:
		b := s.broken(delivery.StageHandshake, err)
		f.Text, f.Retry = b.Text, RetrySmall|RetryTLS12
	}
	f.Err = err
	if f.Reason == policy.TLSVersionMismatch || f.Reason == policy.TLSCipherMismatch {
		f.Text += proposed(f.Reason, sec.Offer)
	}
	f.Text = mail.Clean(f.Text)
	return f
}

// proposed says what the server had to choose from.
func proposed(r policy.Reason, o policy.Offer) string {
	if r == policy.TLSVersionMismatch {
		return " (proposed: " + o.Versions.String() + ")"
	}
	// GnuTLS says no other when only a version is missing.
	return " (it offers TLS, but has no cipher suite or group in common with what was proposed for " + o.Versions.String() + ")"
}
