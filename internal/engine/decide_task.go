package engine

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
)

const (
	// startWithin is how long a task may lie in WORK before it is too late.
	startWithin = 2 * time.Minute
	// answerSlack is what a worker's answer may need beyond the task's own
	// times: a redelivery after a crash, an observation, the way back.
	answerSlack = time.Minute
	// maxReplans bounds how often one attempt's plans are made anew.
	maxReplans = 3
	// planTimeout bounds a planning call.
	planTimeout = 30 * time.Second
	// lastLook is what the probes get, beyond twice the time for which they must
	// hold, when the alert resolves just before the wait for the cure is over.
	lastLook = 10 * time.Second
	// lookAgain is how long after a look that found all in order the next one comes.
	lookAgain = 2 * time.Minute
	// parkFor is how long a run whose action's effect is unknown keeps its
	// target before it gives up on a person's word.
	parkFor = 24 * time.Hour
)

// attempt is the rule's rung that the run is on.
func (d *decider) attempt(rule *Rule) *Attempt { return &rule.Attempts[d.run.Attempt] }

// scope is what the expressions of a rule see of the run. Past the last rung of
// the ladder the attempt is zero.
func (d *decider) scope(rule *Rule) Scope {
	target := d.run.Target
	if !d.run.Canonical() {
		target = d.run.Stated
	}
	s := Scope{
		Alert: d.run.Alert, Target: target, Now: d.at,
		Run: RunScope{ID: d.run.ID, Rule: d.run.Rule, StartedAt: d.run.StartedAt},
	}
	if d.run.Attempt < len(rule.Attempts) {
		s.Attempt = AttemptScope{Name: d.attempt(rule).Name, Number: d.run.Attempt + 1}
	}
	return s
}

// issuePlan asks for the plan of the next action that has none.
func (d *decider) issuePlan() {
	rule, err := d.rule()
	if err != nil {
		d.withoutRule(err)
		return
	}
	if d.mode(rule) == ModeObserve {
		d.refrain(rule, Observed, "mode observe only records")
		return
	}
	if len(d.attempt(rule).Do) == 0 {
		d.validate(rule)
		return
	}
	action := len(d.run.Plans)
	t, err := d.actionTask(rule, TaskPlan, action)
	if err != nil {
		d.attemptFailed(rule, false, "%v", err)
		return
	}
	t.Timeout = planTimeout
	d.issue(t, action, t.NotAfter.Add(t.Timeout+answerSlack))
}

// issueExecute asks for the next action of the attempt.
func (d *decider) issueExecute(rule *Rule) {
	action := d.run.Done
	t, err := d.actionTask(rule, TaskExecute, action)
	if err != nil {
		d.attemptFailed(rule, false, "%v", err)
		return
	}
	plan := d.run.Plans[action]
	t.Plan, t.Target, t.NotAfter = &plan, plan.Target, earlier(t.NotAfter, d.windowed(rule))
	t.Group = rule.workers(d.attempt(rule).Do[action].Group, plan.Target)
	// Twice: the worker may have to observe after a call that timed out.
	d.issue(t, action, t.NotAfter.Add(2*t.Timeout+answerSlack))
}

func (d *decider) actionTask(rule *Rule, kind TaskKind, action int) (Task, error) {
	a := d.attempt(rule).Do[action]
	scope := d.scope(rule)
	params, err := a.Params(scope)
	if err != nil {
		return Task{}, fmt.Errorf("action %s: %w", a.Name, err)
	}
	target, err := a.targetOf(scope)
	if err != nil {
		return Task{}, fmt.Errorf("action %s: %w", a.Name, err)
	}
	return Task{
		ID: d.taskID(kind, action), Kind: kind, Run: d.run.ID, Rule: d.run.Rule, Attempt: d.run.Attempt,
		Group: rule.workers(a.Group, target), Action: a.Name, Target: target, Params: params,
		NotAfter: d.at.Add(startWithin), Timeout: d.attempt(rule).timeout(action),
	}, nil
}

// taskID numbers the tasks of a run, so that none is ever used twice.
func (d *decider) taskID(kind TaskKind, action int) string {
	return fmt.Sprintf("%s.%d.%d.%s.%d", d.run.ID, d.run.Attempt, action, kind, d.run.Issued)
}

func (d *decider) issue(t Task, action int, until time.Time) {
	d.emit(TaskIssued{Run: d.run.ID, Action: action, Task: t, Until: until})
}

