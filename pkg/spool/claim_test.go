package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

func TestClaimOrderLimitAndGrouping(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openTest(t, stateDir(t), Options{Clock: c.Now})
	mustAdd(t, s, incoming(1, "a@b.test", "c@b.test"))
	c.add(time.Minute)
	mustAdd(t, s, incoming(2, "a@d.test"))
	later := incoming(3, "a@e.test")
	later.Message.Queued = c.Now().Add(time.Hour)
	mustAdd(t, s, later)

	first := mustClaim(t, s, ClaimRequest{Limit: 2})
	if len(first) != 1 || len(first[0].Recipients) != 2 || first[0].Message.QueueID != "q000001" || first[0].Message.EnvelopeID != "e1" {
		t.Fatalf("first %+v", first)
	}
	second := mustClaim(t, s, ClaimRequest{})
	if len(second) != 1 || second[0].Message.QueueID != "q000002" {
		t.Fatalf("second %+v", second)
	}
	if err := s.Release(t.Context(), ids(second...)...); err != nil {
		t.Fatal(err)
	}
	if got := mustClaim(t, s, ClaimRequest{Filter: Filter{Recipient: mail.Address{Domain: "d.test"}}}); len(got) != 1 {
		t.Fatalf("released %+v", got)
	}
	if got := mustClaim(t, s, ClaimRequest{All: true, Filter: Filter{IDs: []string{"q000003", "none"}}}); len(got) != 1 || got[0].Message.QueueID != "q000003" {
		t.Fatalf("not due, but asked for: %+v", got)
	}
}

func TestDeferredComesBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openTest(t, stateDir(t), Options{Clock: c.Now})
	mustAdd(t, s, incoming(1, "a@b.test"))
	for try := 1; try <= 3; try++ {
		entries := mustClaim(t, s, ClaimRequest{})
		if len(entries) != 1 {
			t.Fatalf("try %d: %d entries", try, len(entries))
		}
		r := &entries[0].Recipients[0]
		if r.Tries != try-1 || len(r.Outcome.Attempts) != try-1 {
			t.Errorf("try %d: %d tries, %d attempts", try, r.Tries, len(r.Outcome.Attempts))
		}
		if last, grey := r.LastHost(); try > 1 && (!grey || last.IP != "192.0.2.1" || last.SourceIP != "198.51.100.1") {
			t.Errorf("last host %+v, greylisted %v", last, grey)
		}
		mustSettle(t, s, failed(delivery.Deferred, policy.Greylisted), c.Now().Add(5*time.Minute), r.ID)
		if next := queued(t, s)[0].Recipient.Next; !next.Equal(c.Now().Add(5 * time.Minute)) {
			t.Errorf("next due %v", next)
		}
		if got := mustClaim(t, s, ClaimRequest{}); len(got) != 0 {
			t.Fatalf("due before its time: %+v", got)
		}
		c.add(5 * time.Minute)
	}
	r := queued(t, s)[0].Recipient
	if r.Status != delivery.Deferred || r.Outcome.Status != delivery.Deferred || r.Outcome.Reason != policy.Greylisted || r.Outcome.Reply.Code != 451 {
		t.Errorf("%+v", r)
	}
	// A host that backs off costs no attempt and forgets none.
	e := mustClaim(t, s, ClaimRequest{})
	if err := s.Settle(t.Context(), Settlement{Recipient: ids(e...)[0], Untried: true, Next: c.Now(), Outcome: delivery.Outcome{Status: delivery.Deferred, Reason: policy.Throttled}}); err != nil {
		t.Fatal(err)
	}
	if r := queued(t, s)[0].Recipient; r.Tries != 3 || len(r.Outcome.Attempts) != 3 {
		t.Errorf("untried: %d tries, %d attempts", r.Tries, len(r.Outcome.Attempts))
	}
}

// However many attempts there are, the first ones and the last one are kept.
func TestAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	mustAdd(t, s, incoming(1, "a@b.test"))
	for i := range 150 {
		e := mustClaim(t, s, ClaimRequest{})
		o := failed(delivery.Deferred, policy.ConnectTimeout)
		o.Attempts[0].Time = time.UnixMilli(int64(i)).UTC()
		mustSettle(t, s, o, time.Time{}, ids(e...)...)
	}
	a := queued(t, s)[0].Recipient.Outcome.Attempts
	if len(a) < 50 || len(a) > 140 || a[0].Time.UnixMilli() != 0 || a[len(a)-1].Time.UnixMilli() != 149 {
		t.Errorf("%d attempts, from %v to %v", len(a), a[0].Time, a[len(a)-1].Time)
	}
}

