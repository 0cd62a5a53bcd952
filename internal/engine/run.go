package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Phase is what a run is doing.
type Phase string

// The phases of a run.
const (
	PhasePlanning  Phase = "planning"
	PhaseHeld      Phase = "held"
	PhaseApproval  Phase = "awaiting-approval"
	PhaseExecuting Phase = "executing"
	PhaseRetrying  Phase = "retrying"
	PhaseVerifying Phase = "verifying"
	PhaseParked    Phase = "parked"
	PhaseEnded     Phase = "ended"
)

// Run is one rule handling one target.
type Run struct {
	ID      string `json:"id"`
	Rule    string `json:"rule"`
	RuleSet string `json:"ruleSet"`
	Mode    Mode   `json:"mode"`
	// Stated is the target as the rule named it; Target is the canonical one,
	// and has no name before the first plan.
	Stated   Target            `json:"stated"`
	Target   Target            `json:"target,omitzero"`
	Alert    alert.Alert       `json:"alert"`
	Episodes []alert.EpisodeID `json:"episodes"`
	Report   []Route           `json:"report,omitempty"`

	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Phase     Phase     `json:"phase"`
	// WakeAt is when time alone changes something; zero for never.
	WakeAt time.Time `json:"wakeAt,omitzero"`
	// Why is the reason of the last hold, wait, park or end.
	Why     string   `json:"why,omitempty"`
	Guard   string   `json:"guard,omitempty"`
	Outcome RunFinal `json:"outcome,omitempty"`

	// Attempt is the rung, from 0. The fields below it belong to this rung.
	Attempt     int       `json:"attempt"`
	Plans       []Plan    `json:"plans,omitempty"`
	Done        int       `json:"done,omitempty"`
	Allowed     bool      `json:"allowed,omitempty"`
	Approved    string    `json:"approved,omitempty"`
	Tries       int       `json:"tries,omitempty"`
	Replans     int       `json:"replans,omitempty"`
	VerifyUntil time.Time `json:"verifyUntil,omitzero"`
	ProbesAt    time.Time `json:"probesAt,omitzero"`

	// Task is the one outstanding task.
	Task *Task `json:"task,omitempty"`
	// RetryTask is what a scheduled retry will ask again.
	RetryTask TaskKind `json:"retryTask,omitempty"`
	// Issued numbers the run's tasks, Acted the attempts that were allowed.
	Issued int `json:"issued,omitempty"`
	Acted  int `json:"acted,omitempty"`
	// Continued says that it was settled where in the ladder to begin.
	Continued bool `json:"continued,omitempty"`
	// Evidence is when verification last saw the trouble go on.
	Evidence time.Time `json:"evidence,omitzero"`
	Spends   []Spend   `json:"spends,omitempty"`
}

func newRun(e RunStarted, at time.Time) *Run {
	return &Run{
		ID: e.Run, Rule: e.Rule, RuleSet: e.RuleSet, Mode: e.Mode, Stated: e.Target,
		Alert: e.Alert, Episodes: []alert.EpisodeID{e.Episode}, Report: e.Report,
		StartedAt: at, Phase: PhasePlanning,
	}
}

// Active reports whether the run has not ended.
func (r *Run) Active() bool { return r.Phase != PhaseEnded }

// Canonical reports whether the run's canonical target is known.
func (r *Run) Canonical() bool { return r.Target.Name != "" }

// Holds reports whether the run has its target for itself: from the moment that
// an attempt may act until the end.
func (r *Run) Holds() bool { return r.Active() && r.Acted > 0 }

// awaitsAnswer reports whether a worker's or a person's answer may come before
// WakeAt.
func (r *Run) awaitsAnswer() bool { return r.Task != nil || r.Phase == PhaseApproval }

// PlanDigest identifies the plans of the current attempt together.
func (r *Run) PlanDigest() string {
	if len(r.Plans) == 1 {
		return r.Plans[0].Digest()
	}
	h := sha256.New()
	for _, p := range r.Plans {
		h.Write([]byte(p.Digest()))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// clone copies what apply may change.
func (r *Run) clone() *Run {
	c := *r
	c.Episodes = slices.Clone(r.Episodes)
	c.Plans = slices.Clone(r.Plans)
	c.Spends = slices.Clone(r.Spends)
	return &c
}

// nextAttempt clears what belongs to the rung that ended.
func (r *Run) nextAttempt(number int) {
	r.Attempt = number
	r.Plans, r.Done, r.Allowed, r.Approved = nil, 0, false, ""
	r.Tries, r.Replans, r.Task = 0, 0, nil
	r.VerifyUntil, r.ProbesAt = time.Time{}, time.Time{}
}

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
		r.issued(e)
	case TaskAnswered:
		r.answered(e.Result, at)
	case TaskUnanswered:
		r.Task = nil
	case RetryScheduled:
		r.Phase, r.RetryTask, r.WakeAt, r.Why = PhaseRetrying, e.Task, e.At, e.Reason
		r.Tries++
	case Replanned:
		r.Plans = r.Plans[:e.Action]
		r.Replans++
		r.Tries = 0
	case RunHeld:
		r.Phase, r.Guard, r.Why, r.WakeAt = PhaseHeld, e.Guard, e.Reason, e.Until
	case RunAllowed:
		r.Guard = ""
		r.Allowed, r.Spends = true, e.Spends
		r.Acted++
	case ApprovalAsked:
		r.Phase, r.WakeAt, r.Why = PhaseApproval, e.Until, "waits for approval of plan "+e.Plan
	case ApprovalGiven:
		r.Approved = e.Plan
	case VerifyStarted:
		r.Phase, r.VerifyUntil, r.WakeAt = PhaseVerifying, e.Until, e.Until
	case VerifyWaiting:
		r.WakeAt, r.Why = e.Until, e.Reason
	case AttemptFailed:
		if e.Seen {
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
	}
}

func (r *Run) issued(e TaskIssued) {
	t := e.Task
	r.Task, r.WakeAt = &t, e.Until
	r.Issued++
	switch t.Kind {
	case TaskPlan:
		r.Phase = PhasePlanning
	case TaskExecute:
		r.Phase = PhaseExecuting
	case TaskVerify:
		r.Phase = PhaseVerifying
	}
}

func (r *Run) answered(res Result, at time.Time) {
	r.Task = nil
	switch {
	case res.Failure != nil:
	case res.Plan != nil:
		r.Plans = append(r.Plans, *res.Plan)
		r.Target = r.Plans[0].Target
		r.Tries = 0
	case res.Outcome != nil:
		r.Done++
		r.Tries = 0
	case res.Verified:
		r.ProbesAt = at
	}
}

func (r *Run) end(o RunFinal, why string, at time.Time) {
	r.Phase, r.Outcome, r.Why, r.EndedAt = PhaseEnded, o, why, at
	r.WakeAt, r.Task, r.Guard = time.Time{}, nil, ""
}
