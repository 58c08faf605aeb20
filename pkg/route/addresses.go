package route

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/sendctl/sendctl/pkg/mail"
)

// Addresses are the IP addresses of one mail host.
type Addresses struct {
	// Addrs has IPv4 before IPv6, each in numerical order, each once, at most MaxRecords
	// of a family. IPv4-mapped IPv6 addresses are IPv4 here. Prohibited ones are not
	// left out.
	Addrs []netip.Addr
	// CanonicalName is the end of the alias chain that starts at the host; the host
	// itself where that is no alias. RFC 7672 §2.2.2 looks for TLSA records there first.
	CanonicalName string
	// Authentic reports that everything above is authentic data.
	Authentic bool
	// TTL is how long the addresses still hold: at most an hour.
	TTL time.Duration
	// Notes are the oddities that were met, each a sentence fit for people.
	Notes []string
}

// Addresses finds the IPv4 and IPv6 addresses of host; case and a final dot do not matter.
// Both families are asked at once. Errors are of type *Error: NoAddress where the host
// does not exist or has neither A nor AAAA records (the caller passes over such a host),
// Temporary where one family is unknown and the other is not there. Where one family is
// unknown and the other is there, that one is the answer.
func (r *Resolver) Addresses(ctx context.Context, host string) (Addresses, error) {
	name, ok := hostName(host)
	if !ok {
		return Addresses{}, &Error{Kind: NoAddress, Name: mail.Clean(host), Type: "A and AAAA", Detail: "this is no host name"}
	}
	families := [...]family{{q: question{name + ".", dns.TypeA}}, {q: question{name + ".", dns.TypeAAAA}}}
	var wg sync.WaitGroup
	for i := range families {
		f := &families[i]
		wg.Go(func() { f.answer, f.err = r.ask(ctx, f.q) })
	}
	wg.Wait()
	out := r.merge(name, families[:])
	if len(out.Addrs) > 0 {
		return out, nil
	}
	for _, f := range families {
		if f.err != nil {
			return Addresses{}, f.err
		}
	}
	return Addresses{}, noAddress(name, families[0].answer, families[1].answer)
}

// family is what became of one of the two questions.
type family struct {
	q      question
	answer answer
	err    error
}

// merge unites what is known of both families.
func (r *Resolver) merge(name string, families []family) Addresses {
	out := Addresses{CanonicalName: name, Authentic: true, TTL: maxTTL}
	for _, f := range families {
		if f.err != nil {
			out.Notes = append(out.Notes, f.err.Error())
			continue
		}
		addrs := values[netip.Addr](f.answer)
		if len(addrs) > 0 {
			out.CanonicalName = f.answer.canonical()
		}
		if f.answer.dropped > 0 {
			out.Notes = append(out.Notes, name+" has too many "+f.q.typeName()+" records: not all are used")
		}
		out.Addrs = append(out.Addrs, addrs...)
		out.Authentic = out.Authentic && f.answer.authentic
		out.TTL = min(out.TTL, r.lifetime(f.answer))
	}
	if out.CanonicalName != name {
		out.Notes = append(out.Notes, name+" is an alias (CNAME) of "+out.CanonicalName)
	}
	slices.SortFunc(out.Addrs, netip.Addr.Compare)
	out.Addrs = slices.Compact(out.Addrs)
	return out
}

func noAddress(name string, a, aaaa answer) *Error {
	e := &Error{Kind: NoAddress, Name: name, Type: "A and AAAA", Detail: "the host has no address"}
	for _, a := range []answer{aaaa, a} {
		if a.status == noDomain {
			e.Detail = "no such host (NXDOMAIN from " + a.server + ")"
		}
	}
	if end := a.canonical(); end != name {
		e.Detail += "; it is an alias (CNAME) of " + end
	}
	return e
}
