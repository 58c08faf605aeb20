package bench

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// promptConn makes a connection acknowledge what it has read at once, unless a reply does so. The kernel delays
// acknowledgements by up to 40 ms otherwise, which senders that write in small pieces and leave Nagle's algorithm on
// would pay for each message. That is an artefact of the loopback with its large segments: over an Ethernet they do
// not, and so shall they not here. Who reads also writes, not two at a time.
func promptConn(conn net.Conn) net.Conn {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return conn
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn
	}
	return &prompt{TCPConn: tcp, raw: raw}
}

type prompt struct {
	*net.TCPConn
	raw  syscall.RawConn
	owes bool // something was read, and nothing written since
}

// Read acknowledges what was read before, and reads. The kernel has to be asked each time, tcp(7).
func (p *prompt) Read(b []byte) (int, error) {
	if p.owes {
		_ = p.raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
		})
	}
	n, err := p.TCPConn.Read(b)
	p.owes = n > 0
	return n, err
}

// Write writes, and acknowledges by that.
func (p *prompt) Write(b []byte) (int, error) {
	p.owes = false
	return p.TCPConn.Write(b)
}
