package rules

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/calendar"
	"github.com/tripgen/paramedic/internal/engine"
)

func windowShape() shape {
	return shape{
		what:     "a window",
		fields:   []string{"name", "start", "duration", "timezone", "effect", "rules"},
		required: []string{"name", "start", "duration"},
	}
}

// window is a written window. rules are those that it is for; all if empty.
type window struct {
	engine.Window
	rules []reference
}

func (w window) isFor(rule string) bool {
	return len(w.rules) == 0 || slices.ContainsFunc(w.rules, func(r reference) bool { return r.name == rule })
}

func (c *compiler) window(f *file, n *yaml.Node) {
	before := len(*f.found)
	o, ok := f.object(n, windowShape())
	if !ok {
		return
	}
	w := window{Window: engine.Window{Effect: engine.WindowHold}}
	if w.Name, ok = f.name(o.get("name"), "the window's name"); ok {
		c.taken(c.windowNames, f, n, "window", w.Name)
	}
	span := calendar.Window{}
	zone := f.timezone(o.get("timezone"))
	_, span.Schedule = f.cron(o.get("start"), "start", zone)
	if v := o.get("duration"); v != nil {
		span.Duration = f.duration(v, "duration", time.Minute, maxWindow)
	}
	if v := o.get("effect"); v != nil {
		effect, _ := f.oneOf(v, "effect", []string{string(engine.WindowHold), string(engine.WindowAllow)})
		w.Effect = engine.WindowEffect(effect)
	}
	if v := o.get("rules"); v != nil {
		items, _ := f.list(v, "rules")
		for _, item := range items {
			c.windowRule(f, item, &w)
		}
	}
	if !f.failedSince(before) {
		f.neverCloses(n, w.Window, span)
		w.Open = span.Open
		c.windows = append(c.windows, w)
	}
}

// neverCloses warns of a window that opens again before it closes. A clock change
// may leave a gap once a year, which nobody means.
func (f *file) neverCloses(n *yaml.Node, w engine.Window, span calendar.Window) {
	start, ok := span.Schedule.Next(time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC))
	if !ok {
		return
	}
	switch open, until := span.Open(start); {
	case !open || !until.IsZero():
	case w.Effect == engine.WindowAllow:
		f.lintf(CodeWindow, n, "window %q opens again before it closes, and so lets everything through: shorten its duration, or take it out", w.Name)
	default:
		f.lintf(CodeWindow, n, "window %q opens again before it closes, and so holds its rules for ever: shorten its duration", w.Name)
	}
}

func (c *compiler) windowRule(f *file, n *yaml.Node, w *window) {
	name, ok := f.name(n, "the name of a rule")
	if !ok {
		return
	}
	if len(w.rules) > 0 && w.isFor(name) {
		f.errorf(n, "%q is there twice in rules", name)
		return
	}
	ref := reference{file: f, node: n, name: name}
	c.refer(ref)
	w.rules = append(w.rules, ref)
}

// applyWindows gives each rule the windows that it is held by.
func (c *compiler) applyWindows() {
	for _, r := range c.rules {
		for _, w := range c.windows {
			switch {
			case !w.isFor(r.rule.Name):
			case !r.windowsOff:
				r.rule.Guards.Windows = append(r.rule.Guards.Windows, w.Window)
			case len(w.rules) > 0:
				i := slices.IndexFunc(w.rules, func(ref reference) bool { return ref.name == r.rule.Name })
				w.rules[i].file.errorf(w.rules[i].node, "rule %q is not held by windows, as its guards say (windows: off): take it out here, or that out there", r.rule.Name)
			}
		}
	}
}
