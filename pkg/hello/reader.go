package hello

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Kind is what a server answered with.
type Kind uint8

// The kinds of answer.
const (
	Nothing           Kind = iota // not yet complete
	ServerHello                   // a version and a suite were agreed on
	HelloRetryRequest             // the same, and the group that the server wants (TLS 1.3)
	Alert                         // the server refuses
)

// Answer is the first thing of meaning that a server said.
type Answer struct {
	Kind    Kind
	Version tlsnames.Version // chosen; zero for an alert
	Suite   tlsnames.Suite   // chosen; zero for an alert and for SSLv2
	Group   tlsnames.Group   // asked for by HelloRetryRequest; else zero
	Alert   tlsnames.Alert   // for an alert
	Specs   []uint32         // SSLv2: the cipher specs that both know
	// Warnings are alerts that came before and were not fatal, such as unrecognized_name.
	Warnings []tlsnames.Alert
}

// Limits on what a server may send before its answer is complete. A ServerHello has some 100 octets.
const (
	maxRecord  = 1<<14 + 2048
	maxMessage = 1 << 14
	maxKeys    = 1 << 17 // of what comes before ServerKeyExchange: a chain may be long
	maxAnswer  = 1 << 16
	maxWarning = 8
)

// NotTLSError means that what came is no TLS: the octets that it began with.
type NotTLSError struct{ First []byte }

// Error shows the octets, quoted.
func (e *NotTLSError) Error() string {
	return fmt.Sprintf("the answer is not TLS: it begins with %q", e.First)
}

func notTLS(b []byte) error { return &NotTLSError{bytes.Clone(b[:min(len(b), 32)])} }

// MalformedError means that what came looks like TLS, but is not as TLS has it.
type MalformedError struct{ What string }

// Error says what is wrong.
func (e *MalformedError) Error() string { return "the TLS answer is malformed: " + e.What }

func malformed(format string, args ...any) error {
	return &MalformedError{fmt.Sprintf(format, args...)}
}

// Reader takes a server's answer from a stream that may be split anywhere. The zero value is
// ready. It keeps at most 64 KiB, with Group a few times as much.
type Reader struct {
	// Group asks to read on after a ServerHello for TLS 1.2 or older, to ServerKeyExchange, which
	// names the group (RFC 8422 §5.4); the group stays zero where there is none.
	Group bool

	in       []byte // octets not yet read as records
	message  []byte // handshake messages, records undone
	total    int
	began    bool // a TLS record was read, so that what follows is no SSLv2
	answer   Answer
	keys     bool // the ServerHello was read: ServerKeyExchange may follow
	warnings []tlsnames.Alert
	done     bool
	err      error
}

// Feed takes the next octets and reports whether the answer is complete. What follows the
// answer is ignored. An error is a *NotTLSError or a *MalformedError, and remains.
func (r *Reader) Feed(p []byte) (bool, error) {
	if r.done || r.err != nil {
		return r.done, r.err
	}
	r.total += len(p)
	r.in = append(r.in, p...)
	r.done, r.err = r.step()
	most := maxAnswer
	if r.keys {
		most += maxKeys
	}
	if r.err == nil && !r.done && r.total > most {
		r.err = malformed("more than %d octets without an answer", most)
	}
	if r.keys && r.err != nil {
		r.done, r.err = true, nil // the ServerHello is an answer, whatever became of the group
	}
	if r.done {
		r.answer.Warnings = r.warnings
	}
	return r.done, r.err
}

// End says that nothing more comes, and reports whether there is an answer: a ServerHello is
// one although the group that was to follow is missing.
func (r *Reader) End() bool {
	r.done = r.done || r.keys && r.err == nil
	return r.done
}

// Answer is what was read; its Kind is Nothing until Feed or End reported that it is complete.
func (r *Reader) Answer() Answer {
	if !r.done {
		return Answer{}
	}
	return r.answer
}

// Started reports whether anything came at all.
func (r *Reader) Started() bool { return r.total > 0 }

// step reads as many records as there are.
func (r *Reader) step() (bool, error) {
	if !r.began && len(r.in) > 0 && r.in[0]&0x80 != 0 {
		return r.feedSSL2()
	}
	for {
		kind, body, err := r.record()
		if err != nil || body == nil {
			return false, err
		}
		var done bool
		if kind == recordAlert {
			done, err = r.alert(body)
		} else {
			r.message = append(r.message, body...)
			done, err = r.handshake()
		}
		if done || err != nil {
			return done, err
		}
	}
}

