package delivery

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestNext(t *testing.T) {
	t.Parallel()
	def := DefaultSchedule()
	const m, h = time.Minute, time.Hour
	brief := Schedule{Waits: []time.Duration{m, 10 * m}, For: h}
	for _, c := range []struct {
		name     string
		s        Schedule
		attempts int
		last     time.Duration // since queueing
		jitter   float64
		next     time.Duration // since queueing
		expired  bool
	}{
		{"not tried yet", def, 0, 0, 1, 0, false},
		{"first", def, 1, 0, 0, 5 * m, false},
		{"second", def, 2, 5 * m, 0, 20 * m, false},
		{"third", def, 3, 20 * m, 0, 50 * m, false},
		{"fourth", def, 4, 50 * m, 0, 110 * m, false},
		{"fifth", def, 5, 2 * h, 0, 4 * h, false},
		{"sixth", def, 6, 4 * h, 0, 8 * h, false},
		{"the last wait is repeated", def, 7, 8 * h, 0, 12 * h, false},
		{"long after", def, 30, 100 * h, 0, 104 * h, false},
		{"a tenth more", def, 1, 0, 1, 5*m + 30*time.Second, false},
		{"a twentieth more", def, 6, 4 * h, 0.5, 8*h + 12*m, false},
		{"jitter beyond its bounds", def, 1, 0, 7, 5*m + 30*time.Second, false},
		{"negative jitter", def, 1, 0, -1, 5 * m, false},
		{"jitter that is no number", def, 1, 0, math.NaN(), 5 * m, false},
		{"an attempt late in the time is followed by one after it", def, 33, 119 * h, 0, 123 * h, false},
		{"just before its end", def, 33, 120*h - 1, 0, 124*h - 1, false},
		{"at its end", def, 33, 120 * h, 0, 0, true},
		{"after its end", def, 33, 123 * h, 0, 0, true},
		{"once a day", def, 6, 120 * h, 0, 0, true},
		{"F14: tried once, then the clock jumped ten years", def, 1, 10 * 365 * 24 * h, 0, 10*365*24*h + 5*m, false},
		{"F14: tried twice", def, 2, 10 * 365 * 24 * h, 0, 10*365*24*h + 15*m, false},
		{"F14: as often as the schedule's first hours", def, 6, 10 * 365 * 24 * h, 0, 0, true},
		{"F14: clock set back ten years", def, 3, -10 * 365 * 24 * h, 0, -10*365*24*h + 30*m, false},
		{"F14: set back, and not yet for long", def, 35, -10 * 365 * 24 * h, 0, -10*365*24*h + 4*h, false},
		{"F14: set back, and every attempt stands for its wait", def, 36, -10 * 365 * 24 * h, 0, 0, true},
		{"short: one attempt is never enough", brief, 1, 2 * h, 0, 2*h + m, false},
		{"short: two are, for it has two waits", brief, 2, h, 0, 0, true},
		{"no time at all: twice", Schedule{Waits: def.Waits}, 2, 5 * m, 0, 0, true},
		{"no time at all: once", Schedule{Waits: def.Waits}, 1, 0, 0, 5 * m, false},
		{"waits longer than the time: what fits is enough", Schedule{Waits: def.Waits, For: h}, 4, h, 0, 0, true},
		{"waits longer than the time: fewer are not", Schedule{Waits: def.Waits, For: h}, 3, h, 0, h + 30*m, false},
		{"no waits", Schedule{For: h}, 1, 0, 0, 4 * h, false},
		{"no waits, expired", Schedule{For: h}, 2, 4 * h, 0, 0, true},
		{"a negative wait", Schedule{Waits: []time.Duration{-h}, For: h}, 1, 0, 1, 0, false},
	} {
		next, expired := c.s.Next(c.attempts, noon, noon.Add(c.last), c.jitter)
		if expired != c.expired || expired != next.IsZero() || !expired && !next.Equal(noon.Add(c.next)) {
			t.Errorf("%s: got %v, expired %v; want +%v, %v", c.name, next.Sub(noon), expired, c.next, c.expired)
		}
	}
}

func TestNextNeverOverflows(t *testing.T) {
	t.Parallel()
	s := Schedule{Waits: []time.Duration{math.MaxInt64}, For: math.MaxInt64}
	for attempts := range 3 {
		if next, expired := s.Next(attempts, noon, noon, 1); expired || next.Before(noon) {
			t.Errorf("after %d: %v, %v", attempts, next, expired)
		}
	}
}

