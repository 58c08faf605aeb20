package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// piece is what is on its way, and when it arrives.
type piece struct {
	due  time.Time
	data []byte
}

// relay copies from src to dst, and each piece arrives so much later than it was read. Any number of them are on the
// way at once: the delay is a distance, and no limit to throughput. It returns once all that was read has arrived and
// src has ended.
func relay(dst io.Writer, src io.Reader, delay time.Duration) error {
	way := make(chan piece, 4096)
	var failed error
	var arriving sync.WaitGroup
	arriving.Go(func() {
		for p := range way {
			if failed != nil {
				continue // nobody is there any more; src ends soon
			}
			time.Sleep(time.Until(p.due))
			_, failed = dst.Write(p.data)
		}
	})
	buffer := make([]byte, 64<<10)
	var err error
	for err == nil {
		var n int
		n, err = src.Read(buffer)
		if n > 0 {
			way <- piece{time.Now().Add(delay), append([]byte(nil), buffer[:n]...)}
		}
	}
	close(way)
	arriving.Wait()
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return errors.Join(err, failed)
}

// distance is a proxy that puts a host farther away.
type distance struct {
	to        string        // the host's address
	roundTrip time.Duration // half of it each way
}

// serve takes connections from a listener until it is closed.
func (d distance) serve(ctx context.Context, l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go d.attend(ctx, conn)
	}
}

// attend connects the peer with the host. The peer's own connect was answered at once, by the kernel; the round trip
// that it would have taken is made up for here.
func (d distance) attend(ctx context.Context, near net.Conn) {
	defer near.Close()
	time.Sleep(d.roundTrip)
	far, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.to)
	if err != nil {
		return
	}
	defer far.Close()
	var ways sync.WaitGroup
	ways.Go(func() { transfer(far, near, d.roundTrip/2) })
	ways.Go(func() { transfer(near, far, d.roundTrip/2) })
	ways.Wait()
}

// transfer relays one way, and passes the end on.
func transfer(dst, src net.Conn, delay time.Duration) {
	_ = relay(dst, promptConn(src), delay) // a lost connection is what the peers see, too
	if half, ok := dst.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
