package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/tripgen/paramedic/internal/engine"
)

// target is a service that breaks and is mended. It keeps its own count of what
// was done to it.
type target struct {
	w      *world
	name   string
	broken bool
	// version moves with every change, shape only with those that a plan tells.
	version, shape int
	// applied are the tasks whose restart it took, as an annotation would tell.
	applied map[string]bool
	// effects counts by run, attempt and action.
	effects map[string]int
}

const services = 3

func newTargets(w *world) map[string]*target {
	targets := map[string]*target{}
	for i := range services {
		name := "svc-" + strconv.Itoa(i)
		targets[name] = &target{w: w, name: name, applied: map[string]bool{}, effects: map[string]int{}}
	}
	return targets
}

func (w *world) sortedTargets() []*target {
	all := make([]*target, 0, services)
	for i := range services {
		all = append(all, w.targets["svc-"+strconv.Itoa(i)])
	}
	return all
}

// plan tells what an action would do.
func (t *target) plan(action string) engine.Plan {
	return engine.Plan{
		Target: service(t.name), Summary: fmt.Sprintf("%s %s as of shape %d", action, t.name, t.shape),
		Precondition: json.RawMessage(strconv.Itoa(t.version)),
	}
}

// apply is the change itself: refused if the action is fenced and the target has
// changed since the plan.
func (t *target) apply(task engine.Task, p engine.Plan) (refused bool) {
	if task.Action == restart && string(p.Precondition) != strconv.Itoa(t.version) {
		return true
	}
	t.version++
	t.applied[task.ID] = true
	t.w.tell("EFFECT on %s of %s", t.name, task.ID)
	t.w.sees.effect(t, task)
	if t.broken && t.w.chance(t.w.odds.cures) {
		t.w.tell("%s is cured", t.name)
		t.heal()
	}
	return false
}

func (t *target) heal() {
	t.broken = false
	for _, s := range t.w.series {
		if s.canonical == t.name && !s.noise {
			s.end(t.w.trouble(t.w.odds.lost))
		}
	}
}

// breakDown begins a trouble, and the alerts that tell of it.
func (t *target) breakDown() {
	if t.broken {
		return
	}
	t.broken = true
	t.w.tell("%s breaks", t.name)
	symptoms := slices.DeleteFunc(slices.Clone(t.w.series), func(s *series) bool { return s.canonical != t.name || s.noise })
	for _, s := range symptoms {
		if t.w.chance(0.5) {
			t.w.after(t.w.between(0, t.w.pickDelay()), s.fire)
		}
	}
}
