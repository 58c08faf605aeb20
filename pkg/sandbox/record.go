package sandbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Delivery is one accepted message with its envelope.
type Delivery struct {
	Host       string         // the host that accepted it
	Connection int            // number of the connection at that host, from 1
	Time       time.Time      // when it was complete
	RemoteAddr netip.AddrPort // of the client, on the loopback
	Ehlo       string         // the name that the client gave
	MailFrom   string         // reverse-path without brackets; empty: the null reverse-path
	MailParams []string       // parameters of MAIL, verbatim
	Recipients []Recipient    // those accepted, in order
	Data       []byte         // the message as sent, dot-stuffing undone; nil where it was not kept
	Size       int64          // its octets
	Chunked    bool           // it came by BDAT
	Form       Form           // what was noticed about its octets
	TLS        *TLSFacts      // nil: it came in clear
}

// Recipient is the argument of an accepted RCPT command.
type Recipient struct {
	Address string   // without brackets
	Params  []string // verbatim
}

// Form is what a strict reader noticed about the octets of a message.
type Form struct {
	BareLF, BareCR, NUL, EightBit bool
	Unended                       bool // its last line has no CRLF (possible by BDAT alone)
	LongestLine                   int  // octets without CRLF, after unstuffing
}

// TLSFacts is what the host knows about a TLS session.
type TLSFacts struct {
	Version           tlsnames.Version
	Cipher            tlsnames.Suite
	Group             tlsnames.Group
	ServerName        string // SNI
	Resumed           bool
	ClientCertificate *x509.Certificate // nil: none was shown
}

// ClientHello is what a client's first handshake message said.
type ClientHello struct {
	Size       int // octets on the wire, record headers included
	ServerName string
	Versions   []tlsnames.Version
	Ciphers    []tlsnames.Suite
	Groups     []tlsnames.Group
}

// Connection is what a host saw of one connection.
type Connection struct {
	Host           string
	Number         int // at that host, from 1
	RemoteAddr     netip.AddrPort
	Plaintext      []byte // every octet that the client sent before a handshake was done
	Commands       []string
	Hello          *ClientHello // nil: none came
	HandshakeError string       // why the host ended the handshake
	TLS            *TLSFacts    // nil: no handshake was done
	Violations     []string     // what the client did that a standard forbids
	Ended          bool         // the connection is over
}

// record is all that one host has seen.
type record struct {
	keep Keep

	mu          sync.Mutex
	changed     *sync.Cond
	connections []*Connection
	deliveries  []Delivery
	totals      map[string]int // events by verb
	accepted    int
	dialled     int
	connected   int
	open        int
}

func newRecord(keep Keep) *record {
	r := &record{keep: keep, totals: map[string]int{}}
	r.changed = sync.NewCond(&r.mu)
	return r
}

// begin notes a new connection.
func (r *record) begin(host string, remote netip.AddrPort) *Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connected++
	r.open++
	c := &Connection{Host: host, Number: r.connected, RemoteAddr: remote}
	if r.keep != KeepCounts {
		r.connections = append(r.connections, c)
	}
	return c
}

// end notes that a connection is over.
func (r *record) end(c *Connection) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.Ended = true
	r.open--
	r.changed.Broadcast()
}

// dial notes that a connection was made, or with -1 that it was not.
func (r *record) dial(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialled += n
	r.changed.Broadcast()
}

// opened counts the connections open now.
func (r *record) opened() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// count notes an event and returns how many there were of its verb, and the connections open now.
func (r *record) count(verb string) (total, open int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals[verb]++
	return r.totals[verb], r.open
}

// note changes a connection's record.
func (r *record) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// plain keeps octets that came outside TLS.
func (r *record) plain(c *Connection, p []byte) {
	if r.keep == KeepAll && len(p) > 0 {
		r.note(func() { c.Plaintext = append(c.Plaintext, p...) })
	}
}

// deliver keeps an accepted message.
func (r *record) deliver(d Delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted++
	if r.keep != KeepAll {
		d.Data = nil
	}
	if r.keep != KeepCounts {
		r.deliveries = append(r.deliveries, d)
	}
}

// received are the accepted messages so far.
func (r *record) received() []Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.deliveries)
}

// seen are copies of the connections' records so far.
func (r *record) seen() []Connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Connection, 0, len(r.connections))
	for _, c := range r.connections {
		one := *c
		one.Plaintext = bytes.Clone(c.Plaintext)
		one.Commands = slices.Clone(c.Commands)
		one.Violations = slices.Clone(c.Violations)
		all = append(all, one)
	}
	return all
}

// wait returns when every connection is over, or with the context's error.
func (r *record) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	// A connection that was dialled may not have been accepted yet.
	for r.open > 0 || r.connected < r.dialled {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.changed.Wait()
	}
	return nil
}

// factsOf translates what crypto/tls says.
func factsOf(s tls.ConnectionState) *TLSFacts {
	f := &TLSFacts{
		Version:    tlsnames.Version(s.Version),
		Cipher:     tlsnames.Suite(s.CipherSuite),
		Group:      tlsnames.Group(s.CurveID),
		ServerName: s.ServerName,
		Resumed:    s.DidResume,
	}
	if len(s.PeerCertificates) > 0 {
		f.ClientCertificate = s.PeerCertificates[0]
	}
	return f
}

// helloOf translates a ClientHello.
func helloOf(h Hello) *ClientHello {
	c := &ClientHello{Size: h.Size, ServerName: h.ServerName}
	for _, v := range h.SupportedVersions {
		c.Versions = append(c.Versions, tlsnames.Version(v))
	}
	for _, s := range h.CipherSuites {
		c.Ciphers = append(c.Ciphers, tlsnames.Suite(s))
	}
	for _, g := range h.SupportedCurves {
		c.Groups = append(c.Groups, tlsnames.Group(g))
	}
	return c
}
