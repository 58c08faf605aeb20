package send

import "testing"

// A session that has work is given more only while there is plenty for the others: of a few
// messages to a slow host each session gets its share.
func TestLaneSharesOut(t *testing.T) {
	t.Parallel()
	const ceiling = 4
	x := &lanes{most: 100}
	l := &lane{ceiling: ceiling, bell: make(chan struct{}, 1)}
	for range 3 * ceiling {
		l.queue = append(l.queue, &parcel{})
	}
	taken := 0
	for x.take(l, true) != nil {
		taken++
	}
	if taken != ceiling {
		t.Errorf("one that has some to spare got %d, want %d", taken, ceiling)
	}
	for x.take(l, false) != nil {
		taken++
	}
	if taken != 3*ceiling {
		t.Errorf("%d were given out, want %d", taken, 3*ceiling)
	}
	// Where fewer sessions are allowed overall than at one destination, it is they who share.
	x.most = 1
	for range 3 {
		l.queue = append(l.queue, &parcel{})
	}
	if x.take(l, true) == nil || x.take(l, true) != nil || x.take(l, false) == nil {
		t.Error("the only session did not get what is plenty for it")
	}
}
