package backtest

import (
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// budgetTally follows one count of a budget.
type budgetTally struct {
	Budget

	times   []time.Time
	holders int
}

// spent counts an attempt against its budgets.
func (t *tally) spent(at time.Time, r *runTally, e engine.RunAllowed) {
	t.unspend(r)
	r.spends = e.Spends
	for _, sp := range e.Spends {
		b := t.budgets[sp]
		if b == nil {
			b = &budgetTally{Budget: Budget{Name: sp.Budget, Key: sp.Key}}
			t.budgets[sp] = b
		}
		if limit, ok := t.limit(r.set, sp.Budget); ok {
			b.Limit, b.Per, b.ConcurrentLimit = limit.Rate.Count, limit.Rate.Per, limit.Concurrent
		}
		b.holders++
		if t.counts(at) {
			b.Concurrent = max(b.Concurrent, b.holders)
		}
		if b.Per > 0 {
			b.times = slices.DeleteFunc(b.times, func(old time.Time) bool { return at.Sub(old) >= b.Per })
			b.times = append(b.times, at)
			if n := len(b.times); n > b.Peak && t.counts(at) {
				b.Peak, b.PeakAt = n, at
			}
		}
	}
}

// unspend ends a run's part in what is under repair.
func (t *tally) unspend(r *runTally) {
	for _, sp := range r.spends {
		t.budgets[sp].holders--
	}
	r.spends = nil
}

// stands ends a run's part until it takes it up again to put back what it did.
func (t *tally) stands(r *runTally) {
	if len(r.spends) > 0 {
		r.stood = r.spends
	}
	t.unspend(r)
}

func (t *tally) takesUp(at time.Time, r *runTally) {
	for _, sp := range r.stood {
		b := t.budgets[sp]
		b.holders++
		if t.counts(at) {
			b.Concurrent = max(b.Concurrent, b.holders)
		}
	}
	r.spends, r.stood = append(r.spends, r.stood...), nil
}

func (t *tally) limit(set, name string) (engine.Budget, bool) {
	s, ok := t.sets.Set(set)
	if !ok {
		return engine.Budget{}, false
	}
	for _, b := range s.Budgets() {
		if b.Name == name {
			return b, true
		}
	}
	return engine.Budget{}, false
}
