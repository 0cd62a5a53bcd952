package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The guards, by the names that the ledger gives them.
const (
	GuardFreshness  = "freshness"
	GuardPaused     = "paused"
	GuardWindow     = "window"
	GuardBusy       = "busy"
	GuardUnless     = "unless"
	GuardRequires   = "requires"
	GuardFlap       = "flap"
	GuardCooldown   = "cooldown"
	GuardHoldDown   = "holdDown"
	GuardLimit      = "limit"
	GuardConcurrent = "concurrent"
	GuardBudget     = "budget"
	GuardMinHealthy = "minHealthy"
)

const (
	// holdAgain rounds the time at which a counted guard is judged again up, so
	// that a storm of held runs does not wake once for every count that ends.
	holdAgain = 5 * time.Second
	// pauseAgain is when a run is judged again that a worker found paused and the
	// engine does not: the pause ended on the way, or its command is yet to come.
	pauseAgain = 30 * time.Second
	// holdAtMost bounds a hold whose end nobody can tell.
	holdAtMost = 24 * time.Hour
	// tellAfter is how long a run of a rule without freshness is held before people
	// are told.
	tellAfter = 15 * time.Minute
)

// verdict is one guard's no; the zero value is a yes.
type verdict struct {
	guard, reason string
	// until is when the guard may let it pass; zero if nobody can tell. Waits is
	// what it may let it pass for before that: see waits.go.
	until time.Time
	waits string
}

func (v verdict) held() bool { return v.guard != "" }

// hold records a no. The run is judged again when the guard may let it pass, and
// no later than its alert becomes too old to act on. What was done is put back
// however old the alert is.
//
// An alert that repeats never becomes too old: people are told, once, of a run that
// is held for as long as an alert may be old.
func (d *decider) hold(v verdict) {
	latest := d.at.Add(holdAtMost)
	rule, err := d.rule()
	if err == nil && rule.Guards.Freshness > 0 && d.run.Undoing == nil && !d.run.Standing {
		latest = later(d.evidence().Add(rule.Guards.Freshness), d.at.Add(time.Second))
	}
	until := v.until
	if until.IsZero() || until.After(latest) {
		until = latest
	}
	silent := err != nil || d.run.Told || v.guard == GuardPaused
	since := d.run.HeldSince
	if since.IsZero() {
		since = d.at
	}
	if !silent {
		tell := since.Add(patience(rule))
		if silent = d.at.Before(tell); silent {
			until = earlier(until, tell)
		}
	}
	d.emit(RunHeld{Run: d.run.ID, Guard: v.guard, Reason: v.reason, Until: until, Waits: v.waits})
	if !silent {
		d.escalate(rule, fmt.Sprintf("held by %s for %s: %s", v.guard, d.at.Sub(since).Round(time.Second), v.reason))
	}
}

// patience is how long a run is held before people are told, and how long after the
// last sign of its alert it looks on.
func patience(rule *Rule) time.Duration {
	if rule.Guards.Freshness > 0 {
		return rule.Guards.Freshness
	}
	return tellAfter
}

// evidence is the newest sign that the trouble goes on.
func (d *decider) evidence() time.Time {
	newest := d.run.Evidence
	for _, id := range d.run.Episodes {
		if ep := d.st.Episodes[id]; ep != nil && ep.Firing() {
			newest = later(newest, ep.LastFiring)
		}
	}
	return newest
}

// guard is one guard by its name.
type guard struct {
	name  string
	judge func(*Rule) verdict
}

// standing are the guards that are judged before every action.
func (d *decider) standing() []guard {
	return []guard{
		{GuardFreshness, d.fresh},
		{GuardPaused, d.unpaused},
		{GuardWindow, d.inTime},
		{GuardBusy, d.free},
		{GuardUnless, d.uninhibited},
		{GuardRequires, d.required},
	}
}

// counted are the guards that are judged before the first action of an attempt.
func (d *decider) counted() []guard {
	return []guard{
		{GuardFlap, d.calm},
		{GuardCooldown, d.cool},
		{GuardHoldDown, d.settled},
		{GuardLimit, d.withinLimits},
		{GuardConcurrent, d.fewAtOnce},
	}
}

// guards judges all but that of the target's health, the cheapest reason first,
// and returns what the attempt would spend of the budgets. An attempt that was
// allowed before is judged again, but counts only once.
func (d *decider) guards(rule *Rule) ([]Spend, verdict) {
	guards := d.standing()
	if !d.run.Allowed {
		guards = append(guards, d.counted()...)
	}
	for _, g := range guards {
		if v := g.judge(rule); v.held() {
			return nil, v
		}
	}
	if d.run.Allowed {
		return nil, verdict{}
	}
	return d.budgets(rule)
}

func (d *decider) fresh(rule *Rule) verdict {
	most := rule.Guards.Freshness
	if age := d.at.Sub(d.evidence()); most > 0 && age >= most {
		return verdict{guard: GuardFreshness, reason: fmt.Sprintf("the newest sign that the alert fires is %s old, the rule allows %s", age.Round(time.Second), most)}
	}
	return verdict{}
}