// F8: however many claim at once, each recipient is claimed by one.
func TestEachIsClaimedOnce(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	var all []*Spool
	for range 4 {
		all = append(all, openTest(t, dir, Options{}))
	}
	const n = 300
	for i := range n {
		mustAdd(t, all[i%4], incoming(i, "a@b.test"))
	}
	var mu sync.Mutex
	seen := map[int64]int{}
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			for {
				entries, err := s.Claim(t.Context(), ClaimRequest{Limit: 7})
				if err != nil || len(entries) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				got := ids(entries...)
				if err := s.Intend(t.Context(), got...); err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, id := range got {
					seen[id]++
				}
				mu.Unlock()
				for _, id := range got {
					if err := s.Settle(t.Context(), Settlement{Recipient: id, Outcome: delivered()}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != n {
		t.Errorf("%d of %d claimed", len(seen), n)
	}
	for id, times := range seen {
		if times != 1 {
			t.Errorf("%d claimed %d times", id, times)
		}
	}
	rows := recorded(t, all[0])
	if len(rows) != n || !slices.IsSortedFunc(rows, func(a, b Row) int { return int(a.Record - b.Record) }) {
		t.Errorf("%d records", len(rows))
	}
}

// A lease that ended frees what is not being sent, and its former owner learns of it in time.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()
	dir, c := stateDir(t), newClock()
	hung := openTest(t, dir, Options{Clock: c.Now, Lease: time.Minute})
	other := openTest(t, dir, Options{Clock: c.Now, Lease: time.Minute})
	mustAdd(t, hung, incoming(1, "idle@b.test", "sending@b.test"))
	mine := ids(mustClaim(t, hung, ClaimRequest{})...)
	if err := hung.Intend(t.Context(), mine[1]); err != nil {
		t.Fatal(err)
	}
	if got := mustClaim(t, other, ClaimRequest{}); len(got) != 0 {
		t.Fatalf("taken from a living owner: %+v", got)
	}
	c.add(50 * time.Second)
	if err := hung.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.add(50 * time.Second)
	if got := mustClaim(t, other, ClaimRequest{}); len(got) != 0 {
		t.Fatalf("taken though renewed: %+v", got)
	}
	c.add(10 * 365 * 24 * time.Hour) // F14
	got := mustClaim(t, other, ClaimRequest{})
	if !slices.Equal(ids(got...), mine[:1]) {
		t.Fatalf("taken %v, want %v", ids(got...), mine[:1])
	}
	var lost *ClaimLostError
	if err := hung.Intend(t.Context(), mine[0], mine[1]); !errors.As(err, &lost) || !slices.Equal(lost.Recipients, mine[:1]) {
		t.Errorf("intend: %v", err)
	}
	if err := hung.Settle(t.Context(), Settlement{Recipient: mine[0], Outcome: delivered()}, Settlement{Recipient: mine[1], Outcome: delivered()}); !errors.As(err, &lost) || !slices.Equal(lost.Recipients, mine[:1]) {
		t.Errorf("settle: %v", err)
	}
	if rows := recorded(t, other); len(rows) != 1 || rows[0].Recipient.Address.Local != "sending" {
		t.Errorf("recorded %+v", rows)
	}
	mustSettle(t, other, delivered(), time.Time{}, mine[0])
}

// F14: a clock that was wrong when a recipient was put off does not keep it for years.
func TestPutOffByAWrongClock(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openTest(t, stateDir(t), Options{Clock: c.Now})
	mustAdd(t, s, incoming(1, "a@b.test"))
	e := mustClaim(t, s, ClaimRequest{})
	mustSettle(t, s, failed(delivery.Deferred, policy.DNSFailure), c.Now().Add(10*365*24*time.Hour), ids(e...)...)
	if got := mustClaim(t, s, ClaimRequest{}); len(got) != 0 {
		t.Fatal("due without being asked about the clock")
	}
	if got := mustClaim(t, s, ClaimRequest{Horizon: 5 * time.Hour}); len(got) != 1 {
		t.Fatal("not due, though no wait is so long")
	}
}

// undertaker is a spool that takes the only owner there is for dead.
func undertaker(t *testing.T, dir string) *Spool {
	t.Helper()
	locks, err := filepath.Glob(filepath.Join(dir, ownersName, "*"))
	if err != nil || len(locks) != 1 {
		t.Fatal(locks, err)
	}
	if err := os.Remove(locks[0]); err != nil {
		t.Fatal(err)
	}
	return openTest(t, dir, Options{})
}

// An owner that was taken for dead while it lives cannot send what others took over, and can
// go on afterwards.
func TestTakenForDead(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	a := openTest(t, dir, Options{})
	mustAdd(t, a, incoming(1, "a@b.test"))
	mine := ids(mustClaim(t, a, ClaimRequest{})...)
	b := undertaker(t, dir)
	if b.Recovered().DeadOwners != 1 {
		t.Fatalf("recovered %+v", b.Recovered())
	}
	if got := ids(mustClaim(t, b, ClaimRequest{})...); !slices.Equal(got, mine) {
		t.Fatalf("claimed %v", got)
	}
	var lost *ClaimLostError
	if err := a.Intend(t.Context(), mine...); !errors.As(err, &lost) {
		t.Errorf("intend: %v", err)
	}
	if _, err := a.Add(t.Context(), incoming(2, "a@b.test")); !errors.Is(err, errBuried) {
		t.Errorf("a body in a segment that was swept: %v", err)
	}
	mustAdd(t, a, incoming(3, "a@b.test"))
	if got := mustClaim(t, a, ClaimRequest{}); len(got) != 1 || bodyOf(t, a, &got[0].Message) == "" {
		t.Errorf("claimed %+v", got)
	}
}

func TestRunLock(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	a, b := openTest(t, dir, Options{}), openTest(t, dir, Options{})
	lock, err := a.LockRun(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.LockRun(t.Context(), false); !errors.Is(err, ErrRunning) {
		t.Fatalf("second: %v", err)
	}
	got := make(chan error)
	go func() {
		second, err := b.LockRun(t.Context(), true)
		if err == nil {
			err = second.Unlock()
		}
		got <- err
	}()
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestClosingGivesClaimsBack(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	a := openTest(t, dir, Options{})
	mustAdd(t, a, incoming(1, "idle@b.test", "sending@b.test"))
	mine := ids(mustClaim(t, a, ClaimRequest{})...)
	if err := a.Intend(t.Context(), mine[1]); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := openTest(t, dir, Options{})
	if found := b.Recovered(); found.DeadOwners != 0 || found.InDoubt != 0 {
		t.Errorf("recovered %+v", found)
	}
	rows := queued(t, b)
	if rows[0].Recipient.Status != delivery.Queued || rows[1].Recipient.Status != delivery.InDoubt || !rows[1].Recipient.MaybeDuplicate() {
		t.Errorf("%+v", rows)
	}
}
