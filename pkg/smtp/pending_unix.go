//go:build unix

package smtp

import (
	"errors"
	"net"
	"syscall"
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
