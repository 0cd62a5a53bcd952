package simulation

import (
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// night is the alert of a schedule: it fires from each start to the next restore,
// whatever is done about it.
const night = "Night"

// nights has a schedule's alert begin and end so many times. At times a restore is
// not told of, as if nobody had been there: the next start takes its place.
func (s *series) nights(times int) {
	if s.w.calm || times == 0 {
		return
	}
	s.fire()
	s.w.after(s.w.between(30*time.Second, 12*time.Minute), func() {
		if s.w.calm {
			return
		}
		s.end(s.w.chance(0.2))
		s.w.after(s.w.between(10*time.Second, 6*time.Minute), func() { s.nights(times - 1) })
	})
}

// restoring makes a rule one that puts back what it did when its alert resolves.
// Its actions are such that can be put back, but for a few that a compiler would
// not let pass.
func restoring(r *rule, w *world) *rule {
	r.Restore, r.Asked = true, true
	for i := range r.Attempts {
		a := &r.Attempts[i]
		a.Verify.AlertResolved = w.chance(0.05)
		if len(a.Do) == 0 {
			continue // it only looks
		}
		names := pick(w, []string{resize}, []string{resize, resize}, []string{resize, resize})
		if w.chance(0.05) {
			names = []string{resize, restart}
		}
		a.Do = nil
		for _, name := range names {
			a.Do = append(a.Do, drawAction(w, name))
		}
	}
	return r
}

func (r *seenRun) did(action int) {
	if r.done == nil {
		r.done = map[int]bool{}
	}
	r.done[action] = true
}

// stands checks a run that says that it did all that it was to do, and that its
// time is not over.
func (o *observer) stands(r record, run *seenRun) {
	rule := o.rule(run)
	switch {
	case !rule.Restore:
		o.w.violate("run %s stands, which its rule does not say", run.id)
	case run.undoing || len(run.done) < len(rule.Attempts[run.attempt].Do):
		o.w.violate("run %s stands, and has done %d of %d actions", run.id, len(run.done), len(rule.Attempts[run.attempt].Do))
	case !slices.ContainsFunc(run.episodes, o.known.fires):
		o.w.violate("run %s stands, and its alerts have resolved", run.id)
	case run.standing:
		o.w.happened("stands again")
	case !o.has(run):
		o.w.violate("run %s stands on %s, which others have", run.id, run.targets())
	default:
		o.w.happened("stands")
		if run.attempt > 0 {
			o.w.happened("stands on a later rung")
		}
		o.release(r, run)
		o.acted[run.rule] = engine.Cured
	}
	run.standing = true
	run.letThrough()
}

// standForAReason checks, at the end of every record, that what runs stand for is
// not over.
func (o *observer) standForAReason() {
	for _, id := range o.order {
		run := o.runs[id]
		if run.standing && run.hold == nil && !slices.ContainsFunc(run.episodes, o.known.fires) {
			o.w.violate("run %s stands, and its alerts have resolved", id)
		}
	}
}

// joinsStanding notes a start whose restore was missed. One that comes while things
// are put back is for another run.
func (o *observer) joinsStanding(run *seenRun) {
	if run.ends != "" {
		o.w.violate("an alert joins run %s, which is on its way to end %s", run.id, run.ends)
	}
	if run.standing {
		o.w.happened("a newer start joins what stands")
	}
}

// beginsBeside notes a start that comes while another run puts back what it did.
func (o *observer) beginsBeside(run *seenRun) {
	target := canonical(service(run.began.Labels["on"])).String()
	for _, id := range o.order {
		if other := o.runs[id]; other.rule == run.rule && other.ends != "" && !other.finished && other.target == target {
			o.w.happened("a start while things are put back")
		}
	}
}

// mendsWhatStands notes that a run acts on what another one stands on.
func (o *observer) mendsWhatStands(run *seenRun) {
	for _, id := range o.order {
		switch other := o.runs[id]; {
		case other == run || other.finished || !other.shares(run):
		case other.standing:
			o.w.happened("what stands is mended")
		case other.ends != "":
			o.w.violate("run %s is let through on %s, where run %s puts back what it did", run.id, run.targets(), id)
		}
	}
}

// restored counts the targets that runs of a rule have since they put back what
// they did: no guard keeps them from it.
func (o *observer) restored(rule string) int {
	return o.holding(func(run *seenRun) bool { return run.rule == rule && run.ends == engine.Restored })
}

// leaves checks a run that puts back what it did before it ends: a rule says so,
// it has its target, and its time is over, or it may not go on.
func (o *observer) leaves(run *seenRun, e engine.UndoStarted) {
	if e.Ends == "" {
		if run.standing {
			o.w.violate("run %s stands, and its attempt fails", run.id)
		}
		return
	}
	if !o.rule(run).Restore || run.ends != "" {
		o.w.violate("run %s is to end %s after what it did is put back, which it was to %q, and by its rule: %v", run.id, e.Ends, run.ends, o.rule(run).Restore)
	}
	for _, t := range run.targets() {
		if holder := o.holders[t]; holder != run.id && (holder != "" || !run.standing) {
			o.w.violate("run %s takes %s back, which %q has", run.id, t, holder)
		}
	}
	if id, fires := o.known.surelyFiresOf(run.episodes); e.Ends == engine.Restored && fires {
		o.w.violate("run %s restores, and %s fires", run.id, id)
	}
	switch {
	case run.standing:
		o.w.happened("restore of what stands")
	case e.Ends == engine.Restored:
		o.w.happened("restore in the middle")
	default:
		o.w.happened("given up in the middle: " + string(e.Ends))
	}
	o.hold(run)
	run.standing, run.ends = false, e.Ends
}

// surelyFiresOf finds one of some episodes that fires beyond doubt.
func (k *outside) surelyFiresOf(episodes []alert.EpisodeID) (alert.EpisodeID, bool) {
	for _, id := range episodes {
		if f := k.firings[id]; f != nil && f.sure && !f.ended {
			return id, true
		}
	}
	return "", false
}

// endsRestoring checks the end of a run whose rule restores: nothing that can be
// put back is left, unless a person said so, nobody knows, or people are told.
func (o *observer) endsRestoring(run *seenRun, outcome engine.RunFinal) {
	if !o.rule(run).Restore {
		return
	}
	left := o.leftUndone(run)
	switch outcome {
	case engine.Cancelled:
		if run.standing {
			o.w.happened("left by a person")
		}
		return
	case engine.Undetermined:
		return
	case engine.Uncured:
		if left != "" {
			o.owed[run.id] = "ended without having put back " + left
			o.w.happened("restore failed")
		}
		return
	case engine.Restored:
		o.w.happened("restored")
	case engine.Cured:
		if len(o.rule(run).Attempts[run.attempt].Do) > 0 {
			o.w.violate("run %s ends cured, and its rule restores", run.id)
		}
	case engine.SelfResolved, engine.Observed, engine.Shadowed, engine.HeldBack, engine.Denied, engine.Unapproved, engine.Merged:
	}
	switch {
	case left != "":
		o.w.violate("run %s ended %s without having put back %s", run.id, outcome, left)
	case run.standing:
		o.w.violate("run %s ended %s while it stands", run.id, outcome)
	case run.ends != outcome && (run.ends != "" || outcome == engine.Restored):
		o.w.violate("run %s ended %s, and was to end %q", run.id, outcome, run.ends)
	}
}
