package calendar

import (
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is when something begins, again and again. The zero value never
// does.
type Schedule struct {
	// spec is in UTC, and is asked about times of day as if they were in UTC, so
	// that it sees no clock change.
	spec     cron.SpecSchedule
	location *time.Location
}

const allHours = 1<<24 - 1

// Next is the first start after a moment, in UTC; false if there is none.
func (s Schedule) Next(after time.Time) (time.Time, bool) {
	switch {
	case s.location == nil:
		return time.Time{}, false
	case s.spec.Hour&allHours == allHours:
		return s.nextElapsed(after)
	}
	w := wall(after.In(s.location))
	for {
		var ok bool
		if w, ok = s.nextWall(w); !ok {
			return time.Time{}, false
		}
		// While an hour repeats, the starts in it are over.
		if at := moment(w, s.location); at.After(after) {
			return at.UTC(), true
		}
	}
}

// nextElapsed is Next by the time that passes: from one change of the clocks to
// the next, the time of day is as even as UTC.
func (s Schedule) nextElapsed(after time.Time) (time.Time, bool) {
	for {
		local := after.In(s.location)
		_, offset := local.Zone()
		w, ok := s.nextWall(wall(local))
		if !ok {
			return time.Time{}, false
		}
		at := w.Add(-time.Duration(offset) * time.Second)
		_, end := local.ZoneBounds()
		if end.IsZero() || at.Before(end) {
			return at, true
		}
		if at, ok := s.atChange(end); ok {
			return at, true
		}
		after = end
	}
}

// atChange reports a start at the very moment at which the clocks change.
func (s Schedule) atChange(end time.Time) (time.Time, bool) {
	w := wall(end.In(s.location))
	next, ok := s.nextWall(w.Add(-time.Nanosecond))
	return end.UTC(), ok && next.Equal(w)
}

// nextWall is the next start by times of day. The library looks ahead for five
// years, and there can be eight from one 29 February to the next.
func (s Schedule) nextWall(w time.Time) (time.Time, bool) {
	next := s.spec.Next(w)
	if next.IsZero() {
		next = s.spec.Next(time.Date(w.Year()+5, time.December, 31, 23, 59, 59, 0, time.UTC))
	}
	return next, !next.IsZero()
}

// wall is a time of day and its date, as if it were in UTC.
func wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// moment is when a clock in a zone first shows a time of day, or else jumps over
// it. Unlike time.Date it says which of two that is.
func moment(w time.Time, in *time.Location) time.Time {
	guess := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), in)
	begin, _ := guess.ZoneBounds()
	if !begin.IsZero() {
		// The guess may be the second time.
		before := begin.Add(-time.Nanosecond).In(in)
		_, offset := before.Zone()
		if first := w.Add(-time.Duration(offset) * time.Second); first.Before(begin) && wall(first.In(in)).Equal(w) {
			return first
		}
	}
	shown := wall(guess)
	switch {
	case shown.Equal(w):
		return guess
	case shown.Before(w):
		_, end := guess.ZoneBounds()
		return end
	default:
		return begin
	}
}
