package rules

import (
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// shadowed warns of rules that come after one which acts on all of their alerts.
func (c *compiler) shadowed() {
	earlier := map[string]*rule{}
	for _, r := range c.rules {
		key := selection(r.matchers)
		for _, condition := range []string{"", r.condition} {
			if first, ok := earlier[key+"\n"+condition]; ok {
				r.file.warnf(r.node, "every alert of rule %q also sets off rule %q (%s:%d), which comes first and acts: this one will not", r.rule.Name, first.rule.Name, first.file.path, first.node.Line)
				break
			}
		}
		if _, taken := earlier[key+"\n"+r.condition]; !taken && r.rule.Mode.Acts() {
			earlier[key+"\n"+r.condition] = r
		}
	}
}

// selection is the same for matchers that select the same.
func selection(ms labels.Matchers) string {
	texts := make([]string, len(ms))
	for i, m := range ms {
		texts[i] = m.String()
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), ",")
}
