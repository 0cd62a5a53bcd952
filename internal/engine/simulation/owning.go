package simulation

import (
	"maps"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// touch is the last that a run did to a target.
type touch struct {
	run string
	at  time.Time
}

// targets are what a run works on, as plans and decisions have told so far.
func (r *seenRun) targets() []string {
	all := []string{r.target}
	add := func(t string) {
		if !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	for _, t := range r.also {
		add(t)
	}
	for _, p := range r.plans {
		add(p.Target.String())
	}
	return all
}

func (r *seenRun) shares(other *seenRun) bool {
	return slices.ContainsFunc(r.targets(), func(t string) bool { return slices.Contains(other.targets(), t) })
}

// has reports whether a run has all that it was allowed to act on.
func (o *observer) has(run *seenRun) bool {
	return !slices.ContainsFunc(append([]string{run.target}, run.also...), func(t string) bool { return o.holders[t] != run.id })
}

// hold gives a run all that it works on.
func (o *observer) hold(run *seenRun) {
	run.also = run.targets()[1:]
	for _, t := range run.targets() {
		o.holders[t] = run.id
	}
}

// release takes from a run what it has.
func (o *observer) release(r record, run *seenRun) {
	o.touches(r, run)
	maps.DeleteFunc(o.holders, func(_, id string) bool { return id == run.id })
}

// holding counts the runs that have targets.
func (o *observer) holding(which func(*seenRun) bool) int {
	seen := map[string]bool{}
	for _, id := range o.holders {
		seen[id] = which(o.runs[id])
	}
	maps.DeleteFunc(seen, func(_ string, counts bool) bool { return !counts })
	return len(seen)
}

func (o *observer) touches(r record, run *seenRun) {
	for _, t := range append([]string{run.target}, run.also...) {
		o.touched[t] = touch{run.id, r.at}
	}
}

// settled checks that nobody else has acted on what a run is let through to for as
// long as its rule says.
func (o *observer) settled(r record, run *seenRun, rule *engine.Rule) {
	for _, t := range run.targets() {
		last, ok := o.touched[t]
		if ok && last.run != run.id && r.at.Sub(last.at) < rule.Guards.HoldDown {
			o.w.violate("run %s is let through to %s %s after run %s, the hold-down is %s", run.id, t, r.at.Sub(last.at), last.run, rule.Guards.HoldDown)
		}
	}
}

// aims takes what a plan tells of the target of its run. A plan of an action that
// has a target of its own tells nothing.
func (o *observer) aims(run *seenRun, is issue, p engine.Plan) {
	do := o.rule(run).Attempts[run.attempt].Do
	own := func(i int) bool { return do[i].Target == nil }
	switch {
	case own(is.action):
		first := true
		for i := range run.plans {
			first = first && !own(i)
		}
		if first {
			run.target = p.Target.String()
		}
	case run.target == "":
		run.target = run.stated.String()
	}
	if !own(is.action) {
		o.w.happened("planned on a target of its own")
	}
}

// skipped checks that only what finds nothing to change is left out.
func (o *observer) skipped(e engine.ActionSkipped) {
	run := o.runs[e.Run]
	if e.Action != len(run.done) || e.Action >= len(run.plans) || !run.plans[e.Action].Noop {
		o.w.violate("run %s skips action %d of attempt %d", run.id, e.Action, run.attempt)
	}
	if run.undoing || !slices.ContainsFunc(run.plans, func(p engine.Plan) bool { return !p.Noop }) {
		o.w.violate("run %s skips action %d of attempt %d, which finds nothing to change or is put back", run.id, e.Action, run.attempt)
	}
	o.w.happened("action skipped")
	run.did(e.Action)
}
