package engine

import "time"

// nextAttempt clears what belongs to the rung that ended.
func (r *Run) nextAttempt(number int) {
	r.Attempt = number
	r.Plans, r.PlannedAt, r.Allowed, r.Approved = nil, time.Time{}, false, ""
	r.Done, r.Actions, r.Undoing = 0, nil, nil
	r.Tries, r.ActTries, r.Replans, r.Task = 0, 0, 0, nil
	r.CheckedAt, r.VerifyUntil, r.ProbesAt = time.Time{}, time.Time{}, time.Time{}
	r.unheld()
}

// unheld says that no guard holds the run any more.
func (r *Run) unheld() { r.HeldSince, r.Told = time.Time{}, false }

// apply folds one event of this run.
func (r *Run) apply(ev Event, at time.Time) {
	switch e := ev.(type) {
	case RunJoined:
		r.Episodes = append(r.Episodes, e.Episode)
	case RunMerged:
		r.end(Merged, "run "+e.Into+" has this target", at)
	case RunContinued:
		r.Continued = true
		r.nextAttempt(e.Attempt)
	case TaskIssued:
		r.issued(e, at)
	case TaskAnswered:
		r.answered(e.Result, at)
	case TaskUnanswered:
		r.Task = nil
	case RetryScheduled:
		r.retried(e)
	case Replanned:
		r.replanned(e)
	case RunHeld:
		r.held(e, at)
	case RunAllowed:
		r.Guard, r.Waits = "", ""
		r.Allowed, r.Spends = true, e.Spends
		r.Acted++
		r.take()
		r.unheld()
	case ActionSkipped:
		r.Done++
	case ApprovalAsked:
		r.unheld()
		r.Phase, r.WakeAt, r.Why = PhaseApproval, e.Until, "waits for approval of plan "+e.Plan
	case ApprovalGiven:
		r.Approved, r.Evidence = e.Plan, at
	default:
		r.applyLate(ev, at)
	}
}

// applyLate folds what follows the actions of an attempt.
func (r *Run) applyLate(ev Event, at time.Time) {
	switch e := ev.(type) {
	case VerifyStarted:
		if e.Target.Name != "" {
			r.Target = e.Target
		}
		r.Tries, r.RetryTask = 0, ""
		r.Phase, r.VerifyUntil, r.WakeAt, r.ProbesAt = PhaseVerifying, e.Until, e.Until, time.Time{}
	case VerifyWaiting:
		r.WakeAt, r.Why = e.Until, e.Reason
	case RunStanding:
		r.Phase, r.WakeAt, r.Why, r.Guard, r.Waits = PhaseStanding, time.Time{}, e.Reason, "", ""
		r.Standing = true
		r.unheld()
	case UndoStarted:
		if e.Seen {
			r.Evidence = at
		}
		r.Phase, r.WakeAt, r.Why, r.Guard, r.Waits = PhaseUndoing, time.Time{}, e.Reason, "", ""
		r.Undoing, r.Standing = &Undoing{Reason: e.Reason, Seen: e.Seen, Ends: e.Ends}, false
		r.Task, r.ActTries = nil, 0
		r.unheld()
	case AttemptFailed:
		if e.Seen && r.Undoing == nil {
			r.Evidence = at
		}
		r.Why = e.Reason
		r.nextAttempt(r.Attempt + 1)
	case RunParked:
		// An answer that comes after this no longer counts.
		r.Task = nil
		r.Phase, r.WakeAt, r.Why = PhaseParked, e.Until, e.Reason
	case RunEnded:
		r.end(e.Outcome, e.Reason, at)
	case Escalated:
		r.Told = r.Told || r.Phase == PhaseHeld
	}
}

func (r *Run) held(e RunHeld, at time.Time) {
	r.Phase, r.Guard, r.Waits, r.Why, r.WakeAt = PhaseHeld, e.Guard, e.Waits, e.Reason, e.Until
	r.HeldAt = at
	switch {
	case e.Guard == GuardPaused:
		r.HeldSince = time.Time{}
	case r.HeldSince.IsZero():
		r.HeldSince = at
	}
}

func (r *Run) issued(e TaskIssued, at time.Time) {
	t := e.Task
	r.Task, r.AskedAt, r.WakeAt, r.RetryTask = &t, at, e.Until, ""
	r.Issued++
	switch t.Kind {
	case TaskPlan:
		r.Phase = PhasePlanning
	case TaskCheck:
		r.Phase = PhaseChecking
	case TaskExecute:
		r.Phase = PhaseExecuting
		r.unheld()
	case TaskVerify:
		r.Phase = PhaseVerifying
	case TaskUndo:
		r.Phase = PhaseUndoing
	}
}

func (r *Run) answered(res Result, at time.Time) {
	t := r.Task
	r.Task = nil
	switch {
	case res.Failure != nil:
	case res.Plan != nil:
		r.aim(t, *res.Plan)
		r.Plans = append(r.Plans, *res.Plan)
		r.PlannedAt, r.Tries = r.looked(res, at), 0
	case res.Outcome != nil:
		r.changed(t, *res.Outcome)
	case res.Verified && t != nil && t.Kind == TaskCheck:
		r.CheckedAt, r.Tries = r.looked(res, at), 0
	case res.Verified:
		r.ProbesAt = at
	}
}

// looked is when a worker had the look that it answers by. The answer may have
// been under way for long, and the worker's clock may be wrong: the look was
// neither before it was asked for nor after the answer came.
func (r *Run) looked(res Result, at time.Time) time.Time {
	return earlier(later(res.At, r.AskedAt), at)
}

// changed takes the outcome of an action, or of its undoing.
func (r *Run) changed(t *Task, o Outcome) {
	r.Tries, r.ActTries = 0, 0
	if t != nil && t.Kind == TaskUndo {
		for i := range r.Actions {
			if r.Actions[i].Task == t.Undoes {
				r.Actions[i].PutBack = true
			}
		}
		return
	}
	if t != nil {
		r.Actions = append(r.Actions, DoneAction{Action: r.Done, Task: t.ID, Params: t.Params, Plan: t.Plan, Outcome: o})
	}
	r.Done++
	r.PlannedAt = time.Time{}
}

// retried keeps a run whose verification is asked again in its phase: it waits
// for the cure, as before.
func (r *Run) retried(e RetryScheduled) {
	r.RetryTask, r.WakeAt, r.Why = e.Task, e.At, e.Reason
	if e.Task != TaskVerify {
		r.Phase = PhaseRetrying
	}
	if e.Task.Changes() {
		r.ActTries++
	} else {
		r.Tries++
	}
}

func (r *Run) replanned(e Replanned) {
	r.Plans = r.Plans[:e.Action]
	if e.Stale {
		return
	}
	r.Replans++
	r.Tries, r.ActTries = 0, 0
}

func (r *Run) end(o RunFinal, why string, at time.Time) {
	r.Phase, r.Outcome, r.Why, r.EndedAt = PhaseEnded, o, why, at
	r.WakeAt, r.Task, r.Guard, r.Waits, r.Standing = time.Time{}, nil, "", "", false
}
