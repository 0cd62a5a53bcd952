package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// observer checks every record and every effect against what was promised. What
// it knows of runs it has from the records; what it knows of the world it has
// from the world.
type observer struct {
	w       *world
	known   outside
	runs    map[string]*seenRun
	order   []string
	holders map[string]string
	issued  map[string]issue
	allowed []allowance
	uncured map[string]int
	opens   map[string][]time.Time
	// verdicts counts what was concluded of each alert line and each result.
	verdicts map[string]int
	// owed are the runs that a person must be told of in this record.
	owed map[string]string
}

type seenRun struct {
	id, rule, set    string
	mode             engine.Mode
	attempt          int
	plans            []engine.Plan
	target, group    string
	episodes         []alert.EpisodeID
	evidence         time.Time
	held             bool
	parked, finished bool
}

type issue struct {
	run             string
	attempt, action int
	kind            engine.TaskKind
}

func (i issue) key() string { return fmt.Sprintf("%s/%d/%d", i.run, i.attempt, i.action) }

// allowance is one attempt that was let through.
type allowance struct {
	at                       time.Time
	run, rule, target, group string
}

func newObserver(w *world) *observer {
	return &observer{
		w: w, known: newOutside(), runs: map[string]*seenRun{}, holders: map[string]string{}, issued: map[string]issue{},
		uncured: map[string]int{}, opens: map[string][]time.Time{}, verdicts: map[string]int{}, owed: map[string]string{},
	}
}

// effect is told by a target, at the moment that it changes.
func (o *observer) effect(t *target, task engine.Task) {
	o.w.stats.Effects++
	is, ok := o.issued[task.ID]
	if !ok {
		o.w.violate("%s was changed by task %s, which no record issued", t.name, task.ID)
		return
	}
	t.effects[is.key()]++
	if n := t.effects[is.key()]; n > 1 {
		o.w.violate("%s was changed %d times by one attempt, %s", t.name, n, is.key())
	}
	holder := o.holders[task.Target.String()]
	if holder != is.run && !o.runs[is.run].parked {
		o.w.violate("%s was changed by run %s, but %q has it", t.name, is.run, holder)
	}
}

// record is told every record that the ledger took, and the events in it.
func (o *observer) record(r record, events []engine.Event) {
	m := o.w.inbox[r.inbox-1]
	o.known.upTo(o.w.inbox[:r.inbox-1])
	o.known.loosen(m)
	for _, ev := range events {
		o.reasons(ev)
		o.event(r, ev)
	}
	for run, why := range o.owed {
		o.w.violate("run %s %s, and nobody is told", run, why)
	}
	o.onePerTarget()
}

func (o *observer) event(r record, ev engine.Event) {
	o.alerts(r, ev)
	switch e := ev.(type) {
	case engine.RunStarted:
		o.w.stats.Runs++
		o.runs[e.Run] = &seenRun{id: e.Run, rule: e.Rule, set: e.RuleSet, mode: e.Mode, episodes: []alert.EpisodeID{e.Episode}}
		o.order = append(o.order, e.Run)
	case engine.AnswerIgnored:
		o.verdicts[e.Result.Task]++
	case engine.RunJoined:
		run := o.runs[e.Run]
		run.episodes = append(run.episodes, e.Episode)
	case engine.RunMerged:
		o.runs[e.Into].episodes = append(o.runs[e.Into].episodes, o.runs[e.Run].episodes...)
		o.over(o.runs[e.Run])
	case engine.RunContinued:
		o.runs[e.Run].attempt, o.runs[e.Run].plans = e.Attempt, nil
	case engine.AttemptFailed:
		run := o.runs[e.Run]
		run.attempt, run.plans = e.Attempt+1, nil
		if e.Seen {
			run.evidence = r.at
		}
	case engine.Replanned:
		run := o.runs[e.Run]
		run.plans = run.plans[:e.Action]
	case engine.TaskAnswered:
		o.answered(e)
	case engine.TaskIssued:
		o.task(r, e)
	case engine.RunAllowed:
		o.allow(r, e)
	case engine.RunParked:
		o.w.stats.Parked++
		o.runs[e.Run].parked = true
		o.owed[e.Run] = "is parked"
	case engine.RunEnded:
		o.ended(e)
	case engine.Escalated:
		delete(o.owed, e.Run)
	}
}

