package engine

import (
	"fmt"
	"time"
)

// checkFor is how long a precondition that held counts as holding.
const checkFor = 30 * time.Second

// checkDue reports whether the precondition of the attempt must be looked at
// before its first action.
func (d *decider) checkDue(rule *Rule) bool {
	at := d.run.CheckedAt
	return len(d.attempt(rule).Check) > 0 && d.run.lasting() == 0 && (at.IsZero() || d.at.Sub(at) > checkFor)
}

// issueCheck asks for one look at each probe of the precondition.
func (d *decider) issueCheck(rule *Rule) {
	a := d.attempt(rule)
	probes, err := d.probes(rule, a.Check)
	if err != nil {
		d.attemptFailed(rule, false, "check %v", err)
		return
	}
	t := Task{
		ID: d.taskID(TaskCheck, 0), Kind: TaskCheck, Run: d.run.ID, Rule: d.run.Rule, Attempt: d.run.Attempt,
		Group: rule.lookers(a, d.run.Target), Action: VerifyAction, Target: d.run.Target, Probes: probes,
		Deadline: d.at.Add(a.Timeout), NotAfter: d.at.Add(startWithin), Timeout: a.Timeout,
	}
	d.issue(t, 0, t.NotAfter.Add(t.Timeout+answerSlack))
}

// probes renders the parameters of probes.
func (d *decider) probes(rule *Rule, of []Probe) ([]ProbeTask, error) {
	tasks := make([]ProbeTask, len(of))
	for i, p := range of {
		params, err := p.Params(d.scope(rule))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Kind, err)
		}
		tasks[i] = ProbeTask{Kind: p.Kind, Params: params}
		if p.Target == nil {
			continue
		}
		target, err := p.Target(d.scope(rule))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Kind, err)
		}
		tasks[i].Target = &target
	}
	return tasks, nil
}

// checked goes on after the precondition was looked at.
func (d *decider) checked(rule *Rule, res Result) {
	if !res.Verified {
		d.attemptFailed(rule, false, "its precondition does not hold: %s", unmet(res.Checks))
		return
	}
	// The world has not waited for the answer: the guards are asked again.
	d.judge(rule)
}
