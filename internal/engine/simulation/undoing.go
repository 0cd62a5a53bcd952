package simulation

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/tripgen/paramedic/internal/engine"
)

// startsUndo checks that only an attempt whose rule says so is put back, once.
func (o *observer) startsUndo(r record, e engine.UndoStarted) {
	run := o.runs[e.Run]
	o.w.happened("undo started")
	if run.undoing {
		o.w.violate("run %s starts to put attempt %d back twice", run.id, e.Attempt)
	}
	if e.Attempt != run.attempt || !undoes(o.rule(run), e.Attempt) {
		o.w.violate("run %s puts back attempt %d, which its rule does not say", run.id, e.Attempt)
	}
	o.leaves(run, e)
	run.undoing = true
	run.letThrough()
	if e.Seen {
		run.evidence = r.at
	}
}

func undoes(r *engine.Rule, attempt int) bool { return r.Restore || r.Attempts[attempt].Undo }

// mayUndo checks an undo task against what workers answered.
func (o *observer) mayUndo(run *seenRun, is issue, t engine.Task) {
	done, ok := o.issued[t.Undoes]
	switch {
	case !ok || done.kind != engine.TaskExecute || done.run != run.id || done.attempt != run.attempt:
		o.w.violate("task %s is to put back %q, which this attempt did not do", t.ID, t.Undoes)
		return
	case !run.undoing:
		o.w.violate("task %s puts back an attempt that did not fail", t.ID)
	case !o.rule(run).Attempts[done.attempt].Do[done.action].Undoable || done.action != is.action:
		o.w.violate("task %s is to put back %s, which cannot be", t.ID, t.Undoes)
	}
	if class, answered := o.known.failed[t.Undoes]; !answered || class != "" && class != engine.ClassUnknown {
		o.w.violate("task %s is to put back %s, which was not done: it is %q", t.ID, t.Undoes, class)
	}
	if was := o.known.outcomes[t.Undoes]; t.Outcome == nil || !bytes.Equal(t.Outcome.Before, was.Before) {
		o.w.violate("task %s is not told what %s answered", t.ID, t.Undoes)
	}
	if o.holders[t.Target.String()] != run.id {
		o.w.violate("run %s puts back on %s, which %q has", run.id, t.Target, o.holders[t.Target.String()])
	}
	if scope := o.paused(run, t.Target); scope != "" {
		o.w.violate("run %s puts back although %s is paused", run.id, scope)
	}
	o.inOrder(run, done, t)
}

// inOrder checks that what was done after the action is put back already, and
// the action is not.
func (o *observer) inOrder(run *seenRun, done issue, t engine.Task) {
	if o.undone(t.Undoes) {
		o.w.violate("task %s is to put back %s a second time", t.ID, t.Undoes)
	}
	for _, c := range o.w.allChanges() {
		is := o.issued[c.task.ID]
		if is.run == run.id && is.attempt == done.attempt && is.action > done.action && c.task.Action == resize && !o.undone(c.task.ID) {
			o.w.violate("task %s is to put back %s before %s", t.ID, t.Undoes, c.task.ID)
		}
	}
}

// undone reports whether a worker answered that it put back what a task did.
func (o *observer) undone(execute string) bool {
	for id, is := range o.issued {
		if class, answered := o.known.failed[id]; is.undoes == execute && answered && class == "" {
			return true
		}
	}
	return false
}

func (o *observer) undoAnswered(is issue, res engine.Result) {
	if res.Failure != nil {
		o.w.happened("undo failed: " + string(res.Failure.Class))
		return
	}
	o.w.happened("undo answered")
	if c := o.w.targets[is.target.Name].applied[is.undoes]; c == nil || !c.undone {
		o.w.violate("task %s put nothing back, and says it did", res.Task)
	}
}

// askedToUndo is told by a target, of every call.
func (o *observer) askedToUndo(t *target, task engine.Task, c *change) {
	switch {
	case o.issued[task.ID].kind != engine.TaskUndo:
		o.w.violate("%s is to be put back by task %s, which no record issued", t.name, task.ID)
	case c == nil && o.known.failed[task.Undoes] != engine.ClassUnknown:
		o.w.violate("%s is to be put back by task %s, but never took %s", t.name, task.ID, task.Undoes)
	}
}

// putBack is told by a target that a change of it was undone.
func (o *observer) putBack(t *target, c *change) {
	o.w.happened("undo applied")
	if t.shape != c.before {
		o.w.violate("%s has shape %d after the undo of %s, before that it had %d", t.name, t.shape, c.task.ID, c.before)
	}
	at := slices.Index(t.changes, c)
	for _, later := range t.changes[at+1:] {
		if later.task.Action == resize && !later.undone {
			o.w.violate("%s puts back %s before %s, which came later", t.name, c.task.ID, later.task.ID)
		}
	}
}

// putBackAll checks that an attempt which failed, and is to be undone, left
// nothing of what can be put back.
func (o *observer) putBackAll(run *seenRun) {
	if left := o.leftUndone(run); left != "" {
		o.w.violate("run %s goes on from attempt %d without having put back %s", run.id, run.attempt, left)
	}
	if run.undoing {
		o.w.happened("undo finished")
	}
}

// leftUndone names what the rung did and should have put back, as the target
// tells. Before it is known that the rung failed that is nothing.
func (o *observer) leftUndone(run *seenRun) string {
	rule := o.rule(run)
	if run.target == "" || len(run.plans) == 0 || run.attempt >= len(rule.Attempts) || !undoes(rule, run.attempt) {
		return ""
	}
	for _, c := range o.w.allChanges() {
		if c.task.Run == run.id && c.task.Attempt == run.attempt && c.task.Action == resize && !c.undone {
			return fmt.Sprintf("%s of %s", c.task.ID, c.task.Target)
		}
	}
	return ""
}
