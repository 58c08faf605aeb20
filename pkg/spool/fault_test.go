package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// faulty is a disk whose nth operation fails, and half of every write that fails is done. With
// dead, everything after it fails too: as if the process had been killed there.
type faulty struct {
	disk
	mu   sync.Mutex
	nth  int // 0: none
	err  error
	dead bool
	only string // "": every kind of operation counts
	n    int
}

func (d *faulty) fails(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.only != "" && d.only != what {
		return nil
	}
	d.n++
	if d.nth != 0 && (d.n == d.nth || d.dead && d.n > d.nth) {
		return &fs.PathError{Op: what, Path: "segment", Err: d.err}
	}
	return nil
}

type faultyFile struct {
	bodyFile
	d *faulty
}

func (d *faulty) create(path string) (bodyFile, error) {
	if err := d.fails("create"); err != nil {
		return nil, err
	}
	f, err := d.disk.create(path)
	return faultyFile{f, d}, err
}

func (d *faulty) open(path string) (bodyFile, error) {
	if err := d.fails("open"); err != nil {
		return nil, err
	}
	f, err := d.disk.open(path)
	if err != nil {
		return nil, err
	}
	return faultyFile{f, d}, nil
}

func (d *faulty) remove(path string) error {
	if err := d.fails("remove"); err != nil {
		return err
	}
	return d.disk.remove(path)
}

func (f faultyFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.d.fails("write"); err != nil {
		n, _ := f.bodyFile.WriteAt(p[:len(p)/2], at)
		return n, err
	}
	return f.bodyFile.WriteAt(p, at)
}

func (f faultyFile) Sync() error {
	if err := f.d.fails("sync"); err != nil {
		return err
	}
	return f.bodyFile.Sync()
}

// life is what is done to a spool: six messages, of which half are delivered and one bounces.
// It gives the numbers of those that were accepted, delivered and bounced without error.
func life(t *testing.T, s *Spool) (accepted, delivered_, bounced map[int]bool) {
	accepted, delivered_, bounced = map[int]bool{}, map[int]bool{}, map[int]bool{}
	entries := map[int]Entry{}
	for i := range 6 {
		in := incoming(i, "a@b.test")
		in.Claim = true
		a, err := s.Add(t.Context(), in)
		if err != nil {
			var state *StateError
			if !errors.As(err, &state) || state.Hint == "" {
				t.Errorf("message %d: %v is no StateError with a hint", i, err)
			}
			continue
		}
		accepted[i], entries[i] = true, a.Entry
	}
	for i, e := range entries {
		if i == 5 {
			continue
		}
		c, err := s.Body(t.Context(), &e.Message)
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			t.Errorf("body %d: %v", i, err)
		}
		if err != nil || s.Intend(t.Context(), ids(e)...) != nil {
			continue
		}
		var b strings.Builder
		if _, err := c.WriteTo(&b); err != nil || b.String() != string(incoming(i).Body.(text)) {
			t.Errorf("body %d: %v, %q", i, err, b.String())
		}
		o, done := delivered(), delivered_
		if i == 4 {
			o, done = failed(delivery.Bounced, policy.Expired), bounced
		}
		if i < 3 || i == 4 {
			done[i] = s.Settle(t.Context(), Settlement{Recipient: ids(e)[0], Outcome: o}) == nil
		}
	}
	return accepted, delivered_, bounced
}

// F2, F3: whichever operation on a segment fails, what was accepted is delivered, bounced or
// queued, exactly one of them, and bodies of what is settled are gone after the next start.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		dead bool
	}{{"EIO", syscall.EIO, false}, {"ENOSPC", syscall.ENOSPC, false}, {"dead", syscall.EIO, true}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ { // some 30 operations
				d := &faulty{nth: n, err: tt.err, dead: tt.dead}
				dir := stateDir(t)
				s, err := open(dir, Options{}, d)
				if err != nil {
					t.Fatal(err)
				}
				accepted, delivered_, bounced := life(t, s)
				_ = s.Close() // may say that something is undone
				check(t, fmt.Sprintf("fault %d", n), dir, accepted, delivered_, bounced)
				if d.n < n {
					return // the fault was not reached: all were tried
				}
			}
		})
	}
}