// alerts keeps count of what became of each alert.
func (o *observer) alerts(r record, ev engine.Event) {
	switch e := ev.(type) {
	case engine.AlertOpened:
		o.opens[e.Alert.Series()] = append(o.opens[e.Alert.Series()], r.at)
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
	case engine.AlertRepeated:
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
	case engine.AlertReopened:
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
	case engine.AlertResolved:
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
	case engine.AlertDropped:
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
	}
}

func (o *observer) answered(e engine.TaskAnswered) {
	o.verdicts[e.Result.Task]++
	run := o.runs[e.Run]
	if run.parked {
		o.w.violate("run %s is parked, and takes an answer to task %s", run.id, e.Result.Task)
	}
	if p := e.Result.Plan; p != nil {
		run.plans = append(run.plans, *p)
		run.target = run.plans[0].Target.String()
	}
}

func (o *observer) ended(e engine.RunEnded) {
	run := o.runs[e.Run]
	switch e.Outcome {
	case engine.Uncured, engine.Undetermined:
		o.uncured[run.rule]++
	case engine.Cured:
		o.w.stats.Cured++
		o.uncured[run.rule] = 0
	case engine.SelfResolved, engine.Observed, engine.Shadowed, engine.HeldBack, engine.Denied, engine.Unapproved, engine.Merged, engine.Cancelled:
		// These say nothing about whether the rule cures.
	}
	toldOf := []engine.RunFinal{engine.Uncured, engine.HeldBack, engine.Denied, engine.Unapproved}
	if slices.Contains(toldOf, e.Outcome) {
		o.owed[e.Run] = "ended " + string(e.Outcome)
	}
	o.over(run)
}

func (o *observer) over(run *seenRun) {
	if run.finished {
		o.w.violate("run %s ended twice", run.id)
	}
	run.finished = true
	if run.held && o.holders[run.target] == run.id {
		delete(o.holders, run.target)
	}
}

// task checks what a worker is asked to do.
func (o *observer) task(r record, e engine.TaskIssued) {
	if _, twice := o.issued[e.Task.ID]; twice {
		o.w.violate("task %s was issued twice", e.Task.ID)
	}
	run := o.runs[e.Run]
	is := issue{run: e.Run, attempt: e.Task.Attempt, action: e.Action, kind: e.Task.Kind}
	if is.attempt != run.attempt || run.finished {
		o.w.violate("task %s is not for attempt %d of an active run", e.Task.ID, run.attempt)
	}
	if e.Task.Kind == engine.TaskExecute {
		o.mayAct(r, run, e)
		o.notAgain(is)
	}
	o.issued[e.Task.ID] = is
}

// notAgain checks that what may have been applied is not asked again.
func (o *observer) notAgain(next issue) {
	harmless := []engine.Class{engine.ClassRetryable, engine.ClassExpired, engine.ClassPlanChanged, engine.ClassPaused}
	for id, is := range o.issued {
		if is.kind == engine.TaskExecute && is.key() == next.key() && !slices.Contains(harmless, o.known.failed[id]) {
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
	for _, scope := range engine.Scopes(run.rule, e.Task.Target) {
		if o.known.paused[scope] {
			o.w.violate("run %s acts although %s is paused", run.id, scope)
		}
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
	if len(rule.Attempts[run.attempt].Do) == 1 && o.mode(run) == engine.ModeApprove && !o.known.approved[run.id+e.Task.Plan.Digest()] {
		o.w.violate("run %s acts without approval of its plan", run.id)
	}
}

// onePerTarget checks that no two runs of a rule are about the same target.
func (o *observer) onePerTarget() {
	o.order = slices.DeleteFunc(o.order, func(id string) bool { return o.runs[id].finished })
	taken := map[string]string{}
	for _, id := range o.order {
		run := o.runs[id]
		if run.target == "" {
			continue
		}
		if other, twice := taken[run.rule+run.target]; twice {
			o.w.violate("runs %s and %s of rule %s are both about %s", other, id, run.rule, run.target)
		}
		taken[run.rule+run.target] = id
	}
}
