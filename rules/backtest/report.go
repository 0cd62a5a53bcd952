package backtest

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// Report is what a rule set would have done. Its JSON form is what programs
// read; times are UTC, durations nanoseconds.
type Report struct {
	// Rules names the rules that were played, and Mode the mode that they were
	// put in; empty as written.
	Rules string      `json:"rules"`
	Mode  engine.Mode `json:"mode,omitempty"`
	From  time.Time   `json:"from"`
	Until time.Time   `json:"until"`
	// Replayed says that these are the recorded decisions themselves, and not
	// what would have been.
	Replayed    bool     `json:"replayed"`
	Source      About    `json:"source"`
	Assumptions []string `json:"assumptions,omitempty"`
	Read        Read     `json:"read"`
	// All sums up PerRule, which is in the order written.
	All     Rule   `json:"all"`
	PerRule []Rule `json:"perRule"`
	// Unmatched are the alerts that no rule is for, the most frequent first.
	Unmatched []Unmatched `json:"unmatched,omitempty"`
	Errors    []RuleError `json:"errors,omitempty"`
	Budgets   []Budget    `json:"budgets,omitempty"`
	// Acts are in the order in which they would have begun.
	Acts []Act `json:"acts"`
	// Against is the difference to other rules.
	Against *Difference `json:"against,omitempty"`
}

// Read counts what was read.
type Read struct {
	Inputs     int `json:"inputs"`
	Deliveries int `json:"deliveries"`
	// Samples are single alerts of deliveries, Episodes the firings that began.
	Samples  int     `json:"samples"`
	Episodes int     `json:"episodes"`
	LeftOut  LeftOut `json:"leftOut,omitzero"`
}

// LeftOut counts what was recorded and belongs to another history than the one
// that was played.
type LeftOut struct {
	Results  int `json:"results,omitempty"`
	Commands int `json:"commands,omitempty"`
	RuleSets int `json:"ruleSets,omitempty"`
}

// Rule is what one rule would have done.
type Rule struct {
	Name string      `json:"name"`
	Mode engine.Mode `json:"mode,omitempty"`
	// Episodes is how many firings it was for, and Runs how many runs it began.
	Episodes int `json:"episodes"`
	Runs     int `json:"runs"`
	// Acts are attempts that would have begun their first action, and WouldActs
	// those that shadow rules say they would have.
	Acts      int `json:"acts"`
	WouldActs int `json:"wouldActs"`
	// Outcomes count the runs by how they ended; Unfinished have not.
	Outcomes    map[engine.RunFinal]int `json:"outcomes,omitempty"`
	Unfinished  int                     `json:"unfinished,omitempty"`
	Holds       []Hold                  `json:"holds,omitempty"`
	Approvals   int                     `json:"approvals"`
	Escalations int                     `json:"escalations"`
	// SelfCured are firings that ended before any action for them began, and
	// NeverCured those that had not ended at the end of the history.
	SelfCured int `json:"selfCured"`
	Open      int `json:"open,omitempty"`
	// ToResolve and ToAct are medians, from the first notification on.
	ToResolve Median `json:"toResolve,omitzero"`
	ToAct     Median `json:"toAct,omitzero"`
	Busiest   Hour   `json:"busiest,omitzero"`
	// Timeline has the same number of equal parts for every rule.
	Timeline []Bucket `json:"timeline"`
}

// Median is one of so many.
type Median struct {
	Of    int           `json:"of"`
	Value time.Duration `json:"value"`
}

// Hour is the hour in which most was begun.
type Hour struct {
	Start time.Time `json:"start"`
	Acts  int       `json:"acts"`
}

// Hold is how often and for how long a guard held runs. Would says that it is
// what a shadow rule would have been held by, which has no length.
type Hold struct {
	Guard   string        `json:"guard"`
	Times   int           `json:"times"`
	Total   time.Duration `json:"total"`
	Longest time.Duration `json:"longest"`
	Would   int           `json:"would,omitempty"`
}

// Bucket is a part of the time.
type Bucket struct {
	Start       time.Time `json:"start"`
	Episodes    int       `json:"episodes,omitempty"`
	Acts        int       `json:"acts,omitempty"`
	Would       int       `json:"would,omitempty"`
	Holds       int       `json:"holds,omitempty"`
	Escalations int       `json:"escalations,omitempty"`
}

func (b *Bucket) add(o Bucket) {
	b.Episodes += o.Episodes
	b.Acts += o.Acts
	b.Would += o.Would
	b.Holds += o.Holds
	b.Escalations += o.Escalations
}

// Unmatched is a name of alerts that no rule is for.
type Unmatched struct {
	Alert    string `json:"alert"`
	Episodes int    `json:"episodes"`
}

// RuleError is why it could not be told whether, or on what, a rule acts.
type RuleError struct {
	Rule   string    `json:"rule"`
	Reason string    `json:"reason"`
	Times  int       `json:"times"`
	First  time.Time `json:"first"`
}

// Budget is the most that was spent of a budget within its time.
type Budget struct {
	Name string `json:"name"`
	Key  string `json:"key,omitempty"`
	// Peak is of so many within Per, which may be Limit; Concurrent and
	// ConcurrentLimit likewise are targets under repair. A limit of 0 is none.
	Peak            int           `json:"peak"`
	Limit           int           `json:"limit,omitempty"`
	Per             time.Duration `json:"per,omitempty"`
	PeakAt          time.Time     `json:"peakAt"`
	Concurrent      int           `json:"concurrent"`
	ConcurrentLimit int           `json:"concurrentLimit,omitempty"`
}

// Act is one attempt that would have begun its first action.
type Act struct {
	At   time.Time   `json:"at"`
	Rule string      `json:"rule"`
	Mode engine.Mode `json:"mode"`
	// Would says that the rule only shadows.
	Would   bool            `json:"would,omitempty"`
	Run     string          `json:"run"`
	Episode alert.EpisodeID `json:"episode"`
	Alert   string          `json:"alert"`
	Target  string          `json:"target"`
	// Attempt counts from 1.
	Attempt int      `json:"attempt"`
	Actions []string `json:"actions"`
	Plan    string   `json:"plan"`
}