func TestHorizon(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		s    Schedule
		want time.Duration
	}{
		{DefaultSchedule(), 4*time.Hour + 24*time.Minute}, // with all of the jitter
		{Schedule{Waits: []time.Duration{time.Hour, 10 * time.Minute}}, 66 * time.Minute},
		{Schedule{}, 4*time.Hour + 24*time.Minute},
		{Schedule{Waits: []time.Duration{math.MaxInt64}}, math.MaxInt64},
	} {
		if got := c.s.Horizon(); got != c.want {
			t.Errorf("%v: %v, want %v", c.s, got, c.want)
		}
	}
}

// F14: a clock that was set forward is told from time that passed by how often was tried.
func TestJumped(t *testing.T) {
	t.Parallel()
	s := DefaultSchedule()
	for _, c := range []struct {
		attempts int
		last     time.Duration
		want     bool
	}{
		{1, 0, false},
		{1, 119 * time.Hour, false},
		{1, 120 * time.Hour, true},
		{5, 10 * 365 * 24 * time.Hour, true},
		{6, 10 * 365 * 24 * time.Hour, false}, // enough attempts: it is as good as the truth
		{1, -10 * 365 * 24 * time.Hour, false},
	} {
		if got := s.Jumped(c.attempts, noon, noon.Add(c.last)); got != c.want {
			t.Errorf("%d attempts in %v: %v", c.attempts, c.last, got)
		}
	}
}

func schedules() *rapid.Generator[Schedule] {
	return rapid.Custom(func(t *rapid.T) Schedule {
		minutes := rapid.Int64Range(0, 10_000)
		waits := rapid.SliceOfN(minutes, 0, 8).Draw(t, "waits")
		s := Schedule{For: time.Duration(minutes.Draw(t, "for")) * time.Minute}
		for _, w := range waits {
			s.Waits = append(s.Waits, time.Duration(w)*time.Minute)
		}
		return s
	})
}

func TestNextProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := schedules().Draw(t, "schedule")
		attempts := rapid.IntRange(1, 300).Draw(t, "attempts")
		last := noon.Add(time.Duration(rapid.Int64Range(-1e6, 1e6).Draw(t, "last")) * time.Second)
		jitter := rapid.Float64Range(0, 1).Draw(t, "jitter")
		next, expired := s.Next(attempts, noon, last, jitter)
		if expired {
			if attempts < 2 {
				t.Fatal("expired after one attempt")
			}
			if !last.Before(noon) && last.Before(noon.Add(s.For)) {
				t.Fatal("expired before its time")
			}
			// Once up, time stays up.
			if _, still := s.Next(attempts+1, noon, last.Add(time.Hour), jitter); !still && !last.Before(noon) {
				t.Fatal("no longer expired after another attempt")
			}
			return
		}
		wait := s.wait(attempts)
		if next.Before(last.Add(wait)) || next.After(last.Add(wait+wait/10)) {
			t.Fatalf("%v after the last attempt, the wait is %v", next.Sub(last), wait)
		}
		if next.Sub(last) > s.Horizon() {
			t.Fatal("it waits longer than anything has to")
		}
		if more, _ := s.Next(attempts, noon, last, 1); more.Before(next) {
			t.Fatal("more jitter comes earlier")
		}
		if later, over := s.Next(attempts, noon, last.Add(time.Second), jitter); !over && !later.After(next) {
			t.Fatal("a later attempt is followed earlier")
		}
	})
}

// Whoever follows the schedule ends: after the time allowed, and not long after it.
func TestScheduleEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := schedules().Draw(t, "schedule")
		for i := range s.Waits {
			s.Waits[i] += time.Minute
		}
		at := noon
		for attempts := 1; ; attempts++ {
			next, expired := s.Next(attempts, noon, at, rapid.Float64Range(0, 1).Draw(t, "jitter"))
			if expired {
				if at.Before(noon.Add(s.For)) {
					t.Fatalf("given up %v too early", noon.Add(s.For).Sub(at))
				}
				return
			}
			longest := time.Duration(0)
			for n := range attempts {
				longest = max(longest, lengthened(s.wait(n+1), 1))
			}
			if late := next.Sub(noon) - s.For; attempts > 1 && late > longest {
				t.Fatalf("tried %v after its time, waits are up to %v", late, longest)
			}
			if !next.After(at) {
				t.Fatalf("%v does not follow %v", next, at)
			}
			at = next
		}
	})
}
