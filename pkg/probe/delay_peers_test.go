//go:build peers

package probe_test

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// delayed puts a server at a distance: whoever connects to the address meets it a round trip
// away. It counts connections.
func delayed(t *testing.T, server string, trip time.Duration) (string, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var count atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			count.Add(1)
			go carry(c, server, trip)
		}
	}()
	return l.Addr().String(), &count
}

// carry joins a connection to the server. The near end is connected at once, where over such a
// way it would be after a round trip; half a one later the far end would hear of it.
func carry(near net.Conn, server string, trip time.Duration) {
	defer near.Close()
	time.Sleep(trip + trip/2)
	far, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer far.Close()
	there := make(chan struct{})
	go func() {
		defer close(there)
		late(far, near, trip/2)
	}()
	late(near, far, trip/2)
	<-there
}

// late copies octets, each of which arrives so much later, the end too.
func late(to, from net.Conn, by time.Duration) {
	type arrival struct {
		octets []byte
		at     time.Time
	}
	under := make(chan arrival, 1024)
	go func() {
		defer close(under)
		for {
			buf := make([]byte, 16<<10)
			n, err := from.Read(buf)
			if n > 0 {
				under <- arrival{buf[:n], time.Now().Add(by)}
			}
			if err != nil {
				under <- arrival{nil, time.Now().Add(by)}
				return
			}
		}
	}()
	for a := range under {
		time.Sleep(time.Until(a.at))
		if _, err := to.Write(a.octets); err != nil || a.octets == nil {
			_ = to.Close() // which ends the other direction as well
			_ = from.Close()
		}
	}
}
