package route

import (
	"errors"
	"strings"
)

// Kind tells a definitive answer from everything that says nothing about the domain.
type Kind int

const (
	// Temporary is every failure that is no answer: SERVFAIL, REFUSED, a timeout, an
	// unreachable server, a malformed message, an alias loop. It defers mail and never
	// bounces it. It is the zero value, so that a forgotten kind cannot bounce either.
	Temporary Kind = iota
	// NoSuchDomain is NXDOMAIN for the recipient domain, or a text that is no domain name.
	NoSuchDomain
	// NoMailHost is a domain with neither a usable MX nor an address of its own.
	NoMailHost
	// NoAddress is a host with neither an A nor an AAAA record, or that does not exist.
	NoAddress
)

// String names the kind as the constants do, in words.
func (k Kind) String() string {
	switch k {
	case NoSuchDomain:
		return "no such domain"
	case NoMailHost:
		return "no mail host"
	case NoAddress:
		return "no address"
	default:
		return "temporary"
	}
}

// Error is what a lookup ends with when there is nothing to return. Its texts are clean:
// they may go to a terminal or into a report as they are.
type Error struct {
	Kind   Kind
	Name   string // what was asked for, without the final dot
	Type   string // "MX", "A", "AAAA", "A and AAAA", "TLSA", "TXT", "PTR"
	Server string // "ip:port" of the server that Detail speaks of; "" where it is about none
	Detail string // what happened, to be read after "server ip:port" where Server is set
	// Bogus reports that a server blamed DNSSEC for the failure: an extended error
	// (RFC 8914 §4) says that the data do not validate.
	Bogus bool
	// Err is the cause where Go has one, such as context.Canceled; else nil.
	Err error
}

// Error is one sentence: "dns: MX of example.com: server 127.0.0.1:53 answered SERVFAIL".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dns: " + e.Type + " of " + e.Name + ": ")
	if e.Server != "" {
		b.WriteString("server " + e.Server + " ")
	}
	b.WriteString(e.Detail)
	return b.String()
}

// Unwrap gives the cause, so that errors.Is finds context.Canceled.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of an error of this package, and Temporary for every other
// error: what is not known to be an answer is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Temporary
}
