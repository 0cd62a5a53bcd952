package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// TaskKind says what a worker is asked for.
type TaskKind string

// The kinds of task. Plan, Check and Verify only read, and may run any number
// of times; Execute changes the target, at most once per task id. Undo puts back
// what an Execute changed, and is safe to call again.
const (
	TaskPlan    TaskKind = "plan"
	TaskCheck   TaskKind = "check"
	TaskExecute TaskKind = "execute"
	TaskVerify  TaskKind = "verify"
	TaskUndo    TaskKind = "undo"
)

// Changes reports whether a task of this kind may change its target.
func (k TaskKind) Changes() bool { return k == TaskExecute || k == TaskUndo }

// VerifyAction is the action name under which verification travels on WORK.
const VerifyAction = "verify"

// VerifyGroup names the group that verifies for a worker group. It is one of its
// own because verifications take minutes of waiting, and must not keep actions
// from being done.
func VerifyGroup(group string) string { return group + "-verify" }

// Task is what a worker is asked for. Its JSON form, in an Order, is the worker
// protocol.
type Task struct {
	// ID is unique for ever: run, attempt, action, kind and try.
	ID   string   `json:"id"`
	Kind TaskKind `json:"kind"`
	// Run, Rule and Attempt say on whose behalf; Attempt counts from 0.
	Run     string `json:"run"`
	Rule    string `json:"rule"`
	Attempt int    `json:"attempt"`
	// Group and Action route the task: subject work.<group>.<action>.
	Group  string `json:"group"`
	Action string `json:"action"`
	// Target is as stated by the rule for a plan, canonical for the rest.
	Target Target `json:"target"`
	// Params are the action's, rendered.
	Params json.RawMessage `json:"params,omitempty"`
	// Plan is, for an execute task, the plan that was allowed, and for an undo
	// task the plan that was carried out. Outcome is what came of it, and Undoes
	// the id of the execute task.
	Plan    *Plan    `json:"plan,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`
	Undoes  string   `json:"undoes,omitempty"`
	// Probes are what must all hold: for a verify task for Stable without a
	// break, before Deadline; for a check task at one look at each.
	Probes   []ProbeTask   `json:"probes,omitempty"`
	Stable   time.Duration `json:"stable,omitempty"`
	Deadline time.Time     `json:"deadline,omitzero"`
	// NotAfter bounds the start: a worker that gets the task later answers
	// with ClassExpired and does nothing.
	NotAfter time.Time `json:"notAfter"`
	// Timeout bounds one call of the remediator, nanoseconds.
	Timeout time.Duration `json:"timeout"`
}

// Order is a task as it travels on WORK: with what every worker would have to
// work out alike.
type Order struct {
	Task
	// Scopes are those of the kill switch that stop the task.
	Scopes []string `json:"scopes"`
}

// Order is the task as it is sent to a worker.
func (t Task) Order() Order { return Order{Task: t, Scopes: Scopes(t.Rule, t.Target)} }

// ProbeTask is one probe of a verification, rendered.
type ProbeTask struct {
	Kind   string          `json:"kind"`
	Params json.RawMessage `json:"params,omitempty"`
	// Target is what it looks at, if that is not the task's target.
	Target *Target `json:"target,omitempty"`
}

// Plan is what an action would change, worked out without changing anything.
type Plan struct {
	// Target is canonical.
	Target Target `json:"target"`
	// Summary is one sentence for a person: what would change, from what to what.
	Summary string `json:"summary"`
	// Changes are the single fields that would change.
	Changes []Change `json:"changes,omitempty"`
	// Noop says that nothing needs to change.
	Noop bool `json:"noop,omitempty"`
	// Health is how the target's instances are, and would be: nil if the
	// remediator cannot tell. It is not part of the digest.
	Health *Health `json:"health,omitempty"`
	// Precondition is the remediator's own: what Execute hands to the target so
	// that the target refuses a change of something else (a resourceVersion, an
	// ETag). It is not part of the digest: it changes without the plan changing.
	Precondition json.RawMessage `json:"precondition,omitempty"`
}

// Health counts the instances of a target, such as the pods of a Deployment.
type Health struct {
	// Total is how many there should be, Healthy how many are well.
	Total   int `json:"total"`
	Healthy int `json:"healthy"`
	// Disrupts is how many of the healthy ones the action may take away at once.
	Disrupts int `json:"disrupts,omitempty"`
}

// Change is one field that a plan would change.
type Change struct {
	Field string `json:"field"`
	From  string `json:"from"`
	To    string `json:"to"`
}

// Digest identifies what a person or a guard agreed to: target, summary and
// changes, but not the precondition and the health.
func (p Plan) Digest() string {
	p.Precondition, p.Health = nil, nil
	b, err := json.Marshal(p)
	if err != nil {
		// Only strings, bools and structs of them: Marshal has nothing to refuse.
		panic("engine: plan does not encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// Outcome is what Execute did.
type Outcome struct {
	// Summary is one sentence for a person.
	Summary string `json:"summary"`
	// Before is the remediator's own: what Undo needs to put things back.
	Before json.RawMessage `json:"before,omitempty"`
}

// Effect is what became of an action whose outcome nobody saw.
type Effect string

// The three answers of an observation. Unknown is always allowed, and parks
// the run.
const (
	Applied    Effect = "applied"
	NotApplied Effect = "not-applied"
	Unknown    Effect = "unknown"
)

// Class says what the engine and the worker do about a failure.
type Class string

// The classes of failure. All but ClassUnknown promise that the task changed
// nothing.
const (
	// ClassRetryable may be tried again after RetryAfter.
	ClassRetryable Class = "retryable"
	// ClassTerminal will not get better by trying again.
	ClassTerminal Class = "terminal"
	// ClassUnknown may have changed the target; a person is asked.
	ClassUnknown Class = "unknown"
	// ClassPlanChanged means that the target is no longer as the plan saw it.
	ClassPlanChanged Class = "plan-changed"
	// ClassPaused means that the kill switch stopped it.
	ClassPaused Class = "paused"
	// ClassExpired means that it came to a worker after its NotAfter.
	ClassExpired Class = "expired"
)

// harmless reports whether the class promises that nothing was changed.
func (c Class) harmless() bool {
	switch c {
	case ClassRetryable, ClassTerminal, ClassPlanChanged, ClassPaused, ClassExpired:
		return true
	case ClassUnknown:
	}
	return false
}

// Failure is why a task did not do what it should.
type Failure struct {
	Class      Class         `json:"class"`
	Message    string        `json:"message"`
	RetryAfter time.Duration `json:"retryAfter,omitempty"`
}

// Check is one probe's verdict.
type Check struct {
	Kind   string `json:"kind"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Result is a worker's answer to a task. Exactly one of Plan, Outcome, Verified
// and Failure says how it ended.
type Result struct {
	Task   string    `json:"task"`
	Worker string    `json:"worker"`
	At     time.Time `json:"at"`
	// Group is the group by whose subject the answer came, whatever the worker
	// wrote: empty where that is not known.
	Group string `json:"group,omitempty"`
	// Plan answers a plan task, Outcome an execute or an undo task.
	Plan    *Plan    `json:"plan,omitempty"`
	Outcome *Outcome `json:"outcome,omitempty"`
	// Verified answers a check or verify task: every probe held, for Stable.
	Verified bool    `json:"verified,omitempty"`
	Checks   []Check `json:"checks,omitempty"`
	// Observed says that the outcome was found out after a redelivery.
	Observed bool     `json:"observed,omitempty"`
	Failure  *Failure `json:"failure,omitempty"`
}