// check opens a spool again, without faults, and holds the invariants.
func check(t *testing.T, name, dir string, accepted, delivered_, bounced map[int]bool) {
	t.Helper()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.Recovered().Err != nil {
		t.Errorf("%s: %v", name, s.Recovered().Err)
	}
	state := map[string]delivery.Status{}
	for _, r := range append(queued(t, s), recorded(t, s)...) {
		if state[r.Message.QueueID] != "" {
			t.Errorf("%s: %s is there twice", name, r.Message.QueueID)
		}
		state[r.Message.QueueID] = r.Recipient.Status
	}
	for i := range 6 {
		status := state[fmt.Sprintf("q%06d", i)]
		switch {
		case delivered_[i] && status != delivery.Delivered, bounced[i] && status != delivery.Bounced, accepted[i] && status == "":
			t.Errorf("%s: message %d accepted %v delivered %v bounced %v is %q", name, i, accepted[i], delivered_[i], bounced[i], status)
		case status != "" && !status.Settled() && len(grep(t, dir, incoming(i).Body.(text).marker())) == 0:
			t.Errorf("%s: the body of message %d is gone, which is %s", name, i, status)
		case (status == "" || status.Settled()) && len(grep(t, dir, incoming(i).Body.(text).marker())) != 0:
			t.Errorf("%s: the body of message %d is still there, which is %q", name, i, status)
		}
	}
	for _, e := range mustClaim(t, s, ClaimRequest{All: true}) {
		bodyOf(t, s, &e.Message)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// F4: outcomes that cannot be written are an error, so that sending stops, and in doubt afterwards.
func TestFullWhenAnOutcomeIsWritten(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	in := incoming(1, "a@b.test")
	in.Claim = true
	e := mustAdd(t, s, in).Entry
	if err := s.Intend(t.Context(), ids(e)...); err != nil {
		t.Fatal(err)
	}
	limit := func(pages string) {
		if err := s.writer.do(nil, func(t *tx) error {
			return t.queryOnce("PRAGMA max_page_count = "+pages, nil, func(*scan) error { return nil })
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // as good as the present size
	big := failed(delivery.Bounced, policy.ContentRejected)
	big.Text = strings.Repeat("the server said very much ", 10000)
	err := s.Settle(t.Context(), Settlement{Recipient: ids(e)[0], Outcome: big})
	var state *StateError
	if !errors.As(err, &state) || !strings.Contains(state.Hint, "free some space") {
		t.Fatalf("settled on a full disk: %v", err)
	}
	if r := queued(t, s); len(r) != 1 || !r[0].Recipient.Claimed {
		t.Fatalf("queued %+v", r)
	}
	limit("100000")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir, Options{})
	got := mustClaim(t, s, ClaimRequest{})
	if len(got) != 1 || !got[0].Recipients[0].MaybeDuplicate() || got[0].Recipients[0].Status != delivery.InDoubt {
		t.Fatalf("claimed %+v", got)
	}
	if a := got[0].Recipients[0].Outcome.Attempts; len(a) != 1 || !strings.Contains(a[0].Text, "second copy") {
		t.Errorf("attempts %+v", a)
	}
	mustSettle(t, s, delivered(), time.Time{}, ids(got...)...)
}

// A job that fails in a group does not take the others along.
func TestOneFailsTheOthersDoNot(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	broken := errors.New("broken")
	gate := make(chan struct{})
	started := make(chan struct{})
	first := make(chan error)
	go func() {
		first <- s.writer.do(nil, func(*tx) error { close(started); <-gate; return nil })
	}()
	<-started // the writer is busy: what comes now is one group
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = s.writer.do(nil, func(t *tx) error {
				if _, err := t.exec("INSERT INTO fact (hash, body) VALUES ($1, '')", []byte{byte(i)}); err != nil {
					return err
				}
				if i == 5 {
					return broken
				}
				return nil
			})
		})
	}
	for waiting := 0; waiting < len(errs); {
		s.writer.mu.Lock()
		waiting = len(s.writer.waiting)
		s.writer.mu.Unlock()
	}
	close(gate)
	wg.Wait()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if (i == 5) != errors.Is(err, broken) || i != 5 && err != nil {
			t.Errorf("job %d: %v", i, err)
		}
	}
	written := 0
	err := s.reading(t.Context(), func(c *conn) error {
		return c.query("SELECT count(*) FROM fact", nil, func(r *scan) error { written = int(r.int()); return nil })
	})
	if err != nil || written != 9 {
		t.Errorf("%d written, %v", written, err)
	}
}

// unsyncable is a file that cannot be synced once; after that it says that it can.
type unsyncable struct {
	bodyFile
	failed bool
}

func (f *unsyncable) Sync() error {
	if f.failed {
		return nil
	}
	f.failed = true
	return syscall.EIO
}

// F1: once a segment could not be synced nothing of it is taken for durable, whatever the system
// says the next time.
func TestSegmentThatWasNotSyncedOnce(t *testing.T) {
	t.Parallel()
	s := &segment{path: "x", file: &unsyncable{}}
	for range 2 {
		if err := s.sync(); !errors.Is(err, syscall.EIO) || !s.broken.Load() {
			t.Errorf("%v, broken: %v", err, s.broken.Load())
		}
	}
}
