// Package sandbox is a small internet of mail on the loopback: MX hosts and DNS with many personalities.
//
// [Start] runs the domains of [Domains], or a test's own, as one network with a dialer that maps their
// documentation addresses to loopback listeners; [Join] reaches a sandbox that another process runs.
// [Serve] runs a single [Host]. A Host is a correct ESMTP server (RFC 5321, 1870, 2034, 2920, 3030, 3207,
// 3461, 6152, 6531, 8689, 9422) until its Script or its TLS settings make it misbehave, and it records
// everything that it was told, in clear and under TLS.
package sandbox

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
	"time"
)

// Host describes one mail host. The zero value, once named, is a correct modern host: STARTTLS with
// TLS 1.2 and 1.3, a certificate of the sandbox's authority for its name, and [DefaultKeywords].
type Host struct {
	// Name is the MX name: used in the greeting, the EHLO reply and the certificate. In a [Domain] the
	// default is mx.DOMAIN for an only host, else mx1.DOMAIN, mx2.DOMAIN and so on.
	Name string
	// Preference is that of the MX record; zero means 10 for the first host of a domain, 20 for the second …
	Preference uint16
	// IPv6 gives the host an IPv6 address beside its IPv4 address.
	IPv6 bool
	// Reach says whether a connection to the host can be made at all.
	Reach Reach
	// Keywords are the EHLO keywords outside TLS, each with its parameters ("SIZE 10240"), without
	// STARTTLS. The server honours exactly these. nil means DefaultKeywords.
	Keywords []string
	// KeywordsTLS are the same inside TLS; nil means Keywords and REQUIRETLS.
	KeywordsTLS []string
	// NoSTARTTLS makes a host that neither offers nor accepts STARTTLS.
	NoSTARTTLS bool
	// TLS says how the handshake goes.
	TLS TLS
	// MaxConnections open at once; one more is greeted with 421 and closed. Zero: no limit.
	MaxConnections int
	// ReadBuffer is the size in octets asked of the system for a connection's receive buffer, so that a
	// host that ceases to read is felt soon. Zero: the system's own.
	ReadBuffer int
	// Script may replace what the host would do at each event; nil: nothing is replaced.
	Script Script
	// Keep says how much of what was received stays in memory.
	Keep Keep
	// OnDelivery, if set, is called with every accepted message before its reply is written, Data included
	// whatever Keep says. An error turns the reply into 451 and nothing is recorded. Calls may be concurrent.
	OnDelivery func(Delivery) error
}

// TLS says how a host behaves from its 220 to STARTTLS to the end of the handshake.
type TLS struct {
	// Min and Max are the versions spoken (tls.VersionTLS10 …); zero: TLS 1.2 and TLS 1.3.
	Min, Max uint16
	// CipherSuites for TLS 1.2 and older; nil: what Go deems secure, and all others too if Min is older than 1.2.
	CipherSuites []uint16
	// Curves are the groups accepted; nil: Go's. A group for which the client sent no key share makes a
	// TLS 1.3 server answer with HelloRetryRequest.
	Curves []tls.CurveID
	// Certificate is what the host shows.
	Certificate Certificate
	// Custom, if set, makes the certificate instead, at each handshake.
	Custom func(*Authority, *tls.ClientHelloInfo) (*tls.Certificate, error)
	// ClientAuth and ClientCAs say whether and which client certificates are asked for.
	ClientAuth tls.ClientAuthType
	ClientCAs  *x509.CertPool
	// NoTickets switches session resumption off.
	NoTickets bool
	// Hello may replace the answer to a ClientHello by raw octets and an end; nil or a nil answer: the
	// handshake goes on. An action that ends in Continue closes.
	Hello func(Hello) *Action
	// Cut interrupts what the host sends in the handshake.
	Cut *HandshakeCut
	// Drip is the pause before each single octet that the host sends in the handshake.
	Drip time.Duration
	// After is what the host sends, encrypted, right behind the handshake.
	After PostHandshake
}

// Hello is a ClientHello and its size in octets on the wire, record headers included.
type Hello struct {
	*tls.ClientHelloInfo
	Size int
}

// HandshakeCut interrupts the host's side of a handshake: after Flights whole flights (writes) and After
// more octets, Do is done on the bare connection. An action that ends in Continue closes.
type HandshakeCut struct {
	Flights int
	After   int
	Do      *Action
}

// Certificate is a kind of server certificate.
type Certificate int

// The kinds of certificate. Each has the right name, is in date and comes from the authority, but for its fault.
const (
	Trusted Certificate = iota
	SelfSigned
	Expired
	NotYetValid
	WrongName
)

// PostHandshake is a nuisance that the host sends as soon as a handshake is done. It needs an AES-GCM suite
// and leaves the host unable to say anything else: it goes on reading until the peer closes.
type PostHandshake int

// The nuisances.
const (
	Nothing      PostHandshake = iota
	KeyUpdates                 // TLS 1.3: KeyUpdate without end (RFC 8446 §4.6.3)
	Tickets                    // TLS 1.3: NewSessionTicket without end (RFC 8446 §4.6.1)
	HelloRequest               // TLS 1.2: one HelloRequest, which asks to renegotiate (RFC 5246 §7.4.1.1)
)

// Reach says what becomes of a connection attempt.
type Reach int

// What becomes of a connection attempt.
const (
	Answers     Reach = iota
	Refuses           // connection refused: nobody listens there
	Unreachable       // no route to the network
	Silent            // no answer until the dialer's context ends
)

// Keep says how much of what a host receives stays in memory.
type Keep int

// How much stays in memory.
const (
	KeepAll       Keep = iota // deliveries with data, connections with commands and cleartext octets
	KeepEnvelopes             // deliveries without data, connections without commands and octets
	KeepCounts                // only how many there were
)

// DefaultKeywords are the EHLO keywords of a host that names none.
func DefaultKeywords() []string {
	return []string{"PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING"}
}

// without is keywords less the named ones.
func without(keywords []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(keywords), func(k string) bool {
		name, _, _ := strings.Cut(k, " ")
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	})
}

// keywords are those offered, without STARTTLS.
func (h *Host) keywords(secured bool) []string {
	outside := h.Keywords
	if outside == nil {
		outside = DefaultKeywords()
	}
	switch {
	case !secured:
		return outside
	case h.KeywordsTLS != nil:
		return h.KeywordsTLS
	}
	// RFC 8689 §2: REQUIRETLS is offered only over TLS.
	return append(slices.Clone(outside), "REQUIRETLS")
}

// offer indexes keywords by their upper-case name. RFC 5321 §2.4: keywords are case-insensitive.
func offer(keywords []string) map[string]string {
	m := make(map[string]string, len(keywords))
	for _, k := range keywords {
		name, param, _ := strings.Cut(k, " ")
		m[strings.ToUpper(name)] = param
	}
	return m
}
