package simulation

import (
	"slices"

	"github.com/tripgen/paramedic/internal/engine"
)

// task checks what a worker is asked to do.
func (o *observer) task(r record, e engine.TaskIssued) {
	if _, twice := o.issued[e.Task.ID]; twice {
		o.w.violate("task %s was issued twice", e.Task.ID)
	}
	run := o.runs[e.Run]
	is := issue{run: e.Run, attempt: e.Task.Attempt, action: e.Action, kind: e.Task.Kind, target: e.Task.Target}
	if is.attempt != run.attempt || run.finished {
		o.w.violate("task %s is not for attempt %d of an active run", e.Task.ID, run.attempt)
	}
	o.onTarget(run, e)
	switch e.Task.Kind {
	case engine.TaskExecute:
		o.mayAct(r, run, e)
		o.mayActByRule(r, run, e)
		o.notAgain(is)
		run.letThrough()
	case engine.TaskUndo:
		is.undoes = e.Task.Undoes
		o.mayUndo(run, is, e.Task)
		o.notAgain(is)
	case engine.TaskPlan, engine.TaskCheck, engine.TaskVerify:
		// These only read.
	}
	o.issued[e.Task.ID] = is
}

// onTarget checks that an action works on what its rule says.
func (o *observer) onTarget(run *seenRun, e engine.TaskIssued) {
	do := o.rule(run).Attempts[run.attempt].Do
	if e.Task.Kind != engine.TaskPlan && !e.Task.Kind.Changes() || e.Action >= len(do) {
		return
	}
	want := canonical(run.stated)
	if own := do[e.Action].Target; own != nil {
		want, _ = own(engine.Scope{})
	}
	if got := canonical(e.Task.Target); got != want {
		o.w.violate("task %s is for %s, and what it does has a target of its own or not: %s", e.Task.ID, got, want)
	}
}

// notAgain checks that what may have been applied is not asked again.
func (o *observer) notAgain(next issue) {
	harmless := []engine.Class{engine.ClassRetryable, engine.ClassExpired, engine.ClassPlanChanged, engine.ClassPaused}
	for id, is := range o.issued {
		if is.kind == next.kind && is.key() == next.key() && !slices.Contains(harmless, o.known.failed[id]) {
			o.w.violate("%s is asked again after task %s, which may have been applied", next.key(), id)
		}
	}
}

// mayAct checks an action against what is known from outside at this time.
func (o *observer) mayAct(r record, run *seenRun, e engine.TaskIssued) {
	target := e.Task.Target.String()
	if o.holders[target] != run.id {
		o.w.violate("run %s acts on %s, which %q has", run.id, target, o.holders[target])
	}
	rule := o.rule(run)
	for _, p := range run.plans {
		if scope := o.paused(run, p.Target); scope != "" {
			o.w.violate("run %s acts although %s is paused", run.id, scope)
		}
	}
	if e.Task.Plan.Noop {
		o.w.violate("run %s acts by a plan that finds nothing to change", run.id)
	}
	newest, fires := run.evidence, false
	for _, id := range run.episodes {
		if o.known.fires(id) {
			fires = true
			if last := o.known.heard[id]; last.After(newest) {
				newest = last
			}
		}
	}
	if !fires {
		o.w.violate("run %s acts on alerts that have resolved", run.id)
	}
	if age := r.at.Sub(newest); age >= rule.Guards.Freshness {
		o.w.violate("run %s acts on evidence %s old, allowed are %s", run.id, age, rule.Guards.Freshness)
	}
	all := engine.Run{Plans: run.plans}
	if o.mode(run) == engine.ModeApprove && !o.known.approved[run.id+all.PlanDigest()] {
		o.w.violate("run %s acts without approval of its plan", run.id)
	}
}

// paused is a scope that stops a run's change of a target, if any.
func (o *observer) paused(run *seenRun, t engine.Target) string {
	for _, scope := range engine.Scopes(run.rule, t) {
		if o.known.paused[scope] {
			return scope
		}
	}
	return ""
}
