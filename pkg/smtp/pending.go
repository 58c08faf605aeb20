package smtp

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// pending reports, without waiting, whether the peer has sent something that was not read
// yet, or has closed the connection. Where that cannot be told it says no.
func pending(conn net.Conn) bool {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	var one [1]byte
	something := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// Nothing read without an error: the peer closed. An error other than "nothing yet": reset.
		nothingYet := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
		something = n > 0 || !nothingYet
	})
	return err == nil && something
}

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
