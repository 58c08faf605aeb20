package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"time"
)

// offer is what a sink says to EHLO, beyond PIPELINING, SIZE and 8BITMIME.
type offer struct {
	chunking bool   // CHUNKING, RFC 3030
	limits   string // the parameters of LIMITS, RFC 9422; not offered if empty
	clear    bool   // mail is taken without TLS as well
}

// sink is a mail host that takes everything, throws it away and counts. It is strict about the order of commands and
// the ends of lines, so that nobody is fast by being wrong.
type sink struct {
	tally
	offer  offer
	config *tls.Config

	lock    sync.Mutex
	conns   map[net.Conn]struct{} // nil once the sink is closed
	running sync.WaitGroup
}

func newSink(o offer) (*sink, error) {
	cert, err := newCertificate("mx.test")
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}}
	return &sink{offer: o, config: config, conns: map[net.Conn]struct{}{}}, nil
}

// serve takes connections from a listener until it is closed.
func (s *sink) serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		s.lock.Lock()
		if s.conns == nil {
			s.lock.Unlock()
			conn.Close()
			return net.ErrClosed
		}
		s.conns[conn] = struct{}{}
		s.running.Add(1)
		s.lock.Unlock()
		go s.attend(conn)
	}
}

func (s *sink) attend(conn net.Conn) {
	defer s.running.Done()
	s.opened()
	defer s.closed()
	newSession(s, promptConn(conn)).run()
	conn.Close()
	s.lock.Lock()
	defer s.lock.Unlock()
	delete(s.conns, conn)
}

// close ends all sessions. The listeners are their makers' to close, before.
func (s *sink) close() {
	s.lock.Lock()
	for conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
	s.lock.Unlock()
	s.running.Wait()
}

// newCertificate makes a self-signed ECDSA certificate for the name.
func newCertificate(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(30 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
