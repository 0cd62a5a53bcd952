package report

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// Kind says what a notice is about.
type Kind string

// The kinds of notice, in about the order of a run's life. From Cured on, the run has ended.
const (
	// Started: a rule took an alert up.
	Started Kind = "started"
	// Relapsed: the run goes on where the last ladder for its target stopped.
	Relapsed Kind = "relapsed"
	// Held: a guard holds the run. A run that stays held by the same guard is told of once.
	Held Kind = "held"
	// ApprovalWanted: a person must agree before the run acts.
	ApprovalWanted Kind = "approval"
	// Approved: a person agreed.
	Approved Kind = "approved"
	// Acting: all guards let the run act.
	Acting Kind = "acting"
	// Standing: the run did what it was to do, which stays until its alert resolves, and is put back then.
	Standing Kind = "standing"
	// Restoring: the time for which a run's doing was to stay is over, and it is put back.
	Restoring Kind = "restoring"
	// Undoing: one rung of the ladder did not cure, or may not go on, and what it did is put back before anything else.
	Undoing Kind = "undoing"
	// AttemptFailed: one rung of the ladder did not cure.
	AttemptFailed Kind = "failed-attempt"
	// Parked: it is not known what became of an action; a person must look.
	Parked Kind = "parked"
	// Escalated: people are asked, by the rule's otherwise.
	Escalated Kind = "escalated"

	Cured        Kind = "cured"
	Uncured      Kind = "uncured"
	SelfResolved Kind = "resolved"
	Observed     Kind = "observed"
	Shadowed     Kind = "shadowed"
	HeldBack     Kind = "held-back"
	Denied       Kind = "denied"
	Unapproved   Kind = "unapproved"
	Undetermined Kind = "unknown"
	Cancelled    Kind = "cancelled"
	// Restored: what the run did is put back, as its rule says.
	Restored Kind = "restored"
	// Merged: another run of the rule turned out to have the same target, and goes on for both.
	Merged Kind = "merged"

	// RuleFailed: it could not be told whether a rule is for an alert.
	RuleFailed Kind = "rule-failed"
	// Paused and Resumed: a person used the kill switch.
	Paused  Kind = "paused"
	Resumed Kind = "resumed"
)

// Notice is one thing worth telling.
type Notice struct {
	// ID is the record's sequence and the event's index in it. It stays the same for ever, so a receiver that sees
	// it twice knows that it is the same notice.
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Kind Kind      `json:"kind"`
	// Text is one sentence for a person.
	Text string `json:"text"`
	// Reason is the ledger's own words, if it has any.
	Reason string `json:"reason,omitempty"`

	// Run, Rule, Mode, Target and Alert are empty where a notice is about no run.
	Run  string      `json:"run,omitempty"`
	Rule string      `json:"rule,omitempty"`
	Mode engine.Mode `json:"mode,omitempty"`
	// Target is in canonical form as soon as that is known.
	Target string `json:"target,omitempty"`
	Alert  *Alert `json:"alert,omitempty"`

	// Attempt counts from 1.
	Attempt int `json:"attempt,omitempty"`
	// Guard is what holds.
	Guard string `json:"guard,omitempty"`
	// Plan identifies what a person is asked to approve, and Until is when that ends; or until when a run is held
	// or parked.
	Plan  string    `json:"plan,omitempty"`
	Until time.Time `json:"until,omitzero"`
	// Scope is what was paused or resumed.
	Scope string `json:"scope,omitempty"`
	// By is the person.
	By string `json:"by,omitempty"`

	// Routes are those of the rule; a Reporter sees its own.
	Routes []engine.Route `json:"routes,omitempty"`
}

// Alert is the alert that began a run.
type Alert struct {
	Source   string `json:"source"`
	Name     string `json:"name"`
	Severity string `json:"severity,omitempty"`
	// Summary is the alert's own sentence, cut to 300 characters.
	Summary string            `json:"summary,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
	URL     string            `json:"url,omitempty"`
}

const maxSummary = 300

func alertOf(a alert.Alert) *Alert {
	summary := ""
	for _, name := range []string{"summary", "description", "message"} {
		if summary = a.Annotations[name]; summary != "" {
			break
		}
	}
	if runes := []rune(summary); len(runes) > maxSummary {
		summary = string(runes[:maxSummary-1]) + "…"
	}
	return &Alert{Source: a.Source, Name: a.Name, Severity: a.Severity, Summary: summary, Labels: a.Labels, URL: a.URL}
}
