//go:build unix

package smtp

import (
	"errors"
	"net"
	"syscall"
)

// peeker looks whether a peer has sent something. It is made once for a connection, since it
// looks before every message.
type peeker struct {
	conn      syscall.RawConn // nil where that cannot be told
	look      func(fd uintptr)
	something bool
	octet     [1]byte
}

func newPeeker(conn net.Conn) *peeker {
	p := &peeker{}
	p.look = p.peek
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			p.conn = raw
		}
	}
	return p
}

// pending reports, without waiting, whether the peer has sent something that was not read
// yet, or has closed the connection. Where that cannot be told it says no.
func (p *peeker) pending() bool {
	return p.conn != nil && p.conn.Control(p.look) == nil && p.something
}

func (p *peeker) peek(fd uintptr) {
	n, _, err := syscall.Recvfrom(int(fd), p.octet[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	// Nothing read without an error: the peer closed. An error other than "nothing yet": reset.
	nothingYet := errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR)
	p.something = n > 0 || !nothingYet
}
