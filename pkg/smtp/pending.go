package smtp

import (
	"errors"
	"net"
	"time"
)

// hasWords reports whether what is pending is more than TLS's own housekeeping, such as
// session tickets: text, or the end of the connection.
func (s *Session) hasWords() bool {
	// Housekeeping between two replies is rare, and a busy machine slow: an early answer that is
	// taken for none would count as the answer to the whole message.
	const patience = time.Second
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return true
	}
	_, err := s.in.Peek(1)
	if err == nil {
		return true
	}
	var ne net.Error
	return !errors.As(err, &ne) || !ne.Timeout()
}
