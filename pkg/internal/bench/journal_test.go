package bench

import (
	"os"
	"sync"
)

// journal makes lines durable, with one fdatasync for all that wait at a time.
type journal struct {
	file *os.File

	mu      sync.Mutex
	turned  sync.Cond // a commit has ended
	pending []byte
	spare   []byte
	lines   int // taken
	durable int
	busy    bool // somebody commits
	failed  error
}

func newJournal(f *os.File) *journal {
	j := &journal{file: f}
	j.turned.L = &j.mu
	return j
}

// commit returns when the line is on disk. Who finds nobody at it commits for all.
func (j *journal) commit(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.pending = append(j.pending, line...)
	j.lines++
	mine := j.lines
	for j.failed == nil && j.durable < mine {
		if j.busy {
			j.turned.Wait()
			continue
		}
		j.flush()
	}
	return j.failed
}

// flush writes what is pending. The lock is released meanwhile, so that the next lines can gather.
func (j *journal) flush() {
	out, upTo := j.pending, j.lines
	j.pending, j.busy = j.spare[:0], true
	j.mu.Unlock()
	_, err := j.file.Write(out)
	if err == nil {
		err = dataSync(j.file)
	}
	j.mu.Lock()
	j.spare, j.busy, j.durable, j.failed = out, false, upTo, err
	j.turned.Broadcast()
}
