package smtp

import (
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
		// n == 0 without an error: the peer closed. An error other than "nothing yet": reset.
		something = err == nil && n >= 0 || err != nil && err != syscall.EAGAIN && err != syscall.EWOULDBLOCK && err != syscall.EINTR
	})
	return err == nil && something
}

// hasWords reports whether what is pending is more than TLS's own housekeeping, such as
// session tickets: text, or the end of the connection.
func (s *Session) hasWords() bool {
	const patience = 20 * time.Millisecond
	if err := s.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return true
	}
	_, err := s.in.Peek(1)
	if err == nil {
		return true
	}
	ne, ok := err.(net.Error)
	return !ok || !ne.Timeout()
}
