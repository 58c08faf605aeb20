//go:build unix

package spool

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sendctl/sendctl/pkg/delivery"
)

// Whatever is noted and taken back, and whichever transactions fail: what stands in the owner's
// row are the intents of those that were committed.
func TestIntentsSurvive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var x intents
		want := map[int64]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "transactions") {
			after := maps.Clone(want)
			for range rapid.IntRange(0, 8).Draw(t, "changes") {
				id, sending := rapid.Int64Range(1, 12).Draw(t, "id"), rapid.Bool().Draw(t, "sending")
				x.of(1).set(id, sending)
				if sending {
					after[id] = true
				} else {
					delete(after, id)
				}
			}
			committed := rapid.Bool().Draw(t, "committed")
			if x.ended(committed); committed {
				want = after
			}
		}
		got, err := parseIntents(x.of(1).String())
		if err != nil || !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("%s reads %v (%v), want %v", x.String(), got, err, want)
		}
		if s := x.of(2).String(); s != "[]" {
			t.Fatalf("another owner begins with %s", s)
		}
	})
}

func TestParseIntents(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]int64{
		"[]": nil, "[[3,3]]": {3}, "[[3,5],[9,9]]": {3, 4, 5, 9},
	} {
		if got, err := parseIntents(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "{}", "[[5,3]]", "[[0,9223372036854775807]]", `[["a","b"]]`} {
		if got, err := parseIntents(text); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// F6: where it cannot be read what a dead owner was sending, all of its claims are in doubt.
func TestDamagedIntents(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	mustAdd(t, s, incoming(1, "sending@b.test", "idle@b.test"))
	mine := ids(mustClaim(t, s, ClaimRequest{})...)
	if err := s.Intend(t.Context(), mine[0]); err != nil {
		t.Fatal(err)
	}
	die(t, s)
	sql(t, filepath.Join(dir, databaseName), "UPDATE owner SET sending = 'damaged'")
	s = openTest(t, dir, Options{})
	if found := s.Recovered(); found.InDoubt != 2 || found.Err != nil {
		t.Errorf("recovered %+v", found)
	}
	for _, r := range queued(t, s) {
		if r.Recipient.Status != delivery.InDoubt {
			t.Errorf("queued %+v", r.Recipient)
		}
	}
}

// What was given back, or settled, is not in doubt when its owner ends; what was noted again is.
func TestIntentsEnd(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	mustAdd(t, s, incoming(1, "back@b.test", "settled@b.test", "again@b.test", "idle@b.test"))
	mine := ids(mustClaim(t, s, ClaimRequest{})...)
	if err := s.Intend(t.Context(), mine[:3]...); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Release(t.Context(), mine[0], mine[2]), s.Settle(t.Context(), Settlement{Recipient: mine[1], Outcome: delivered()})); err != nil {
		t.Fatal(err)
	}
	mustClaim(t, s, ClaimRequest{})
	if err := s.Intend(t.Context(), mine[2]); err != nil {
		t.Fatal(err)
	}
	die(t, s)
	s = openTest(t, dir, Options{})
	for _, r := range queued(t, s) {
		if doubt := r.Recipient.Status == delivery.InDoubt; doubt != (r.Recipient.Address.Local == "again") {
			t.Errorf("queued %+v", r.Recipient)
		}
	}
}

// Who was taken for dead and goes on under another number cannot send what it had claimed before,
// also where it had not noticed until then.
func TestClaimsEndWithTheirOwner(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	a := openTest(t, dir, Options{})
	mustAdd(t, a, incoming(1, "a@b.test"))
	mine := ids(mustClaim(t, a, ClaimRequest{})...)
	b := undertaker(t, dir)
	if got := ids(mustClaim(t, b, ClaimRequest{})...); !slices.Equal(got, mine) {
		t.Fatalf("claimed %v", got)
	}
	mustClaim(t, a, ClaimRequest{}) // another number
	var lost *ClaimLostError
	if err := a.Intend(t.Context(), mine...); !errors.As(err, &lost) || !slices.Equal(lost.Recipients, mine) {
		t.Errorf("intend: %v", err)
	}
	if err := b.Intend(t.Context(), mine...); err != nil {
		t.Errorf("the new owner: %v", err)
	}
}

// What was begun under a number that was lost does not touch the intents under the next one.
func TestIntentsOfAnotherOwner(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	mustAdd(t, s, incoming(1, "a@b.test"))
	mine := ids(mustClaim(t, s, ClaimRequest{})...)
	if err := s.Intend(t.Context(), mine...); err != nil {
		t.Fatal(err)
	}
	me := s.me.id.Load()
	if err := s.writer.do(nil, func(*tx) error { s.unsent(me+1, mine[0]); return nil }); err != nil {
		t.Fatal(err)
	}
	var got []int64
	err := s.writer.do(nil, func(t *tx) (err error) { got, err = s.beingSent(t, me); return err })
	if err != nil || !slices.Equal(got, mine) {
		t.Errorf("being sent: %v (%v), want %v", got, err, mine)
	}
}
