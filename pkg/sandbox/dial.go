package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Network is a sandbox as its users see it: a running [Sandbox] or a [Joined] one.
type Network interface {
	// Dial connects to the host at a documentation address, any port; source is reported by the connection's
	// LocalAddr and has no other effect. An address at which nobody answers is refused.
	Dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error)
	// DialContext does the same for "address:port".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// DNS is the address of the name server, "127.0.0.1:port", for UDP and TCP.
	DNS() string
	// CA is the root certificate to trust, in PEM.
	CA() []byte
	// Table describes the domains.
	Table() []Info
	// Close ends what is this process's own.
	Close() error
}

var (
	_ Network = (*Sandbox)(nil)
	_ Network = (*Joined)(nil)
)

// place is what is found at a documentation address.
type place struct {
	reach  Reach
	server *Server // nil: another process's
	dial   func(context.Context) (*net.TCPConn, error)
}

// atlas maps documentation addresses to places.
type atlas map[netip.Addr]place

// Conn is a connection that looks as if it went to a documentation address.
type Conn struct {
	*net.TCPConn
	local, remote net.Addr
}

// RemoteAddr is the documentation address and the port that was dialled.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// LocalAddr is the source that was asked for, else the loopback's.
func (c *Conn) LocalAddr() net.Addr { return c.local }

func (a atlas) dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	target = netip.AddrPortFrom(target.Addr().Unmap().WithZone(""), target.Port())
	remote := net.TCPAddrFromAddrPort(target)
	p, ok := a[target.Addr()]
	if !ok {
		p.reach = Refuses
	}
	fail := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: remote, Err: err}
	}
	switch p.reach {
	case Refuses:
		return nil, fail(os.NewSyscallError("connect", syscall.ECONNREFUSED))
	case Unreachable:
		return nil, fail(os.NewSyscallError("connect", syscall.ENETUNREACH))
	case Silent:
		<-ctx.Done()
		return nil, fail(ctx.Err())
	case Answers:
	}
	tcp, err := p.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &Conn{TCPConn: tcp, local: tcp.LocalAddr(), remote: remote}
	if local, ok := c.local.(*net.TCPAddr); ok && source.IsValid() {
		c.local = &net.TCPAddr{IP: source.AsSlice(), Port: local.Port}
	}
	return c, nil
}

// dialTCP connects to a loopback address.
func dialTCP(ctx context.Context, address string) (*net.TCPConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp4", address)
	if err != nil {
		return nil, err
	}
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil, errors.Join(errors.New("not a TCP connection"), c.Close())
	}
	return tcp, nil
}

func (a atlas) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("dialling %s in the sandbox: network %q is not TCP", address, network)
	}
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("dialling %s in the sandbox: not an IP address and port: %w", address, err)
	}
	return a.dial(ctx, netip.Addr{}, target)
}
