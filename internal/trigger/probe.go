package trigger

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/rules"
)

// probe runs a trigger of that kind.
type probe struct {
	parts
	trigger rules.Trigger
	prober  verify.Prober
	repeats repeats
	streak  streak
}

// streak is what the last looks saw. It is not kept: after a failover a failure
// takes as many looks as at first.
type streak struct {
	// failures and successes count those in a row; one of them is 0.
	failures, successes int
	// since is when the failures began, detail what the last look saw.
	since  time.Time
	detail string
}

// saw is the streak after one more look.
func (s streak) saw(check engine.Check, at time.Time) streak {
	next := streak{detail: check.Detail, since: s.since}
	if check.OK {
		next.successes = s.successes + 1
		next.since = time.Time{}
		return next
	}
	if next.failures = s.failures + 1; s.failures == 0 {
		next.since = at
	}
	return next
}

// judgeProbe decides what follows from the looks.
func judgeProbe(t rules.Trigger, r Record, s streak, now time.Time) (Record, bool) {
	switch p := t.Probe; {
	case r.Firing() && s.successes >= p.Successes:
		return r.resolved(now, now), true
	case !r.Firing() && s.failures >= p.Failures:
		a := newAlert(t, nil, nil, map[string]string{
			"summary":     fmt.Sprintf("the probe %s failed %d times in a row", p.Kind, s.failures),
			"description": s.detail,
		})
		return r.raised(a, s.since, now), true
	}
	return r, false
}

// step looks once. A probe that cannot be made says nothing: it neither fails nor
// succeeds.
func (p *probe) step(ctx context.Context, now time.Time) (time.Time, error) {
	settings := p.trigger.Probe
	bounded, cancel := context.WithTimeout(ctx, settings.Timeout)
	check, err := p.prober.Probe(bounded, engine.Target{}, settings.Params)
	cancel()
	if ctx.Err() != nil {
		return time.Time{}, ctx.Err()
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("probe %s: %w", settings.Kind, err)
	}
	seen := p.now()
	p.metrics.look(p.trigger, check.OK)
	p.streak = p.streak.saw(check, seen)
	r, err := p.book.change(ctx, key(p.trigger, ""), func(r Record) (Record, bool) {
		return judgeProbe(p.trigger, r, p.streak, seen)
	})
	if err != nil {
		return time.Time{}, err
	}
	if r.Firing() && !check.OK {
		if _, err := p.repeats.send(ctx, r, seen); err != nil {
			return time.Time{}, err
		}
	}
	return now.Add(settings.Every), nil
}
