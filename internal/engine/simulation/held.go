package simulation

import (
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// hold is the last word on why a run waits.
type hold struct {
	engine.RunHeld
	at time.Time
}

// judged takes what the guards and people say of a run.
func (o *observer) judged(r record, ev engine.Event) {
	switch e := ev.(type) {
	case engine.RunHeld:
		o.w.happened("held by " + e.Guard)
		if o.runs[e.Run].standing {
			o.w.happened("restore held by " + e.Guard)
		}
		o.runs[e.Run].holds(hold{e, r.at})
	case engine.RunAllowed:
		o.runs[e.Run].letThrough()
		o.allow(r, e)
	case engine.ApprovalAsked:
		o.runs[e.Run].letThrough()
	case engine.ApprovalGiven:
		o.runs[e.Run].evidence = r.at
	}
}

func (r *seenRun) holds(h hold) {
	r.hold = &h
	switch {
	case h.Guard == engine.GuardPaused:
		r.heldSince = time.Time{} // people did that
	case r.heldSince.IsZero():
		r.heldSince = h.at
	}
}

func (r *seenRun) letThrough() { r.heldSince, r.told = time.Time{}, false }

// tellsOfHold takes what people are told for a word on the hold, if there is one.
func (o *observer) tellsOfHold(run *seenRun) {
	if run.hold == nil || run.finished {
		return
	}
	if run.told {
		o.w.violate("people are told again that run %s is held", run.id)
	}
	run.told = true
	o.w.happened("told of a hold")
}

// changesPhase reports whether an event of a run leaves nothing of a hold.
func changesPhase(ev engine.Event) bool {
	switch ev.(type) {
	case engine.RunJoined, engine.AnswerIgnored, engine.Escalated:
		return false
	}
	return true
}

const (
	// unheard is how long a run may be held for a pause that only a worker knows of.
	unheard = 30 * time.Second
	// atLeast is how long a run may be held by what other runs and alerts do, before
	// it is judged again for what they do now.
	atLeast = time.Second
)

// heldForAReason checks that what holds a run is still so, at the end of every
// record: when the reason ends, or the time has come, the run is judged again in
// that same record.
func (o *observer) heldForAReason(at time.Time) {
	for _, id := range o.order {
		run := o.runs[id]
		if run.hold == nil || run.finished {
			continue
		}
		if !run.hold.Until.After(at) {
			o.w.violate("run %s is held by %s until %s, and not judged again at %s", id, run.hold.Guard, run.hold.Until, at)
		}
		if since := run.heldSince; !since.IsZero() && !run.told && at.Sub(since) >= o.rule(run).Guards.Freshness {
			o.w.violate("run %s is held since %s, now by %s, and people are not told", id, since, run.hold.Guard)
		}
		if at.Sub(run.hold.at) >= patience(run.hold.Guard) && !o.stillHeld(run) {
			o.w.violate("run %s is held by %s (%s), which is so no longer", id, run.hold.Guard, run.hold.Reason)
		}
	}
}

func patience(guard string) time.Duration {
	if guard == engine.GuardBusy || guard == engine.GuardPaused {
		return 0
	}
	return atLeast
}

func (o *observer) isStopped(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return o.stopped[s] })
}

func (o *observer) stillHeld(run *seenRun) bool {
	rule := o.rule(run)
	switch run.hold.Guard {
	case engine.GuardBusy:
		return slices.ContainsFunc(run.targets(), func(t string) bool { return o.holders[t] != "" && o.holders[t] != run.id })
	case engine.GuardConcurrent:
		return o.underRepair(run.rule) >= rule.Guards.Concurrent
	case engine.GuardRequires:
		return o.required(run, rule) != ""
	case engine.GuardPaused:
		for _, t := range run.targets() {
			if o.isStopped(engine.Scopes(run.rule, service(strings.TrimPrefix(t, "http/")))) {
				return true
			}
		}
		return run.hold.Until.Sub(run.hold.at) <= unheard
	case engine.GuardUnless:
		return slices.ContainsFunc(rule.Unless, func(in engine.Inhibitor) bool {
			alike := func(a alert.Alert) bool { return in.Alert(run.began, a) }
			return o.atWork(in.Rule, run) != "" || in.Alert != nil && o.known.mayFire(alike)
		})
	}
	return true // until a time, which was checked
}
