package spool

import (
	"sync"

	"github.com/sendctl/sendctl/pkg/delivery"
)

const (
	// maxRecent is how many octets of bodies are kept in memory for whoever is about to send them.
	maxRecent = 16 << 20
	// muchRecent is from how many on those who accept more had better wait a moment.
	muchRecent = maxRecent / 2
	// stale is after how many later ones a body is taken for one that nobody is about to send.
	stale = 20_000
)

// recentBodies keeps short bodies that were accepted a moment ago, so that they need not be
// read again to be sent. What came first is sent first: where there is no room, what is new is
// not kept.
type recentBodies struct {
	mu     sync.Mutex
	bodies map[place][]byte
	order  []recentBody // oldest first; some may be gone
	octets int
	puts   int
	less   chan struct{} // closed when there are fewer than muchRecent; nil: nobody waits for that
}

// recentBody is where a body lies, and how many were put before it.
type recentBody struct {
	place place
	puts  int
}

// put keeps a body, which nobody changes any more, if there is room.
func (r *recentBodies) put(p place, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.puts++
	for len(r.order) > 0 {
		oldest := r.order[0]
		if _, kept := r.bodies[oldest.place]; kept && r.puts-oldest.puts <= stale {
			break
		}
		r.drop(oldest.place)
		r.order = r.order[1:]
	}
	if r.octets+len(body) > maxRecent {
		return
	}
	if r.bodies == nil {
		r.bodies = map[place][]byte{}
	}
	r.bodies[p] = body
	r.order = append(r.order, recentBody{p, r.puts})
	r.octets += len(body)
}

// take gives a body, and keeps it no longer; nil where it is not there.
func (r *recentBodies) take(p place) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drop(p)
}

func (r *recentBodies) drop(p place) []byte {
	body, ok := r.bodies[p]
	if ok {
		delete(r.bodies, p)
		r.octets -= len(body)
	}
	if r.less != nil && r.octets < muchRecent {
		close(r.less)
		r.less = nil
	}
	return body
}

// crowded is closed once few are kept; nil where that is so already.
func (r *recentBodies) crowded() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.octets < muchRecent {
		return nil
	}
	if r.less == nil {
		r.less = make(chan struct{})
	}
	return r.less
}

// sessionFacts keeps what facts of sessions look like at rest. Many messages share a session.
type sessionFacts struct {
	mu    sync.Mutex
	known map[*delivery.Session]fact
}

// of encodes a session, which must not change any more.
func (x *sessionFacts) of(s *delivery.Session) (fact, error) {
	const most = 256
	x.mu.Lock()
	defer x.mu.Unlock()
	if f, ok := x.known[s]; ok {
		return f, nil
	}
	f, err := encodeSession(s)
	if err != nil {
		return f, err
	}
	if x.known == nil || len(x.known) >= most {
		x.known = map[*delivery.Session]fact{}
	}
	x.known[s] = f
	return f, nil
}
