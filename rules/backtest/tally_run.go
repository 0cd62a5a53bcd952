package backtest

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// runTally is a run that goes on.
type runTally struct {
	id       string
	rule     *ruleTally
	mode     engine.Mode
	set      string
	aim      engine.Aim
	alert    string
	episodes []alert.EpisodeID
	attempt  int
	// planned are the actions of this attempt, and act is its entry once one of
	// them has begun.
	planned []string
	plan    string
	act     *int
	// guard holds the run since then; empty if none does.
	guard string
	since time.Time
	// spends are what it counts against, and stood what it did while it stands.
	spends, stood []engine.Spend
}

func (t *tally) started(at time.Time, e engine.RunStarted) {
	r := &runTally{
		id: e.Run, rule: t.rule(e.Rule), mode: e.Mode, set: e.RuleSet, aim: engine.NewAim(e.Target), alert: e.Alert.Name,
		episodes: []alert.EpisodeID{e.Episode},
	}
	t.runs[e.Run] = r
	t.takes(at, r.rule, e.Episode)
	r.rule.mode = e.Mode
	if t.counts(at) {
		r.rule.runs++
	}
}

// run takes one event of a run that has begun.
func (t *tally) run(at time.Time, r *runTally, ev engine.Event) {
	r.aim.Follow(ev)
	switch e := ev.(type) {
	case engine.RunJoined:
		r.episodes = append(r.episodes, e.Episode)
		t.takes(at, r.rule, e.Episode)
	case engine.RunContinued:
		r.next(e.Attempt)
	case engine.AttemptFailed:
		r.next(e.Attempt + 1)
	case engine.TaskIssued:
		t.issued(at, r, e)
	case engine.Replanned:
		r.planned = r.planned[:min(e.Action, len(r.planned))]
	case engine.RunHeld:
		t.holds(at, r, e.Guard)
	case engine.RunAllowed:
		t.holds(at, r, "")
		t.spent(at, r, e)
	case engine.RunStanding:
		t.holds(at, r, "")
		t.stands(r)
	case engine.UndoStarted:
		t.holds(at, r, "")
		t.takesUp(at, r)
	case engine.ApprovalAsked:
		t.holds(at, r, "")
		if t.counts(at) {
			r.rule.approvals++
		}
	case engine.Escalated:
		if t.counts(at) {
			r.rule.escalations++
			r.rule.bucket(at).Escalations++
		}
	case engine.RunMerged:
		if into := t.runs[e.Into]; into != nil {
			into.episodes = append(into.episodes, r.episodes...)
		}
		t.ended(at, r, engine.Merged, "")
	case engine.RunEnded:
		t.ended(at, r, e.Outcome, e.Reason)
	}
}

// next begins another rung.
func (r *runTally) next(attempt int) { r.attempt, r.planned, r.act = attempt, nil, nil }

func (t *tally) issued(at time.Time, r *runTally, e engine.TaskIssued) {
	switch e.Task.Kind {
	case engine.TaskPlan:
		if e.Action == len(r.planned) {
			r.planned = append(r.planned, e.Task.Action)
		}
	case engine.TaskExecute:
		if p := e.Task.Plan; p != nil {
			r.plan = p.Summary
		}
		t.acting(at, r, e)
	case engine.TaskCheck, engine.TaskVerify, engine.TaskUndo:
		// They change nothing, or only put back.
	}
}

// acting enters an attempt with its first action, and adds those that follow.
func (t *tally) acting(at time.Time, r *runTally, e engine.TaskIssued) {
	if r.act != nil {
		if a := *r.act; a >= 0 && e.Action >= len(t.acts[a].Actions) {
			t.acts[a].Actions = append(t.acts[a].Actions, e.Task.Action)
			t.acts[a].Plan += "; " + r.plan
		}
		return
	}
	n := -1 // begun, but not counted
	if t.counts(at) {
		n = len(t.acts)
		t.enter(at, r, []string{e.Task.Action}, r.plan, false)
	}
	r.act = &n
	t.acted(at, r)
}

func (t *tally) enter(at time.Time, r *runTally, actions []string, plan string, would bool) {
	t.acts = append(t.acts, Act{
		At: at, Rule: r.rule.name, Mode: r.mode, Would: would, Run: r.id, Episode: r.episodes[0], Alert: r.alert,
		Target: r.aim.Target().String(), Attempt: r.attempt + 1, Actions: actions, Plan: plan,
	})
	r.rule.begins(at, would)
}

// acted tells the firings of a run that something has been done for them.
func (t *tally) acted(at time.Time, r *runTally) {
	for _, id := range r.episodes {
		ep := t.episodes[id]
		if ep == nil {
			continue
		}
		for _, took := range ep.rules {
			if took.rule == r.rule && !took.acted {
				took.acted = true
				if t.counts(at) {
					r.rule.toAct = append(r.rule.toAct, at.Sub(ep.opened))
				}
			}
		}
	}
}

// holds ends the hold that stood, if another guard takes over, or none.
func (t *tally) holds(at time.Time, r *runTally, guard string) {
	if r.guard == guard {
		return
	}
	if r.guard != "" && t.counts(at) {
		since := r.since
		if since.Before(t.from) {
			since = t.from
		}
		r.rule.holdEnds(r.guard, at.Sub(since))
	}
	r.guard, r.since = guard, at
	if guard == "" || !t.counts(at) {
		return
	}
	r.rule.hold(guard).Times++
	r.rule.bucket(at).Holds++
	t.keep(at, r, guard)
}

func (t *tally) ended(at time.Time, r *runTally, o engine.RunFinal, reason string) {
	t.holds(at, r, "")
	t.unspend(r)
	if o == engine.Shadowed {
		plan, guard := shadowed(reason)
		if plan != "" {
			t.acted(at, r)
		}
		if t.counts(at) {
			if plan != "" {
				t.enter(at, r, r.planned, plan, true)
			} else if guard != "" {
				r.rule.hold(guard).Would++
				r.rule.bucket(at).Holds++
				t.keep(at, r, guard)
			}
		}
	}
	if t.counts(at) {
		r.rule.outcomes[o]++
	}
}

// keep remembers a hold, for a difference.
func (t *tally) keep(at time.Time, r *runTally, guard string) {
	if t.held == nil {
		return
	}
	key := doing{rule: r.rule.name, episode: r.episodes[0], attempt: r.attempt + 1}
	h := t.held[key]
	if len(h.guards) == 0 {
		h.at = at
	}
	h.guards = append(h.guards, guard)
	t.held[key] = h
}
