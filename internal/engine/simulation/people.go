package simulation

import (
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// people give commands now and then, change the rules, and answer what asks
// them, mostly.
func (w *world) people() {
	for range w.rng.IntN(6) {
		w.after(w.between(0, chaos), w.pauseSomething)
	}
	for range w.rng.IntN(4) {
		digest := pick(w, w.rules.digests...)
		w.after(w.between(0, chaos), func() {
			w.deliver(engine.Input{Rules: &engine.NewRules{Digest: digest, Sources: []engine.Source{{Name: "r", Text: digest}}}})
		})
	}
	w.lookAround()
}

// scopes are what people pause.
func scopes() []string {
	all := []string{engine.ScopeAll, "rule/down", "rule/slow", "rule/wide", "rule/nightly", "bad scope"}
	for i := range services {
		all = append(all, fmt.Sprintf("target/http/svc-%d", i))
	}
	return all
}

// pauseSomething uses the kill switch as the tools do: first the workers' store,
// then the command.
func (w *world) pauseSomething() {
	w.pause(pick(w, scopes()...))
}

func (w *world) pause(scope string) {
	w.say(engine.Command{Verb: engine.Pause, Scope: scope, By: "ann", Reason: "release"})
	w.pauses[scope] = true
	w.after(w.between(time.Second, 8*time.Minute), func() { w.resume(scope) })
}

func (w *world) resume(scope string) {
	if !w.pauses[scope] {
		return
	}
	delete(w.pauses, scope)
	w.say(engine.Command{Verb: engine.Resume, Scope: scope, By: "ann"})
}

func (w *world) resumeAll() {
	for _, scope := range scopes() {
		delete(w.pauses, scope)
		// A pause that is still on its way is undone by one that comes later.
		w.after(5*time.Minute, func() { w.say(engine.Command{Verb: engine.Resume, Scope: scope, By: "ann"}) })
	}
}

func (w *world) say(c engine.Command) {
	w.tell("%s says %s %s%s", c.By, c.Verb, c.Scope, c.Run)
	w.deliver(engine.Input{Command: &c})
}

// lookAround reads a host's state, fresh or not, and answers what waits there.
func (w *world) lookAround() {
	if w.calm {
		return
	}
	w.after(w.between(20*time.Second, 3*time.Minute), w.lookAround)
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	if h.state == nil {
		return
	}
	for _, r := range h.state.ActiveRuns() {
		c := engine.Command{Run: r.ID, By: "bob", Reason: "because"}
		switch {
		case r.Phase == engine.PhaseApproval && w.chance(0.8):
			c.Verb, c.Plan = pick(w, engine.Approve, engine.Approve, engine.Approve, engine.Deny), r.PlanDigest()
			if w.chance(0.1) {
				c.Plan = "another plan"
			}
		case r.Undoing != nil && w.chance(0.3):
			w.pause("target/" + pick(w, r.Targets()...).String())
			continue
		case r.Phase == engine.PhaseParked && w.chance(0.3), r.Undoing != nil && w.chance(0.2), w.chance(0.02):
			c.Verb = engine.Cancel
		default:
			continue
		}
		w.say(c)
	}
}
