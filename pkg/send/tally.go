package send

import "sync"

// tally counts recipients that are under way.
type tally struct {
	mu   sync.Mutex
	calm sync.Cond // signalled when there are fewer
	n    int
}

func newTally() *tally {
	t := &tally{}
	t.calm.L = &t.mu
	return t
}

// add counts more of them, or fewer.
func (t *tally) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n += n
	if n < 0 {
		t.calm.Broadcast()
	}
}

// below returns when fewer than n are under way.
func (t *tally) below(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.n >= n {
		t.calm.Wait()
	}
}
