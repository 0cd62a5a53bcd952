package engine

import (
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// History is how long times are kept that guards and budgets count, and so the
// widest window that a limit or a budget may have.
const History = 7 * 24 * time.Hour

// Retention is how long an ended run and a resolved episode are remembered.
const Retention = 24 * time.Hour

// pruneEvery is how often a state forgets.
const pruneEvery = time.Hour

// prune forgets what ended before, and the times that no window reaches.
func (s *State) prune(before, at time.Time) {
	s.PrunedAt = at
	for id, r := range s.Runs {
		if !r.Active() && r.EndedAt.Before(before) {
			delete(s.Runs, id)
		}
	}
	for id, ep := range s.Episodes {
		// One that was heard of last so long ago ended without a word.
		lost := ep.Firing() && ep.LastFiring.Before(at.Add(-History)) && !s.anyActive(ep.Runs)
		if lost || !ep.Firing() && ep.ResolvedAt.Before(before) {
			delete(s.Episodes, id)
			s.index.unfire(id, ep)
			continue
		}
		ep.Runs = slices.DeleteFunc(ep.Runs, func(run string) bool { return s.Runs[run] == nil })
	}
	history := at.Add(-History)
	old := func(t time.Time) bool { return t.Before(history) }
	for key, times := range s.Spent {
		if times = slices.DeleteFunc(times, old); len(times) == 0 {
			delete(s.Spent, key)
		} else {
			s.Spent[key] = times
		}
	}
	for key, p := range s.Past {
		p.Actions = slices.DeleteFunc(p.Actions, func(a PastAction) bool { return old(a.At) })
		if r := s.Runs[p.Run]; len(p.Actions) == 0 && (r == nil || !r.Active()) {
			delete(s.Past, key)
		}
	}
	for rule, last := range s.Last {
		if old(last.EndedAt) {
			delete(s.Last, rule)
		}
	}
	s.pruneSeries(old)
}

func (s *State) anyActive(runs []string) bool {
	return slices.ContainsFunc(runs, func(id string) bool { r := s.Runs[id]; return r != nil && r.Active() })
}

// pruneSeries forgets a series once no episode of it is known.
func (s *State) pruneSeries(old func(time.Time) bool) {
	known := map[string]bool{}
	for _, ep := range s.Episodes {
		known[ep.Alert.Series()] = true
	}
	for key, series := range s.Series {
		series.Opens = slices.DeleteFunc(series.Opens, old)
		if len(series.Opens) == 0 && !known[key] {
			delete(s.Series, key)
		}
	}
}

// episode changes an episode that must be known.
func (s *State) episode(ev Event, id string, change func(*Episode)) error {
	ep := s.Episodes[alert.EpisodeID(id)]
	if ep == nil {
		return unknownEpisode(ev, id)
	}
	change(ep)
	return nil
}
