package delivery

import (
	"math"
	"time"
)

// Schedule is when a deferred recipient is tried again, and for how long. It knows no clock:
// times and chance are arguments.
type Schedule struct {
	Waits []time.Duration // between attempts, in order; the last one is repeated
	For   time.Duration   // since queueing; what is still deferred then is given up
}

// DefaultSchedule waits 5, 15 and 30 minutes, 1 and 2 hours, then 4 hours each time, for five
// days (RFC 5321 §4.5.4.1: more often in the first hour, then every few hours, 4 to 5 days).
func DefaultSchedule() Schedule {
	return Schedule{
		Waits: []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour},
		For:   120 * time.Hour,
	}
}

// Next says when a recipient is due again after attempts failed attempts, of which the last
// was at last, or that its time is up. The wait is lengthened by jitter, from 0 (nothing) to
// 1 (a tenth), so that what was deferred together does not come back together. A recipient
// that was not tried yet is due when it was queued.
//
// Time is up when an attempt failed at or after queued+For: the whole time is used, and the
// last word is what a server said at its end. Since clocks jump (after a suspend, at a dead
// battery, by hand), the clock alone never ends it. At least twice a recipient is tried, and
// as often as the schedule would have tried it in that time, up to the number of its waits.
func (s Schedule) Next(attempts int, queued, last time.Time, jitter float64) (next time.Time, expired bool) {
	if attempts <= 0 {
		return queued, false
	}
	if attempts >= s.leastAttempts() && s.spent(attempts, queued, last) {
		return time.Time{}, true
	}
	return last.Add(lengthened(s.wait(attempts), jitter)), false
}

// Horizon is the longest that a recipient can have to wait for its next attempt. One that
// waits for a later time than that from now was put off before the clock was set back: it is
// due.
func (s Schedule) Horizon() time.Duration {
	longest := time.Duration(0)
	for n := range max(len(s.Waits), 1) {
		longest = max(longest, s.wait(n+1))
	}
	return lengthened(longest, 1)
}

// Jumped reports that the clock must have been set forward since a recipient was queued: by
// the attempt at last the time allowed for all of them has passed, and there were not as many.
// (Or nobody tried for days; that cannot be told apart.) What is judged by such a clock, as
// the dates of a certificate are, is not final yet.
func (s Schedule) Jumped(attempts int, queued, last time.Time) bool {
	return attempts < s.leastAttempts() && last.Sub(queued) >= s.For
}

// wait is the pause after so many attempts. Without any waits it is the last default one.
func (s Schedule) wait(attempts int) time.Duration {
	if len(s.Waits) == 0 {
		return 4 * time.Hour
	}
	return max(s.Waits[min(attempts, len(s.Waits))-1], 0)
}

// leastAttempts is how many attempts must have failed before time can be up.
func (s Schedule) leastAttempts() int {
	n := 1
	for passed := time.Duration(0); n < len(s.Waits); n++ {
		w := lengthened(s.wait(n), 1)
		if w > s.For-passed {
			break
		}
		passed += w
	}
	return max(n, 2)
}

// spent reports whether the time allowed has passed. Where the last attempt lies before the
// queueing, the clock was set back and says nothing; then every attempt stands for its wait.
func (s Schedule) spent(attempts int, queued, last time.Time) bool {
	if !last.Before(queued) {
		return last.Sub(queued) >= s.For
	}
	left := s.For
	for n := 1; n < attempts && left > 0; n++ {
		left -= s.wait(n)
	}
	return left <= 0
}

// lengthened adds up to a tenth to a wait.
func lengthened(wait time.Duration, jitter float64) time.Duration {
	if !(jitter > 0) { // NaN too
		return wait
	}
	extra := time.Duration(float64(wait) / 10 * min(jitter, 1))
	if wait > math.MaxInt64-extra {
		return math.MaxInt64
	}
	return wait + extra
}
