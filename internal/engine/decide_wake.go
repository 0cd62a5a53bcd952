package engine

import "fmt"

// wake decides about a run whose time has come.
func (d *decider) wake(id string) {
	r := d.st.Runs[id]
	if r == nil || !r.Active() {
		return
	}
	d.about(r)
	rule, err := d.rule()
	// An action under way is not forgotten for want of its rule.
	if err != nil && d.run.Phase != PhaseParked && d.run.Phase != PhaseExecuting && d.run.Phase != PhaseUndoing {
		d.withoutRule(err)
		return
	}
	switch d.run.Phase {
	case PhasePlanning, PhaseChecking:
		d.unanswered(rule)
	case PhaseHeld:
		d.rejudge(rule)
	case PhaseApproval:
		d.giveUpRun(rule, Unapproved, "nobody approved within %s", rule.Guards.Approval)
	case PhaseRetrying:
		d.again(rule)
	case PhaseExecuting, PhaseUndoing:
		d.park(rule, "no worker answered task %s in time: it is not known whether %s", d.run.Task.ID, became(*d.run.Task))
	case PhaseVerifying:
		d.verifyDue(rule)
	case PhaseParked:
		d.unsettled(rule, true, "nobody settled it: %s", d.run.Why)
	case PhaseStanding, PhaseEnded:
	}
}

// unanswered gives up a plan or a check that no worker made in time.
func (d *decider) unanswered(rule *Rule) {
	t := *d.run.Task
	d.emit(TaskUnanswered{Run: d.run.ID, Task: t.ID})
	d.retry(rule, t, Failure{
		Class: ClassRetryable, Message: fmt.Sprintf("no worker of group %q answered", t.Group),
	})
}

// rejudge asks the guards again. A hold may stand in the middle of an attempt,
// with a plan still to make; or keep a run from restoring, which is not to be once
// an alert of it fires again.
func (d *decider) rejudge(rule *Rule) {
	switch {
	case d.run.Undoing != nil:
		d.undo(rule)
	case d.run.Standing:
		d.stand(rule, "an alert fires again, and nothing was put back yet")
	case len(d.run.Plans) == len(d.attempt(rule).Do):
		d.judge(rule)
	case !d.firing():
		d.over(rule)
	default:
		d.issuePlan()
	}
}

// again asks a task that failed in a way that may pass.
func (d *decider) again(rule *Rule) {
	switch {
	case d.run.Undoing != nil:
		d.undo(rule)
	case !d.firing():
		d.over(rule)
	case d.run.RetryTask == TaskPlan:
		d.issuePlan()
	default:
		d.judge(rule)
	}
}

// verifyDue is reached when the wait for the cure is over, or when something
// that must hold for a while has done so.
func (d *decider) verifyDue(rule *Rule) {
	v := d.attempt(rule).Verify
	if d.run.RetryTask == TaskVerify {
		d.verifyAgain(rule)
		return
	}
	if t := d.run.Task; t != nil {
		d.emit(TaskUnanswered{Run: d.run.ID, Task: t.ID})
		d.attemptFailed(rule, false, "no worker of group %q answered the verification", t.Group)
		return
	}
	if v.AlertResolved && d.firing() && !d.at.Before(d.run.VerifyUntil) {
		d.attemptFailed(rule, true, "%s: the alert still fires after %s", d.attempt(rule).failure(), v.Within)
		return
	}
	d.checkCured(rule)
}

// verifyAgain asks for the probes once more, for what is left of the wait.
func (d *decider) verifyAgain(rule *Rule) {
	if !d.at.Before(d.run.VerifyUntil) {
		d.attemptFailed(rule, false, "not known to be cured: verification failed: %s", d.run.Why)
		return
	}
	d.issueVerify(rule, d.run.VerifyUntil)
}
