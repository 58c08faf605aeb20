package bench

import (
	"fmt"
	"sync"
	"time"
)

// counts is what a sink has seen since it started.
type counts struct {
	Messages    int           // accepted
	Octets      int           // of the accepted messages' content, without dots that transparency added
	Recipients  int           // of the accepted messages
	Repeated    int           // of these, the ones that were accepted before: a second copy
	Connections int           // taken
	Peak        int           // connections open at once, at most
	Full        int           // TLS handshakes with a key exchange and a certificate
	Resumed     int           // TLS handshakes that resumed a session
	Faults      int           // commands out of order, lines that are none, and the like
	Fault       string        // the first of them
	First, Last time.Time     // when the first and the last message were accepted
	CPU         time.Duration // that the sink's process has used
}

// rate is messages per second between the first and the last acceptance; 0 for fewer than two.
func (c counts) rate() float64 {
	took := c.Last.Sub(c.First).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(c.Messages-1) / took
}

// tally counts for all connections of a sink.
type tally struct {
	mu   sync.Mutex
	c    counts
	open int
	seen []uint64 // a bit for each recipient's number
}

func (t *tally) opened() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Connections++
	t.open++
	t.c.Peak = max(t.c.Peak, t.open)
}

func (t *tally) closed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
}

func (t *tally) handshake(resumed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if resumed {
		t.c.Resumed++
	} else {
		t.c.Full++
	}
}

// accepted counts a message of so many octets for the recipients with these numbers (-1: none).
func (t *tally) accepted(octets int, numbers []int) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Messages++
	t.c.Recipients += len(numbers)
	t.c.Octets += octets
	if t.c.First.IsZero() {
		t.c.First = now
	}
	t.c.Last = now
	for _, n := range numbers {
		if n < 0 {
			continue
		}
		word, bit := n/64, uint64(1)<<(n%64)
		for word >= len(t.seen) {
			t.seen = append(t.seen, make([]uint64, max(64, len(t.seen)))...)
		}
		if t.seen[word]&bit != 0 {
			t.c.Repeated++
		}
		t.seen[word] |= bit
	}
}

func (t *tally) fault(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Faults++
	if t.c.Fault == "" {
		t.c.Fault = fmt.Sprintf(format, args...)
	}
}

func (t *tally) counts() counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c
}
