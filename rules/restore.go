package rules

import (
	"maps"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// restores holds that what a rule whose schedule has restore does can be put back:
// nobody is asked before it is, and a half is none.
func (c *compiler) restores(f *file, key *yaml.Node, r *rule) bool {
	if !r.rule.Restore || c.catalog.Actions[key.Value].Undoable {
		return true
	}
	var others []string
	for _, name := range slices.Sorted(maps.Keys(c.catalog.Actions)) {
		spec := c.catalog.Actions[name]
		if spec.Undoable && (spec.System == "" || r.target.system == "" || spec.System == r.target.system) {
			others = append(others, name)
		}
	}
	if len(others) == 0 {
		f.errorf(key, "%s cannot be put back, and this rule's schedule has restore, at which all that the rule did is put back: leave restore out", key.Value)
		return false
	}
	f.errorf(key, "%s cannot be put back, and this rule's schedule has restore, at which all that the rule did is put back: use %s, or leave restore out", key.Value, enumerate(others, "or"))
	return false
}

// always refuses to turn off the undo that restore implies.
func (f *file) always(n *yaml.Node) {
	if text, ok := f.oneOf(n, "undo", []string{undoOnFailure, off}); ok && text == off {
		f.errorf(n, "this rule's schedule has restore, so that what an attempt did is put back if it fails, too: take undo: off out, or leave restore out")
	}
}

// asked reports whether the rule's alerts come from a trigger whose are [Trigger.Asked].
func (r *rule) asked() bool { return r.trigger != nil && r.trigger.Asked() }

// usual are the guards that hold where the rule itself says nothing: those of the
// defaults, but for built-in ones against alerts that come back too often, where
// whoever asks again means it.
func (r *rule) usual(g engine.Guards) engine.Guards {
	if r.trigger == nil {
		return g
	}
	var off []string
	switch r.trigger.Kind {
	case TriggerSchedule:
		off = []string{"cooldown", "limit", "flap", "relapse"}
	case TriggerManual:
		off = []string{"flap", "relapse"}
	case TriggerProbe, TriggerRollout, TriggerCost:
	}
	for _, name := range off {
		if value(r.file.doc, "spec", "defaults", "guards", name) != nil {
			continue
		}
		switch name {
		case "cooldown":
			g.Cooldown = 0
		case "limit":
			g.Limits = nil
		case "flap":
			g.Flap = engine.Rate{}
		case "relapse":
			g.Relapse = 0
		}
	}
	return g
}
