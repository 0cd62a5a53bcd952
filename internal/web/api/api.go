// Package api holds the JSON shapes of /api/v1, which the server and its
// clients share. They are a contract: a released field keeps its name and
// meaning. It is data only.
package api

import (
	"encoding/json"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// The headers of GET /api/v1/ledger: the sequences of the first record and of
// the last one that is sent. With none to send, last is first-1.
const (
	HeaderLedgerFirst = "X-Paramedic-Ledger-First"
	HeaderLedgerLast  = "X-Paramedic-Ledger-Last"
)

// RecordedInput is one line of GET /api/v1/inbox: one input of the engine. The
// inputs of one message have one sequence.
type RecordedInput struct {
	Sequence uint64 `json:"sequence"`
	// At is when it was stored. It is decided then or a little later.
	At    time.Time       `json:"at"`
	Input json.RawMessage `json:"input"`
	// PassedOver says why the engine cannot read what is stored. Input is then
	// what it decides instead: a tick.
	PassedOver string `json:"passedOver,omitempty"`
}

// Run is a run in brief.
type Run struct {
	ID   string      `json:"id"`
	Rule string      `json:"rule"`
	Mode engine.Mode `json:"mode"`
	// RuleSet is the digest of the rules that the run began with.
	RuleSet string `json:"ruleSet"`
	// Target is canonical once it is known, and as the rule stated it before.
	Target string `json:"target"`
	// Alert and Severity are of the alert that began the run; Episodes counts
	// all that it is about.
	Alert    string `json:"alert"`
	Severity string `json:"severity,omitempty"`
	Episodes int    `json:"episodes"`
	// Phase is empty for a run that goes on, while the engine is not ready.
	Phase     engine.Phase    `json:"phase"`
	Outcome   engine.RunFinal `json:"outcome,omitempty"`
	Why       string          `json:"why,omitempty"`
	Guard     string          `json:"guard,omitempty"`
	Attempt   int             `json:"attempt"` // from 1
	StartedAt time.Time       `json:"startedAt"`
	EndedAt   time.Time       `json:"endedAt,omitzero"`
	// WakeAt is when the run is looked at again without anything happening.
	WakeAt time.Time `json:"wakeAt,omitzero"`
	// Plan is the digest to approve, while the run waits for approval.
	Plan string `json:"plan,omitempty"`
}

// Runs is a page of runs, the newest first. Matching counts those that the
// limit left out, too.
type Runs struct {
	Runs     []Run `json:"runs"`
	Matching int   `json:"matching"`
}

// RunDetail is a run with everything that the ledger says about it.
type RunDetail struct {
	Run   Run         `json:"run"`
	Alert alert.Alert `json:"alert"`
	// Plans are those of the current attempt.
	Plans    []Plan  `json:"plans,omitempty"`
	Timeline []Entry `json:"timeline"`
	// Truncated says that the timeline has more entries than are sent.
	Truncated bool `json:"truncated,omitempty"`
	// Ledger is the sequence of the last record that was looked at: to follow
	// the run, take its events from the next one.
	Ledger uint64 `json:"ledger"`
}

// Plan is what an action would change.
type Plan struct {
	Target  string          `json:"target"`
	Summary string          `json:"summary"`
	Changes []engine.Change `json:"changes,omitempty"`
	Noop    bool            `json:"noop,omitempty"`
}

// Entry is one event of the ledger.
type Entry struct {
	// Seq is the record's sequence, Index the event's place in it.
	Seq   uint64    `json:"seq"`
	Index int       `json:"index"`
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Topic string    `json:"topic"`
	// Run is the run that the event is about, if it is about one.
	Run string `json:"run,omitempty"`
	// Sentence says it in words, on one line.
	Sentence string `json:"sentence"`
	// Outcome is how the run ended, in the event that ends it.
	Outcome engine.RunFinal `json:"outcome,omitempty"`
	// Event holds the event's own fields.
	Event json.RawMessage `json:"event"`
}

// Pause is one scope that is paused. Enforced says that the workers obey it,
// Recorded that the ledger has it; shortly after a change only one may be true.
type Pause struct {
	Scope    string    `json:"scope"`
	By       string    `json:"by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at,omitzero"`
	Enforced bool      `json:"enforced"`
	Recorded bool      `json:"recorded"`
}

// Pauses are all of them, sorted by scope.
type Pauses struct {
	Pauses []Pause `json:"pauses"`
}

// PauseRequest is the body of POST /api/v1/pauses.
type PauseRequest struct {
	Scope  string `json:"scope"`
	Reason string `json:"reason,omitempty"`
}

// Switched is the answer to a change of the kill switch.
type Switched struct {
	Scope  string `json:"scope"`
	Paused bool   `json:"paused"`
	By     string `json:"by"`
	// Enforced says that the workers obey from now on. It is always true in an
	// answer: what is not enforced is an error.
	Enforced bool `json:"enforced"`
	// Recorded says that the change is on its way to the ledger for certain.
	Recorded bool `json:"recorded"`
	// Warning says what is wrong, if something is.
	Warning string `json:"warning,omitempty"`
	// ActiveRuns counts the runs in the scope that have not ended.
	ActiveRuns int `json:"activeRuns"`
}

// CommandRequest is the body of POST /api/v1/runs/{id}/approve, deny and cancel.
type CommandRequest struct {
	// Plan is the digest that is approved; for deny it may be left out, and
	// cancel has none.
	Plan   string `json:"plan,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Commanded is the answer to a command about a run.
type Commanded struct {
	// Decided says that the command took effect. Otherwise it is stored, and
	// Detail says what is known.
	Decided bool   `json:"decided"`
	Detail  string `json:"detail,omitempty"`
	Run     Run    `json:"run"`
}

// Problem is an error body (RFC 9457).
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// Ready is the answer of /readyz.
type Ready struct {
	Ready      bool                 `json:"ready"`
	Components map[string]Component `json:"components"`
}

// Component is one part of Ready.
type Component struct {
	Ready  bool   `json:"ready"`
	Reason string `json:"reason,omitempty"`
	// Warning is what somebody should mend although it is ready.
	Warning string `json:"warning,omitempty"`
}
