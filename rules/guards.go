package rules

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// builtinGuards hold where neither a rule nor its file's defaults say otherwise.
func builtinGuards() engine.Guards {
	return engine.Guards{
		Cooldown:  10 * time.Minute,
		Limits:    []engine.Rate{{Count: 3, Per: time.Hour}},
		Freshness: 15 * time.Minute,
		Flap:      engine.Rate{Count: 4, Per: 30 * time.Minute},
		Breaker:   3,
		Relapse:   time.Hour,
		Approval:  30 * time.Minute,
	}
}

func guardsShape() shape {
	return shape{
		what:   "guards",
		fields: []string{"cooldown", "limit", "freshness", "flap", "breaker", "relapse", "holdDown", "approval", "minHealthy", "concurrent", "requires", "windows"},
	}
}

// guards reads what is written over what holds otherwise. Like all readers that
// give no ok, it leaves it to the findings to say that something was wrong.
func (f *file) guards(n *yaml.Node, otherwise engine.Guards) engine.Guards {
	g := otherwise
	if n == nil {
		return g
	}
	o, _ := f.object(n, guardsShape())
	f.durationGuard(o.get("cooldown"), "cooldown", &g.Cooldown)
	f.durationGuard(o.get("freshness"), "freshness", &g.Freshness)
	f.durationGuard(o.get("relapse"), "relapse", &g.Relapse)
	f.durationGuard(o.get("holdDown"), "holdDown", &g.HoldDown)
	f.limitGuard(o.get("limit"), &g.Limits)
	if v := o.get("flap"); v != nil {
		g.Flap = engine.Rate{}
		if !isOff(v) {
			g.Flap, _ = f.rate(v, "flap")
		}
	}
	if v := o.get("breaker"); v != nil {
		g.Breaker = 0
		if !isOff(v) {
			g.Breaker = f.number(v, "breaker", 1, maxCount)
		}
	}
	f.stateGuards(o, &g)
	if v := o.get("approval"); v != nil {
		if isOff(v) {
			f.errorf(v, "approval cannot be off: it is how long a question to a person stays open, and every question must end")
		} else {
			g.Approval = f.duration(v, "approval", time.Second, maxWindow)
		}
	}
	return g
}

func (f *file) durationGuard(n *yaml.Node, what string, into *time.Duration) {
	switch {
	case n == nil:
	case isOff(n):
		*into = 0
	case n.Kind == yaml.ScalarNode && (n.Value == "0" || n.Value == "0s" || n.Value == "false"):
		f.errorf(n, "%s is turned off by writing off, not %s", what, n.Value)
	default:
		*into = f.duration(n, what, time.Second, maxWindow)
	}
}

func (f *file) limitGuard(n *yaml.Node, into *[]engine.Rate) {
	if n == nil {
		return
	}
	*into = nil
	if isOff(n) {
		return
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		items, _ = f.list(n, "limit")
	}
	for _, item := range items {
		if r, ok := f.rate(item, "limit"); ok {
			*into = append(*into, r)
		}
	}
}
