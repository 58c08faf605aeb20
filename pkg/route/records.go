package route

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sendctl/sendctl/pkg/mail"
)

// TLSA is one certificate association (RFC 6698 §2.1). The numbers are the publisher's:
// they may be of no known meaning.
type TLSA struct {
	Usage, Selector, MatchingType uint8
	// Data is the certificate, the key or the digest, raw and never empty.
	Data []byte
}

// TLSASet is what a host publishes about its keys at one port.
type TLSASet struct {
	// Records are at most MaxRecords, in the order of the answer.
	Records []TLSA
	// Skipped counts records that cannot be read or whose digest has the wrong length.
	// Where they are all that there is, the set is present and unusable: RFC 7672 §2.2
	// then demands encryption without authentication.
	Skipped int
	// Authentic reports that the records, or their absence, are authentic data.
	Authentic bool
	// TTL is how long this still holds: at most an hour, 5 min for an absence.
	TTL time.Duration
}

// TLSA asks for the TLSA records of host at a TCP port. Absence (NXDOMAIN, NODATA) is an
// empty set and no error; every error is an *Error, and under DANE it must defer
// (RFC 7672 §2.1.1). Only where the addresses of host were authentic is it worth asking.
func (r *Resolver) TLSA(ctx context.Context, host string, port uint16) (TLSASet, error) {
	a, err := r.records(ctx, "_"+strconv.Itoa(int(port))+"._tcp."+host, dns.TypeTLSA)
	if err != nil {
		return TLSASet{}, err
	}
	return TLSASet{values[TLSA](a), a.malformed, a.authentic, r.lifetime(a)}, nil
}

// TextSet is what a name says in TXT records.
type TextSet struct {
	// Texts has one string for each record, its character strings joined, at most
	// MaxRecords. They are a stranger's bytes: see mail.Clean.
	Texts []string
	// Authentic reports that the records, or their absence, are authentic data.
	Authentic bool
	// TTL is how long this still holds: at most an hour, 5 min for an absence.
	TTL time.Duration
}

// TXT asks for the TXT records of name, such as _mta-sts.example.com (RFC 8461 §3.1).
// Absence (NXDOMAIN, NODATA) is an empty set and no error; every error is an *Error.
func (r *Resolver) TXT(ctx context.Context, name string) (TextSet, error) {
	a, err := r.records(ctx, name, dns.TypeTXT)
	if err != nil {
		return TextSet{}, err
	}
	return TextSet{values[string](a), a.authentic, r.lifetime(a)}, nil
}

// NameSet is what an IP address is called.
type NameSet struct {
	// Names are cleaned, in lower case without the final dot, at most MaxRecords.
	Names []string
	// Authentic reports that the records, or their absence, are authentic data.
	Authentic bool
	// TTL is how long this still holds: at most an hour, 5 min for an absence.
	TTL time.Duration
}

// PTR asks for the names of addr in the reverse tree (RFC 1035 §3.5, RFC 3596 §2.5).
// Absence is an empty set and no error; every error is an *Error.
func (r *Resolver) PTR(ctx context.Context, addr netip.Addr) (NameSet, error) {
	arpa, err := dns.ReverseAddr(addr.WithZone("").Unmap().String())
	if err != nil {
		return NameSet{}, &Error{Kind: NoSuchDomain, Name: addr.String(), Type: "PTR", Detail: "this is no IP address"}
	}
	a, err := r.records(ctx, arpa, dns.TypePTR)
	if err != nil {
		return NameSet{}, err
	}
	names := values[string](a)
	for i, name := range names {
		names[i] = mail.Clean(strings.TrimSuffix(name, "."))
	}
	return NameSet{names, a.authentic, r.lifetime(a)}, nil
}

// records asks for records whose absence is an answer like any other.
func (r *Resolver) records(ctx context.Context, name string, typ uint16) (answer, error) {
	full, ok := hostName(name)
	if !ok {
		e := question{mail.Clean(name), typ}.fail(NoSuchDomain, "this is no domain name")
		return answer{}, e
	}
	return r.ask(ctx, question{full + ".", typ})
}
