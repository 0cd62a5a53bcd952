package engine

import (
	"fmt"
	"strings"
	"time"
)

// inTime judges the windows: none that holds may be open, and, if there are any
// that allow, one of them must be.
func (d *decider) inTime(rule *Rule) verdict {
	if v := d.holding(rule.Guards.Windows); v.held() {
		return v
	}
	var closed []string
	var opens time.Time
	for _, w := range rule.Guards.Windows {
		if w.Effect != WindowAllow {
			continue
		}
		open, until := w.Open(d.at)
		if open {
			return verdict{}
		}
		closed = append(closed, w.Name)
		if !until.IsZero() && (opens.IsZero() || until.Before(opens)) {
			opens = until
		}
	}
	if len(closed) == 0 {
		return verdict{}
	}
	return verdict{
		guard: GuardWindow, until: opens,
		reason: fmt.Sprintf("no window that allows it is open: %s; %s", strings.Join(closed, ", "), next("the first opens", opens)),
	}
}

// holding is the verdict of the window that stays open longest.
func (d *decider) holding(windows []Window) verdict {
	var longest verdict
	for _, w := range windows {
		if w.Effect == WindowAllow {
			continue
		}
		open, until := w.Open(d.at)
		if !open || longest.held() && (longest.until.IsZero() || !until.IsZero() && !until.After(longest.until)) {
			continue
		}
		longest = verdict{guard: GuardWindow, until: until, reason: fmt.Sprintf("window %s is open; %s", w.Name, next("it closes", until))}
	}
	return longest
}

// windowed is until when no window holds a run that none holds now: until one that
// holds opens, or the last one that allows closes.
func (d *decider) windowed(rule *Rule) time.Time {
	most := d.at.Add(holdAtMost)
	latest := most
	var closes time.Time
	for _, w := range rule.Guards.Windows {
		open, until := w.Open(d.at)
		if until.IsZero() {
			until = most
		}
		switch {
		case w.Effect != WindowAllow:
			latest = earlier(latest, until)
		case open:
			closes = later(closes, until)
		}
	}
	if closes.IsZero() {
		return latest
	}
	return earlier(latest, closes)
}

func next(what string, at time.Time) string {
	if at.IsZero() {
		return what + " at no time that is known"
	}
	return what + " at " + at.UTC().Format(time.RFC3339)
}
