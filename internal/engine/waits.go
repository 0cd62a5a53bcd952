package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// What a held run waits for, as RunHeld.Waits names it. When that comes free,
// the run is judged again before its time:
//
//	target TARGET     the run that has the target ends, or stands
//	pause             a scope is resumed
//	rule NAME         a run of the rule ends, or stands
//	alerts            an alert resolves
//	alerts NAME       an alert of that name resolves
//	budget NAME KEY   a run that counted against the budget ends, or stands
const (
	waitPause    = "pause"
	waitOnTarget = "target "
)

func waitTarget(t Target) string { return waitOnTarget + t.String() }

func waitRule(name string) string { return "rule " + name }

func waitBudget(sp Spend) string { return "budget " + spendKey(sp) }

// waitAlerts takes the only name that an alert can have, empty for any.
func waitAlerts(name string) string {
	if name == "" {
		return "alerts"
	}
	return "alerts " + name
}

const (
	// waitAtMost is when a run that waits is judged again all the same: not all
	// that wait for one thing are woken when it comes free.
	waitAtMost = time.Minute
	// wakeAgain is the least time between a hold and a wake for one of the things
	// of which many may come free in a storm.
	wakeAgain = time.Second
	// wokenAtOnce bounds how many runs one event wakes, wokenByBudget how many
	// the place that came free in a budget does.
	wokenAtOnce   = 32
	wokenByBudget = 4
)

// waitsFor is what the run waits for, if it is held. Ledgers that do not say it
// have it in the guard's name.
func (r *Run) waitsFor() string {
	switch {
	case r.Phase != PhaseHeld:
		return ""
	case r.Waits != "":
		return r.Waits
	case r.Guard == GuardPaused:
		return waitPause
	case r.Guard == GuardBusy:
		return waitTarget(r.Target)
	}
	return ""
}

// resumed wakes what the kill switch holds.
func (s *State) resumed(at time.Time) { s.wakeAll(at, waitPause) }

// resolved wakes what such an alert may have held.
func (s *State) resolved(a alert.Alert, at time.Time) {
	s.wakeSome(at, waitAlerts(""), wokenAtOnce, nil)
	if a.Name != "" {
		s.wakeSome(at, waitAlerts(a.Name), wokenAtOnce, nil)
	}
}

// freed wakes what waits for a run that has just ended, or stands from now on.
func (s *State) freed(r *Run, at time.Time) {
	if r.Acted > 0 {
		for _, t := range r.keeps() {
			s.wakeAll(at, waitTarget(t))
		}
		for _, sp := range r.Spends {
			s.wakeSome(at, waitBudget(sp), wokenByBudget, nil)
		}
	}
	switch {
	case !r.Mode.Acts():
	case r.Outcome == Cured || r.Outcome == Restored || s.index.acting[r.Rule] == 0:
		s.wakeSome(at, waitRule(r.Rule), wokenAtOnce, nil)
	case r.Acted > 0:
		// The rule is at work as before, on one target less.
		s.wakeSome(at, waitRule(r.Rule), wokenAtOnce, func(w *Run) bool { return w.Guard == GuardConcurrent })
	}
}

// wakeAll has all that wait for key judged again now.
func (s *State) wakeAll(at time.Time, key string) {
	// In no order: none of them sees that another was woken.
	for _, id := range slices.Collect(maps.Keys(s.index.waiting[key])) {
		s.wakeAt(s.Runs[id], at)
	}
}

// wakeSome has those that wait for key longest judged again, so many at most. A
// nil fits takes any.
func (s *State) wakeSome(at time.Time, key string, most int, fits func(*Run) bool) {
	var eldest []*Run
	for id := range s.index.waiting[key] {
		r := s.Runs[id]
		if fits != nil && !fits(r) {
			continue
		}
		if n, _ := slices.BinarySearchFunc(eldest, r, elder); n < most {
			eldest = slices.Insert(eldest, n, r)
			eldest = eldest[:min(len(eldest), most)]
		}
	}
	for _, r := range eldest {
		s.wakeAt(r, later(at, r.HeldAt.Add(wakeAgain)))
	}
}

// wakeAt has a held run judged again at a time, or before as it is.
func (s *State) wakeAt(r *Run, at time.Time) {
	if !r.WakeAt.After(at) {
		return
	}
	s.index.remove(r)
	r.WakeAt = at
	s.index.add(r)
}

// elder orders runs by their start.
func elder(a, b *Run) int {
	return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
}
