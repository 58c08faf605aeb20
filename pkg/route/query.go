package route

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

const (
	udpSize    = 1232 // what we offer to take: no fragments on any path (DNS flag day 2020)
	readBuffer = 4096 // for servers that send more than they were allowed
)

// errMalformed is the root of what is said about a reply that cannot be read.
var errMalformed = errors.New("sent a malformed message")

// query sends q to one server over UDP, and over TCP where the reply did not fit
// (RFC 7766 §5). It returns a whole message or an error.
func (r *Resolver) query(ctx context.Context, addr string, q question, edns bool) (message, error) {
	packet, id, err := packQuery(q, edns)
	if err != nil {
		return message{}, err
	}
	sent := pending{q, id}
	m, err := r.overUDP(ctx, addr, packet, sent)
	if err == nil && m.truncated {
		m, err = r.overTCP(ctx, addr, packet, sent)
	}
	return m, err
}

// pending is a query that waits for its reply.
type pending struct {
	question
	id uint16
}

// packQuery asks for recursion, and with AD for the authentic-data bit alone: DO would
// bring signatures that nobody here reads (RFC 6840 §5.7).
func packQuery(q question, edns bool) ([]byte, uint16, error) {
	m := new(dns.Msg)
	m.SetQuestion(q.name, q.typ)
	m.AuthenticatedData = true
	if edns {
		m.SetEdns0(udpSize, false)
	}
	packet, err := m.Pack()
	return packet, m.Id, err
}

// answeredBy reports whether m is the reply to p: same id, same question, letters of either
// case. A server that refuses may leave the question out, an answer may not.
func (p pending) answeredBy(m message) bool {
	if m.id != p.id || !m.response || m.opcode != dns.OpcodeQuery {
		return false
	}
	if m.asked == (question{}) {
		return m.rcode != dns.RcodeSuccess && m.rcode != dns.RcodeNameError
	}
	return m.asked == p.question
}

// open dials addr and lets the end of ctx break off every read and write. The returned
// function closes the connection.
func (r *Resolver) open(ctx context.Context, network, addr string) (net.Conn, func(), error) {
	conn, err := r.dial(ctx, network, addr)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); conn.Close() }, nil
}

// overUDP ignores datagrams that do not belong to the query and goes on waiting: an
// attacker who guesses must not be able to stop the true reply either (RFC 5452 §9.1).
func (r *Resolver) overUDP(ctx context.Context, addr string, packet []byte, sent pending) (message, error) {
	conn, done, err := r.open(ctx, "udp", addr)
	if err != nil {
		return message{}, err
	}
	defer done()
	if _, err := conn.Write(packet); err != nil {
		return message{}, err
	}
	buf := make([]byte, readBuffer)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return message{}, err
		}
		m, err := parseMessage(buf[:n])
		if !sent.answeredBy(m) {
			continue
		}
		if err != nil {
			return message{}, fmt.Errorf("%w: %w", errMalformed, err)
		}
		return m, nil
	}
}

// overTCP sends the query again on a stream, with the length before it (RFC 1035 §4.2.2).
func (r *Resolver) overTCP(ctx context.Context, addr string, packet []byte, sent pending) (message, error) {
	conn, done, err := r.open(ctx, "tcp", addr)
	if err != nil {
		return message{}, err
	}
	defer done()
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(packet)), uint16(len(packet)))
	if _, err := conn.Write(append(framed, packet...)); err != nil {
		return message{}, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return message{}, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return message{}, err
	}
	m, err := parseMessage(buf)
	switch {
	case err != nil:
		return message{}, fmt.Errorf("%w: %w", errMalformed, err)
	case !sent.answeredBy(m):
		return message{}, fmt.Errorf("%w: it belongs to another question", errMalformed)
	case m.truncated:
		return message{}, fmt.Errorf("%w: truncated even over TCP", errMalformed)
	}
	return m, nil
}
