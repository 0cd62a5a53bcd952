package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Apply folds one event, which was concluded at that time, into the state. An
// event that does not fit the state is an error, and leaves it as it was.
func (s *State) Apply(at time.Time, ev Event) error {
	if id, ok := eventRun(ev); ok {
		if err := s.applyToRun(id, ev, at); err != nil {
			return err
		}
	} else if err := s.applyGlobal(ev, at); err != nil {
		return err
	}
	s.At = at
	return nil
}

func (s *State) applyGlobal(ev Event, at time.Time) error {
	switch e := ev.(type) {
	case AlertOpened:
		ep := &Episode{Alert: e.Alert, LastFiring: heard(e.Received, e.Alert.At, at), Said: e.Alert.At}
		s.Episodes[e.Episode] = ep
		s.index.fire(e.Episode, ep)
		series := s.newest(e.Alert, at)
		series.Opens = append(series.Opens, at)
	case AlertRepeated:
		return s.episode(ev, string(e.Episode), func(ep *Episode) {
			ep.LastFiring, ep.Said = later(ep.LastFiring, heard(e.Received, e.Said, at)), later(ep.Said, e.Said)
		})
	case AlertReopened:
		return s.episode(ev, string(e.Episode), func(ep *Episode) {
			ep.LastFiring, ep.ResolvedAt, ep.Settled = heard(e.Received, e.Said, at), time.Time{}, nil
			ep.Said = later(ep.Said, e.Said)
			s.index.fire(e.Episode, ep)
		})
	case AlertResolved:
		if e.Alert != nil {
			s.Episodes[e.Episode] = &Episode{Alert: *e.Alert, ResolvedAt: at, Said: e.Alert.At}
			s.newest(*e.Alert, at)
			return nil
		}
		return s.episode(ev, string(e.Episode), func(ep *Episode) {
			ep.Said = later(ep.Said, e.Said)
			s.resolve(e.Episode, ep, at)
		})
	case RunStarted:
		if _, taken := s.Runs[e.Run]; taken {
			return fmt.Errorf("event %s: run %s exists already", ev.Kind(), e.Run)
		}
		if s.Episodes[e.Episode] == nil {
			return unknownEpisode(ev, string(e.Episode))
		}
		r := newRun(e, at)
		s.Runs[e.Run] = r
		s.index.add(r)
		ep := s.Episodes[e.Episode]
		ep.Runs, ep.Rematch = append(ep.Runs, e.Run), false
	case AlertUnmatched:
		return s.episode(ev, string(e.Episode), func(ep *Episode) { ep.Rematch = true })
	case RuleFailed:
		return s.episode(ev, string(e.Episode), func(ep *Episode) { ep.Rematch = true })
	case ScopePaused:
		s.Paused[e.Scope] = e
	case ScopeResumed:
		delete(s.Paused, e.Scope)
		s.resumed(at)
	case RulesLoaded:
		s.RuleSet = e.Digest
		s.RuleSets[e.Digest] = e.Sources
		s.dropUnusedRuleSets()
	case Pruned:
		s.prune(e.Before, at)
	case AlertDropped, AnswerIgnored, CommandRefused:
		// Kept in the ledger for who reads it; nothing is decided by it.
	default:
		return fmt.Errorf("event %s: no fold for it", ev.Kind())
	}
	return nil
}

// heard is of when a notification is news: of when its source says that it was so,
// and never of later than it came.
func heard(received, said, at time.Time) time.Time {
	if !said.IsZero() {
		received = earlier(received, said)
	}
	return earlier(received, at)
}

// newest enters an episode into its series. A newer one ends the one before:
// Alertmanager sends no resolve of a firing that began anew before the next
// notification was due.
func (s *State) newest(a alert.Alert, at time.Time) *Series {
	key := a.Series()
	series := s.Series[key]
	if series == nil {
		series = &Series{}
		s.Series[key] = series
	}
	if a.StartsAt.Before(series.Latest) {
		return series
	}
	if last := s.Episodes[series.Episode]; last != nil && last.Firing() && series.Episode != a.Episode() {
		s.resolve(series.Episode, last, at)
	}
	series.Latest, series.Episode = a.StartsAt, a.Episode()
	return series
}

// resolve ends an episode's firing.
func (s *State) resolve(id alert.EpisodeID, ep *Episode, at time.Time) {
	ep.ResolvedAt = at
	s.index.unfire(id, ep)
	s.resolved(ep.Alert, at)
}

