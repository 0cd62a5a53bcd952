package rules

import (
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// What holds for an attempt that says nothing else.
const (
	builtinRetries = 2
	builtinBackoff = 5 * time.Second
	builtinTimeout = time.Minute

	maxRetries = 10
	maxBackoff = time.Hour
	maxTimeout = time.Hour
)

func attemptShape() shape {
	return shape{
		what:     "an attempt",
		fields:   []string{"name", "mode", "from", "check", "do", "verify", "within", "stable", "undo", "retry", fieldTimeout},
		required: []string{"name"},
	}
}

func retryShape() shape { return shape{what: "retry", fields: []string{"max", "backoff"}} }

// attempts reads a rule's ladder.
func (c *compiler) attempts(f *file, n *yaml.Node, r *rule) bool {
	items, ok := f.list(n, "try")
	names := map[string]Position{}
	for _, item := range items {
		a, good := c.attempt(f, item, r)
		if first, twice := names[a.Name]; twice && a.Name != "" {
			f.errorf(item, "there is already an attempt %q in line %d of this rule", a.Name, first.Line)
			good = false
		}
		names[a.Name] = at(item)
		r.rule.Attempts = append(r.rule.Attempts, a)
		ok = ok && good
	}
	return ok
}

func (c *compiler) attempt(f *file, n *yaml.Node, r *rule) (engine.Attempt, bool) {
	before := len(*f.found)
	a := engine.Attempt{Group: DefaultGroup, Retries: builtinRetries, Backoff: builtinBackoff, Timeout: builtinTimeout, Undo: r.rule.Restore}
	o, ok := f.object(n, attemptShape())
	if v := o.get("name"); v != nil {
		a.Name, _ = f.name(v, "the attempt's name")
	}
	if v := o.get("mode"); v != nil {
		a.Mode = f.attemptMode(v, r.rule.Mode)
	}
	if v := o.get("from"); v != nil {
		a.From, _ = f.name(v, "the worker group that looks")
	}
	if v := o.get("do"); v != nil {
		items, _ := f.list(v, "do")
		for _, item := range items {
			if action, good := c.action(f, item, r); good {
				a.Do = append(a.Do, action)
			}
		}
	}
	if v := o.get("check"); v != nil {
		c.check(f, v, r, &a)
	}
	switch v := o.get("undo"); {
	case v != nil && r.rule.Restore:
		f.always(v)
	case v != nil:
		f.undo(v, o.get("do"), &a)
	}
	if v := o.get("retry"); v != nil {
		f.retry(v, &a)
	}
	if v := o.get(fieldTimeout); v != nil {
		a.Timeout = f.duration(v, fieldTimeout, time.Second, maxTimeout)
	}
	a.Verify = c.verify(f, o, r)
	if key := o.keys["from"]; key != nil && len(a.Check)+len(a.Verify.Probes) == 0 && !f.failedSince(before) {
		f.errorf(key, "from is where the probes look from, and this attempt has none: leave it out, or write check or verify")
	}
	switch {
	case o.get("do") == nil && ok:
		f.onlyLooks(n, o)
	case o.get("verify") == nil && effective(r.rule.Mode, a.Mode) == engine.ModeAuto && n.Kind == yaml.MappingNode:
		f.unverified(n, r, a)
	}
	f.aimless(n, a, r)
	return a, ok && !f.failedSince(before)
}

// aimless refuses an attempt whose actions all have targets of their own where the
// rule's is a pod: only an action on it tells which workload the run is about.
func (f *file) aimless(n *yaml.Node, a engine.Attempt, r *rule) {
	onRules := func(action engine.Action) bool { return action.Target == nil }
	if len(a.Do) == 0 || slices.ContainsFunc(a.Do, onRules) || !slices.Contains([]string{"Pod", "ReplicaSet"}, r.target.kind) {
		return
	}
	f.errorf(n, "all actions of this attempt have targets of their own, and the rule's target is a %s, which none of them leads to its workload: name the Deployment, StatefulSet or DaemonSet as the rule's target", r.target.kind)
}

// unverified warns of an attempt that nobody looks after.
func (f *file) unverified(n *yaml.Node, r *rule, a engine.Attempt) {
	if r.asked() {
		f.warnf(n, "this attempt acts by itself and has no verify: it counts as done when its actions are, whatever comes of them; say how it looks if all went well")
		return
	}
	f.warnf(n, "this attempt acts by itself and has no verify: it counts as a cure if the alert resolves within %s; say how health looks", format(a.Verify.Within))
}

// onlyLooks holds that an attempt that does nothing has something to look at, and
// nothing that is about actions.
func (f *file) onlyLooks(n *yaml.Node, o object) {
	if o.get("verify") == nil {
		f.errorf(n, "this attempt has neither do nor verify: write what it does, or, for one that only looks whether all is as it must be, what it verifies")
		return
	}
	for _, name := range []string{"check", "undo", "retry", "timeout", "mode"} {
		if key := o.keys[name]; key != nil {
			f.errorf(key, "%s is about what an attempt does, and this one has no do: leave it out", name)
		}
	}
}

func (f *file) retry(n *yaml.Node, a *engine.Attempt) {
	o, ok := f.object(n, retryShape())
	if !ok {
		return
	}
	if v := o.get("max"); v != nil {
		a.Retries = f.number(v, "retry.max", 0, maxRetries)
	}
	if v := o.get("backoff"); v != nil {
		a.Backoff = f.duration(v, "retry.backoff", 100*time.Millisecond, maxBackoff)
	}
}

// fieldTimeout bounds a call: each of an attempt's, or a single one.
const fieldTimeout = "timeout"

// action reads one {name: {parameters}}, with or without a target and a timeout of
// its own.
func (c *compiler) action(f *file, n *yaml.Node, r *rule) (engine.Action, bool) {
	called, ok := f.call(n, "an action", fieldTarget, fieldTimeout)
	if !ok {
		return engine.Action{}, false
	}
	key, value := called.key, called.value
	spec, known := c.catalog.Actions[key.Value]
	if !known {
		f.errorf(key, "there is no action %q%s", key.Value, hint(key.Value, slices.Collect(maps.Keys(c.catalog.Actions))))
		return engine.Action{}, false
	}
	to, ok := c.callee(f, key, key.Value, spec.System, spec.Schema)
	if !ok || !c.restores(f, key, r) {
		return engine.Action{}, false
	}
	target, ok := c.ownTarget(f, key, called.beside[fieldTarget], to, r)
	if !ok {
		return engine.Action{}, false
	}
	if share := r.rule.Guards.MinHealthy; share != (engine.Share{}) && !spec.Health {
		f.errorf(key, "the plans of %s do not tell how many instances are healthy, so that minHealthy would hold it for ever: write minHealthy: off in this rule's guards, or use another action", key.Value)
		return engine.Action{}, false
	}
	v, ok := &param{node: key, isObject: true}, true
	if !isNull(value) {
		v, ok = f.param(c.places.attempt, value)
	}
	if !ok {
		return engine.Action{}, false
	}
	params, ok := f.renderer(to, v)
	group := spec.Group
	if group == "" {
		group = DefaultGroup
	}
	action := engine.Action{Name: key.Value, Group: group, Undoable: spec.Undoable, Params: params, Target: target}
	if t := called.beside[fieldTimeout]; t != nil {
		before := len(*f.found)
		action.Timeout = f.duration(t, fieldTimeout, time.Second, maxTimeout)
		ok = ok && !f.failedSince(before)
	}
	return action, ok
}
