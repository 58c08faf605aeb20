package route

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/sendctl/sendctl/pkg/mail"
)

// maxNotes is how many oddities of one answer are told one by one.
const maxNotes = 10

// Route is where the mail of one domain goes (RFC 5321 §5.1). A Route with neither Null
// nor an error has at least one host.
type Route struct {
	// Domain is what was asked for: lower case, without the final dot.
	Domain string
	// CanonicalName is the end of the alias chain that starts at Domain; Domain itself
	// where that is no alias. It is a further name that a DANE certificate may carry
	// (RFC 7672 §3.2.2).
	CanonicalName string
	// Hosts are ordered by preference, equals at random, each name once, at most
	// MaxRecords of them.
	Hosts []Host
	// Null marks a domain that takes no mail and says so (RFC 7505 §3).
	Null bool
	// Implicit marks a domain without MX records, whose only host is the domain itself.
	Implicit bool
	// Authentic reports that the list of hosts is authentic data; of a Null route, that
	// the refusal is.
	Authentic bool
	// TTL is how long the route still holds: at most an hour.
	TTL time.Duration
	// Notes are the oddities that were met, each a sentence fit for people.
	Notes []string
}

// Host is one mail host of a Route.
type Host struct {
	// Name is lower case, without the final dot, and never an IP address.
	Name string
	// Preference is that of the MX record, lowest first; 0 for the implicit MX.
	Preference uint16
	// Authentic reports that the host was named by authentic data. For the implicit MX
	// that takes the absence of MX records and the addresses of the domain both.
	Authentic bool
}

// Lookup finds the mail hosts of domain, which is in A-labels; case and a final dot do not
// matter. Errors are of type *Error: NoSuchDomain where the domain does not exist (or is
// no domain name), NoMailHost where it exists and has no usable MX and no address,
// Temporary for all else. A null MX is no error: it is Route.Null.
//
// Whether the hosts have addresses is not asked, except for the implicit MX.
func (r *Resolver) Lookup(ctx context.Context, domain string) (Route, error) {
	name, ok := hostName(domain)
	if !ok {
		return Route{}, &Error{Kind: NoSuchDomain, Name: mail.Clean(domain), Type: "MX", Detail: "this is no domain name"}
	}
	q := question{name + ".", dns.TypeMX}
	a, err := r.ask(ctx, q)
	if err != nil {
		return Route{}, err // FAULTS D2: never the implicit MX
	}
	route := Route{Domain: name, CanonicalName: a.canonical(), Authentic: a.authentic, TTL: r.lifetime(a)}
	if a.aliases > 0 {
		route.note("%s is an alias (CNAME) of %s", name, route.CanonicalName)
	}
	switch a.status {
	case noDomain:
		return Route{}, q.fail(NoSuchDomain, "no such domain (NXDOMAIN from "+a.server+")")
	case noData:
		return r.implicit(ctx, route)
	}
	return r.explicit(route, q, a)
}

// implicit makes the domain its own mail host, once it is known to have an address
// (RFC 5321 §5.1).
func (r *Resolver) implicit(ctx context.Context, route Route) (Route, error) {
	addrs, err := r.Addresses(ctx, route.Domain)
	switch {
	case err != nil && KindOf(err) == NoAddress:
		return Route{}, &Error{
			Kind: NoMailHost, Name: route.Domain, Type: "MX",
			Detail: "the domain has no mail host: neither MX nor A nor AAAA records",
		}
	case err != nil:
		return Route{}, err
	}
	route.Implicit = true
	route.Authentic = route.Authentic && addrs.Authentic
	route.TTL = min(route.TTL, addrs.TTL)
	route.Hosts = []Host{{Name: route.Domain, Authentic: route.Authentic}}
	return route, nil
}

// explicit makes a route of the MX records in a.
func (r *Resolver) explicit(route Route, q question, a answer) (Route, error) {
	records := values[mx](a) // by preference, then name
	if a.malformed == 0 && !slices.ContainsFunc(records, notNull) {
		route.Null = true // RFC 7505 §3
		return route, nil
	}
	seen := make(map[string]bool, len(records))
	for _, record := range records {
		name := strings.TrimSuffix(record.name, ".")
		switch why := badHost(record.name); {
		case record.name == ".":
			route.note("a null MX stands beside other MX records and is ignored (RFC 7505)")
		case why != "":
			route.note("MX %d %s is skipped: %s", record.preference, mail.Clean(name), why)
		case !seen[name]:
			seen[name] = true
			route.Hosts = append(route.Hosts, Host{name, record.preference, a.authentic})
		}
	}
	if a.malformed > 0 {
		route.note("%d malformed MX records are skipped", a.malformed)
	}
	if a.dropped > 0 {
		route.note("%d MX records are too many: the %d most preferred are used", MaxRecords+a.dropped, MaxRecords)
	}
	if len(route.Hosts) == 0 {
		return Route{}, noUsableMX(q, a, route.Notes)
	}
	r.shuffleEquals(route.Hosts)
	return route, nil
}

func notNull(m mx) bool { return m.name != "." }

// noUsableMX is the verdict on MX records of which not one names a host. It is definitive
// unless some of them could not be read at all.
func noUsableMX(q question, a answer, notes []string) *Error {
	kind := NoMailHost
	if a.malformed > 0 {
		kind = Temporary
	}
	return q.fail(kind, "none of the MX records names a mail host: "+strings.Join(notes, "; "))
}

// shuffleEquals spreads the load over hosts of equal preference (RFC 5321 §5.1).
func (r *Resolver) shuffleEquals(hosts []Host) {
	for start := 0; start < len(hosts); {
		end := start + 1
		for end < len(hosts) && hosts[end].Preference == hosts[start].Preference {
			end++
		}
		equals := hosts[start:end]
		r.shuffle(len(equals), func(i, j int) { equals[i], equals[j] = equals[j], equals[i] })
		start = end
	}
}

// note adds a sentence, as long as there are not too many.
func (route *Route) note(format string, args ...any) {
	switch n := len(route.Notes); {
	case n < maxNotes:
		route.Notes = append(route.Notes, fmt.Sprintf(format, args...))
	case n == maxNotes:
		route.Notes = append(route.Notes, "and more of the like")
	}
}
