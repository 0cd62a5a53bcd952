package simulation

import (
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// blind has every decision made without knowing something; the state itself is
// left right. Hide returns what puts it back.
func blind(hide func(*engine.State, time.Time) (restore func())) func(*shell) {
	return func(s *shell) {
		s.advance = advanceBy(func(sets engine.Sets, st *engine.State, at time.Time, step engine.Step) []engine.Event {
			restore := hide(st, at)
			defer restore()
			return engine.Decide(sets, st, at, step)
		})
	}
}

type decision func(engine.Sets, *engine.State, time.Time, engine.Step) []engine.Event

// advanceBy is engine.Advance around another Decide.
func advanceBy(decide decision) func(engine.Sets, *engine.State, time.Time, engine.Input) ([]engine.Event, error) {
	return func(sets engine.Sets, st *engine.State, at time.Time, in engine.Input) ([]engine.Event, error) {
		if at.Before(st.At) {
			at = st.At
		}
		var all []engine.Event
		take := func(step engine.Step) error {
			events := decide(sets, st, at, step)
			for _, ev := range events {
				if err := st.Apply(at, ev); err != nil {
					return err
				}
			}
			all = append(all, events...)
			return nil
		}
		for _, step := range engine.Steps(in) {
			if err := take(step); err != nil {
				return nil, err
			}
		}
		heard := time.Time{}
		if in.Tick != nil {
			heard = in.Tick.At
		}
		for range 1000 {
			step, due := engine.Due(st, at, heard)
			if !due {
				break
			}
			if err := take(step); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
}

func forgetPauses(st *engine.State, _ time.Time) func() {
	was := st.Paused
	st.Paused = nil
	return func() { st.Paused = was }
}

func forgetSpent(st *engine.State, _ time.Time) func() {
	was := st.Spent
	st.Spent = nil
	return func() { st.Spent = was }
}

func forgetPast(st *engine.State, _ time.Time) func() {
	was := st.Past
	st.Past = nil
	return func() { st.Past = was }
}

// forgetAlso has runs hold nothing but their own target.
func forgetAlso(st *engine.State, _ time.Time) func() {
	was := map[*engine.Run][]engine.Target{}
	for _, r := range st.Runs {
		was[r], r.Also = r.Also, nil
	}
	st.Reindex()
	return func() {
		for r, also := range was {
			r.Also = also
		}
		st.Reindex()
	}
}

func forgetTouched(st *engine.State, _ time.Time) func() {
	was := st.Touched
	st.Touched = nil
	return func() { st.Touched = was }
}

func forgetUncured(st *engine.State, _ time.Time) func() {
	was := st.Uncured
	st.Uncured = nil
	return func() { st.Uncured = was }
}

func forgetHolders(st *engine.State, _ time.Time) func() {
	was := map[*engine.Run]int{}
	for _, r := range st.Runs {
		was[r], r.Acted = r.Acted, 0
	}
	st.Reindex()
	return func() {
		for r, n := range was {
			r.Acted = n
		}
		st.Reindex()
	}
}

func forgetOpens(st *engine.State, _ time.Time) func() {
	was := map[*engine.Series][]time.Time{}
	for _, s := range st.Series {
		was[s], s.Opens = s.Opens, nil
	}
	return func() {
		for s, opens := range was {
			s.Opens = opens
		}
	}
}

func forgetAge(st *engine.State, at time.Time) func() {
	was := map[*engine.Episode]time.Time{}
	for _, ep := range st.Episodes {
		was[ep], ep.LastFiring = ep.LastFiring, at
	}
	return func() {
		for ep, last := range was {
			ep.LastFiring = last
		}
	}
}

func forgetResolves(st *engine.State, at time.Time) func() {
	was := map[*engine.Episode]time.Time{}
	for _, ep := range st.Episodes {
		was[ep], ep.ResolvedAt = ep.ResolvedAt, time.Time{}
	}
	age := forgetAge(st, at)
	return func() {
		age()
		for ep, resolved := range was {
			ep.ResolvedAt = resolved
		}
	}
}

func forgetCheckAge(st *engine.State, at time.Time) func() {
	return forgetTime(st, at, func(r *engine.Run) *time.Time { return &r.CheckedAt })
}

func forgetPlanAge(st *engine.State, at time.Time) func() {
	return forgetTime(st, at, func(r *engine.Run) *time.Time { return &r.PlannedAt })
}

// forgetAsking has every answer come at once: a look is as new as its answer.
func forgetAsking(st *engine.State, at time.Time) func() {
	return forgetTime(st, at, func(r *engine.Run) *time.Time { return &r.AskedAt })
}

func forgetTold(st *engine.State, _ time.Time) func() {
	var told []*engine.Run
	for _, r := range st.Runs {
		if r.Told {
			told, r.Told = append(told, r), false
		}
	}
	return func() {
		for _, r := range told {
			r.Told = true
		}
	}
}

// forgetTime has a time of every run, if there is one, be now.
func forgetTime(st *engine.State, at time.Time, of func(*engine.Run) *time.Time) func() {
	was := map[*time.Time]time.Time{}
	for _, r := range st.Runs {
		if t := of(r); !t.IsZero() {
			was[t], *t = *t, at
		}
	}
	return func() {
		for t, then := range was {
			*t = then
		}
	}
}

// judgedOnce has what the rule says hold back an attempt's first action only.
func judgedOnce(s *shell) {
	s.advance = advanceBy(func(sets engine.Sets, st *engine.State, at time.Time, step engine.Step) []engine.Event {
		for _, r := range st.Runs {
			its := step.Wake == r.ID || step.Result != nil && r.Task != nil && r.Task.ID == step.Result.Task
			if its && r.Allowed {
				sets = altered{Sets: sets, rule: func(rule *engine.Rule) {
					rule.Guards.Windows, rule.Guards.Requires, rule.Unless = nil, nil, nil
				}}
			}
		}
		return engine.Decide(sets, st, at, step)
	})
}

func approveAll(st *engine.State, _ time.Time) func() {
	was := map[*engine.Run]string{}
	for _, r := range st.Runs {
		if len(r.Plans) > 0 && r.Phase == engine.PhaseHeld {
			was[r], r.Approved = r.Approved, r.PlanDigest()
		}
	}
	return func() {
		for r, approved := range was {
			r.Approved = approved
		}
	}
}

// forgetGroups has no run answer for what merged into it.
func forgetGroups(st *engine.State, _ time.Time) func() {
	was := map[*engine.Run][]string{}
	for _, r := range st.Runs {
		was[r], r.Groups = r.Groups, nil
	}
	st.Reindex()
	return func() {
		for r, groups := range was {
			r.Groups = groups
		}
		st.Reindex()
	}
}
