package ruletest

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// usualTime is what a worker takes if the world does not say.
const usualTime = time.Second

// worker answers the engine's tasks as a test's world says. It is a
// rehearsal.Worker.
type worker struct {
	start time.Time
	world []answer
	// used counts how often each entry of the world has answered.
	used []int
	// rung names the attempt of a task.
	rung func(engine.Task) string
}

// Do implements rehearsal.Worker.
func (w *worker) Do(at time.Time, t engine.Task) (engine.Result, time.Duration, bool) {
	switch t.Kind {
	case engine.TaskVerify, engine.TaskCheck:
		return w.watch(at, t)
	case engine.TaskPlan, engine.TaskExecute, engine.TaskUndo:
	}
	asked := map[engine.TaskKind]string{
		engine.TaskPlan: asksPlan, engine.TaskExecute: asksAction, engine.TaskUndo: asksUndo,
	}
	a, _ := w.fit(at, t, asked[t.Kind], t.Action)
	takes := usualTime
	if a.takes != nil {
		takes = *a.takes
	}
	switch {
	case a.hangs:
		return engine.Result{}, 0, false
	case a.fails != "" || a.class != "":
		return engine.Result{Failure: a.failure()}, takes, true
	case t.Kind == engine.TaskPlan:
		return engine.Result{Plan: a.plan(t)}, takes, true
	}
	return engine.Result{Outcome: &engine.Outcome{Summary: t.Action, Before: json.RawMessage(`{}`)}}, takes, true
}

// fit finds the entry that answers, and counts it.
func (w *worker) fit(at time.Time, t engine.Task, asked, name string) (answer, bool) {
	now := at.Sub(w.start)
	for i, a := range w.world {
		if a.asks != asked || a.name != anyName && a.name != name || !a.of(t, w.rung(t)) {
			continue
		}
		if now < since(a.from) || a.until != nil && now >= *a.until || a.times > 0 && w.used[i] >= a.times {
			continue
		}
		w.used[i]++
		return a, true
	}
	return answer{}, false
}

// of reports whether an entry is for the rung and the target of a task.
func (a answer) of(t engine.Task, rung string) bool {
	return (a.rule == "" || a.rule == anyName || a.rule == t.Rule) && (a.attempt == "" || a.attempt == anyName || a.attempt == rung) &&
		(a.on == "" || like(t.Target.String(), a.on)) && (a.in == "" || a.in == taskWords()[t.Kind])
}

func (a answer) failure() *engine.Failure {
	f := &engine.Failure{Class: a.class, Message: a.fails, RetryAfter: a.retryAfter}
	if f.Class == "" {
		f.Class = engine.ClassTerminal
	}
	return f
}

func (a answer) plan(t engine.Task) *engine.Plan {
	p := &engine.Plan{Target: t.Target, Summary: a.summary, Noop: a.noop, Health: a.health}
	if a.target.Name != "" {
		p.Target = a.target
	}
	if p.Summary == "" {
		p.Summary = t.Action
	}
	if p.Health == nil {
		p.Health = &engine.Health{Total: 1, Healthy: 1}
	}
	return p
}

// span is a time during which a probe does not hold.
type span struct {
	from, until time.Time
	says        string
}

// watch answers a check or a verification: when all probes have held for as long
// as they must, or at the deadline.
func (w *worker) watch(at time.Time, t engine.Task) (engine.Result, time.Duration, bool) {
	deadline := t.Deadline
	if t.Kind == engine.TaskCheck || deadline.IsZero() {
		deadline = at
	}
	all := make([][]span, len(t.Probes))
	for i, probe := range t.Probes {
		one := t
		one.Stable, one.Deadline = 0, time.Time{}
		for j, a := range w.world {
			if a.asks != asksProbe || a.name != anyName && a.name != probe.Kind || !a.of(one, w.rung(t)) {
				continue
			}
			s, asked := w.span(j, a, at, deadline)
			switch {
			case !asked:
				continue
			case a.hangs:
				return engine.Result{}, 0, false
			case a.class != "":
				return engine.Result{Failure: a.failure()}, usualTime, true
			}
			all[i] = append(all[i], s)
		}
	}
	holds, ok := steady(at, deadline, t.Stable, slices.Concat(all...))
	result := engine.Result{Verified: ok}
	for i, probe := range t.Probes {
		result.Checks = append(result.Checks, check(probe.Kind, all[i], holds))
	}
	if t.Kind == engine.TaskCheck {
		return result, usualTime, true
	}
	return result, holds.Sub(at), true
}

// span is when an entry has a probe fail that is asked from at to the deadline;
// ok is false if it does not then.
func (w *worker) span(entry int, a answer, at, deadline time.Time) (span, bool) {
	s := span{from: later(at, w.start.Add(since(a.from))), until: deadline.Add(1), says: a.fails}
	if a.until != nil {
		s.until = earlier(s.until, w.start.Add(*a.until))
	}
	if a.lasts != nil {
		s.until = earlier(s.until, at.Add(*a.lasts))
	}
	if !s.from.Before(s.until) || a.times > 0 && w.used[entry] >= a.times {
		return span{}, false
	}
	w.used[entry]++
	return s, true
}

// steady is when no span has been for so long, or else the deadline.
func steady(at, deadline time.Time, stable time.Duration, spans []span) (time.Time, bool) {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from.Compare(b.from), a.until.Compare(b.until)) })
	begins := at
	for _, s := range spans {
		if s.from.After(begins.Add(stable)) {
			break
		}
		begins = later(begins, s.until)
	}
	if end := begins.Add(stable); !end.After(deadline) {
		return end, true
	}
	return deadline, false
}

// check is what a probe shows at a time.
func check(kind string, spans []span, at time.Time) engine.Check {
	for _, s := range spans {
		if !at.Before(s.from) && at.Before(s.until) {
			return engine.Check{Kind: kind, Detail: s.says}
		}
	}
	return engine.Check{Kind: kind, OK: true}
}

// like reports whether a text is as a pattern says, in which * stands for any
// characters.
func like(text, pattern string) bool {
	parts := strings.Split(pattern, anyName)
	if len(parts) == 1 {
		return text == pattern
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		_, after, found := strings.Cut(rest, part)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, parts[last])
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
