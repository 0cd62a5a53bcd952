package engine

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Event is one thing that the engine concluded. Its JSON form is part of the
// ledger and is versioned: a released field keeps its name and meaning.
type Event interface {
	// Kind is the event's name in the ledger.
	Kind() string
}

// AlertOpened begins an episode. It ends an older one of the same series whose
// resolve never came.
type AlertOpened struct {
	Episode  alert.EpisodeID `json:"episode"`
	Delivery string          `json:"delivery"`
	Received time.Time       `json:"received"`
	Alert    alert.Alert     `json:"alert"`
}

// AlertRepeated says that an open episode still fires.
type AlertRepeated struct {
	Episode  alert.EpisodeID `json:"episode"`
	Delivery string          `json:"delivery"`
	Received time.Time       `json:"received"`
	// Said is the alert's At.
	Said time.Time `json:"said,omitzero"`
}

// AlertReopened says that a resolved episode fires again under the same start,
// too long after its resolve to be a message that was overtaken.
type AlertReopened struct {
	Episode  alert.EpisodeID `json:"episode"`
	Delivery string          `json:"delivery"`
	Received time.Time       `json:"received"`
	// Said is the alert's At.
	Said time.Time `json:"said,omitzero"`
}

// AlertResolved ends an episode. Alert is set if its firing was never seen.
type AlertResolved struct {
	Episode  alert.EpisodeID `json:"episode"`
	Delivery string          `json:"delivery"`
	Received time.Time       `json:"received"`
	Said     time.Time       `json:"said,omitzero"`
	Alert    *alert.Alert    `json:"alert,omitempty"`
}

// AlertDropped says why an alert changed nothing.
type AlertDropped struct {
	Episode  alert.EpisodeID `json:"episode"`
	Delivery string          `json:"delivery"`
	Reason   string          `json:"reason"`
}

// AlertUnmatched says that no rule is for this alert.
type AlertUnmatched struct {
	Episode alert.EpisodeID `json:"episode"`
	Reason  string          `json:"reason"`
}

// RuleFailed says that it could not be told whether, or on what, a rule acts.
// Nothing is started by it, nor by a later rule if this one may act.
type RuleFailed struct {
	Episode alert.EpisodeID `json:"episode"`
	Rule    string          `json:"rule"`
	Reason  string          `json:"reason"`
}

// RunStarted begins a run.
type RunStarted struct {
	Run     string          `json:"run"`
	Rule    string          `json:"rule"`
	RuleSet string          `json:"ruleSet"`
	Mode    Mode            `json:"mode"`
	Target  Target          `json:"target"`
	Episode alert.EpisodeID `json:"episode"`
	Alert   alert.Alert     `json:"alert"`
	Report  []Route         `json:"report,omitempty"`
	// Group is what the rule's groupBy gives, if it has one.
	Group string `json:"group,omitempty"`
}

// RunJoined adds an episode to a run.
type RunJoined struct {
	Run     string          `json:"run"`
	Episode alert.EpisodeID `json:"episode"`
}

// RunMerged ends a run whose canonical target another run of its rule has.
type RunMerged struct {
	Run  string `json:"run"`
	Into string `json:"into"`
}

// RunContinued says that a relapse goes on where the last ladder stopped.
type RunContinued struct {
	Run     string `json:"run"`
	After   string `json:"after"`
	Attempt int    `json:"attempt"`
}

// TaskIssued asks a worker. WORK is derived from it.
type TaskIssued struct {
	Run    string `json:"run"`
	Action int    `json:"action"`
	Task   Task   `json:"task"`
	// Until is when the engine stops waiting for the answer.
	Until time.Time `json:"until"`
}

// TaskAnswered is a worker's answer to the task that its run waits for.
type TaskAnswered struct {
	Run string `json:"run"`
	// Task is the task's kind.
	Task   TaskKind `json:"task,omitempty"`
	Result Result   `json:"result"`
}

// TaskUnanswered says that a read-only task was given up.
type TaskUnanswered struct {
	Run  string `json:"run"`
	Task string `json:"task"`
}

// AnswerIgnored is an answer that no run waits for.
type AnswerIgnored struct {
	Result Result `json:"result"`
	Reason string `json:"reason"`
}

// RetryScheduled says when a task will be asked again.
type RetryScheduled struct {
	Run    string    `json:"run"`
	Task   TaskKind  `json:"task"`
	Action int       `json:"action"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// Replanned says that an attempt's plans no longer hold and are made anew.
type Replanned struct {
	Run    string `json:"run"`
	Action int    `json:"action"`
	Reason string `json:"reason"`
	// Stale says that nothing is known to have changed: what the plans tell of
	// the target's health is only too old to be judged. It does not count among
	// the plans that an attempt may make anew.
	Stale bool `json:"stale,omitempty"`
}

// RunHeld says which guard holds a run, and why. It is judged again at Until,
// or when what it waits for happens.
type RunHeld struct {
	Run    string    `json:"run"`
	Guard  string    `json:"guard"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
	// Waits names what the run is judged again for when it comes free, before
	// Until: see waits.go.
	Waits string `json:"waits,omitempty"`
}

// Spend is one count against one budget.
type Spend struct {
	Budget string `json:"budget"`
	Key    string `json:"key,omitempty"`
}

