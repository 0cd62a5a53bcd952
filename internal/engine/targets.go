package engine

import (
	"fmt"
	"slices"
)

// A run is about one target, which the rule states and an action's plan makes
// canonical. An action may have a target of its own beside that, as a failover's
// have that change a routing, a database and a cache. Such a target is held, and
// judged by the guards, like the run's own.

// is reports whether a task of the run is for the run's own target.
func (r *Run) is(t Target) bool { return t == r.Stated || t == r.Target }

// Targets are what the run works on: its own target, as stated while the canonical one
// is not known, then those that only single actions have, of this attempt and of those
// before.
func (r *Run) Targets() []Target {
	all := append([]Target{r.Target}, r.Also...)
	if !r.Canonical() {
		all[0] = r.Stated
	}
	for _, p := range r.Plans {
		all = with(all, p.Target)
	}
	return all
}

// keeps are the targets that the run has for itself, while it has any.
func (r *Run) keeps() []Target { return append([]Target{r.Target}, r.Also...) }

// aim takes a plan's target for the run's, if it is a plan of that one, and if no
// other plan of the attempt tells it. An attempt whose actions all have targets of
// their own goes by what the rule states. Once anything was done, the target stays.
func (r *Run) aim(t *Task, p Plan) {
	own := t == nil || r.is(t.Target)
	switch {
	case own && r.Acted > 0:
	case own && !slices.ContainsFunc(r.Plans, func(p Plan) bool { return p.Target == r.Target }):
		r.Target = p.Target
	case !own && !r.Canonical():
		r.Target = r.Stated
	}
}

// take has the run hold what it is allowed to act on.
func (r *Run) take() {
	for _, t := range r.Targets()[1:] {
		r.Also = with(r.Also, t)
	}
}

// strays says why a plan of the run is for none of the targets that the guards and
// the hold are for; empty if it is for one. What an attempt works on that is yet to be
// allowed is judged then.
func (r *Run) strays(t Task, to Target) string {
	switch own := r.is(t.Target); {
	case r.Acted == 0 || to == r.Target:
	case r.Allowed && slices.Contains(r.keeps(), to):
	case own:
		return fmt.Sprintf("the plan is for %s, but the run is at work on %s", to, r.Target)
	case r.Allowed:
		return fmt.Sprintf("the plan is for %s, which is none of the targets that the attempt was allowed to act on", to)
	}
	return ""
}

// noop reports whether an action of the attempt finds nothing to change.
func (r *Run) noop(action int) bool { return action < len(r.Plans) && r.Plans[action].Noop }

// idle reports whether all plans of the attempt find nothing to change.
func (r *Run) idle() bool {
	return !slices.ContainsFunc(r.Plans, func(p Plan) bool { return !p.Noop })
}

// lasting counts the actions of the attempt whose effect was not put back.
func (r *Run) lasting() int {
	n := 0
	for i := range r.Done {
		if !r.noop(i) {
			n++
		}
	}
	for _, done := range r.Actions {
		if done.PutBack {
			n--
		}
	}
	return n
}

// targetOf is what an action of the attempt works on, as stated.
func (a Action) targetOf(s Scope) (Target, error) {
	if a.Target == nil {
		return s.Target, nil
	}
	return a.Target(s)
}
