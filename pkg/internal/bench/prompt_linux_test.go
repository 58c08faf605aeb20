package bench

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// promptConn makes a connection acknowledge what it reads at once. The kernel delays acknowledgements by up to 40 ms
// otherwise, which senders that write in small pieces and leave Nagle's algorithm on would pay for each message. That
// is an artefact of the loopback with its large segments: over an Ethernet they do not, and so shall they not here.
func promptConn(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return &prompt{tcp, raw}
}

type prompt struct {
	*net.TCPConn
	raw syscall.RawConn
}

// Read reads, and asks for prompt acknowledgement again: the kernel forgets it, tcp(7).
func (p *prompt) Read(b []byte) (int, error) {
	n, err := p.TCPConn.Read(b)
	if n > 0 {
		_ = p.raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		})
	}
	return n, err
}
