package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// planned goes on after a plan: with the run that has the same target already,
// with the rung where a relapse continues, with the next plan, or to the guards.
func (d *decider) planned(rule *Rule) {
	for i, p := range d.run.Plans {
		if d.attempt(rule).Do[i].Target == nil && p.Target != d.run.Target {
			d.attemptFailed(rule, false, "its actions resolve to two targets, %s and %s", d.run.Target, p.Target)
			return
		}
	}
	if into, ok := d.twin(); ok {
		d.emit(RunMerged{Run: d.run.ID, Into: into})
		return
	}
	if !d.run.Continued && rule.firstToAct() == d.run.Attempt && d.relapse(rule) {
		return
	}
	if len(d.run.Plans) < len(d.attempt(rule).Do) {
		d.issuePlan()
		return
	}
	if d.run.idle() {
		if rule.Restore && d.run.Acted == 0 {
			// It is as it is to be for a while, by somebody else's doing: there is
			// nothing to put back later, and nothing to ask people.
			d.end(SelfResolved, "nothing to change: %s", d.summary())
			return
		}
		d.attemptFailed(rule, false, "nothing to change: %s", d.summary())
		return
	}
	d.judge(rule)
}

// twin is another active run of the same rule with the same canonical target.
func (d *decider) twin() (string, bool) {
	for _, id := range d.st.index.handling[pastKey(d.run.Rule, d.run.Target)] {
		if other := d.st.Runs[id]; id != d.run.ID && other.Canonical() && other.Target == d.run.Target {
			return id, true
		}
	}
	return "", false
}

// relapse continues the ladder of a run that ended a short while ago.
func (d *decider) relapse(rule *Rule) bool {
	past := d.st.Past[pastKey(d.run.Rule, d.run.Target)]
	if past == nil || past.EndedAt.IsZero() || d.at.Sub(past.EndedAt) >= rule.Guards.Relapse {
		return false
	}
	next := past.Attempt + 1
	if next >= len(rule.Attempts) {
		d.endAsking(rule, Uncured, "relapsed within %s of run %s, which tried every attempt", rule.Guards.Relapse, past.Run)
		return true
	}
	d.emit(RunContinued{Run: d.run.ID, After: past.Run, Attempt: next})
	d.issuePlan()
	return true
}

// judge asks every guard, and goes on as the mode says.
func (d *decider) judge(rule *Rule) {
	if !d.firing() {
		d.over(rule)
		return
	}
	mode := d.mode(rule)
	if mode != ModeShadow && !mode.Acts() {
		d.refrain(rule, Observed, "mode %q only records", mode)
		return
	}
	spends, v := d.guards(rule)
	if !v.held() {
		if d.stale(rule) {
			d.look()
			return
		}
		v = d.healthy(rule)
	}
	switch {
	case !v.held() && d.checkDue(rule):
		d.issueCheck(rule)
	case mode == ModeShadow && v.held():
		d.refrain(rule, Shadowed, "would have been held by %s: %s", v.guard, v.reason)
	case mode == ModeShadow:
		d.refrain(rule, Shadowed, "would have: %s", d.summary())
	case v.guard == GuardFreshness:
		why := v.reason
		if d.run.Guard != "" {
			why = fmt.Sprintf("%s, after it was held by %s: %s", why, d.run.Guard, d.run.Why)
		}
		d.giveUpRun(rule, HeldBack, "%s", why)
	case d.entangled(v):
		// It would wait until nobody repeats the alerts of either any more.
		d.giveUpRun(rule, HeldBack, "%s, and waits, itself or through others, for what this run has", v.reason)
	case v.held():
		d.hold(v)
	default:
		d.act(rule, mode, spends)
	}
}

