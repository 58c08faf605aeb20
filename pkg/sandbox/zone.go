package sandbox

import (
	"fmt"
	"maps"
	"strings"

	"github.com/miekg/dns"
)

// Zone is what a sandbox's DNS knows. The zero value answers NXDOMAIN to everything.
type Zone struct {
	// Records of any names and types.
	Records []dns.RR
	// Rcodes are answered to any question for the name or one below it (dns.RcodeServerFailure …).
	// Names as in questions, with or without the final dot.
	Rcodes map[string]int
	// Authentic says of a name whether its records are signed, so that the AD bit is set in answers to
	// clients that ask for it (RFC 6840 §5.7); nil: none is.
	Authentic func(name string) bool
	// Answer, if set, sees each question first and reports whether it has dealt with it, by writing what it
	// likes or by writing nothing.
	Answer func(w dns.ResponseWriter, q *dns.Msg) bool
}

// ParseZone reads records in the syntax of a master file (RFC 1035 §5.1); the TTL defaults to 300 s.
func ParseZone(text string) (*Zone, error) {
	p := dns.NewZoneParser(strings.NewReader(text), ".", "zone")
	p.SetDefaultTTL(300)
	z := &Zone{}
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		z.Records = append(z.Records, rr)
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("reading a sandbox zone: %w", err)
	}
	return z, nil
}

// header is that of a record of the sandbox's own.
func header(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: kind, Class: dns.ClassINET, Ttl: 300}
}

// add puts the records of b into z; what b says about names and questions holds where z says nothing.
func (z *Zone) add(b *Zone) {
	if b == nil {
		return
	}
	z.Records = append(z.Records, b.Records...)
	if z.Rcodes == nil {
		z.Rcodes = map[string]int{}
	}
	maps.Copy(z.Rcodes, b.Rcodes)
	if z.Authentic == nil {
		z.Authentic = b.Authentic
	}
	if z.Answer == nil {
		z.Answer = b.Answer
	}
}

// index is a zone made ready for questions.
type index struct {
	zone    *Zone
	records map[string][]dns.RR // by canonical name
	exists  map[string]bool     // names with records, and those above them
	rcodes  map[string]int
}

func newIndex(z *Zone) *index {
	x := &index{zone: z, records: map[string][]dns.RR{}, exists: map[string]bool{}, rcodes: map[string]int{}}
	for _, rr := range z.Records {
		name := dns.CanonicalName(rr.Header().Name)
		x.records[name] = append(x.records[name], rr)
		for at, end := 0, false; !end; at, end = dns.NextLabel(name, at) {
			x.exists[name[at:]] = true
		}
	}
	for name, code := range z.Rcodes {
		x.rcodes[dns.CanonicalName(name)] = code
	}
	return x
}

// rcode is the failure that the zone states for the name.
func (x *index) rcode(name string) (int, bool) {
	for at, end := 0, false; !end; at, end = dns.NextLabel(name, at) {
		if code, ok := x.rcodes[name[at:]]; ok {
			return code, true
		}
	}
	return 0, false
}

// find are the records that answer a question, aliases first, with the rcode and whether all are authentic.
func (x *index) find(q dns.Question) (answer []dns.RR, rcode int, authentic bool) {
	authentic = x.zone.Authentic != nil
	name := dns.CanonicalName(q.Name)
	for range 10 {
		if code, ok := x.rcode(name); ok {
			return answer, code, false
		}
		authentic = authentic && x.zone.Authentic(name)
		var alias *dns.CNAME
		found := false
		for _, rr := range x.records[name] {
			kind := rr.Header().Rrtype
			if c, ok := rr.(*dns.CNAME); ok {
				alias = c
			}
			if kind == q.Qtype || q.Qtype == dns.TypeANY {
				answer, found = append(answer, rr), true
			}
		}
		switch {
		case found:
			return answer, dns.RcodeSuccess, authentic
		case alias != nil:
			answer = append(answer, alias)
			name = dns.CanonicalName(alias.Target)
			continue
		case x.exists[name]:
			return answer, dns.RcodeSuccess, authentic // RFC 2308 §2.2: no data
		}
		return answer, dns.RcodeNameError, authentic
	}
	return nil, dns.RcodeServerFailure, false // an alias loop
}
