package rules

import (
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// What holds for a verification that says nothing else.
const (
	// builtinResolve is within for an attempt that has no verify, and waits for its
	// alert to resolve.
	builtinResolve = 10 * time.Minute
	builtinWithin  = 5 * time.Minute
	// builtinStable is stable where there are probes. An alert's resolve has
	// waited in its source already.
	builtinStable = 30 * time.Second

	maxWithin = 24 * time.Hour
)

// probeAlert is the language's own probe: {alert: resolved}.
const (
	probeAlert    = "alert"
	alertResolved = "resolved"
)

// verify reads an attempt's verify, within and stable.
func (c *compiler) verify(f *file, o object, r *rule) engine.Verify {
	v := engine.Verify{AlertResolved: true, Within: builtinResolve}
	if r.asked() {
		v = engine.Verify{Within: builtinWithin}
	}
	if n := o.get("verify"); n != nil {
		v = engine.Verify{Within: builtinWithin}
		items, _ := f.list(n, "verify")
		for _, item := range items {
			c.probe(f, item, r, &v)
			if v.AlertResolved && r.asked() {
				f.errorf(item, "an alert of on.%s does not resolve because something was done about it, so that this would fail each time: leave alert: resolved out, and say with probes how it looks if all went well", r.trigger.Kind)
				v.AlertResolved = false
			}
		}
	}
	if len(v.Probes) > 0 {
		v.Stable = builtinStable
	}
	if n := o.get("within"); n != nil {
		v.Within = f.duration(n, "within", time.Second, maxWithin)
	}
	n := o.get("stable")
	if n != nil {
		v.Stable = f.duration(n, "stable", 0, maxWithin)
	} else {
		n = o.get("within")
	}
	if n != nil && v.Within > 0 && v.Stable >= v.Within {
		f.errorf(n, "all must hold for %s (stable) and be so within %s: that can never be; lengthen within or shorten stable", format(v.Stable), format(v.Within))
	}
	return v
}

// check reads what must hold before the first action.
func (c *compiler) check(f *file, n *yaml.Node, r *rule, a *engine.Attempt) {
	items, _ := f.list(n, "check")
	var v engine.Verify
	for _, item := range items {
		c.probe(f, item, r, &v)
		if v.AlertResolved {
			f.errorf(item, "check is looked at while the alert fires: alert: resolved belongs to verify")
			v.AlertResolved = false
		}
	}
	a.Check = v.Probes
}

// probe reads one {kind: value}, with or without a target of its own.
func (c *compiler) probe(f *file, n *yaml.Node, r *rule, v *engine.Verify) {
	called, ok := f.call(n, "a probe", fieldTarget)
	if !ok {
		return
	}
	key, value, own := called.key, called.value, called.beside[fieldTarget]
	if key.Value == probeAlert {
		if own != nil {
			f.errorf(own, "alert: resolved is about the alerts of the run, and has no target: leave target out")
		}
		if _, ok := f.oneOf(value, probeAlert, []string{alertResolved}); ok {
			v.AlertResolved = true
		}
		return
	}
	spec, known := c.catalog.Probes[key.Value]
	if !known {
		kinds := append(slices.Collect(maps.Keys(c.catalog.Probes)), probeAlert)
		f.errorf(key, "there is no probe %q%s", key.Value, hint(key.Value, kinds))
		return
	}
	to, ok := c.callee(f, key, "probe "+key.Value, spec.System, spec.Schema)
	if !ok {
		return
	}
	target, ok := c.ownTarget(f, key, own, to, r)
	if !ok {
		return
	}
	p, ok := f.param(c.places.attempt, value)
	if !ok {
		return
	}
	if params, ok := f.renderer(to, p); ok {
		v.Probes = append(v.Probes, engine.Probe{Kind: key.Value, Params: params, Target: target})
	}
}
