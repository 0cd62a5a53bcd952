package calendar

import "time"

// The look-ahead of an open window whose openings follow one another without a
// break.
const (
	lookAhead = 8 * 24 * time.Hour
	maxSteps  = 20_000
)

// Window is a time that opens at each start of a schedule and stays open for a
// duration. The duration is time that passes, whatever the clocks do meanwhile.
type Window struct {
	Schedule Schedule
	Duration time.Duration
}

// Open reports whether the window is open at a moment: whether a start lies in
// the duration up to and with it. Openings that overlap or touch are one.
//
// until is when that next changes, in UTC. It is zero if it never does, and for
// an open window also if it does not within eight days.
func (w Window) Open(at time.Time) (open bool, until time.Time) {
	if w.Duration <= 0 {
		return false, time.Time{}
	}
	start, ok := w.Schedule.Next(at.Add(-w.Duration))
	if !ok {
		return false, time.Time{}
	}
	if start.After(at) {
		return false, start
	}
	end := start.Add(w.Duration)
	for range maxSteps {
		if end.Sub(at) > lookAhead {
			break
		}
		// One that begins just as this ends goes furthest.
		next, ok := w.Schedule.Next(end.Add(-time.Nanosecond))
		if ok && next.After(end) {
			next, ok = w.Schedule.Next(start)
		}
		if !ok || next.After(end) {
			return true, end
		}
		start, end = next, next.Add(w.Duration)
	}
	return true, time.Time{}
}
