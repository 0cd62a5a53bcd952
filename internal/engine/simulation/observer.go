package simulation

import (
	"fmt"
	"maps"
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
	// inForce is the rule set of new runs; groups has the active run of each
	// rule and group, zones what each alert is grouped by, unjoined the alerts of
	// this record that must have joined one.
	inForce  string
	groups   map[string]string
	zones    map[alert.EpisodeID]string
	unjoined map[alert.EpisodeID]string
	// acted is how the last run of each rule that acted ended.
	acted map[string]engine.RunFinal
	// looks are what check tasks saw.
	looks map[look]bool
	// stopped are the scopes that are paused as the ledger has it.
	stopped map[string]bool
	// touched is the last that was done to each target.
	touched map[string]touch
}

type seenRun struct {
	id, rule, set string
	mode          engine.Mode
	attempt       int
	plans         []engine.Plan
	target        string
	// stated is the target as the rule states it, also are those beside it that
	// it was allowed to act on, groups what its targets count against.
	stated           engine.Target
	also, groups     []string
	episodes         []alert.EpisodeID
	evidence         time.Time
	held             bool
	parked, finished bool
	// grouping is what its rule's groupBy gave, began the alert that set it off.
	grouping string
	began    alert.Alert
	// undoing says that the attempt failed and is put back, lookedAt when a worker
	// saw its check hold.
	undoing  bool
	lookedAt time.Time
	// plannedAt is when the newest plan was made since the last action was done, hold
	// what holds the run, nil if nothing does.
	plannedAt time.Time
	hold      *hold
	// heldSince is when the first of the holds came since the run was last let
	// through, told whether people were told of them.
	heldSince time.Time
	told      bool
	// standing says that it did what it was to do and gave up its target, ends how
	// it will end once it has put back what it did, done which actions of its
	// attempt workers answered that they did.
	standing bool
	ends     engine.RunFinal
	done     map[int]bool
}

type issue struct {
	run             string
	attempt, action int
	kind            engine.TaskKind
	target          engine.Target
	// undoes is, for an undo task, the execute task.
	undoes string
}

func (i issue) key() string { return fmt.Sprintf("%s/%d/%d", i.run, i.attempt, i.action) }

// allowance is one attempt that was let through.
type allowance struct {
	at                time.Time
	run, rule, target string
	groups            []string
}

