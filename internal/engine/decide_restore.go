package engine

import (
	"fmt"
	"slices"
)

// becauseResolved is why a run is over that waits for nothing else.
const becauseResolved = "the alert resolved"

// stand leaves what the run did as it is, until its alert resolves. An attempt that
// only looks has left nothing.
func (d *decider) stand(rule *Rule, reason string) {
	switch {
	case d.run.Done == 0:
		d.end(Cured, "%s", reason)
	case !d.firing():
		d.restore(rule)
	default:
		d.emit(RunStanding{Run: d.run.ID, Reason: reason})
	}
}

// restore puts back what the run did, and ends it. A run that stands takes its
// target first, and so waits until it can have it, and until nothing is paused.
func (d *decider) restore(rule *Rule) {
	if d.run.Standing {
		for _, judge := range []func(*Rule) verdict{d.unpaused, d.free, d.untaken} {
			v := judge(rule)
			if !v.held() {
				continue
			}
			if v.guard == GuardBusy && d.resolving != "" {
				// Whoever has the target may have ended by the same resolve.
				v.until = d.at.Add(wakeAgain)
			}
			d.hold(v)
			return
		}
	}
	d.leave(rule, Restored, becauseResolved)
}

// untaken sees the targets that runs have taken in this very step, which the state
// does not know yet: one resolve may end what several runs stand for.
func (d *decider) untaken(*Rule) verdict {
	for _, ev := range d.events {
		e, ok := ev.(UndoStarted)
		if !ok || e.Run == d.run.ID {
			continue
		}
		other := d.st.Runs[e.Run]
		for _, t := range other.keeps() {
			if slices.Contains(d.run.keeps(), t) {
				return busy(other, t)
			}
		}
	}
	return verdict{}
}

// over ends a run whose alert resolved before its next action.
func (d *decider) over(rule *Rule) {
	if rule != nil && rule.Restore && d.run.lasting() > 0 {
		d.restore(rule)
		return
	}
	d.end(SelfResolved, "the alert resolved before the next action")
}

// giveUpRun ends a run that may not go on, and asks people. What a rule that
// restores did is put back before.
func (d *decider) giveUpRun(rule *Rule, o RunFinal, format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	if rule.Restore && d.run.lasting() > 0 {
		d.leave(rule, o, reason)
		return
	}
	d.endAsking(rule, o, "%s", reason)
}

// leave puts back what the rung did, and ends the run after that.
func (d *decider) leave(rule *Rule, o RunFinal, reason string) {
	d.emit(UndoStarted{Run: d.run.ID, Attempt: d.run.Attempt, Reason: reason, Ends: o})
	d.undo(rule)
}

// left ends a run that has put back all that can be.
func (d *decider) left(rule *Rule) {
	u := d.run.Undoing
	reason := fmt.Sprintf("%s; %s", u.Reason, d.undone(rule, ""))
	switch {
	case u.Ends != Restored:
		d.endAsking(rule, u.Ends, "%s", reason)
	case d.run.lasting() > 0:
		d.endAsking(rule, Uncured, "%s", reason)
	default:
		d.end(Restored, "%s", reason)
	}
}

// unsettled ends a run of which nobody found out what became of its action. What
// a rule that restores did before stays, and people must know.
func (d *decider) unsettled(rule *Rule, asking bool, format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	if rule != nil && rule.Restore && d.run.lasting() > 0 {
		reason += "; " + d.undone(rule, "nobody knows how the target is")
		asking = true
	}
	if asking {
		d.endAsking(rule, Undetermined, "%s", reason)
		return
	}
	d.end(Undetermined, "%s", reason)
}