// result takes a worker's answer to its run.
func (d *decider) result(res Result) {
	id, ok := d.st.index.tasks[res.Task]
	if !ok {
		d.emit(AnswerIgnored{Result: res, Reason: "no run waits for this task: it was answered before, or given up"})
		return
	}
	task := *d.st.Runs[id].Task
	if res.Group != "" && res.Group != task.Group {
		d.emit(AnswerIgnored{Result: res, Reason: fmt.Sprintf("it came from worker group %q, and the task is for group %q", res.Group, task.Group)})
		return
	}
	d.about(d.st.Runs[id])
	if reason := d.misfit(task, res); reason != "" {
		res = Result{Task: res.Task, Worker: res.Worker, Group: res.Group, At: res.At, Failure: &Failure{Class: ClassUnknown, Message: reason}}
		if !task.Kind.Changes() {
			res.Failure.Class = ClassTerminal
		}
	}
	d.emit(TaskAnswered{Run: id, Task: task.Kind, Result: res})
	rule, err := d.rule()
	switch {
	case task.Kind.Changes() && res.Failure != nil && !res.Failure.Class.harmless():
		// Whatever the rule says, and even if it is not to be had.
		d.park(rule, "it is not known whether %s: %s", became(task), res.Failure.Message)
	case err != nil:
		d.withoutRule(err)
	default:
		d.goOn(rule, task, res)
	}
}

// goOn takes what came of a task to what is next.
func (d *decider) goOn(rule *Rule, task Task, res Result) {
	switch {
	case task.Kind == TaskVerify:
		d.verified(rule, task, res)
	case res.Failure != nil:
		d.failed(rule, task, *res.Failure)
	case task.Kind == TaskPlan:
		d.planned(rule)
	case task.Kind == TaskCheck:
		d.checked(rule, res)
	case task.Kind == TaskUndo:
		d.undo(rule)
	default:
		d.executed(rule)
	}
}

// became says what a task that changes its target was to do.
func became(t Task) string {
	if t.Kind == TaskUndo {
		return t.Action + " was put back"
	}
	return t.Action + " was applied"
}

// misfit says why a result is not an answer to its task.
func (d *decider) misfit(t Task, res Result) string {
	given := 0
	for _, is := range []bool{res.Plan != nil, res.Outcome != nil, res.Verified, res.Failure != nil} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return fmt.Sprintf("the worker answered a task of kind %s in more than one way", t.Kind)
	case res.Failure != nil:
		return ""
	case (t.Kind == TaskVerify || t.Kind == TaskCheck) && (res.Verified || given == 0):
		return ""
	case t.Kind.Changes() && res.Outcome != nil:
		return ""
	case t.Kind != TaskPlan || res.Plan == nil:
		return fmt.Sprintf("the worker's answer is none to a task of kind %s", t.Kind)
	}
	if err := res.Plan.Target.Validate(); err != nil {
		return "the worker's plan has no canonical target: " + err.Error()
	}
	// Or else a worker of one cluster could have others act on theirs, and a
	// cluster's pause would not hold.
	if res.Plan.Target.Cluster != t.Target.Cluster {
		return fmt.Sprintf("the plan is for %s, and the task is for cluster %q", res.Plan.Target, t.Target.Cluster)
	}
	if h := res.Plan.Health; h != nil && min(h.Total, h.Healthy, h.Disrupts) < 0 {
		return "the worker's plan counts less than no instances"
	}
	if own, other := d.workers(t.Target), d.workers(res.Plan.Target); own != other {
		return fmt.Sprintf("the plan is for %s, which another worker group works on: %q, and not %q", res.Plan.Target, other, own)
	}
	return d.run.strays(t, res.Plan.Target)
}

// workers is the group that would work on a target if the next action to be planned
// were for it. Without the rule there is none, and nothing is done either.
func (d *decider) workers(on Target) string {
	rule, err := d.rule()
	if err != nil {
		return ""
	}
	return rule.workers(d.attempt(rule).Do[len(d.run.Plans)].Group, on)
}

// failed decides by the class of a failure, and by nothing else.
func (d *decider) failed(rule *Rule, t Task, f Failure) {
	switch f.Class {
	case ClassRetryable, ClassExpired:
		if v := d.inTime(rule); t.Kind == TaskExecute && f.Class == ClassExpired && v.held() {
			d.hold(v) // a window came first, which is no failed try
			return
		}
		d.retry(rule, t, f)
	case ClassPlanChanged:
		if t.Kind == TaskPlan || t.Kind == TaskExecute {
			d.replan(rule, d.action(t), f.Message)
			return
		}
		d.giveUp(rule, t, f.Message)
	case ClassPaused:
		d.hold(verdict{guard: GuardPaused, reason: f.Message, until: d.at.Add(pauseAgain), waits: waitPause})
	case ClassTerminal, ClassUnknown:
		d.giveUp(rule, t, f.Message)
	default:
		d.giveUp(rule, t, fmt.Sprintf("failure of class %q, which this build does not know: %s", f.Class, f.Message))
	}
}