// record takes one whole record off the input; its body is nil where more is needed.
func (r *Reader) record() (byte, []byte, error) {
	const header = 5
	b := r.in
	if len(b) == 0 {
		return 0, nil, nil
	}
	if b[0] != recordAlert && b[0] != recordHandshake || len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4 {
		return 0, nil, notTLS(b)
	}
	if len(b) < header {
		return 0, nil, nil
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n == 0 || n > maxRecord {
		return 0, nil, malformed("a record of %d octets", n)
	}
	if len(b) < header+n {
		return 0, nil, nil
	}
	r.in, r.began = b[header+n:], true
	return b[0], b[header : header+n], nil
}

// alert reads an alert: a warning is kept and read over, all others are the answer. Under
// TLS 1.3 the level means nothing (RFC 8446 §6), but before it does.
func (r *Reader) alert(body []byte) (bool, error) {
	const warning, closeNotify = 1, 0
	if len(body) != 2 {
		return false, malformed("an alert of %d octets", len(body))
	}
	if body[0] == warning && body[1] != closeNotify {
		if len(r.warnings) == maxWarning {
			return false, malformed("more than %d warnings", maxWarning)
		}
		r.warnings = append(r.warnings, tlsnames.Alert(body[1]))
		return false, nil
	}
	if !r.keys {
		r.answer = Answer{Kind: Alert, Alert: tlsnames.Alert(body[1])}
	}
	return true, nil
}

// handshake reads handshake messages as far as they are complete.
func (r *Reader) handshake() (bool, error) {
	for {
		kind, body, err := r.next()
		if err != nil || body == nil {
			return false, err
		}
		switch {
		case !r.keys:
			if err := r.serverHello(body); err != nil {
				return false, err
			}
			r.keys = r.Group && r.answer.Version < tlsnames.TLS13 && r.answer.Kind == ServerHello
			if !r.keys {
				return true, nil
			}
		case kind == messageServerKeys:
			if strings.Contains(r.answer.Suite.String(), "_ECDH") {
				r.answer.Group = namedGroup(body)
			}
			return true, nil
		case kind == messageServerDone:
			return true, nil
		}
	}
}

// next takes one whole handshake message off what came; its body is nil where more is needed.
func (r *Reader) next() (byte, []byte, error) {
	const header = 4
	m := r.message
	most := maxMessage
	if r.keys {
		most = maxKeys
	}
	if len(m) > 0 && m[0] != messageServerHello && !r.keys {
		return 0, nil, malformed("handshake message %d where ServerHello was due", m[0])
	}
	if len(m) < header {
		return 0, nil, nil
	}
	n := int(m[1])<<16 | int(m[2])<<8 | int(m[3])
	if n > most {
		return 0, nil, malformed("a handshake message %d of %d octets", m[0], n)
	}
	if len(m) < header+n {
		return 0, nil, nil
	}
	r.message = m[header+n:]
	return m[0], m[header : header+n : header+n], nil
}

// namedGroup is the group of a ServerKeyExchange over an elliptic curve; zero for every other
// (RFC 8422 §5.4: named_curve, then its number).
func namedGroup(m []byte) tlsnames.Group {
	const namedCurve = 3
	c := cursor{m}
	if c.uint8() != namedCurve {
		return 0
	}
	return tlsnames.Group(c.uint16())
}

// serverHello reads ServerHello or HelloRetryRequest (RFC 8446 §4.1.3, RFC 5246 §7.4.1.3).
func (r *Reader) serverHello(m []byte) error {
	c := cursor{m}
	version := tlsnames.Version(c.uint16())
	random := c.take(32)
	c.take(int(c.uint8())) // session ID
	suite := tlsnames.Suite(c.uint16())
	c.uint8() // compression
	if c.b == nil {
		return malformed("a ServerHello that is too short")
	}
	a := Answer{Kind: ServerHello, Version: version, Suite: suite}
	// RFC 8446 §4.1.3: a HelloRetryRequest is a ServerHello with this random.
	again := sha256.Sum256([]byte("HelloRetryRequest"))
	if bytes.Equal(random, again[:]) {
		a.Kind = HelloRetryRequest
	}
	if len(c.b) > 0 {
		ext := cursor{c.take(int(c.uint16()))}
		for len(ext.b) > 0 {
			kind := ext.uint16()
			body := cursor{ext.take(int(ext.uint16()))}
			if body.b == nil {
				return malformed("extensions that are longer than their list")
			}
			switch {
			case kind == extSupportedVersions && len(body.b) == 2:
				a.Version = tlsnames.Version(body.uint16())
			case kind == extKeyShare && len(body.b) >= 2:
				a.Group = tlsnames.Group(body.uint16())
			}
		}
		if ext.b == nil || c.b == nil {
			return malformed("extensions that are longer than the ServerHello")
		}
	}
	r.answer = a
	return nil
}

// cursor reads from the front; after reading too far its rest is nil and stays so.
type cursor struct{ b []byte }

func (c *cursor) take(n int) []byte {
	if c.b == nil || n > len(c.b) {
		c.b = nil
		return nil
	}
	head := c.b[:n:n]
	c.b = c.b[n:]
	return head
}

func (c *cursor) uint8() uint8 {
	if p := c.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (c *cursor) uint16() uint16 {
	if p := c.take(2); p != nil {
		return binary.BigEndian.Uint16(p)
	}
	return 0
}