func (d *decider) unpaused(rule *Rule) verdict {
	for _, t := range d.run.Targets() {
		for _, scope := range Scopes(rule.Name, t) {
			if p, ok := d.st.Paused[scope]; ok {
				return verdict{guard: GuardPaused, reason: fmt.Sprintf("%s is paused by %s: %s", scope, p.By, p.Reason), waits: waitPause}
			}
		}
	}
	return verdict{}
}

func (d *decider) free(*Rule) verdict {
	for _, t := range d.run.Targets() {
		if other, ok := d.st.index.holders[t.String()]; ok && other != d.run.ID {
			return busy(d.st.Runs[other], t)
		}
	}
	return verdict{}
}

// busy is the verdict while a run has its target for itself.
func busy(other *Run, on Target) verdict {
	return verdict{
		guard: GuardBusy, reason: fmt.Sprintf("run %s of rule %s is at work on %s", other.ID, other.Rule, on),
		waits: waitTarget(on),
	}
}

// entangled reports whether whoever has the target that the run would wait for waits,
// at last, for one that this run has from a rung before. The one that finds it out gives
// up, so that the others go on.
func (d *decider) entangled(v verdict) bool {
	waits := v.waits
	for range d.st.index.active {
		target, ok := strings.CutPrefix(waits, waitOnTarget)
		if !ok {
			return false
		}
		id, had := d.st.index.holders[target]
		if !had || id == d.run.ID {
			return had
		}
		waits = d.st.Runs[id].waitsFor()
	}
	return false
}

func (d *decider) calm(rule *Rule) verdict {
	flap := rule.Guards.Flap
	if flap.Count == 0 {
		return verdict{}
	}
	for _, opens := range d.opens() {
		if until, full := d.full(opens, flap); full {
			return verdict{guard: GuardFlap, reason: fmt.Sprintf("the alert flaps: it began %d times within %s", d.within(opens, flap.Per), flap.Per), until: until}
		}
	}
	return verdict{}
}

// opens are the times at which each alert of the run began.
func (d *decider) opens() [][]time.Time {
	var all [][]time.Time
	for _, id := range d.run.Episodes {
		a := d.run.Alert
		ep := d.st.Episodes[id]
		switch {
		case ep != nil:
			a = ep.Alert
		case !d.supposed:
			continue
		}
		var opens []time.Time
		if series := d.st.Series[a.Series()]; series != nil {
			opens = series.Opens
		}
		if ep == nil {
			opens = append(slices.Clone(opens), d.at)
		}
		all = append(all, opens)
	}
	return all
}

func (d *decider) cool(rule *Rule) verdict {
	past := d.st.Past[pastKey(rule.Name, d.run.Target)]
	if past == nil {
		return verdict{}
	}
	for _, a := range slices.Backward(past.Actions) {
		if a.Run == d.run.ID {
			continue // the rungs of one run do not wait for each other
		}
		if until := a.At.Add(rule.Guards.Cooldown); d.at.Before(until) {
			return verdict{
				guard: GuardCooldown, until: until,
				reason: fmt.Sprintf("run %s acted on this target at %s, the cooldown is %s", a.Run, a.At.UTC().Format(time.TimeOnly), rule.Guards.Cooldown),
			}
		}
		break
	}
	return verdict{}
}

// settled judges how long nobody else has acted on the run's targets.
func (d *decider) settled(rule *Rule) verdict {
	var longest verdict
	for _, t := range d.run.Targets() {
		last, ok := d.st.Touched[t.String()]
		until := last.At.Add(rule.Guards.HoldDown)
		if !ok || last.Run == d.run.ID || !d.at.Before(until) || !until.After(longest.until) {
			continue
		}
		longest = verdict{
			guard: GuardHoldDown, until: until,
			reason: fmt.Sprintf("run %s of rule %s acted on %s, last at %s; the hold-down is %s",
				last.Run, last.Rule, t, last.At.UTC().Format(time.TimeOnly), rule.Guards.HoldDown),
		}
	}
	return longest
}

func (d *decider) withinLimits(rule *Rule) verdict {
	past := d.st.Past[pastKey(rule.Name, d.run.Target)]
	if past == nil {
		return verdict{}
	}
	times := make([]time.Time, len(past.Actions))
	for i, a := range past.Actions {
		times[i] = a.At
	}
	for _, limit := range rule.Guards.Limits {
		if until, full := d.full(times, limit); full {
			return verdict{
				guard: GuardLimit, until: until,
				reason: fmt.Sprintf("the rule acted on this target %d times within %s, the limit is %d", d.within(times, limit.Per), limit.Per, limit.Count),
			}
		}
	}
	return verdict{}
}

// within counts the times, which are in order, of the last so long.
func (d *decider) within(times []time.Time, per time.Duration) int {
	since := d.at.Add(-per)
	before, _ := slices.BinarySearchFunc(times, since, func(t, since time.Time) int {
		if t.After(since) {
			return 1
		}
		return -1
	})
	return len(times) - before
}

// full reports whether a rate allows no more now, and when it will again.
func (d *decider) full(times []time.Time, r Rate) (time.Time, bool) {
	if r.Count == 0 || d.within(times, r.Per) < r.Count {
		return time.Time{}, false
	}
	// Times are in order: this one must leave the window.
	leaves := times[len(times)-r.Count].Add(r.Per)
	return leaves.Add(holdAgain).Truncate(holdAgain), true
}