func (s *State) applyToRun(id string, ev Event, at time.Time) error {
	r := s.Runs[id]
	if r == nil {
		return fmt.Errorf("event %s: run %s is not known", ev.Kind(), id)
	}
	if !r.Active() {
		if _, told := ev.(Escalated); told {
			return nil
		}
		return fmt.Errorf("event %s: run %s has ended", ev.Kind(), id)
	}
	if err := s.joinable(ev); err != nil {
		return err
	}
	s.index.remove(r)
	r.apply(ev, at)
	s.index.add(r)
	switch e := ev.(type) {
	case RunJoined:
		ep := s.Episodes[e.Episode]
		ep.Runs = with(ep.Runs, id)
	case RunMerged:
		s.merge(r, s.Runs[e.Into])
		// The one that goes on may stand, and so be none at work.
		s.freed(r, at)
	case RunAllowed:
		s.allowed(r, e, at)
	case RunStanding:
		s.stands(r, at)
	case RunEnded:
		s.ended(r, e, at)
	}
	return nil
}

// joinable reports an event that joins what is not there.
func (s *State) joinable(ev Event) error {
	switch e := ev.(type) {
	case RunJoined:
		if s.Episodes[e.Episode] == nil {
			return unknownEpisode(ev, string(e.Episode))
		}
	case RunMerged:
		if into := s.Runs[e.Into]; into == nil || !into.Active() {
			return fmt.Errorf("event %s: run %s is not active", e.Kind(), e.Into)
		}
	}
	return nil
}

// merge hands the episodes and the groups of a run over to the one that goes on.
func (s *State) merge(r, into *Run) {
	s.index.remove(into)
	for _, group := range append([]string{r.Group}, r.Groups...) {
		if group != "" && group != into.Group {
			into.Groups = with(into.Groups, group)
		}
	}
	s.index.add(into)
	for _, id := range r.Episodes {
		if ep := s.Episodes[id]; ep != nil {
			ep.Runs = with(ep.Runs, into.ID)
		}
		into.Episodes = with(into.Episodes, id)
	}
}

func (s *State) allowed(r *Run, e RunAllowed, at time.Time) {
	for _, sp := range e.Spends {
		s.Spent[spendKey(sp)] = append(s.Spent[spendKey(sp)], at)
	}
	key := pastKey(r.Rule, r.Target)
	past := s.Past[key]
	if past == nil {
		past = &Past{}
		s.Past[key] = past
	}
	past.Actions = append(past.Actions, PastAction{Run: r.ID, At: at})
	past.Run, past.Attempt, past.EndedAt = r.ID, e.Attempt, time.Time{}
	s.touched(r, at)
}

// touched notes that a run has acted on what it has.
func (s *State) touched(r *Run, at time.Time) {
	for _, t := range r.keeps() {
		s.Touched[t.String()] = Touch{Run: r.ID, Rule: r.Rule, At: at}
	}
}

// stands gives up what a run has that did what it was to do. Whether the rule is
// to be trusted shows when that is put back.
func (s *State) stands(r *Run, at time.Time) {
	s.Last[r.Rule] = LastRun{Run: r.ID, Outcome: Cured, EndedAt: at}
	s.touched(r, at)
	s.freed(r, at)
}

func (s *State) ended(r *Run, e RunEnded, at time.Time) {
	switch e.Outcome {
	case Uncured, Undetermined:
		if r.Acted > 0 {
			s.Uncured[r.Rule]++
		}
	case Cured, Restored:
		delete(s.Uncured, r.Rule)
	case SelfResolved, Observed, Shadowed, HeldBack, Denied, Unapproved, Merged, Cancelled:
		// These say nothing about whether the rule cures.
	}
	if r.Acted > 0 {
		s.Last[r.Rule] = LastRun{Run: r.ID, Outcome: e.Outcome, EndedAt: at}
		s.touched(r, at)
		// What comes after a restore is a new start, and no relapse.
		if past := s.Past[pastKey(r.Rule, r.Target)]; past != nil && past.Run == r.ID && e.Outcome != Restored {
			past.EndedAt = at
		}
	}
	s.freed(r, at)
	for _, id := range r.Episodes {
		switch ep := s.Episodes[id]; {
		case ep == nil:
		case e.Outcome == HeldBack:
			ep.Rematch = true
		default:
			ep.Settled = with(ep.Settled, r.Rule)
		}
	}
	s.dropUnusedRuleSets()
}

func (s *State) dropUnusedRuleSets() {
	if len(s.RuleSets) <= 1 {
		return
	}
	used := map[string]bool{s.RuleSet: true}
	for id := range s.index.active {
		used[s.Runs[id].RuleSet] = true
	}
	for digest := range s.RuleSets {
		if !used[digest] {
			delete(s.RuleSets, digest)
		}
	}
}

// with appends v unless it is there.
func with[E comparable](s []E, v E) []E {
	if slices.Contains(s, v) {
		return s
	}
	return append(s, v)
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
