package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reference is a rule's name where another thing names it. All are looked up
// when every file is read: the rule may be in another.
type reference struct {
	file *file
	node *yaml.Node
	name string
	// from is the rule that names it; nil if none does.
	from *rule
	// waits says that from waits for the named rule to end its runs.
	waits bool
}

// maxListed is how many names a message lists.
const maxListed = 12

func (c *compiler) refer(r reference) { c.references = append(c.references, r) }

// resolve looks up the names, and refuses rules that wait for each other: the
// runs of each would hold those of the others until all are too old.
func (c *compiler) resolve() {
	waits := map[string][]reference{}
	for _, ref := range c.references {
		_, known := c.ruleNames[ref.name]
		switch {
		case !known:
			ref.file.errorf(ref.node, "there is no rule %q%s", ref.name, c.hintRule(ref.name))
		case ref.from == nil:
		case ref.from.rule.Name == ref.name:
			ref.file.errorf(ref.node, "rule %q waits for itself here: name another", ref.name)
		case ref.waits:
			waits[ref.from.rule.Name] = append(waits[ref.from.rule.Name], ref)
		}
	}
	w := walk{waits: waits, state: map[string]int{}}
	for _, r := range c.rules {
		w.from(r.rule.Name)
	}
}

// hintRule ends a message about a rule that is not there. A set can have more
// names than anybody reads.
func (c *compiler) hintRule(name string) string {
	names := slices.Sorted(maps.Keys(c.ruleNames))
	if _, slip := nearest(name, names); !slip && len(names) > maxListed {
		return fmt.Sprintf(" among the %d of this set", len(names))
	}
	return hint(name, names)
}

// walk goes along references from rule to rule, each once, and reports the
// circles that it comes upon.
type walk struct {
	waits map[string][]reference
	state map[string]int
	way   []reference
}

// What a walk knows of a rule.
const (
	underWay = 1
	done     = 2
)

func (w *walk) from(rule string) {
	if w.state[rule] != 0 {
		return
	}
	w.state[rule] = underWay
	for _, ref := range w.waits[rule] {
		w.way = append(w.way, ref)
		if w.state[ref.name] == underWay {
			w.circle(ref.name)
		}
		w.from(ref.name)
		w.way = w.way[:len(w.way)-1]
	}
	w.state[rule] = done
}

// circle reports the end of the way, which leads from a rule back to it.
func (w *walk) circle(rule string) {
	names := []string{rule}
	i := len(w.way) - 1
	for ; i > 0 && w.way[i].from.rule.Name != rule; i-- {
		names = append(names, w.way[i].from.rule.Name)
	}
	names = append(names, rule)
	slices.Reverse(names)
	last := w.way[len(w.way)-1]
	last.file.errorf(last.node, "these rules wait for each other, so that none of them could act: %s; take out one of the waits", strings.Join(names, " waits for "))
}
