package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
)

// Limits of politeness and of this host's own means.
const (
	perAddress = 2   // connections to one address at once
	inAll      = 256 // connections at once
)

// errNoPlace means that who waited for a connection to be closed was out of time. It is no
// timeout of the address, which was not even called.
var errNoPlace = errors.New("other connections to it were still open, and it gets no more than two at once")

// Limiter is a dialer that opens no more than two connections to an address at once; who comes
// third waits until one is closed.
type Limiter struct {
	dial    courier.Dial
	connect time.Duration
	all     chan struct{}

	mu    sync.Mutex
	lanes map[netip.Addr]chan struct{}
}

// NewLimiter limits a dialer. connect is how long connecting may take once there is a place.
func NewLimiter(dial courier.Dial, connect time.Duration) *Limiter {
	return &Limiter{dial: dial, connect: connect, all: make(chan struct{}, inAll), lanes: map[netip.Addr]chan struct{}{}}
}

// Dial is a courier.Dial. Its own time begins when there is a place; ctx bounds the waiting too.
func (l *Limiter) Dial(ctx context.Context, source netip.Addr, target netip.AddrPort) (net.Conn, error) {
	lane := l.lane(target.Addr())
	release, err := l.enter(ctx, lane)
	if err != nil {
		return nil, err
	}
	soon, cancel := context.WithTimeout(ctx, l.connect)
	defer cancel()
	conn, err := l.dial(soon, source, target)
	if err != nil {
		release()
		return nil, err
	}
	return &limited{Conn: conn, release: sync.OnceFunc(release)}, nil
}

func (l *Limiter) lane(addr netip.Addr) chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane, ok := l.lanes[addr]
	if !ok {
		lane = make(chan struct{}, perAddress)
		l.lanes[addr] = lane
	}
	return lane
}

// enter waits for a place at the address, then for one in all.
func (l *Limiter) enter(ctx context.Context, lane chan struct{}) (func(), error) {
	select {
	case lane <- struct{}{}:
	case <-ctx.Done():
		return nil, errNoPlace
	}
	select {
	case l.all <- struct{}{}:
		return func() { <-l.all; <-lane }, nil
	case <-ctx.Done():
		<-lane
		return nil, errNoPlace
	}
}

// limited gives its places back when it is closed.
type limited struct {
	net.Conn
	release func()
}

// Close closes the connection, once.
func (c *limited) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
