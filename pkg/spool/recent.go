package spool

import (
	"bytes"
	"sync"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// maxRecent is how many octets of bodies are kept in memory for whoever is about to send them.
const maxRecent = 8 << 20

// recentBodies keeps short bodies that were accepted a moment ago, the newest of them, so that
// they need not be read again to be sent.
type recentBodies struct {
	mu     sync.Mutex
	bodies map[place][]byte
	order  []place // oldest first
	octets int
}

// put keeps a copy of a body.
func (r *recentBodies) put(p place, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bodies == nil {
		r.bodies = map[place][]byte{}
	}
	r.bodies[p] = bytes.Clone(body)
	r.order = append(r.order, p)
	r.octets += len(body)
	for r.octets > maxRecent || len(r.order) > 2*len(r.bodies)+64 {
		r.drop(r.order[0])
		r.order = r.order[1:]
	}
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
	return body
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
