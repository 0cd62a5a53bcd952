package rules

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// lint warns of what compiles, and is hardly meant. It claims no more than
// follows from the files.
func (c *compiler) lint() {
	c.shadowed()
	for _, r := range c.rules {
		tries := value(r.node, "try")
		if tries == nil {
			continue
		}
		for i, n := range tries.Content {
			r.lintAttempt(n, i)
		}
		r.lintBehindShadow(tries)
		r.lintBehindLimit(tries)
		if r.rule.Mode.Acts() {
			r.lintPlanning(tries)
			r.lintMoot()
		}
	}
}

// lintf warns with a code of its own.
func (f *file) lintf(code string, n *yaml.Node, format string, args ...any) {
	f.warnf(n, format, args...)
	(*f.found)[len(*f.found)-1].Code = code
}

// modeOf is the mode of a rung.
func (r *rule) modeOf(i int) engine.Mode {
	return effective(r.rule.Mode, r.rule.Attempts[i].Mode)
}

func (r *rule) lintAttempt(n *yaml.Node, i int) {
	a := r.rule.Attempts[i]
	if v := value(n, "verify"); v != nil && value(n, "within") == nil && r.modeOf(i).Acts() {
		r.file.lintf(CodeNoWithin, v, "attempt %q does not say within what time all this must hold: it waits %s, which is built in; say it with within", a.Name, format(a.Verify.Within))
	}
	if v := value(n, "timeout"); v != nil && a.Timeout > a.Verify.Within {
		r.file.lintf(CodeTimeout, v, "one call of an action may take %s (timeout), longer than the %s that the cure then has (within): within begins when the actions are done, and does not bound them", format(a.Timeout), format(a.Verify.Within))
	}
}

// lintBehindShadow warns of rungs behind one that only shadows: it ends the run,
// unless it has nothing to say.
func (r *rule) lintBehindShadow(tries *yaml.Node) {
	if !r.rule.Mode.Acts() {
		return
	}
	i := slices.IndexFunc(r.rule.Attempts, func(a engine.Attempt) bool { return a.Mode == engine.ModeShadow })
	if i < 0 || i+1 >= len(r.rule.Attempts) {
		return
	}
	r.file.lintf(CodeUnreachable, tries.Content[i+1], "attempt %q comes after %q, whose mode is shadow: a run ends there with what it would have done, and goes on only if that has nothing to change or cannot be planned",
		r.rule.Attempts[i+1].Name, r.rule.Attempts[i].Name)
}

// lintBehindLimit warns of rungs that the rule's own limit holds until the alert
// is too old. The rungs before are taken to need the longest that their settings
// allow.
func (r *rule) lintBehindLimit(tries *yaml.Node) {
	g := r.rule.Guards
	if !r.rule.Mode.Acts() || g.Freshness == 0 {
		return
	}
	for i, a := range r.rule.Attempts {
		if !r.modeOf(i).Acts() {
			return
		}
		for _, limit := range g.Limits {
			if i < limit.Count {
				continue
			}
			var since time.Duration
			for j := i - limit.Count; j < i; j++ {
				since += r.longest(j)
			}
			if wait := limit.Per - since; wait > g.Freshness {
				r.file.lintf(CodeUnreachable, tries.Content[i], "attempt %q is the %s, and the limit %s holds it for more than %s, when the alert has become too old to act on (freshness %s): unless the alert is sent again it is given up; raise the limit or shorten the ladder",
					a.Name, ordinal(i+1), rateText(limit), format(g.Freshness), format(g.Freshness))
				return
			}
		}
	}
}

// longest bounds how long a rung can be at work, from its first action until it
// has failed. Guards that hold it in the middle are not counted.
func (r *rule) longest(i int) time.Duration {
	a := r.rule.Attempts[i]
	longest := a.Verify.Within + 2*a.Verify.Stable + time.Minute
	for _, action := range a.Do {
		timeout := cmp.Or(action.Timeout, a.Timeout)
		backoff := a.Backoff
		calls := timeout
		for range a.Retries {
			calls += timeout + 2*backoff
			backoff *= 2
		}
		longest += 2 * calls // each may be followed by a look at what became of it
	}
	if r.modeOf(i) == engine.ModeApprove {
		longest += r.rule.Guards.Approval
	}
	return longest
}

// mostPlanning is how long the engine waits for one plan.
const mostPlanning = 30 * time.Second

// lintPlanning warns where working out the first plan may outlast the alert.
func (r *rule) lintPlanning(tries *yaml.Node) {
	g, n := r.rule.Guards, r.written("freshness")
	if n == nil || g.Freshness == 0 || len(tries.Content) == 0 {
		return
	}
	if most := mostPlanning * time.Duration(len(r.rule.Attempts[0].Do)); g.Freshness <= most {
		r.file.lintf(CodeFreshness, n, "rule %q acts on alerts younger than %s (freshness), and to plan its first attempt may take %s: by then nothing may run any more", r.rule.Name, format(g.Freshness), format(most))
	}
}

// lintMoot warns of a written limit that the cooldown makes impossible to reach:
// within its window only one run can act, and a run's rungs are fewer.
func (r *rule) lintMoot() {
	g, n := r.rule.Guards, value(r.node, "guards", "limit")
	if n == nil {
		return
	}
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		nodes = n.Content
	}
	for i, limit := range g.Limits {
		if i < len(nodes) && g.Cooldown >= limit.Per && len(r.rule.Attempts) <= limit.Count {
			r.file.lintf(CodeMoot, nodes[i], "the limit %s never holds: the cooldown lets one run act on a target in %s, with %s", rateText(limit), format(g.Cooldown), count(len(r.rule.Attempts), "attempt"))
		}
	}
}

// written is a guard's value as the rule or the defaults of its file write it;
// nil if it is built in.
func (r *rule) written(guard string) *yaml.Node {
	if n := value(r.node, "guards", guard); n != nil {
		return n
	}
	return value(r.file.doc, "spec", "defaults", "guards", guard)
}

// value follows fields of mappings; nil if one is not there.
func value(n *yaml.Node, path ...string) *yaml.Node {
	for _, name := range path {
		if n == nil || n.Kind != yaml.MappingNode {
			return nil
		}
		var next *yaml.Node
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				next = n.Content[i+1]
			}
		}
		n = next
	}
	return n
}

func rateText(r engine.Rate) string { return fmt.Sprintf("%d/%s", r.Count, format(r.Per)) }

func ordinal(n int) string {
	switch n {
	case 1:
		return "first"
	case 2:
		return "second"
	case 3:
		return "third"
	default:
		return fmt.Sprintf("%dth", n)
	}
}
