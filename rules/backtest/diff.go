package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Difference is what other rules would have done otherwise.
type Difference struct {
	// Rules names the other rules, Mode is theirs.
	Rules    string       `json:"rules"`
	Replayed bool         `json:"replayed"`
	PerRule  []RuleChange `json:"perRule"`
	// Changes are in the order of their times. They are complete.
	Changes []Change `json:"changes"`
}

// Different reports whether there is any difference.
func (d *Difference) Different() bool { return d != nil && len(d.Changes) > 0 }

// ChangeKind is how an attempt differs.
type ChangeKind string

// The kinds of change, from the other rules to the ones that were played.
const (
	ActGained   ChangeKind = "gained"
	ActLost     ChangeKind = "lost"
	ActMoved    ChangeKind = "moved"
	ActChanged  ChangeKind = "changed" // another action, target or mode
	HoldChanged ChangeKind = "holds"
)

// Change is one attempt for one firing that differs.
type Change struct {
	Kind    ChangeKind      `json:"kind"`
	At      time.Time       `json:"at,omitzero"`
	Rule    string          `json:"rule"`
	Episode alert.EpisodeID `json:"episode"`
	Attempt int             `json:"attempt"`
	// Was and Is are the attempt under the other rules and these.
	Was *Act `json:"was,omitempty"`
	Is  *Act `json:"is,omitempty"`
	// By is how much later it is now.
	By time.Duration `json:"by,omitempty"`
	// WasHeld and IsHeld are the guards that held it, where they differ.
	WasHeld []string `json:"wasHeld,omitempty"`
	IsHeld  []string `json:"isHeld,omitempty"`
}

// RuleChange sums a rule's changes up.
type RuleChange struct {
	Rule    string `json:"rule"`
	Gained  int    `json:"gained"`
	Lost    int    `json:"lost"`
	Moved   int    `json:"moved"`
	Changed int    `json:"changed"`
	Holds   int    `json:"holds"`
}

// doing identifies an attempt over histories: the rule, the firing that began
// its run, the rung, and which it was if there were several.
type doing struct {
	rule    string
	episode alert.EpisodeID
	attempt int
	nth     int
}

// heldBy are the guards that held an attempt, one after the other, and when the
// first of them began to.
type heldBy struct {
	at     time.Time
	guards []string
}

// sameTime is how far apart two times are the same.
const sameTime = time.Second

func compare(was, is *tally) (changes []Change, perRule []RuleChange) {
	before, after := actsOf(was.acts), actsOf(is.acts)
	for _, key := range keysOf(before, after) {
		changes = append(changes, compareActs(key, before[key], after[key])...)
	}
	for _, key := range keysOf(was.held, is.held) {
		old, now := was.held[key], is.held[key]
		if slices.Equal(old.guards, now.guards) {
			continue
		}
		c := Change{
			Kind: HoldChanged, At: now.at, Rule: key.rule, Episode: key.episode, Attempt: key.attempt,
			WasHeld: old.guards, IsHeld: now.guards,
		}
		if len(now.guards) == 0 {
			c.At = old.at
		}
		changes = append(changes, c)
	}
	slices.SortStableFunc(changes, func(a, b Change) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Episode, b.Episode), cmp.Compare(a.Attempt, b.Attempt))
	})
	return changes, sums(changes)
}

func compareActs(key doing, was, is *Act) []Change {
	c := Change{Rule: key.rule, Episode: key.episode, Attempt: key.attempt, Was: was, Is: is, At: firstOf(is, was).At}
	switch {
	case was == nil:
		c.Kind = ActGained
	case is == nil:
		c.Kind = ActLost
	case was.Target != is.Target || was.Would != is.Would || !slices.Equal(was.Actions, is.Actions):
		c.Kind, c.By = ActChanged, is.At.Sub(was.At)
	case is.At.Sub(was.At).Abs() > sameTime:
		c.Kind, c.By = ActMoved, is.At.Sub(was.At)
	default:
		return nil
	}
	return []Change{c}
}

func firstOf(acts ...*Act) *Act {
	for _, a := range acts {
		if a != nil {
			return a
		}
	}
	return nil
}

func actsOf(acts []Act) map[doing]*Act {
	byKey := make(map[doing]*Act, len(acts))
	for i := range acts {
		a := &acts[i]
		key := doing{rule: a.Rule, episode: a.Episode, attempt: a.Attempt}
		for byKey[key] != nil {
			key.nth++
		}
		byKey[key] = a
	}
	return byKey
}

// keysOf are those of both, sorted.
func keysOf[V any](a, b map[doing]V) []doing {
	keys := make([]doing, 0, len(a))
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, both := a[k]; !both {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(x, y doing) int {
		return cmp.Or(cmp.Compare(x.rule, y.rule), cmp.Compare(x.episode, y.episode), cmp.Compare(x.attempt, y.attempt), cmp.Compare(x.nth, y.nth))
	})
	return keys
}

func sums(changes []Change) []RuleChange {
	byRule := map[string]*RuleChange{}
	var names []string
	for _, c := range changes {
		sum := byRule[c.Rule]
		if sum == nil {
			sum = &RuleChange{Rule: c.Rule}
			byRule[c.Rule], names = sum, append(names, c.Rule)
		}
		switch c.Kind {
		case ActGained:
			sum.Gained++
		case ActLost:
			sum.Lost++
		case ActMoved:
			sum.Moved++
		case ActChanged:
			sum.Changed++
		case HoldChanged:
			sum.Holds++
		}
	}
	slices.Sort(names)
	all := make([]RuleChange, len(names))
	for i, n := range names {
		all[i] = *byRule[n]
	}
	return all
}