// act does what no guard is against, or asks a person first.
func (d *decider) act(rule *Rule, mode Mode, spends []Spend) {
	if mode == ModeApprove && d.run.Approved != d.run.PlanDigest() {
		asked := ApprovalAsked{Run: d.run.ID, Plan: d.run.PlanDigest()}
		if wait := rule.Guards.Approval; wait > 0 {
			asked.Until = d.at.Add(wait)
		}
		d.emit(asked)
		return
	}
	if !d.run.Allowed {
		d.emit(RunAllowed{Run: d.run.ID, Attempt: d.run.Attempt, Plan: d.run.PlanDigest(), Spends: spends})
	}
	for d.run.noop(d.run.Done) {
		d.emit(ActionSkipped{Run: d.run.ID, Action: d.run.Done, Reason: d.run.Plans[d.run.Done].Summary})
	}
	if d.run.Done == len(d.attempt(rule).Do) {
		d.verify(rule)
		return
	}
	d.issueExecute(rule)
}

// refrain ends a run that may not act. If it acted on a rung before, its trouble
// goes on, and people must know.
func (d *decider) refrain(rule *Rule, o RunFinal, format string, args ...any) {
	if d.run.Acted > 0 {
		d.giveUpRun(rule, o, format, args...)
		return
	}
	d.end(o, format, args...)
}

func (d *decider) summary() string {
	parts := make([]string, len(d.run.Plans))
	for i, p := range d.run.Plans {
		parts[i] = p.Summary
	}
	return strings.Join(parts, "; ")
}

// mode is the least trusted of the rule's, the rung's, and what the breaker
// leaves.
func (d *decider) mode(rule *Rule) Mode {
	ladder := []Mode{ModeObserve, ModeShadow, ModeApprove, ModeAuto}
	mode := rule.Mode
	if m := d.attempt(rule).Mode; m != "" && slices.Index(ladder, m) < slices.Index(ladder, mode) {
		mode = m
	}
	if g := rule.Guards.Breaker; mode == ModeAuto && g > 0 && d.st.Uncured[rule.Name] >= g {
		mode = ModeApprove
	}
	return mode
}

// executed goes on after an action: with the next one, or to the verification.
func (d *decider) executed(rule *Rule) {
	if rule.Restore && !d.firing() {
		d.restore(rule)
		return
	}
	if d.run.Done < len(d.attempt(rule).Do) {
		// The world may have changed while the last action ran.
		d.rejudge(rule)
		return
	}
	d.verify(rule)
}

// verify waits for what the actions are to have cured.
func (d *decider) verify(rule *Rule) {
	d.emit(VerifyStarted{Run: d.run.ID, Until: d.at.Add(d.attempt(rule).Verify.Within)})
	d.awaitCure(rule)
}

// validate goes through an attempt that does nothing.
func (d *decider) validate(rule *Rule) {
	started := VerifyStarted{Run: d.run.ID, Only: true, Until: d.at.Add(d.attempt(rule).Verify.Within)}
	if !d.run.Canonical() {
		started.Target = d.run.Stated
	}
	d.emit(started)
	if into, ok := d.twin(); ok {
		d.emit(RunMerged{Run: d.run.ID, Into: into})
		return
	}
	d.awaitCure(rule)
}

func (d *decider) awaitCure(rule *Rule) {
	if len(d.attempt(rule).Verify.Probes) > 0 {
		d.issueVerify(rule, d.run.VerifyUntil)
		return
	}
	d.checkCured(rule)
}

// issueVerify asks for the probes, until the wait for the cure is over.
func (d *decider) issueVerify(rule *Rule, until time.Time) {
	a := d.attempt(rule)
	t := Task{
		ID: d.taskID(TaskVerify, 0), Kind: TaskVerify, Run: d.run.ID, Rule: d.run.Rule, Attempt: d.run.Attempt,
		Group: rule.lookers(a, d.run.Target), Action: VerifyAction, Target: d.run.Target, Stable: a.Verify.Stable,
		Deadline: until,
	}
	t.NotAfter = t.Deadline
	t.Timeout = t.Deadline.Sub(d.at)
	var err error
	if t.Probes, err = d.probes(rule, a.Verify.Probes); err != nil {
		d.attemptFailed(rule, false, "verify %v", err)
		return
	}
	d.issue(t, 0, t.Deadline.Add(answerSlack))
}

