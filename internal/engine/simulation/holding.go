package simulation

import (
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// checkAge is the greatest age of a check's look at an attempt's first action.
	checkAge = 30*time.Second + mostSkew
	// healthAge is the greatest age of the newest plan's look at an action whose
	// target's health is judged by it.
	healthAge = 30*time.Second + mostSkew
)

// look is one look of a check task at a target.
type look struct {
	task string
	at   time.Time
}

// looked is told by a worker.
func (o *observer) looked(t engine.Task, ok bool) {
	o.looks[look{t.ID, o.w.now}] = ok
}

func (o *observer) checkAnswered(run *seenRun, res engine.Result) {
	run.lookedAt = time.Time{}
	switch {
	case res.Failure != nil:
		o.w.happened("check failed")
	case res.Verified:
		o.w.happened("check met")
		run.lookedAt = res.At
		if !o.looks[look{res.Task, res.At}] {
			o.w.violate("task %s holds by its answer, and not by what it saw at %s", res.Task, res.At)
		}
	default:
		o.w.happened("check unmet")
	}
}

// mayActByRule checks an action against what the rule says holds it, at the time
// of the decision. What runs are at work is as the ledger has it up to this
// event; what fires is read from INBOX.
func (o *observer) mayActByRule(r record, run *seenRun, e engine.TaskIssued) {
	rule := o.rule(run)
	if run.undoing {
		o.w.violate("run %s acts in attempt %d, which is being put back", run.id, run.attempt)
	}
	if e.Action == 0 && len(rule.Attempts[run.attempt].Check) > 0 {
		o.checkedBefore(r, run)
	}
	for _, no := range []string{inTime(r.at, rule.Guards.Windows), o.uninhibited(run, rule), o.required(run, rule)} {
		if no != "" {
			o.w.violate("run %s acts at %s, %s", run.id, r.at, no)
		}
	}
	if age := r.at.Sub(run.plannedAt); rule.Guards.MinHealthy != (engine.Share{}) && age > healthAge {
		o.w.violate("run %s acts by what a plan told of health %s ago", run.id, age)
	}
	if !leavesHealthy(rule.Guards.MinHealthy, e.Task.Plan.Health) {
		o.w.violate("run %s acts by a plan that leaves too little healthy: %+v, wanted are %+v", run.id, e.Task.Plan.Health, rule.Guards.MinHealthy)
	}
}

// checkedBefore checks that a worker saw an attempt's precondition hold a short
// while ago, however long its answer was under way.
func (o *observer) checkedBefore(r record, run *seenRun) {
	switch {
	case run.lookedAt.IsZero():
		o.w.violate("run %s begins attempt %d without its check", run.id, run.attempt)
	case r.at.Sub(run.lookedAt) > checkAge:
		o.w.violate("run %s begins attempt %d by a check that is %s old", run.id, run.attempt, r.at.Sub(run.lookedAt))
	}
}

// inTime says which window an action is not to start in, or that none allows it.
func inTime(at time.Time, windows []engine.Window) string {
	allow, open := false, false
	for _, win := range windows {
		now, _ := win.Open(at)
		switch {
		case win.Effect == engine.WindowHold && now:
			return "in a window that holds it"
		case win.Effect == engine.WindowAllow:
			allow, open = true, open || now
		}
	}
	if allow && !open {
		return "outside the windows that allow it"
	}
	return ""
}

// lateInWindow is told by a worker whose gate lets a task pass: a task may lie in
// WORK for a while, and what was let go outside a window is not to start in it. A
// worker that falls asleep behind its gate is out of everybody's hands.
func (o *observer) lateInWindow(t engine.Task) {
	run := o.runs[t.Run]
	if run == nil || t.Kind != engine.TaskExecute {
		return
	}
	windows := o.rule(run).Guards.Windows
	// The host's clock may have been in a gap between two windows that is shorter
	// than what clocks differ by.
	for off := time.Duration(0); off <= mostSkew; off += mostSkew / 20 {
		if inTime(o.w.now.Add(off), windows) == "" || inTime(o.w.now.Add(-off), windows) == "" {
			return
		}
	}
	o.w.violate("task %s starts at %s, %s", t.ID, o.w.now, inTime(o.w.now, windows))
}

// uninhibited says what in the rule's unless is so.
func (o *observer) uninhibited(run *seenRun, rule *engine.Rule) string {
	for _, in := range rule.Unless {
		if other := o.atWork(in.Rule, run); other != "" {
			return fmt.Sprintf("unless %s, and run %s is at work", in.Text, other)
		}
		if in.Alert == nil {
			continue
		}
		if id, fires := o.known.surelyFires(func(a alert.Alert) bool { return in.Alert(run.began, a) }); fires {
			return fmt.Sprintf("unless %s, and %s fires", in.Text, id)
		}
	}
	return ""
}

// atWork is a run of a rule whose mode may act and that does not stand, but for one.
func (o *observer) atWork(rule string, but *seenRun) string {
	for _, id := range o.order {
		if run := o.runs[id]; run.rule == rule && !run.finished && !run.standing && run.mode.Acts() && run != but {
			return id
		}
	}
	return ""
}

// required says what of other rules' standing is not as the rule requires.
func (o *observer) required(run *seenRun, rule *engine.Rule) string {
	for _, req := range rule.Guards.Requires {
		other := o.atWork(req.Rule, run)
		switch last, acted := o.acted[req.Rule]; {
		case req.State != engine.RuleTrusted && other != "":
			return fmt.Sprintf("requires that rule %s is %s, and run %s is at work", req.Rule, req.State, other)
		case req.State == engine.RuleCured && (!acted || last != engine.Cured && last != engine.Restored):
			return fmt.Sprintf("requires that rule %s is cured, and its last run ended %q", req.Rule, last)
		case req.State == engine.RuleTrusted && o.turnedDown(run.set, req.Rule):
			return fmt.Sprintf("requires that rule %s is trusted, and its breaker is open", req.Rule)
		}
	}
	return ""
}

func (o *observer) turnedDown(set, name string) bool {
	rule, ok := o.w.rules.sets[set].Rule(name)
	return ok && rule.Guards.Breaker > 0 && o.uncured[name] >= rule.Guards.Breaker
}

func leavesHealthy(least engine.Share, h *engine.Health) bool {
	if least == (engine.Share{}) {
		return true
	}
	return h != nil && (h.Disrupts == 0 || h.Healthy-h.Disrupts >= least.Of(h.Total))
}

// underRepair counts the targets that a rule has.
func (o *observer) underRepair(rule string) int {
	return o.holding(func(run *seenRun) bool { return run.rule == rule })
}