func newObserver(w *world) *observer {
	return &observer{
		w: w, known: newOutside(), runs: map[string]*seenRun{}, holders: map[string]string{}, issued: map[string]issue{},
		uncured: map[string]int{}, opens: map[string][]time.Time{}, verdicts: map[string]int{}, owed: map[string]string{},
		groups: map[string]string{}, zones: map[alert.EpisodeID]string{}, unjoined: map[alert.EpisodeID]string{}, acted: map[string]engine.RunFinal{}, looks: map[look]bool{},
		stopped: map[string]bool{}, touched: map[string]touch{},
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
	for id, why := range o.unjoined {
		o.w.violate("alert %s %s", id, why)
	}
	o.onePerTarget()
	o.heldForAReason(r.at)
	o.standForAReason()
}

func (o *observer) event(r record, ev engine.Event) {
	o.alerts(r, ev)
	o.orders(ev)
	if id, ok := engine.RunOf(ev); ok && o.runs[id] != nil && changesPhase(ev) {
		o.runs[id].hold = nil
	}
	o.judged(r, ev)
	switch e := ev.(type) {
	case engine.RunStarted:
		o.started(e)
	case engine.AnswerIgnored:
		o.verdicts[e.Result.Task]++
	case engine.RunJoined:
		run := o.runs[e.Run]
		run.episodes = append(run.episodes, e.Episode)
		o.joins(run, e.Episode)
	case engine.RunMerged:
		o.runs[e.Into].episodes = append(o.runs[e.Into].episodes, o.runs[e.Run].episodes...)
		o.handsOver(o.runs[e.Run], o.runs[e.Into])
		o.over(r, o.runs[e.Run])
	case engine.RunContinued:
		o.runs[e.Run].climb(e.Attempt)
	case engine.RunStanding:
		o.stands(r, o.runs[e.Run])
	case engine.ActionSkipped:
		o.skipped(e)
	case engine.UndoStarted:
		o.startsUndo(r, e)
	case engine.AttemptFailed:
		run := o.runs[e.Run]
		o.putBackAll(run)
		if e.Seen && !run.undoing {
			run.evidence = r.at
		}
		run.climb(e.Attempt + 1)
	case engine.Replanned:
		run := o.runs[e.Run]
		run.plans = run.plans[:e.Action]
	case engine.TaskAnswered:
		o.answered(e)
	case engine.TaskIssued:
		o.task(r, e)
	case engine.VerifyStarted:
		o.startsToLook(r, e)
	case engine.RunParked:
		o.parks(e.Run)
	case engine.RunEnded:
		o.ended(r, e)
	case engine.Escalated:
		delete(o.owed, e.Run)
		o.tellsOfHold(o.runs[e.Run])
		o.routed(e)
	}
}

func (o *observer) started(e engine.RunStarted) {
	o.w.stats.Runs++
	o.runs[e.Run] = &seenRun{
		id: e.Run, rule: e.Rule, set: e.RuleSet, mode: e.Mode, episodes: []alert.EpisodeID{e.Episode}, grouping: e.Group, began: e.Alert, stated: e.Target,
	}
	o.order = append(o.order, e.Run)
	o.begins(o.runs[e.Run], e.Episode)
}

// startsToLook checks that an attempt only looks if that is all that it says.
func (o *observer) startsToLook(r record, e engine.VerifyStarted) {
	run := o.runs[e.Run]
	does := len(o.rule(run).Attempts[run.attempt].Do)
	switch {
	case e.Only != (does == 0):
		o.w.violate("run %s begins to verify attempt %d, of %d actions, as if it had others", run.id, run.attempt, does)
	case len(run.done) != does:
		o.w.violate("run %s begins to verify attempt %d, and has done %d of %d actions", run.id, run.attempt, len(run.done), does)
	case e.Only && e.Until.Sub(r.at) != o.rule(run).Attempts[run.attempt].Verify.Within:
		o.w.violate("run %s looks until %s", run.id, e.Until)
	}
	if e.Target.Name != "" {
		run.target = e.Target.String()
	}
	if e.Only {
		o.w.happened("only looks")
	}
}

func (o *observer) parks(run string) {
	o.w.stats.Parked++
	o.runs[run].parked = true
	o.owed[run] = "is parked"
}

// climb begins another rung.
func (r *seenRun) climb(attempt int) {
	r.attempt, r.plans, r.undoing, r.done = attempt, nil, false, nil
	r.lookedAt, r.plannedAt = time.Time{}, time.Time{}
	r.letThrough()
}

// orders keeps what people said.
func (o *observer) orders(ev engine.Event) {
	switch e := ev.(type) {
	case engine.RulesLoaded:
		o.inForce = e.Digest
	case engine.ScopePaused:
		o.stopped[e.Scope] = true
	case engine.ScopeResumed:
		delete(o.stopped, e.Scope)
	}
}

// alerts keeps count of what became of each alert.
func (o *observer) alerts(r record, ev engine.Event) {
	switch e := ev.(type) {
	case engine.AlertOpened:
		o.opens[e.Alert.Series()] = append(o.opens[e.Alert.Series()], r.at)
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
		o.wantsRun(e.Episode, e.Alert)
	case engine.AlertRepeated:
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
	case engine.AlertReopened:
		o.verdicts[e.Delivery+" "+string(e.Episode)]++
		o.wantsGroup(e.Episode)
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
		o.aims(run, o.issued[e.Result.Task], *p)
		run.plans, run.plannedAt = append(run.plans, *p), e.Result.At
	}
	switch is := o.issued[e.Result.Task]; is.kind {
	case engine.TaskCheck:
		o.checkAnswered(run, e.Result)
	case engine.TaskUndo:
		o.undoAnswered(is, e.Result)
	case engine.TaskExecute:
		if e.Result.Outcome != nil {
			run.plannedAt = time.Time{}
			run.did(is.action)
		}
	case engine.TaskPlan, engine.TaskVerify:
	}
}

func (o *observer) ended(r record, e engine.RunEnded) {
	run := o.runs[e.Run]
	switch e.Outcome {
	case engine.Uncured, engine.Undetermined:
		if run.held {
			o.uncured[run.rule]++
		}
	case engine.Cured, engine.Restored:
		o.w.stats.Cured++
		o.uncured[run.rule] = 0
	case engine.SelfResolved, engine.Observed, engine.Shadowed, engine.HeldBack, engine.Denied, engine.Unapproved, engine.Merged, engine.Cancelled:
		// These say nothing about whether the rule cures.
	}
	toldOf := []engine.RunFinal{engine.Uncured, engine.HeldBack, engine.Denied, engine.Unapproved}
	if slices.Contains(toldOf, e.Outcome) {
		o.owed[e.Run] = "ended " + string(e.Outcome)
	}
	if run.undoing && !run.parked {
		if left := o.leftUndone(run); left != "" {
			o.owed[e.Run] = "ended without having put back " + left
		}
	}
	o.endsRestoring(run, e.Outcome)
	if run.held {
		o.acted[run.rule] = e.Outcome
	}
	o.over(r, run)
}

func (o *observer) over(r record, run *seenRun) {
	if run.finished {
		o.w.violate("run %s ended twice", run.id)
	}
	run.finished = true
	if run.held {
		o.release(r, run)
	}
	maps.DeleteFunc(o.groups, func(_, id string) bool { return id == run.id })
}

// onePerTarget checks that no two runs of a rule are about the same target, but for
// one that is to end when it has put back what it did.
func (o *observer) onePerTarget() {
	o.order = slices.DeleteFunc(o.order, func(id string) bool { return o.runs[id].finished })
	taken := map[string]string{}
	for _, id := range o.order {
		run := o.runs[id]
		if run.target == "" || run.ends != "" {
			continue
		}
		if other, twice := taken[run.rule+run.target]; twice {
			o.w.violate("runs %s and %s of rule %s are both about %s", other, id, run.rule, run.target)
		}
		taken[run.rule+run.target] = id
	}
}
