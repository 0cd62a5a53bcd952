package engine

import (
	"fmt"
	"slices"
	"strings"
)

// undoes reports whether the attempt did anything that is to be put back, and
// can be.
func (d *decider) undoes(rule *Rule) bool {
	_, ok := d.nextUndo(rule)
	return ok && d.run.Undoing == nil
}

// nextUndo is the newest action of the attempt that is yet to be put back.
func (d *decider) nextUndo(rule *Rule) (DoneAction, bool) {
	if !rule.undoes(d.run.Attempt) {
		return DoneAction{}, false
	}
	for _, done := range slices.Backward(d.run.Actions) {
		if !done.PutBack && d.attempt(rule).Do[done.Action].Undoable {
			return done, true
		}
	}
	return DoneAction{}, false
}

// undo puts the next action back. No guard is asked but the kill switch: to put
// back is always the safer way, and the alert may have resolved by now.
func (d *decider) undo(rule *Rule) {
	done, ok := d.nextUndo(rule)
	switch {
	case !ok && d.run.leaves():
		d.left(rule)
		return
	case !ok:
		d.fail(rule, d.run.Undoing.Seen, "%s; %s", d.run.Undoing.Reason, d.undone(rule, ""))
		return
	}
	if v := d.unpaused(rule); v.held() {
		d.hold(v)
		return
	}
	a, target := d.attempt(rule).Do[done.Action], d.run.Target
	if done.Plan != nil {
		target = done.Plan.Target
	}
	t := Task{
		ID: d.taskID(TaskUndo, done.Action), Kind: TaskUndo, Run: d.run.ID, Rule: d.run.Rule, Attempt: d.run.Attempt,
		Group: rule.workers(a.Group, target), Action: a.Name, Target: target, Params: done.Params,
		Plan: done.Plan, Outcome: &done.Outcome, Undoes: done.Task,
		NotAfter: d.at.Add(startWithin), Timeout: d.attempt(rule).timeout(done.Action),
	}
	d.issue(t, done.Action, t.NotAfter.Add(2*t.Timeout+answerSlack))
}

// notPutBack ends a run whose target is not as it was before the attempt: what
// comes next is for a person to say.
func (d *decider) notPutBack(rule *Rule, why string) {
	d.endAsking(rule, Uncured, "%s; %s", d.run.Undoing.Reason, d.undone(rule, why))
}

// undone says which actions of the attempt were put back, and which were not.
// Why is what came between.
func (d *decider) undone(rule *Rule, why string) string {
	var back, failed, lasting []string
	kept := map[int]DoneAction{}
	for _, done := range d.run.Actions {
		kept[done.Action] = done
	}
	for i := d.run.Done - 1; i >= 0; i-- {
		a := d.attempt(rule).Do[i]
		switch done, known := kept[i]; {
		case d.run.noop(i):
		case done.PutBack:
			back = append(back, a.Name)
		case known && a.Undoable:
			failed = append(failed, a.Name)
		default:
			lasting = append(lasting, a.Name)
		}
	}
	var parts []string
	if len(back) > 0 {
		parts = append(parts, "put back: "+strings.Join(back, ", "))
	}
	if len(failed) > 0 {
		parts = append(parts, fmt.Sprintf("not put back: %s (%s)", strings.Join(failed, ", "), why))
	}
	if len(lasting) > 0 {
		parts = append(parts, "done, and cannot be put back: "+strings.Join(lasting, ", "))
	}
	return strings.Join(parts, "; ")
}
