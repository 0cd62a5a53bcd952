package backtest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// Assumption is what an action is assumed to bring about.
type Assumption string

// The assumptions.
const (
	// AssumeHistory: the alert goes on as it did. An action is seen to have
	// cured only if the alert resolved in the recording while it was verified.
	AssumeHistory Assumption = "history"
	// AssumeCured: every action cures. Its alert resolves a second after.
	AssumeCured Assumption = "cured"
)

const (
	// modelName is the worker that answers where the recording does not.
	modelName = "backtest"
	// modelWork is how long each plan, check, action and undo takes.
	modelWork = time.Second
)

// assumptions say what the model does, for the report.
func assumptions(c conditions) []string {
	list := []string{
		"The alert of a schedule, a cost, a person, or a rollout that is not stuck tells of no trouble: what it sets off cures, and it goes on as recorded.",
		"Every target exists as its rule states it, needs the change, and has healthy instances enough: the guard minHealthy never holds, and two names of one thing count as two targets.",
		fmt.Sprintf("Plans, checks, actions and undos succeed after %s; checks hold.", modelWork),
	}
	if c.assume == AssumeCured {
		list = append(list, "Every action cures: probes hold, and the alert resolves a second after the action. What the recording says of this firing afterwards is left out.")
	} else {
		list = append(list, "No action changes what was recorded: probes hold as soon as the alert has resolved in the recording, and fail at their deadline if it has not. So an attempt counts as not cured unless the alert resolved while it was verified.")
	}
	if c.approveAfter > 0 {
		list = append(list, fmt.Sprintf("Somebody approves every plan %s after being asked.", c.approveAfter))
	} else {
		list = append(list, "Nobody approves, but for the approvals in the recording that fit.")
	}
	return append(list, "Answers of workers that are in the recording stand in for the above where the task is the same.")
}

// Do implements rehearsal.Worker. Answers come by the model's own schedule.
func (p *rehearse) Do(at time.Time, t engine.Task) (engine.Result, time.Duration, bool) {
	if _, ok := p.is.answered[t.ID]; ok && p.same(t) {
		p.recorded[t.ID] = struct{}{}
		return engine.Result{}, 0, false
	}
	res := engine.Result{Task: t.ID}
	switch t.Kind {
	case engine.TaskPlan:
		res.Plan = &engine.Plan{
			Target: t.Target, Summary: t.Action + " " + t.Target.String(), Health: &engine.Health{Total: 1, Healthy: 1},
		}
	case engine.TaskCheck:
		res.Verified = true
	case engine.TaskExecute, engine.TaskUndo:
		res.Outcome = &engine.Outcome{Summary: fmt.Sprintf("%s %s is assumed to succeed", t.Kind, t.Action)}
	case engine.TaskVerify:
		v := verification{task: t, since: at}
		p.open[t.ID] = v
		p.schedule(at.Add(t.Stable), func(at time.Time) { p.look(at, v) })
		p.schedule(t.Deadline, func(at time.Time) { p.giveUp(at, v) })
		return engine.Result{}, 0, false
	}
	p.answer(at.Add(modelWork), res)
	return engine.Result{}, 0, false
}

// same reports whether the recorded rules asked for the same by this task: then
// its recorded answer is an answer to it.
func (p *rehearse) same(t engine.Task) bool {
	if p.own {
		return true
	}
	if p.rules == nil {
		return false
	}
	rule, ok := p.rules.Rule(t.Rule)
	if !ok || t.Attempt >= len(rule.Attempts) {
		return false
	}
	a := rule.Attempts[t.Attempt]
	kinds := func(probes []engine.Probe) bool {
		return slices.EqualFunc(probes, t.Probes, func(p engine.Probe, q engine.ProbeTask) bool { return p.Kind == q.Kind })
	}
	switch t.Kind {
	case engine.TaskVerify:
		return kinds(a.Verify.Probes)
	case engine.TaskCheck:
		return kinds(a.Check)
	case engine.TaskPlan, engine.TaskExecute, engine.TaskUndo:
	}
	return slices.ContainsFunc(a.Do, func(do engine.Action) bool { return do.Name == t.Action })
}

