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
	s.pruneCounts(history)
	s.pruneSeries(history)
}

// pruneCounts forgets what guards and budgets no longer count.
func (s *State) pruneCounts(history time.Time) {
	for key, times := range s.Spent {
		if times = since(history, times, itself); len(times) == 0 {
			delete(s.Spent, key)
		} else {
			s.Spent[key] = times
		}
	}
	for key, p := range s.Past {
		p.Actions = since(history, p.Actions, func(a PastAction) time.Time { return a.At })
		if r := s.Runs[p.Run]; len(p.Actions) == 0 && (r == nil || !r.Active()) {
			delete(s.Past, key)
		}
	}
	for target, last := range s.Touched {
		if r := s.Runs[last.Run]; last.At.Before(history) && (r == nil || !r.Active()) {
			delete(s.Touched, target)
		}
	}
	for rule, last := range s.Last {
		if last.EndedAt.Before(history) {
			delete(s.Last, rule)
		}
	}
}

// since drops the first of what is in order of time, up to a time. Mostly there is
// nothing to drop.
func since[E any](from time.Time, all []E, at func(E) time.Time) []E {
	n, _ := slices.BinarySearchFunc(all, from, func(e E, from time.Time) int { return at(e).Compare(from) })
	return slices.Delete(all, 0, n)
}

func itself(t time.Time) time.Time { return t }

func (s *State) anyActive(runs []string) bool {
	return slices.ContainsFunc(runs, func(id string) bool { r := s.Runs[id]; return r != nil && r.Active() })
}

// pruneSeries forgets a series once no episode of it is known.
func (s *State) pruneSeries(history time.Time) {
	silent := map[string]bool{}
	for key, series := range s.Series {
		if series.Opens = since(history, series.Opens, itself); len(series.Opens) == 0 && s.Episodes[series.Episode] == nil {
			silent[key] = true
		}
	}
	if len(silent) == 0 {
		return
	}
	for _, ep := range s.Episodes {
		delete(silent, ep.Alert.Series())
	}
	for key := range silent {
		delete(s.Series, key)
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
