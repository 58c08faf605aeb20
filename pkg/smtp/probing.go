package smtp

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net"
	"slices"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Chain is the certificates that the server presented, leaf first; nil in clear.
func (s *Session) Chain() []*x509.Certificate {
	if conn, ok := s.conn.(*tls.Conn); ok {
		return conn.ConnectionState().PeerCertificates
	}
	return nil
}

// Keywords lists what the last EHLO announced, in upper case, sorted.
func (s *Session) Keywords() []string { return slices.Sorted(maps.Keys(s.extensions)) }

// Surrender says STARTTLS and, where the server is ready for TLS, ends the session without
// closing the bare connection, which is the caller's from then on: for one who writes the
// ClientHello himself. On a failure the session is closed.
func (s *Session) Surrender() (net.Conn, *Failure) {
	reply, err := s.ask("STARTTLS")
	switch {
	case err != nil:
		return nil, s.lost(delivery.StageSTARTTLS, err)
	case reply.Code == 220 && s.in.Buffered() > 0:
		return nil, s.injected(nil)
	case reply.Code == 220:
		s.dead = true
		s.stop()
		return s.raw, nil
	case reply.Transient() || reply.Permanent():
		return nil, s.no(delivery.StageSTARTTLS, reply)
	}
	return nil, s.lost(delivery.StageSTARTTLS, &protocolError{"STARTTLS was answered by " + reply.String(), reply})
}

// Alert is the alert by which the server ended TLS, where it was one that did.
func (f *Failure) Alert() (tlsnames.Alert, bool) { return remoteAlert(f.Err) }