func (d *decider) verified(rule *Rule, t Task, res Result) {
	switch {
	case res.Failure != nil && d.verifyLater(rule, t, *res.Failure):
	case res.Failure != nil:
		d.attemptFailed(rule, false, "not known to be cured: verification failed: %s", res.Failure.Message)
	case !res.Verified:
		d.attemptFailed(rule, true, "%s: %s", d.attempt(rule).failure(), unmet(res.Checks))
	default:
		d.checkCured(rule)
	}
}

// verifyLater asks for the probes again after a failure that may pass, if that is
// still within the wait for the cure.
func (d *decider) verifyLater(rule *Rule, t Task, f Failure) bool {
	if f.Class != ClassRetryable && f.Class != ClassExpired {
		return false
	}
	delay := max(f.RetryAfter, backoff(max(d.attempt(rule).Backoff, time.Second), d.run.Tries, t.ID), time.Second)
	at := d.at.Add(delay)
	if !at.Before(d.run.VerifyUntil) {
		return false
	}
	d.emit(RetryScheduled{Run: d.run.ID, Task: t.Kind, Action: d.action(t), At: at, Reason: f.Message})
	return true
}

// failure says in short what a verification that does not hold means.
func (a *Attempt) failure() string {
	if len(a.Do) == 0 {
		return "not as it must be"
	}
	return "not cured"
}

func unmet(checks []Check) string {
	var parts []string
	for _, c := range checks {
		if !c.OK {
			parts = append(parts, fmt.Sprintf("%s: %s", c.Kind, c.Detail))
		}
	}
	if len(parts) == 0 {
		return "the probes did not hold long enough"
	}
	return strings.Join(parts, "; ")
}

// checkCured looks whether everything that the verification asks for holds, and
// has held for as long as it must.
func (d *decider) checkCured(rule *Rule) {
	v := d.attempt(rule).Verify
	if len(v.Probes) > 0 && d.run.ProbesAt.IsZero() || d.run.RetryTask == TaskVerify {
		return // the probes' answer, or its absence, comes on its own
	}
	if v.AlertResolved {
		if d.firing() {
			d.emit(VerifyWaiting{Run: d.run.ID, Reason: "waits for the alert to resolve", Until: d.run.VerifyUntil})
			return
		}
		steady := d.resolvedAt().Add(v.Stable)
		switch {
		case len(v.Probes) == 0 && d.at.Before(steady):
			d.emit(VerifyWaiting{Run: d.run.ID, Reason: "resolved; waits whether it stays so", Until: steady})
			return
		case len(v.Probes) > 0 && d.run.ProbesAt.Before(steady):
			// What the probes saw before says nothing about both together.
			if d.run.Task == nil {
				// The alert may have resolved at the last moment: the probes
				// still get the time that they need.
				d.issueVerify(rule, later(d.run.VerifyUntil, d.at.Add(2*v.Stable+lastLook)))
			}
			return
		}
	}
	switch {
	case rule.Restore:
		d.stand(rule, cure(v))
	case d.run.Acted == 0 && d.run.Done == 0 && !rule.Asked && d.firing() && d.at.Sub(d.evidence()) < patience(rule):
		d.keepLooking(rule)
	default:
		d.end(Cured, "%s", cure(v))
	}
}

// keepLooking has a rung that only looks, and finds all as it must be, look again:
// something is wrong as long as the alert fires, and may yet come to what it looks at.
// One that nobody repeats any more has lost its resolve.
func (d *decider) keepLooking(rule *Rule) {
	next := d.run.ProbesAt.Add(lookAgain)
	if !d.at.Before(next) {
		d.validate(rule)
		return
	}
	d.emit(VerifyWaiting{Run: d.run.ID, Reason: "all is as it must be, and the alert still fires: looks again", Until: next})
}

func cure(v Verify) string {
	var parts []string
	for _, p := range v.Probes {
		parts = append(parts, p.Kind)
	}
	if v.AlertResolved {
		parts = append(parts, "alert resolved")
	}
	if len(parts) == 0 {
		return "done; the rule verifies nothing"
	}
	return "verified: " + strings.Join(parts, ", ")
}
