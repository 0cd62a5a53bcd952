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
	// version moves with every change, shape only with those that a plan tells;
	// no shape comes twice but by being put back.
	version, shape, shapes int
	// unready is what a check sees, healthy what a plan sees, of so many; mute
	// says that no plan can tell.
	unready, mute bool
	healthy       int
	// applied are the changes that it took, by task, as an annotation would
	// tell, in the order of changes.
	applied map[string]*change
	changes []*change
	// effects counts by run, attempt and action.
	effects map[string]int
}

// change is one that a task made, and whether it was put back.
type change struct {
	task          engine.Task
	before, after int
	undone        bool
}

const (
	services = 4
	// gateway is the service that failover is for.
	gateway = services - 1
	// instances are what each service should have.
	instances = 4
)

func newTargets(w *world) map[string]*target {
	targets := map[string]*target{}
	for i := range services {
		name := "svc-" + strconv.Itoa(i)
		targets[name] = &target{w: w, name: name, healthy: instances, applied: map[string]*change{}, effects: map[string]int{}}
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

// allChanges are those of all targets.
func (w *world) allChanges() []*change {
	var all []*change
	for _, t := range w.sortedTargets() {
		all = append(all, t.changes...)
	}
	return all
}

// plan tells what an action would do.
func (t *target) plan(action string) engine.Plan {
	p := engine.Plan{
		Target: service(t.name), Summary: fmt.Sprintf("%s %s as of shape %d", action, t.name, t.shape),
		Precondition: json.RawMessage(strconv.Itoa(t.version)),
	}
	if !t.mute {
		p.Health = &engine.Health{Total: instances, Healthy: t.healthy}
		switch action {
		case restart:
			p.Health.Disrupts = 1
		case wipe:
			p.Health.Disrupts = 2
		}
	}
	return p
}

// fenced reports whether the target itself refuses an action whose plan is old.
func fenced(action string) bool { return action != wipe }

// reshape gives the target a shape that it never had.
func (t *target) reshape() {
	t.shapes++
	t.shape = t.shapes
}

// apply is the change itself: refused if the action is fenced and the target has
// changed since the plan.
func (t *target) apply(task engine.Task, p engine.Plan) (refused bool) {
	if fenced(task.Action) && string(p.Precondition) != strconv.Itoa(t.version) {
		return true
	}
	c := &change{task: task, before: t.shape}
	t.version++
	if task.Action == resize {
		t.reshape()
	}
	c.after = t.shape
	t.applied[task.ID] = c
	t.changes = append(t.changes, c)
	t.w.tell("EFFECT on %s of %s", t.name, task.ID)
	t.w.sees.effect(t, task)
	if t.broken && t.w.chance(t.w.odds.cures) {
		t.w.tell("%s is cured", t.name)
		t.heal()
	}
	return false
}

// shapes are what a change remembers, to be put back.
type shapes struct {
	Before int `json:"before"`
	After  int `json:"after"`
}

// outcome is what a task did, with what is needed to put it back.
func (t *target) outcome(task string) *engine.Outcome {
	o := &engine.Outcome{Summary: "done"}
	if c := t.applied[task]; c != nil && c.task.Action == resize {
		o.Before = t.w.encode(shapes{c.before, c.after})
	}
	return o
}

// undo puts back what an execute task did, if the target is still as that left
// it. Asked again it changes nothing.
func (t *target) undo(task engine.Task) (refused bool) {
	c := t.applied[task.Undoes]
	t.w.sees.askedToUndo(t, task, c)
	var told shapes
	switch {
	case c == nil || task.Outcome == nil || json.Unmarshal(task.Outcome.Before, &told) != nil:
		return true
	case c.undone:
		t.w.happened("undo found done")
		return false
	case t.shape != told.After:
		t.w.happened("undo refused by the target")
		return true
	}
	t.version++
	t.shape, c.undone = told.Before, true
	t.w.tell("UNDO on %s of %s by %s", t.name, task.Undoes, task.ID)
	t.w.sees.putBack(t, c)
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

// foreign is a change that somebody else makes.
func (t *target) foreign(ofShape bool) {
	t.version++
	if ofShape {
		t.reshape()
	}
}

// shift changes what checks and plans see of the target, and nothing else.
func (t *target) shift() {
	t.unready = t.w.chance(0.3)
	t.healthy = instances - t.w.rng.IntN(instances)
	t.mute = t.w.chance(0.1)
}
