package engine

import "fmt"

func (d *decider) command(c Command) {
	if reason := d.obey(c); reason != "" {
		d.run = nil
		d.emit(CommandRefused{Command: c, Reason: reason})
	}
}

// obey does what a person asks, or says why not.
func (d *decider) obey(c Command) string {
	switch c.Verb {
	case Pause:
		if err := ParseScope(c.Scope); err != nil {
			return err.Error()
		}
		d.emit(ScopePaused{Scope: c.Scope, By: c.By, Reason: c.Reason})
		return ""
	case Resume:
		// The workers may have obeyed a pause that never came here: their runs
		// are held, and wait for this word.
		if _, ok := d.st.Paused[c.Scope]; !ok && len(d.st.index.waiting[waitPause]) == 0 {
			return fmt.Sprintf("scope %q is not paused", c.Scope)
		}
		d.emit(ScopeResumed{Scope: c.Scope, By: c.By})
		return ""
	case Approve, Deny, Cancel:
		return d.obeyForRun(c)
	}
	return fmt.Sprintf("command %q is not known", c.Verb)
}

func (d *decider) obeyForRun(c Command) string {
	r := d.st.Runs[c.Run]
	if r == nil {
		return fmt.Sprintf("run %q is not known", c.Run)
	}
	if !r.Active() {
		return fmt.Sprintf("run %s has ended: %s", r.ID, r.Outcome)
	}
	d.about(r)
	if c.Verb == Cancel {
		if t := d.run.Task; t != nil && t.Kind.Changes() {
			return fmt.Sprintf("run %s has an action under way; cancel it when its outcome is known", r.ID)
		}
		d.cancel(c)
		return ""
	}
	if d.run.Phase != PhaseApproval {
		return fmt.Sprintf("run %s does not wait for approval: it is %s", r.ID, d.run.Phase)
	}
	if digest := d.run.PlanDigest(); c.Plan != digest {
		return fmt.Sprintf("plan %q is not the one that waits, which is %s", c.Plan, digest)
	}
	rule, err := d.rule()
	if err != nil {
		return err.Error()
	}
	if c.Verb == Deny {
		d.giveUpRun(rule, Denied, "denied by %s: %s", c.By, c.Reason)
		return ""
	}
	d.emit(ApprovalGiven{Run: d.run.ID, Plan: c.Plan, By: c.By})
	d.judge(rule)
	return ""
}

// cancel ends a run as it stands. What it has begun to put back is not all as it
// was before, and people must know.
func (d *decider) cancel(c Command) {
	reason := fmt.Sprintf("cancelled by %s: %s", c.By, c.Reason)
	if d.run.Undoing == nil || d.run.Phase == PhaseParked {
		d.end(Cancelled, "%s", reason)
		return
	}
	rule, err := d.rule()
	if err != nil {
		d.endAsking(nil, Cancelled, "%s; what it did is not all put back", reason)
		return
	}
	d.endAsking(rule, Cancelled, "%s; %s", reason, d.undone(rule, "cancelled"))
}
