package route

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	// failureTTL spares a broken domain or server the questions of every lane at once
	// (RFC 9520 §3.2).
	failureTTL = 5 * time.Second
	// maxCachedBytes is the largest answer worth remembering.
	maxCachedBytes = 16 << 10
)

// result is what a flight ends with.
type result struct {
	answer answer
	err    error
}

// cache remembers results and lets all who ask the same at the same time wait for one
// query.
type cache struct {
	mu      sync.Mutex
	max     int
	entries map[question]entry
	flights map[question]*flight
}

type entry struct {
	result
	expires time.Time
}

// flight is a query under way. It is called off when the last who waits for it leaves.
type flight struct {
	waiters int
	cancel  context.CancelFunc
	done    chan struct{} // closed once result is set
	result  result
}

func newCache(maxEntries int) *cache {
	return &cache{max: maxEntries, entries: map[question]entry{}, flights: map[question]*flight{}}
}

// get returns what is known at now, or the flight to wait for. It starts the flight with
// run where there is none.
func (c *cache) get(ctx context.Context, q question, now time.Time, run func(context.Context, *flight)) (result, *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[q]; ok && now.Before(e.expires) {
		return e.result, nil
	}
	f := c.flights[q]
	if f == nil {
		// The flight outlives the caller that started it while others wait.
		runCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		f = &flight{cancel: cancel, done: make(chan struct{})}
		c.flights[q] = f
		go run(runCtx, f)
	}
	f.waiters++
	return result{}, f
}

// leave gives up waiting for f.
func (c *cache) leave(q question, f *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.cancel()
	if c.flights[q] == f {
		delete(c.flights, q)
	}
}

// finish hands res to all who wait for f and keeps it for its time. What a flight that
// was called off found is not kept: its failure says nothing about the DNS.
func (c *cache) finish(q question, f *flight, res result, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.result = res
	close(f.done)
	f.cancel()
	if c.flights[q] != f {
		return
	}
	delete(c.flights, q)
	expires := res.answer.expires
	if res.err != nil {
		expires = now.Add(failureTTL)
	}
	c.store(q, entry{res, expires}, now)
}

// store keeps e, and makes room first: what has expired goes, and where that is too
// little an eighth of the rest, in no particular order.
func (c *cache) store(q question, e entry, now time.Time) {
	if c.max <= 0 || e.answer.size() > maxCachedBytes {
		return
	}
	if len(c.entries) >= c.max {
		maps.DeleteFunc(c.entries, func(_ question, old entry) bool { return !now.Before(old.expires) })
	}
	if len(c.entries) >= c.max {
		c.evict(c.max - max(1, c.max/8))
	}
	c.entries[q] = e
}

func (c *cache) evict(target int) {
	for k := range c.entries {
		if len(c.entries) <= target {
			return
		}
		delete(c.entries, k)
	}
}
