package trigger

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/calendar"
	"github.com/tripgen/paramedic/rules"
)

const (
	// OnTime is how late a start of a schedule may be found and still count as not
	// missed: longer than it takes for another process to take over, shorter than
	// the age at which rules no longer act on an alert.
	OnTime = 5 * time.Minute
	// lookAgain bounds how long is waited for a time of day: the clock may be set,
	// and the machine may sleep.
	lookAgain = 30 * time.Second
)

// schedule runs a trigger of that kind.
type schedule struct {
	parts
	trigger rules.Trigger
	repeats repeats
}

// verdict is what came of judging a schedule's record.
type verdict string

const (
	nothing  verdict = ""
	began    verdict = "began" // the schedule is new: what was before is not its
	started  verdict = "started"
	restored verdict = "restored"
	missed   verdict = "missed"
)

// judgeSchedule decides what follows from the time. It is asked again until nothing
// follows.
func judgeSchedule(t rules.Trigger, r Record, now time.Time) (Record, verdict) {
	s := t.Schedule
	period := s.Restore != ""
	switch {
	case r.Tick.IsZero():
		r.Tick = now.UTC()
		return r, began
	case r.Firing() && r.Period && !period:
		// The rule was changed, and nothing else would ever end this.
		return r.resolved(now, now), restored
	case r.Firing() && r.Period:
		end, ok := s.Restores.Next(r.Alert.StartsAt)
		if !ok || end.After(now) {
			return r, nothing
		}
		r = r.resolved(end, now)
		// Starts while it was on began nothing.
		r.Tick = later(r.Tick, end)
		return r, restored
	}
	start, ok := latest(s.Starts, r.Tick, now)
	if !ok {
		return r, nothing
	}
	r.Tick = start
	over := false
	if period {
		end, ok := s.Restores.Next(start)
		over = ok && !end.After(now)
	}
	if over || now.Sub(start) > OnTime && !s.Once {
		return r, missed
	}
	r = r.raised(newAlert(t, nil, nil, map[string]string{"summary": scheduleSummary(s)}), start, now)
	r.Period = period
	return r, started
}

func scheduleSummary(s *rules.ScheduleTrigger) string {
	if s.Restore == "" {
		return fmt.Sprintf("a start of the schedule %q (%s)", s.Cron, s.Timezone)
	}
	return fmt.Sprintf("a start of the schedule %q (%s), until %q", s.Cron, s.Timezone, s.Restore)
}

// latest is the last start in (after, now].
func latest(s calendar.Schedule, after, now time.Time) (time.Time, bool) {
	if first, ok := s.Next(after); !ok || first.After(now) {
		return time.Time{}, false
	}
	// There may be very many: look at the newest span of time that has one.
	for span := time.Minute; ; span *= 4 {
		from := now.Add(-span)
		if !from.After(after) {
			from = after
		}
		var last time.Time
		for at, ok := s.Next(from); ok && !at.After(now); at, ok = s.Next(at) {
			last = at
		}
		if !last.IsZero() {
			return last, true
		}
	}
}

// step brings the record up to date, and says when to look again.
func (s *schedule) step(ctx context.Context, now time.Time) (time.Time, error) {
	var last verdict
	r, err := s.book.change(ctx, key(s.trigger, ""), func(r Record) (Record, bool) {
		r, last = judgeSchedule(s.trigger, r, now)
		return r, last != nothing
	})
	if err != nil {
		return time.Time{}, err
	}
	if last == missed {
		s.metrics.missed.WithLabelValues(s.trigger.Rule).Inc()
		s.log.Warn("a start of a schedule was missed and is passed over: nobody was there in time",
			"rule", s.trigger.Rule, "start", r.Tick, "now", now)
	}
	next := now.Add(lookAgain)
	if at, ok := s.trigger.Schedule.Starts.Next(r.Tick); ok {
		next = earlier(next, at)
	}
	if r.Firing() && r.Period {
		if at, ok := s.trigger.Schedule.Restores.Next(r.Alert.StartsAt); ok {
			next = earlier(next, at)
		}
		again, err := s.repeats.send(ctx, r, now)
		if err != nil {
			return time.Time{}, err
		}
		next = earlier(next, again)
	}
	return later(next, now.Add(time.Millisecond)), nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
