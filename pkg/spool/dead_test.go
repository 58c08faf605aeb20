package spool

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sendctl/sendctl/pkg/delivery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// die ends a spool as kill -9 would: its lock is free, and it does nothing more.
func die(t *testing.T, s *Spool) {
	t.Helper()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.jan.close()
	s.writer.close()
	err := errors.Join(s.me.file.Close(), s.writer.conn.close())
	for range readers {
		if c := <-s.conns; c != nil {
			err = errors.Join(err, c.close())
		}
	}
	if seg := s.shelf.active; seg != nil {
		err = errors.Join(err, seg.file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What a dead owner had in its hands is free at once, for those who are at work already too,
// and what it left undone is finished.
func TestDeadOwnerIsNoticedByTheLiving(t *testing.T) {
	t.Parallel()
	dir, c := stateDir(t), newClock()
	living := openTest(t, dir, Options{Clock: c.Now})
	d := &faulty{err: syscall.EIO}
	dying, err := open(dir, Options{Clock: c.Now}, d)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, living, incoming(0, "living@b.test"))
	for i := 1; i <= 3; i++ {
		mustAdd(t, dying, incoming(i, "dying@b.test"))
	}
	// Bytes that no message names, as a process leaves them that dies between body and commit.
	seg, _, err := dying.shelf.put(text("MARKER-9 nobody's"))
	if err != nil {
		t.Fatal(err)
	}
	dying.shelf.release(seg)
	entries := mustClaim(t, dying, ClaimRequest{Filter: Filter{Recipient: address("dying@b.test")}})
	if len(entries) != 3 {
		t.Fatalf("claimed %+v", entries)
	}
	if err := dying.Intend(t.Context(), ids(entries[:2]...)...); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.only, d.nth, d.dead = "open", 1, true
	d.mu.Unlock()
	mustSettle(t, dying, delivered(), time.Time{}, ids(entries[0])...)
	if err := dying.Wiped(); err == nil {
		t.Fatal("the body was overwritten in spite of the fault")
	}
	die(t, dying)
	for _, i := range []string{"MARKER-1", "MARKER-9"} {
		if len(grep(t, dir, i)) == 0 {
			t.Fatalf("%s is gone already", i)
		}
	}

	got := mustClaim(t, living, ClaimRequest{Filter: Filter{Recipient: address("dying@b.test")}})
	if want := ids(entries[1:]...); !slices.Equal(ids(got...), want) {
		t.Fatalf("claimed %v, want %v", ids(got...), want)
	}
	if r := got[0].Recipients[0]; r.Status != delivery.InDoubt || !r.MaybeDuplicate() || r.Tries != 1 || !strings.Contains(r.Outcome.Attempts[0].Text, "second copy") {
		t.Errorf("in doubt: %+v", r)
	}
	if r := got[1].Recipients[0]; r.Status != delivery.Queued || r.MaybeDuplicate() {
		t.Errorf("not in doubt: %+v", r)
	}
	for _, i := range []string{"MARKER-1", "MARKER-9"} {
		if found := grep(t, dir, i); len(found) > 0 {
			t.Errorf("%s is in %v", i, found)
		}
	}
	for _, e := range got {
		bodyOf(t, living, &e.Message)
	}
	mustSettle(t, living, delivered(), time.Time{}, ids(got...)...)
	if err := living.Wiped(); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, bodiesName, "*")); len(left) != 1 {
		t.Errorf("segments left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ownersName, "*")); len(left) != 1 {
		t.Errorf("owners left: %v", left)
	}
}

// Who never claimed anything has no claims, whatever it says.
func TestNoOwnerNoClaims(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	id := mustAdd(t, openTest(t, dir, Options{}), incoming(1, "a@b.test")).Receipts[0].ID
	s := openTest(t, dir, Options{})
	var lost *ClaimLostError
	for name, err := range map[string]error{
		"intend": s.Intend(t.Context(), id), "release": s.Release(t.Context(), id),
		"settle": s.Settle(t.Context(), Settlement{Recipient: id, Outcome: delivered()}),
	} {
		if !errors.As(err, &lost) || !slices.Equal(lost.Recipients, []int64{id}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r := queued(t, s); len(r) != 1 || r[0].Recipient.Claimed {
		t.Errorf("queued %+v", r)
	}
}
