package spool

import (
	"bytes"
	"testing"
	"time"
)

// What came first is kept, for it is sent first; what nobody takes gives way in the end.
func TestRecentBodies(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	var r recentBodies
	at := func(i int) place { return place{segment: 1, start: int64(i) * size, length: size} }
	body := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, size) }
	const room = maxRecent / size
	for i := range room + 1 {
		r.put(at(i), body(i))
	}
	for i, want := range [...]bool{0: true, 1: true, room - 1: true, room: false} {
		if i != 0 && i != 1 && i < room-1 {
			continue
		}
		if got := r.take(at(i)); (got != nil) != want || want && !bytes.Equal(got, body(i)) {
			t.Errorf("body %d: there is %v, want %v", i, got != nil, want)
		}
	}
	if r.take(at(0)) != nil {
		t.Error("a body was given twice")
	}
	r.put(at(room), body(room))
	if r.take(at(room)) == nil {
		t.Error("there was room, and it was not kept")
	}
	small := func(i int) place { return place{segment: 2, start: int64(i), length: 1} }
	for i := range stale + room {
		r.put(small(i), []byte{1})
	}
	if r.octets > maxRecent || len(r.order) > stale+1 {
		t.Errorf("%d octets and %d places are kept", r.octets, len(r.order))
	}
	if r.take(at(2)) != nil {
		t.Error("a body that nobody wanted is still there")
	}
}

// An empty body is one too.
func TestRecentEmptyBody(t *testing.T) {
	t.Parallel()
	var r recentBodies
	r.put(place{segment: 1}, []byte{})
	r.put(place{segment: 1, start: 1, length: 1}, []byte{1})
	if got := r.take(place{segment: 1}); got == nil || len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// Who accepts waits while much is kept, until some of it is sent, or for as long as he said.
func TestEase(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	s.Ease(time.Hour) // nothing is kept
	at := func(i int) place { return place{segment: 1, start: int64(i), length: inMemory} }
	n := muchRecent / inMemory
	for i := range n {
		s.recent.put(at(i), make([]byte, inMemory))
	}
	s.Ease(time.Nanosecond) // nobody sends any of it
	first, second := s.recent.crowded(), s.recent.crowded()
	select {
	case <-first:
		t.Fatal("it is said to be little")
	default:
	}
	s.recent.take(at(0))
	<-first
	<-second
	if s.recent.crowded() != nil {
		t.Error("it is said to be much")
	}
	s.Ease(time.Hour)
}
