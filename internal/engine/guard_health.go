package engine

import (
	"fmt"
	"time"
)

// healthFor is how long what a plan tells of its target's health is good for.
const healthFor = 30 * time.Second

// stale reports whether the health of the target must be asked for again before
// it can be judged: it comes with a plan, and may be from before a hold, an
// approval or an action.
func (d *decider) stale(rule *Rule) bool {
	return rule.Guards.MinHealthy != Share{} && (d.run.PlannedAt.IsZero() || d.at.Sub(d.run.PlannedAt) > healthFor)
}

// look makes the plans of the actions that are not done anew, for the health in
// them.
func (d *decider) look() {
	reason := "an action was done since the plan was made, and may have changed the target's health"
	if at := d.run.PlannedAt; !at.IsZero() {
		reason = fmt.Sprintf("what the plan tells of the target's health is %s old", d.at.Sub(at).Round(time.Second))
	}
	d.emit(Replanned{Run: d.run.ID, Action: d.run.Done, Reason: reason, Stale: true})
	d.issuePlan()
}

// healthy judges what the actions that are not done leave of the target. A plan
// that does not tell is none that leaves enough.
func (d *decider) healthy(rule *Rule) verdict {
	least := rule.Guards.MinHealthy
	if least == (Share{}) {
		return verdict{}
	}
	for i, p := range d.run.Plans {
		if i < d.run.Done || p.Noop {
			continue
		}
		v := verdict{guard: GuardMinHealthy, until: d.at.Add(waitAtMost)}
		if p.Health == nil {
			v.reason = fmt.Sprintf("the plan does not tell how healthy %s is", p.Target)
			return v
		}
		h := *p.Health
		if want := least.Of(h.Total); h.Disrupts > 0 && h.Healthy-h.Disrupts < want {
			v.reason = fmt.Sprintf("%d of %d instances are healthy and %d may be taken away, %d must be left", h.Healthy, h.Total, h.Disrupts, want)
			return v
		}
	}
	return verdict{}
}