// verification is a task that waits for the history.
type verification struct {
	task  engine.Task
	since time.Time
}

// waits is the run that waits for a verification, if it still does.
func (p *rehearse) waits(v verification) (*engine.Run, bool) {
	r := p.stage.State().Runs[v.task.Run]
	if r == nil || r.Task == nil || r.Task.ID != v.task.ID {
		delete(p.open, v.task.ID)
		return nil, false
	}
	return r, true
}

// unprompted reports whether what a run does mends nothing that its alert tells of.
func (p *rehearse) unprompted(r *engine.Run) bool {
	set, ok := p.sets.Set(r.RuleSet)
	return ok && asked(set, r.Rule)
}

// lookAgain looks at the open verifications that are about an episode, right
// after what is happening now.
func (p *rehearse) lookAgain(at time.Time, about func(alert.EpisodeID) bool) {
	for _, id := range slices.Sorted(maps.Keys(p.open)) {
		v := p.open[id]
		if r, ok := p.waits(v); ok && slices.ContainsFunc(r.Episodes, about) {
			p.schedule(at, func(at time.Time) { p.look(at, v) })
		}
	}
}

// look answers a verification if what it asks for has held for long enough, or
// looks again when that may be so.
func (p *rehearse) look(at time.Time, v verification) {
	r, ok := p.waits(v)
	if !ok {
		return
	}
	assumed := p.is.assume == AssumeCured || p.unprompted(r)
	holds, ok := p.resolved(r)
	if !ok && !assumed {
		return
	}
	if holds.Before(v.since) || assumed {
		holds = v.since
	}
	if steady := holds.Add(v.task.Stable); at.Before(steady) {
		p.schedule(steady, func(at time.Time) { p.look(at, v) })
		return
	}
	delete(p.open, v.task.ID)
	p.put(at, engine.Input{Result: &engine.Result{
		Task: v.task.ID, At: at, Worker: modelName, Verified: true, Checks: checks(v.task, true, "assumed to hold"),
	}})
}

// giveUp answers a verification that came to its deadline.
func (p *rehearse) giveUp(at time.Time, v verification) {
	if _, ok := p.waits(v); !ok {
		return
	}
	delete(p.open, v.task.ID)
	p.put(at, engine.Input{Result: &engine.Result{
		Task: v.task.ID, At: at, Worker: modelName, Checks: checks(v.task, false, "the alert had not resolved in the recording"),
	}})
}

func checks(t engine.Task, holds bool, detail string) []engine.Check {
	list := make([]engine.Check, len(t.Probes))
	for i, probe := range t.Probes {
		list[i] = engine.Check{Kind: probe.Kind, OK: holds, Detail: detail}
	}
	return list
}

// resolved is when the last alert of a run resolved; not ok while one fires.
func (p *rehearse) resolved(r *engine.Run) (time.Time, bool) {
	var last time.Time
	for _, id := range r.Episodes {
		ep := p.stage.State().Episodes[id]
		if ep == nil {
			continue
		}
		if ep.Firing() {
			return time.Time{}, false
		}
		if ep.ResolvedAt.After(last) {
			last = ep.ResolvedAt
		}
	}
	return last, true
}

// cure ends the alerts of a run that has acted, if that is assumed.
func (p *rehearse) cure(at time.Time, run string) {
	if p.is.assume != AssumeCured {
		return
	}
	p.schedule(at.Add(time.Second), func(at time.Time) {
		r := p.stage.State().Runs[run]
		if r == nil || p.unprompted(r) {
			return
		}
		d := alert.Delivery{ID: "cured-" + run, Source: modelName, ReceivedAt: at}
		for _, id := range r.Episodes {
			ep := p.stage.State().Episodes[id]
			if ep == nil || !ep.Firing() {
				continue
			}
			a := ep.Alert
			a.Status, a.EndsAt = alert.Resolved, at
			d.Alerts = append(d.Alerts, a)
			p.cured[id] = struct{}{}
		}
		if len(d.Alerts) > 0 {
			p.put(at, engine.Input{Delivery: &d})
		}
	})
}
