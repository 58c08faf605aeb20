package send

import (
	"sync"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// listed is how many rows a report lists whatever became of them. Of more than these only
// those are kept about which there is more to say than that all went well: memory is bounded
// by what went wrong, and not by the run.
const listed = 10_000

// roll counts the rows of a run, and lets those go that the report need not list.
type roll struct {
	mu     sync.Mutex
	n      int
	beyond []*Row     // that are listed although they came late
	sum    *Summary   // of the report: those that are let go are counted at once
	gone   func(*Row) // told of each that is let go
}

// enter counts a row, and tells whether the report lists it in any case.
func (x *roll) enter(r *Row) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.n++
	r.late = x.n > listed
	return !r.late
}

// lets decides about a row that has come to its end for now: true when it is let go, after the
// observer is told.
func (x *roll) lets(r *Row) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !r.late {
		return false
	}
	s := r.Outcome.Status
	well := s == delivery.Delivered || s == delivery.Queued && !r.Skipped
	if !well {
		r.late = false
		x.beyond = append(x.beyond, r)
		return false
	}
	x.sum.Add(r)
	if x.gone != nil {
		x.gone(r)
	}
	return true
}

// close adds to a report those that it lists although they came late.
func (x *roll) close(r *Report) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, row := range x.beyond {
		r.Summary.Add(row)
	}
	r.Rows = append(r.Rows, x.beyond...)
}

// numbers is a set of numbers that lie close to each other.
type numbers map[int64]uint64

func (s numbers) add(n int64) bool {
	word, bit := n>>6, uint64(1)<<(n&63)
	if s[word]&bit != 0 {
		return false
	}
	s[word] |= bit
	return true
}
