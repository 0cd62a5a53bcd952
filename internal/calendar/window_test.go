package calendar_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/calendar"
)

// Open says what a walk minute by minute sees, and until is where that changes.
func TestOpenIsWhatEveryMinuteShows(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	durations := []time.Duration{time.Minute, 20 * time.Minute, time.Hour, 90 * time.Minute, 25 * time.Hour}
	for _, zone := range zones()[:3] {
		for _, expression := range expressions() {
			from := changes()[random.IntN(4)].Add(20 * time.Hour)
			w := calendar.Window{Schedule: parse(t, expression, zone), Duration: durations[random.IntN(len(durations))]}
			compareMinutes(t, w, read(t, expression, zone), from, expression+" in "+zone)
		}
	}
}

func compareMinutes(t *testing.T, w calendar.Window, p plain, from time.Time, name string) {
	t.Helper()
	to := from.Add(12 * time.Hour)
	starts := p.starts(from.Add(-w.Duration), to)
	var last time.Time
	for at := from.Add(-w.Duration); at.Before(from); at = at.Add(time.Minute) {
		if starts[at] {
			last = at
		}
	}
	wasOpen, wasUntil := false, time.Time{}
	for at := from; !at.After(to); at = at.Add(time.Minute) {
		if starts[at] {
			last = at
		}
		want := !last.IsZero() && at.Sub(last) < w.Duration
		open, until := w.Open(at)
		if open != want {
			t.Fatalf("%s for %s at %s: open is %v, want %v", name, w.Duration, at, open, want)
		}
		if !until.IsZero() && !until.After(at) {
			t.Fatalf("%s at %s: until %s is over", name, at, until)
		}
		if at.After(from) {
			changed := open != wasOpen
			if due := at.Equal(wasUntil); due != changed || !changed && !until.Equal(wasUntil) && !wasUntil.IsZero() {
				t.Fatalf("%s for %s at %s: open %v until %s, and a minute before %v until %s", name, w.Duration, at, open, until, wasOpen, wasUntil)
			}
		}
		wasOpen, wasUntil = open, until
	}
}

func TestWindowBoundaries(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)
	w := calendar.Window{Schedule: parse(t, "0 2 * * *", ""), Duration: 2 * time.Hour}
	for _, c := range []struct {
		at, until time.Time
		open      bool
	}{
		{start.Add(-time.Nanosecond), start, false},
		{start, start.Add(2 * time.Hour), true},
		{start.Add(2*time.Hour - time.Nanosecond), start.Add(2 * time.Hour), true},
		{start.Add(2 * time.Hour), start.Add(24 * time.Hour), false},
	} {
		if open, until := w.Open(c.at); open != c.open || !until.Equal(c.until) {
			t.Errorf("at %s: %v until %s, want %v until %s", c.at, open, until, c.open, c.until)
		}
	}
}

func TestOpeningsThatTouchAreOne(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC) // a Tuesday
	for _, c := range []struct {
		expression string
		duration   time.Duration
		until      time.Time
	}{
		{"0 9-16 * * *", time.Hour, at.Add(7*time.Hour + 30*time.Minute)},
		{"*/5 9-16 * * *", 7 * time.Minute, at.Add(7*time.Hour + 32*time.Minute)},
		{"* * * * 1-5", 90 * time.Second, time.Date(2026, 11, 28, 0, 0, 30, 0, time.UTC)},
		{"0 0 * * *", 24 * time.Hour, time.Time{}},
		{"* * * * *", time.Minute, time.Time{}},
		{"*/7 * * * *", 11 * time.Minute, time.Time{}},
		{"0 0 1 * *", 32 * 24 * time.Hour, time.Time{}},
	} {
		w := calendar.Window{Schedule: parse(t, c.expression, ""), Duration: c.duration}
		if open, until := w.Open(at); !open || !until.Equal(c.until) {
			t.Errorf("%s for %s: %v until %s, want until %s", c.expression, c.duration, open, until, c.until)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	at := time.Date(2026, 11, 24, 2, 30, 0, 0, time.UTC)
	for name, w := range map[string]calendar.Window{
		"nightly": {Schedule: parse(b, "0 2 * * *", "Asia/Seoul"), Duration: 2 * time.Hour},
		"always":  {Schedule: parse(b, "* * * * *", "Europe/Berlin"), Duration: time.Minute},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.Open(at)
			}
		})
	}
}