// action is the number of the action in the attempt that a task is for.
func (d *decider) action(t Task) int {
	switch t.Kind {
	case TaskPlan:
		return len(d.run.Plans)
	case TaskExecute:
		return d.run.Done
	case TaskUndo:
		for _, done := range d.run.Actions {
			if done.Task == t.Undoes {
				return done.Action
			}
		}
	case TaskCheck, TaskVerify:
	}
	return 0
}

// giveUp ends what a task was for, when it is not to be asked again.
func (d *decider) giveUp(rule *Rule, t Task, why string) {
	switch t.Kind {
	case TaskUndo:
		d.notPutBack(rule, why)
	case TaskCheck:
		d.attemptFailed(rule, false, "its precondition is not known to hold: %s", why)
	case TaskPlan, TaskExecute, TaskVerify:
		d.attemptFailed(rule, false, "%s: %s", t.Action, why)
	}
}

func (d *decider) park(rule *Rule, format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	d.emit(RunParked{Run: d.run.ID, Reason: reason, Until: d.at.Add(parkFor)})
	d.escalate(rule, reason)
}

// retry asks again later, as often as the rung allows.
func (d *decider) retry(rule *Rule, t Task, f Failure) {
	a, tries := d.attempt(rule), d.run.Tries
	if t.Kind.Changes() {
		tries = d.run.ActTries
	}
	if tries >= a.Retries {
		d.giveUp(rule, t, fmt.Sprintf("%s (tried %d times)", f.Message, tries+1))
		return
	}
	delay := max(f.RetryAfter, backoff(a.Backoff, tries, t.ID), time.Second)
	d.emit(RetryScheduled{Run: d.run.ID, Task: t.Kind, Action: d.action(t), At: d.at.Add(delay), Reason: f.Message})
}

// backoff doubles with each try and spreads by a quarter up or down. The spread
// comes from the task's id: a replay finds the same.
func backoff(first time.Duration, tries int, id string) time.Duration {
	const most = 5 * time.Minute
	delay := first
	for range tries {
		if delay *= 2; delay > most {
			delay = most
			break
		}
	}
	h := fnv.New32a()
	h.Write([]byte(id)) // a hash never fails
	spread := time.Duration(h.Sum32()%1000) * delay / 2000
	return delay - delay/4 + spread
}

// replan makes the plans from this action on anew.
func (d *decider) replan(rule *Rule, action int, reason string) {
	if d.run.Replans >= maxReplans {
		d.attemptFailed(rule, false, "the target keeps changing: %s", reason)
		return
	}
	d.emit(Replanned{Run: d.run.ID, Action: min(action, len(d.run.Plans)), Reason: reason})
	d.issuePlan()
}

// attemptFailed puts back what the attempt did, if it is to be, and then climbs
// to the next rung, or asks people.
func (d *decider) attemptFailed(rule *Rule, seen bool, format string, args ...any) {
	reason := strings.TrimSpace(fmt.Sprintf(format, args...))
	switch {
	case rule.Restore && d.run.lasting() > 0 && !d.firing():
		d.leave(rule, Restored, becauseResolved+"; "+reason)
	case d.undoes(rule):
		d.emit(UndoStarted{Run: d.run.ID, Attempt: d.run.Attempt, Reason: reason, Seen: seen})
		d.undo(rule)
	case rule.undoes(d.run.Attempt) && d.run.lasting() > 0:
		d.fail(rule, seen, "%s; %s", reason, d.undone(rule, ""))
	default:
		d.fail(rule, seen, "%s", reason)
	}
}

func (d *decider) fail(rule *Rule, seen bool, format string, args ...any) {
	reason := fmt.Sprintf(format, args...)
	d.emit(AttemptFailed{Run: d.run.ID, Attempt: d.run.Attempt, Reason: reason, Seen: seen})
	if d.run.Attempt >= len(rule.Attempts) {
		d.endAsking(rule, Uncured, "%s", reason)
		return
	}
	d.issuePlan()
}
