package engine

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// State is what the engine knows: the fold of the ledger. Its JSON form is the
// snapshot. A state has one owner.
type State struct {
	// Inbox is the sequence of the last INBOX message that was decided whole,
	// and InboxLine how many lines of the next one were.
	Inbox     uint64 `json:"inbox"`
	InboxLine int    `json:"inboxLine,omitempty"`
	// At is the time of the last event.
	At time.Time `json:"at"`
	// RuleSet is the digest of the rules in force; RuleSets holds the text of
	// these and of every set that an active run began with.
	RuleSet  string              `json:"ruleSet"`
	RuleSets map[string][]Source `json:"ruleSets"`

	Episodes map[alert.EpisodeID]*Episode `json:"episodes"`
	Series   map[string]*Series           `json:"series"`
	Runs     map[string]*Run              `json:"runs"`
	// Past is what a rule did to a target, by pastKey.
	Past map[string]*Past `json:"past"`
	// Uncured counts a rule's runs that ended uncured since the last cure.
	Uncured map[string]int `json:"uncured"`
	// Last is how the last run of a rule that acted ended: cured, if it stands.
	Last map[string]LastRun `json:"last"`
	// Spent are the times at which attempts were counted, by spendKey.
	Spent map[string][]time.Time `json:"spent"`
	// Touched is the last run that acted on a target, by its canonical form.
	Touched  map[string]Touch       `json:"touched"`
	Paused   map[string]ScopePaused `json:"paused"`
	PrunedAt time.Time              `json:"prunedAt"`

	index index
}

// Episode is one firing of one alert.
type Episode struct {
	Alert      alert.Alert `json:"alert"`
	LastFiring time.Time   `json:"lastFiring,omitzero"`
	ResolvedAt time.Time   `json:"resolvedAt,omitzero"`
	// Said is the latest At of its notifications, if its source tells one.
	Said time.Time `json:"said,omitzero"`
	// Runs are those that the episode set off or joined.
	Runs []string `json:"runs,omitempty"`
	// Settled are the rules that are done with the episode, whatever came of
	// it. Rematch says that a repeat is worth matching again, since no rule was
	// for it yet, or a guard held it: rules and guards may let it pass now.
	Settled []string `json:"settled,omitempty"`
	Rematch bool     `json:"rematch,omitempty"`
}

// Firing reports whether the episode has not resolved.
func (e *Episode) Firing() bool { return e.ResolvedAt.IsZero() }

// Series is the history of one alerting series, for flapping.
type Series struct {
	// Latest is the start of its newest episode, Episode.
	Latest  time.Time       `json:"latest"`
	Episode alert.EpisodeID `json:"episode"`
	// Opens are the times at which episodes began to be known.
	Opens []time.Time `json:"opens"`
}

// Past is what a rule did to a canonical target.
type Past struct {
	Actions []PastAction `json:"actions"`
	// Run, Attempt and EndedAt describe the last run that acted.
	Run     string    `json:"run"`
	Attempt int       `json:"attempt"`
	EndedAt time.Time `json:"endedAt,omitzero"`
}

// PastAction is one attempt that was allowed to act.
type PastAction struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

// Touch is the last time that a run acted on a target, or, once it ended, its end.
type Touch struct {
	Run  string    `json:"run"`
	Rule string    `json:"rule"`
	At   time.Time `json:"at"`
}

// LastRun is how a run ended.
type LastRun struct {
	Run     string    `json:"run"`
	Outcome RunFinal  `json:"outcome"`
	EndedAt time.Time `json:"endedAt"`
}

// NewState knows nothing.
func NewState() *State {
	s := &State{}
	s.Reindex()
	return s
}

// Reindex restores what is derived, after a state was decoded from JSON.
func (s *State) Reindex() {
	s.RuleSets = orEmpty(s.RuleSets)
	s.Episodes = orEmpty(s.Episodes)
	s.Series = orEmpty(s.Series)
	s.Runs = orEmpty(s.Runs)
	s.Past = orEmpty(s.Past)
	s.Uncured = orEmpty(s.Uncured)
	s.Last = orEmpty(s.Last)
	s.Spent = orEmpty(s.Spent)
	s.Touched = orEmpty(s.Touched)
	s.Paused = orEmpty(s.Paused)
	s.index = newIndex()
	for _, r := range s.Runs {
		s.index.add(r)
	}
	for id, ep := range s.Episodes {
		if ep.Firing() {
			s.index.fire(id, ep)
		}
	}
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// NextWake is when time alone changes something; zero for never.
func (s *State) NextWake() time.Time {
	_, alarm, _ := s.index.alarms.next(s)
	_, deadline, _ := s.index.deadlines.next(s)
	if alarm.IsZero() || !deadline.IsZero() && deadline.Before(alarm) {
		return deadline
	}
	return alarm
}

// Outstanding calls f with every task that no answer has come to, so that WORK
// can be derived again.
func (s *State) Outstanding(f func(Task)) {
	for _, id := range sortedKeys(s.index.tasks) {
		if r := s.Runs[s.index.tasks[id]]; r != nil && r.Task != nil {
			f(*r.Task)
		}
	}
}

// ActiveRuns are sorted by id.
func (s *State) ActiveRuns() []*Run {
	runs := make([]*Run, 0, len(s.index.active))
	for _, id := range sortedKeys(s.index.active) {
		runs = append(runs, s.Runs[id])
	}
	return runs
}

func pastKey(rule string, t Target) string { return rule + " " + t.String() }

// groupKey cannot be a pastKey: no target has this byte.
func groupKey(rule, group string) string { return rule + "\x00" + group }

func spendKey(sp Spend) string { return sp.Budget + " " + sp.Key }

// Active counts the runs that have not ended.
func (s *State) Active() int { return len(s.index.active) }
