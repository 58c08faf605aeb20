package probe

import (
	"net"

	"github.com/sendctl/sendctl/pkg/hello"
)

// overheard is a connection on which the server's first answer in TLS is listened to: a session
// whose handshake fails has still been told version and suite.
type overheard struct {
	net.Conn
	began bool // our ClientHello went out
	over  bool // the answer is known, or is none
	first hello.Reader
}

// Write passes octets on, and notes where TLS begins.
func (c *overheard) Write(p []byte) (int, error) {
	const handshakeRecord = 22
	c.began = c.began || len(p) > 1 && p[0] == handshakeRecord && p[1] == 3
	return c.Conn.Write(p)
}

// Read passes octets on, and listens.
func (c *overheard) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.began && !c.over && n > 0 {
		done, bad := c.first.Feed(p[:n])
		c.over = done || bad != nil
	}
	return n, err
}

// answer is what the server chose; zero where it chose nothing.
func (c *overheard) answer() hello.Answer {
	a := c.first.Answer()
	if a.Kind == hello.Alert {
		return hello.Answer{}
	}
	return a
}
