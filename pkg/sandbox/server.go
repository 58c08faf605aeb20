package sandbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Server is a running [Host].
type Server struct {
	host        Host
	authority   *Authority
	certificate func() (*tls.Certificate, error)
	config      *tls.Config
	offers      [2]map[string]string // keywords outside and inside TLS

	listener net.Listener
	record   *record
	done     chan struct{}
	stop     func() error
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // nil once closed
}

// Serve runs the host on a free port of 127.0.0.1 until Close; its certificates come from the authority.
// A host that cannot be reached (Reach) has no Server: it is an error.
func Serve(h Host, authority *Authority) (*Server, error) {
	if h.Reach != Answers {
		return nil, fmt.Errorf("serving %s: it is a host that does not answer", h.Name)
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", h.Name, err)
	}
	s := &Server{
		host:      h,
		authority: authority,
		offers:    [2]map[string]string{offer(h.keywords(false)), offer(h.keywords(true))},
		listener:  listener,
		record:    newRecord(h.Keep),
		done:      make(chan struct{}),
		conns:     map[net.Conn]struct{}{},
	}
	// Made at the first handshake: most runs need few of the hosts.
	s.certificate = sync.OnceValues(func() (*tls.Certificate, error) {
		return authority.certificate(h.TLS.Certificate, h.Name)
	})
	s.config = s.tlsConfig()
	s.stop = sync.OnceValue(s.shut)
	s.running.Go(s.accept)
	return s, nil
}

// Name is the host's name.
func (s *Server) Name() string { return s.host.Name }

// Addr is the loopback address at which the host listens.
func (s *Server) Addr() netip.AddrPort {
	return netip.MustParseAddrPort(s.listener.Addr().String())
}

// Close ends all connections and returns when nothing of the host runs any more.
func (s *Server) Close() error { return s.stop() }

func (s *Server) shut() error {
	close(s.done)
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.running.Wait()
	if err != nil {
		return fmt.Errorf("closing %s: %w", s.host.Name, err)
	}
	return nil
}

// Dial connects to the host; Wait knows of connections made so even before they are accepted.
func (s *Server) Dial(ctx context.Context) (*net.TCPConn, error) {
	s.record.dial(1)
	c, err := dialTCP(ctx, s.listener.Addr().String())
	if err != nil {
		s.record.dial(-1)
		return nil, fmt.Errorf("dialling the sandbox's %s: %w", s.host.Name, err)
	}
	return c, nil
}

// Wait returns when every connection is over, so that all octets that clients sent are recorded.
// It ends early, with an error, when the context does.
func (s *Server) Wait(ctx context.Context) error { return s.record.wait(ctx) }

// Received are the accepted messages, in the order in which they were complete.
func (s *Server) Received() []Delivery { return s.record.received() }

// Connections are what was seen of each connection, in the order of their arrival.
func (s *Server) Connections() []Connection { return s.record.seen() }

// Accepted counts the accepted messages, whatever was kept of them.
func (s *Server) Accepted() int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return s.record.accepted
}

// Connected counts the connections, whatever was kept of them.
func (s *Server) Connected() int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return s.record.connected
}

// accept runs each connection on a goroutine of its own.
func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors, or the client is gone already: others may fare better.
			select {
			case <-s.done:
				return
			case <-time.After(time.Millisecond):
				continue
			}
		}
		if !s.add(conn) {
			_ = conn.Close()
			return
		}
		s.running.Go(func() { s.serve(conn) })
	}
}

// add remembers an open connection, unless the server is closed.
func (s *Server) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// serve is the life of one connection.
func (s *Server) serve(conn net.Conn) {
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	}()
	if tcp, ok := conn.(*net.TCPConn); ok && s.host.ReadBuffer > 0 {
		_ = tcp.SetReadBuffer(s.host.ReadBuffer)
	}
	remote, _ := netip.ParseAddrPort(conn.RemoteAddr().String())
	seen := s.record.begin(s.host.Name, remote)
	defer s.record.end(seen)
	newSession(s, conn, seen).run()
}
