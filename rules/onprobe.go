package rules

import (
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// What holds for a probe trigger that says nothing else, and its bounds.
const (
	builtinEvery        = 30 * time.Second
	builtinProbeTimeout = 5 * time.Second
	builtinFailures     = 3

	minEvery    = time.Second
	maxEvery    = 24 * time.Hour
	maxInARow   = 1000
	minDuration = 100 * time.Millisecond
)

func (c *compiler) probeTriggerShape() shape {
	kinds := slices.Sorted(maps.Keys(c.catalog.Probes))
	return shape{what: "on.probe", fields: append([]string{"every", "timeout", "failures", "successes", "labels"}, kinds...)}
}

func (c *compiler) probeTrigger(f *file, n *yaml.Node, t *Trigger) object {
	p := &ProbeTrigger{Every: builtinEvery, Timeout: builtinProbeTimeout, Failures: builtinFailures, Successes: 1}
	t.Probe = p
	before := len(*f.found)
	s := c.probeTriggerShape()
	o, ok := f.object(n, s)
	if v := o.get("every"); v != nil {
		p.Every = f.duration(v, "every", minEvery, maxEvery)
	}
	if v := o.get("timeout"); v != nil {
		p.Timeout = f.duration(v, "timeout", minDuration, maxEvery)
	}
	if v := o.get("failures"); v != nil {
		p.Failures = f.number(v, "failures", 1, maxInARow)
	}
	if v := o.get("successes"); v != nil {
		p.Successes = f.number(v, "successes", 1, maxInARow)
	}
	if !ok || f.failedSince(before) {
		return o
	}
	if p.Timeout > p.Every {
		f.errorf(n, "a probe that may take %s (timeout) cannot be taken every %s: lengthen every or shorten timeout", format(p.Timeout), format(p.Every))
	}
	var kinds []string
	for kind := range c.catalog.Probes {
		if o.get(kind) != nil {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		f.errorf(n, "on.probe names exactly one probe, not %d of them: there is %s", len(kinds), enumerate(c.probesAlone(), "and"))
		return o
	}
	p.Kind = kinds[0]
	c.constantProbe(f, o.keys[p.Kind], o.get(p.Kind), p)
	return o
}

// probesAlone are the kinds of probe that need no target.
func (c *compiler) probesAlone() []string {
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(c.catalog.Probes)) {
		if c.catalog.Probes[kind].System == "" {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// constantProbe reads a probe that is taken while there is neither an alert nor
// a target.
func (c *compiler) constantProbe(f *file, key, n *yaml.Node, p *ProbeTrigger) {
	spec := c.catalog.Probes[key.Value]
	to, ok := c.callee(f, key, "probe "+key.Value, spec.System, spec.Schema)
	if !ok {
		return
	}
	if spec.System != "" {
		f.errorf(key, "the probe %s looks at the target of a rule, which only its alert decides: in on.probe use one that says itself what it looks at", key.Value)
		return
	}
	if varies := withExpression(n); varies != nil {
		f.errorf(varies, "a probe in on.probe is taken before there is an alert: there can be no ${...} in it")
		return
	}
	v, ok := f.param(c.places.attempt, n)
	if !ok {
		return
	}
	if params, ok := f.renderer(to, v); ok {
		var err error
		if p.Params, err = params(engine.Scope{}); err != nil {
			f.errorf(n, "%s: %s", to.what, err)
		}
	}
}

// withExpression finds a text with an expression in it; nil if there is none.
func withExpression(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && hasExpression(n.Value) {
		return n
	}
	for _, c := range n.Content {
		if found := withExpression(c); found != nil {
			return found
		}
	}
	return nil
}