// RunAllowed says that all guards let an attempt act. From here on the run has
// its target for itself.
type RunAllowed struct {
	Run     string  `json:"run"`
	Attempt int     `json:"attempt"`
	Plan    string  `json:"plan"`
	Spends  []Spend `json:"spends,omitempty"`
}

// ActionSkipped says that an action of an attempt finds nothing to change, while
// others do. It counts as done, and there is nothing of it to put back.
type ActionSkipped struct {
	Run    string `json:"run"`
	Action int    `json:"action"`
	Reason string `json:"reason"`
}

// ApprovalAsked says that a person must agree to this plan.
type ApprovalAsked struct {
	Run   string    `json:"run"`
	Plan  string    `json:"plan"`
	Until time.Time `json:"until"`
}

// ApprovalGiven says who agreed to which plan. It is a sign that the trouble goes
// on, as a repeat of the alert is: whoever agrees has looked.
type ApprovalGiven struct {
	Run  string `json:"run"`
	Plan string `json:"plan"`
	By   string `json:"by"`
}

// VerifyStarted begins the wait for the cure.
type VerifyStarted struct {
	Run   string    `json:"run"`
	Until time.Time `json:"until"`
	// Only says that the attempt does nothing, but looks. Target is set where no
	// action made it canonical yet: it is then what the rule states.
	Only   bool   `json:"only,omitempty"`
	Target Target `json:"target,omitzero"`
}

// VerifyWaiting says what the cure still waits for.
type VerifyWaiting struct {
	Run    string    `json:"run"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// AttemptFailed ends an attempt that did not cure.
type AttemptFailed struct {
	Run     string `json:"run"`
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
	// Seen says that the trouble was seen to go on, by verification.
	Seen bool `json:"seen,omitempty"`
}

// RunStanding says that a run did what it was to do, and that what it did stays
// as it is until its alerts resolve and it is put back. Until then the run does
// not have its target, and counts as no run at work.
type RunStanding struct {
	Run    string `json:"run"`
	Reason string `json:"reason"`
}

// UndoStarted says that an attempt failed, and that what it did is put back
// before anything else. AttemptFailed follows when that is done.
type UndoStarted struct {
	Run     string `json:"run"`
	Attempt int    `json:"attempt"`
	Reason  string `json:"reason"`
	// Seen is as in AttemptFailed, and as of now: the AttemptFailed that follows
	// says it again, but is no newer sign.
	Seen bool `json:"seen,omitempty"`
	// Ends says that the attempt did not fail, but is over, and how the run ends
	// when all is put back: RunEnded follows in place of AttemptFailed.
	Ends RunFinal `json:"ends,omitempty"`
}

// RunParked says that it is not known whether an action was applied. The run
// keeps its target until a person decides, the alert resolves, or Until.
type RunParked struct {
	Run    string    `json:"run"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
}

// RunEnded ends a run.
type RunEnded struct {
	Run     string   `json:"run"`
	Outcome RunFinal `json:"outcome"`
	Reason  string   `json:"reason,omitempty"`
}

// Escalated asks people, through the rule's otherwise: when a run has ended or is
// parked, and once when it is held for long, and goes on waiting.
type Escalated struct {
	Run    string  `json:"run"`
	Routes []Route `json:"routes,omitempty"`
	Reason string  `json:"reason"`
}

// ScopePaused stops everything in a scope.
type ScopePaused struct {
	Scope  string `json:"scope"`
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
}

// ScopeResumed lets a scope go on.
type ScopeResumed struct {
	Scope string `json:"scope"`
	By    string `json:"by"`
}

// CommandRefused says why a person's command changed nothing.
type CommandRefused struct {
	Command Command `json:"command"`
	Reason  string  `json:"reason"`
}

// RulesLoaded puts a rule set in force.
type RulesLoaded struct {
	Digest  string   `json:"digest"`
	Sources []Source `json:"sources"`
}

// Pruned forgets what ended before.
type Pruned struct {
	Before time.Time `json:"before"`
}

// RunFinal is how a run ended.
type RunFinal string

// The ends of a run.
const (
	// Cured: verification held.
	Cured RunFinal = "cured"
	// Uncured: the ladder is exhausted.
	Uncured RunFinal = "uncured"
	// SelfResolved: the alert resolved before the next action, or what a rule that
	// restores is to do for a while was so already.
	SelfResolved RunFinal = "resolved"
	// Observed: the rule only records.
	Observed RunFinal = "observed"
	// Shadowed: the rule only says what it would have done.
	Shadowed RunFinal = "shadowed"
	// HeldBack: a guard held it until its alert was too old to act on.
	HeldBack RunFinal = "held"
	// Denied: a person said no.
	Denied RunFinal = "denied"
	// Unapproved: nobody answered in time.
	Unapproved RunFinal = "unapproved"
	// Undetermined: nobody could find out whether an action was applied.
	Undetermined RunFinal = "unknown"
	// Merged: another run of the rule has the same canonical target.
	Merged RunFinal = "merged"
	// Cancelled: a person ended it.
	Cancelled RunFinal = "cancelled"
	// Restored: its alert resolved, and what it did is put back, as its rule says.
	Restored RunFinal = "restored"
)
