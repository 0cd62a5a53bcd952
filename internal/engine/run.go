package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	PhaseChecking  Phase = "checking"
	PhaseApproval  Phase = "awaiting-approval"
	PhaseExecuting Phase = "executing"
	PhaseRetrying  Phase = "retrying"
	PhaseVerifying Phase = "verifying"
	PhaseStanding  Phase = "standing"
	PhaseUndoing   Phase = "undoing"
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
	Stated Target `json:"stated"`
	Target Target `json:"target,omitzero"`
	// Also are the targets that single actions have of their own, and that the run
	// holds since an attempt was allowed that has them.
	Also     []Target          `json:"also,omitempty"`
	Alert    alert.Alert       `json:"alert"`
	Episodes []alert.EpisodeID `json:"episodes"`
	Report   []Route           `json:"report,omitempty"`
	// Group is what the rule's groupBy gave, Groups those of the runs that merged
	// into this one, and that it answers for since.
	Group  string   `json:"group,omitempty"`
	Groups []string `json:"groups,omitempty"`

	StartedAt time.Time `json:"startedAt"`
	EndedAt   time.Time `json:"endedAt,omitzero"`
	Phase     Phase     `json:"phase"`
	// WakeAt is when time alone changes something; zero for never.
	WakeAt time.Time `json:"wakeAt,omitzero"`
	// Why is the reason of the last hold, wait, park or end.
	Why   string `json:"why,omitempty"`
	Guard string `json:"guard,omitempty"`
	// Waits is what a held run is judged again for early: see waits.go. HeldAt is
	// when it was judged last.
	Waits  string    `json:"waits,omitempty"`
	HeldAt time.Time `json:"heldAt,omitzero"`
	// HeldSince is since when guards hold the run without a break: zero when it was
	// let through, asks a person, or is held by the kill switch, which people know
	// of. Told says that people were told of that.
	HeldSince time.Time `json:"heldSince,omitzero"`
	Told      bool      `json:"told,omitempty"`
	Outcome   RunFinal  `json:"outcome,omitempty"`

	// Attempt is the rung, from 0. The fields below it belong to this rung.
	Attempt int    `json:"attempt"`
	Plans   []Plan `json:"plans,omitempty"`
	// PlannedAt is when a worker made the newest plan; zero once an action was done,
	// since what the plans then left tell of the target's health is older than that.
	// It stands for all plans of the attempt: the first of several is older by what
	// it took to make the others.
	PlannedAt time.Time `json:"plannedAt,omitzero"`
	// Done counts the actions that were done, Actions are what came of them.
	Done     int          `json:"done,omitempty"`
	Actions  []DoneAction `json:"actions,omitempty"`
	Allowed  bool         `json:"allowed,omitempty"`
	Approved string       `json:"approved,omitempty"`
	// Tries counts how often the present reading was tried again, ActTries how
	// often the present change was.
	Tries    int `json:"tries,omitempty"`
	ActTries int `json:"actTries,omitempty"`
	Replans  int `json:"replans,omitempty"`
	// CheckedAt is when a worker last saw the precondition hold.
	CheckedAt   time.Time `json:"checkedAt,omitzero"`
	VerifyUntil time.Time `json:"verifyUntil,omitzero"`
	ProbesAt    time.Time `json:"probesAt,omitzero"`
	// Standing says that the rung did what it was to do, and that what it did stays
	// until no alert of the run fires: the run gave up its target until then.
	Standing bool `json:"standing,omitempty"`
	// Undoing is set while what the rung did is put back.
	Undoing *Undoing `json:"undoing,omitempty"`

	// Task is the one outstanding task, AskedAt when the newest was issued.
	Task    *Task     `json:"task,omitempty"`
	AskedAt time.Time `json:"askedAt,omitzero"`
	// RetryTask is what a scheduled retry will ask again.
	RetryTask TaskKind `json:"retryTask,omitempty"`
	// Issued numbers the run's tasks, Acted the attempts that were allowed.
	Issued int `json:"issued,omitempty"`
	Acted  int `json:"acted,omitempty"`
	// Continued says that it was settled where in the ladder to begin.
	Continued bool `json:"continued,omitempty"`
	// Evidence is when verification last saw the trouble go on, or a person last
	// agreed that something be done about it.
	Evidence time.Time `json:"evidence,omitzero"`
	Spends   []Spend   `json:"spends,omitempty"`
}

// DoneAction is an action that was done, and all that it takes to put it back.
type DoneAction struct {
	// Action is its number in the attempt, Task the id of its execute task.
	Action  int             `json:"action"`
	Task    string          `json:"task"`
	Params  json.RawMessage `json:"params,omitempty"`
	Plan    *Plan           `json:"plan,omitempty"`
	Outcome Outcome         `json:"outcome"`
	PutBack bool            `json:"putBack,omitempty"`
}

// Undoing is why an attempt's actions are put back, and what comes after: the next
// rung, or, if Ends says how, the end of the run.
type Undoing struct {
	Reason string   `json:"reason"`
	Seen   bool     `json:"seen,omitempty"`
	Ends   RunFinal `json:"ends,omitempty"`
}

func newRun(e RunStarted, at time.Time) *Run {
	return &Run{
		ID: e.Run, Rule: e.Rule, RuleSet: e.RuleSet, Mode: e.Mode, Stated: e.Target,
		Alert: e.Alert, Episodes: []alert.EpisodeID{e.Episode}, Report: e.Report, Group: e.Group,
		StartedAt: at, Phase: PhasePlanning,
	}
}

// Active reports whether the run has not ended.
func (r *Run) Active() bool { return r.Phase != PhaseEnded }

// Canonical reports whether the run's canonical target is known.
func (r *Run) Canonical() bool { return r.Target.Name != "" }

// Holds reports whether the run has its target for itself: from the moment that
// an attempt may act until the end, but for the time for which it stands.
func (r *Run) Holds() bool { return r.Acted > 0 && !r.Standing && r.Active() }

// atWork reports whether the run may act before long, and is not one that stands.
func (r *Run) atWork() bool { return r.Mode.Acts() && !r.Standing && r.Active() }

// leaves reports whether all that the run has left to do is to put back what it
// did. An alert that comes now is for another run.
func (r *Run) leaves() bool { return r.Undoing != nil && r.Undoing.Ends != "" }

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
	c.Also = slices.Clone(r.Also)
	c.Episodes = slices.Clone(r.Episodes)
	c.Groups = slices.Clone(r.Groups)
	c.Plans = slices.Clone(r.Plans)
	c.Actions = slices.Clone(r.Actions)
	c.Spends = slices.Clone(r.Spends)
	return &c
}
