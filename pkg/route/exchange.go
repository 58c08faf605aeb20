package route

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/sendctl/sendctl/pkg/mail"
)

const (
	rounds = 2 // how often a server is asked that gave no proper reply
	// restFor is how long a server that failed is asked after all others.
	restFor = 30 * time.Second
)

// server is one configured resolver.
type server struct {
	addr    string       // "ip:port", or what was configured where that is no address
	invalid error        // why it is no address
	trusted bool         // its AD bit is believed
	rested  atomic.Int64 // Unix nanoseconds until which others come first
}

func newServer(s string, trustAD bool) *server {
	addr, err := ParseServer(s)
	if err != nil {
		return &server{addr: mail.Clean(s), invalid: err}
	}
	return &server{addr: addr.String(), trusted: trustAD || addr.Addr().Unmap().IsLoopback()}
}

// failure is what one server did instead of answering.
type failure struct {
	detail string // follows "server ip:port"
	heard  bool   // a well-formed reply came: asking this server again is no use
	sick   bool   // the fault is the server's, not the domain's
	bogus  bool   // it blames DNSSEC
}

// candidates is the order in which to ask: as configured, with those that failed lately
// at the end.
func (r *Resolver) candidates(q question) []*server {
	servers := slices.Clone(r.servers)
	// RFC 7672 §2.1.1: TLSA records count only when validated. An unvalidated "there are
	// none" must not stand in for a believed resolver that was silenced.
	if q.typ == dns.TypeTLSA && r.mixed() {
		servers = slices.DeleteFunc(servers, func(s *server) bool { return !s.trusted })
	}
	now := r.clock().UnixNano()
	slices.SortStableFunc(servers, func(a, b *server) int {
		return boolToInt(a.rested.Load() > now) - boolToInt(b.rested.Load() > now)
	})
	return servers
}

func (s *server) isTrusted() bool { return s.trusted }

// mixed reports that some servers are believed and some are not. Then a believed one keeps
// its place even when it failed: to ask the others first for a while would let whoever
// silences it once switch DANE off.
func (r *Resolver) mixed() bool {
	return slices.ContainsFunc(r.servers, (*server).isTrusted) &&
		slices.ContainsFunc(r.servers, func(s *server) bool { return !s.trusted })
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// exchange asks the servers in turn until one gives an answer, twice those that stay
// silent. It shares the time left in ctx, which has a deadline, evenly among the attempts
// still to come, so that fast failures leave more of it to the others.
func (r *Resolver) exchange(ctx context.Context, q question) (reading, error) {
	candidates := r.candidates(q)
	failures := make(map[*server]failure, len(candidates))
	pending := candidates
	for round := range rounds {
		var again []*server
		for i, s := range pending {
			rest := len(pending) - i
			attempts := rest + (rounds-round-1)*(rest+len(again))
			rd, f := r.attempt(ctx, s, q, attempts)
			if f == nil {
				s.rested.Store(0)
				return rd, nil
			}
			failures[s] = *f
			if ctx.Err() != nil {
				return reading{}, describe(ctx, q, candidates, failures)
			}
			if f.sick && !(s.trusted && r.mixed()) {
				s.rested.Store(r.clock().Add(restFor).UnixNano())
			}
			if !f.heard {
				again = append(again, s)
			}
		}
		pending = again
	}
	return reading{}, describe(ctx, q, candidates, failures)
}

// attempt asks one server once, with the time left divided by attempts.
func (r *Resolver) attempt(ctx context.Context, s *server, q question, attempts int) (reading, *failure) {
	if s.invalid != nil {
		return reading{}, &failure{detail: "is " + s.invalid.Error(), heard: true, sick: true}
	}
	deadline, _ := ctx.Deadline()
	share := time.Until(deadline) / time.Duration(attempts)
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()
	m, err := r.query(ctx, s.addr, q, true)
	if err == nil && dislikesEDNS(m) {
		m, err = r.query(ctx, s.addr, q, false) // RFC 6891 §7
	}
	if err != nil {
		return reading{}, &failure{detail: explain(err, share), sick: true}
	}
	rd, err := interpret(m, q)
	if err != nil {
		return reading{}, &failure{detail: err.Error(), heard: true, sick: isSick(m.rcode), bogus: m.bogus}
	}
	rd.server, rd.authentic = s.addr, s.trusted && m.authentic
	return rd, nil
}

func dislikesEDNS(m message) bool {
	return m.rcode == dns.RcodeFormatError || m.rcode == dns.RcodeNotImplemented || m.rcode == dns.RcodeBadVers
}

// isSick tells the rcodes that speak of the server from those that speak of the domain:
// a broken zone is SERVFAIL at every resolver and no reason to shun one.
func isSick(rcode int) bool {
	return rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError && rcode != dns.RcodeServerFailure
}

// explain says what became of a query, to be read after "server ip:port".
func explain(err error, patience time.Duration) string {
	var syscallErr *os.SyscallError
	switch {
	case errors.Is(err, errMalformed):
		return mail.Clean(err.Error())
	case errors.Is(err, context.Canceled):
		return "was not waited for"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("did not answer within %v", patience.Round(time.Millisecond))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed the connection without a whole answer"
	case errors.As(err, &syscallErr):
		return "cannot be reached: " + mail.Clean(syscallErr.Err.Error())
	}
	return "cannot be reached: " + mail.Clean(err.Error())
}

// describe turns the failures into one Temporary error, in the order of asking.
func describe(ctx context.Context, q question, servers []*server, failures map[*server]failure) *Error {
	e := q.fail(Temporary, "no DNS server is configured; "+adviceNoServers)
	for _, s := range servers {
		f, ok := failures[s]
		switch {
		case !ok:
			continue
		case e.Server == "":
			e.Server, e.Detail = s.addr, f.detail
		default:
			e.Detail += "; server " + s.addr + " " + f.detail
		}
		e.Bogus = e.Bogus || f.bogus
	}
	if err := ctx.Err(); err != nil {
		e.Err = err
	}
	return e
}

// fail makes an error about q.
func (q question) fail(kind Kind, detail string) *Error {
	return &Error{Kind: kind, Name: strings.TrimSuffix(q.name, "."), Type: q.typeName(), Detail: detail}
}
