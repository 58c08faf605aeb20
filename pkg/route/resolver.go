package route

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

const (
	defaultTimeout  = 5 * time.Second
	defaultMaxCache = 4096
	// maxExchanges is how many questions are on the network at once, for the sake of the
	// resolver and of the limit on open files.
	maxExchanges = 64
)

// Options says how to reach the DNS. The zero value has no server and answers nothing;
// every other field has a working default.
type Options struct {
	// Servers are recursive resolvers in order of preference, each "ip", "ip:port" or
	// "[ip6]:port" (see ParseServer). One that is malformed fails whenever it is asked.
	Servers []string
	// TrustAD believes the authentic-data bit of every server. Without it only servers
	// at loopback addresses are believed.
	TrustAD bool
	// Timeout is the time for one question with all its aliases, servers and tries, from
	// when its turn comes (64 are asked at once); 5 s where it is zero or less.
	Timeout time.Duration
	// Dial connects to a server; network is "udp" or "tcp", address "ip:port". Default:
	// a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Clock is what the lifetimes of answers are measured by. Default: time.Now.
	Clock func() time.Time
	// Shuffle puts MX hosts of equal preference in random order, as rand.Shuffle does,
	// which is the default.
	Shuffle func(n int, swap func(i, j int))
	// MaxCache is how many answers are remembered: 4096 where it is zero, none where it
	// is negative.
	MaxCache int
}

// Resolver asks the DNS and remembers the answers. It is safe for use by many goroutines;
// those that ask the same at the same time share one query.
type Resolver struct {
	servers []*server
	timeout time.Duration
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	clock   func() time.Time
	shuffle func(n int, swap func(i, j int))
	cache   *cache
	slots   chan struct{} // one token for each question on the network
}

// New makes a Resolver. It opens nothing and cannot fail: a Resolver without a usable
// server says so, temporarily, at every question.
func New(o Options) *Resolver {
	r := &Resolver{
		timeout: o.Timeout,
		dial:    o.Dial,
		clock:   o.Clock,
		shuffle: o.Shuffle,
		cache:   newCache(o.MaxCache),
		slots:   make(chan struct{}, maxExchanges),
	}
	for _, s := range o.Servers {
		r.servers = append(r.servers, newServer(s, o.TrustAD))
	}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	if r.dial == nil {
		r.dial = new(net.Dialer).DialContext
	}
	if r.clock == nil {
		r.clock = time.Now
	}
	if r.shuffle == nil {
		r.shuffle = rand.Shuffle
	}
	if o.MaxCache == 0 {
		r.cache.max = defaultMaxCache
	}
	return r
}

// answer is the end of the way from a question through all its aliases.
type answer struct {
	reading
	expires time.Time
}

// canonical is the name at the end of the alias chain, without the final dot.
func (a answer) canonical() string { return strings.TrimSuffix(a.name, ".") }

// size estimates the memory that the answer holds, in bytes.
func (a answer) size() int {
	n := 128
	for _, v := range a.values {
		n += 64
		switch v := v.(type) {
		case mx:
			n += len(v.name)
		case string:
			n += len(v)
		case TLSA:
			n += len(v.Data)
		}
	}
	return n
}

// values returns the records of an answer as what decode made of them.
func values[T any](a answer) []T {
	out := make([]T, 0, len(a.values))
	for _, v := range a.values {
		if t, ok := v.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

// ask answers q from the cache, from a query under way, or from the network. Its error is
// an *Error of kind Temporary.
func (r *Resolver) ask(ctx context.Context, q question) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, q.abandoned(err)
	}
	res, f := r.cache.get(ctx, q, r.clock(), func(ctx context.Context, f *flight) {
		a, err := r.resolve(ctx, q)
		r.cache.finish(q, f, result{a, err}, r.clock())
	})
	if f == nil {
		return res.answer, res.err
	}
	defer r.cache.leave(q, f)
	select {
	case <-f.done:
		return f.result.answer, f.result.err
	case <-ctx.Done():
		return answer{}, q.abandoned(ctx.Err())
	}
}

// abandoned is the error of a caller who stopped waiting.
func (q question) abandoned(err error) *Error {
	e := q.fail(Temporary, "gave up waiting: "+err.Error())
	e.Err = err
	return e
}

// resolve asks the network, and asks again at the end of an alias chain that the server
// left open.
func (r *Resolver) resolve(ctx context.Context, q question) (answer, error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return answer{}, q.abandoned(ctx.Err())
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	a := answer{reading: reading{name: q.name, ttl: maxTTL, authentic: true}}
	for {
		rd, err := r.exchange(ctx, question{a.name, q.typ})
		if err != nil {
			return answer{}, err
		}
		// RFC 7672 §2.1.3: one insecure step makes all that follows it insecure.
		rd.authentic = rd.authentic && a.authentic
		rd.aliases += a.aliases
		rd.ttl = min(rd.ttl, a.ttl)
		a.reading = rd
		if rd.aliases > MaxAliases {
			return answer{}, r.tooManyAliases(q, rd.server)
		}
		if rd.status != alias {
			a.expires = r.clock().Add(max(a.ttl, minTTL))
			return a, nil
		}
	}
}

func (r *Resolver) tooManyAliases(q question, server string) *Error {
	e := q.fail(Temporary, errAliases.Error())
	e.Server = server
	return e
}

// lifetime is how long an answer still holds.
func (r *Resolver) lifetime(a answer) time.Duration { return max(0, a.expires.Sub(r.clock())) }
