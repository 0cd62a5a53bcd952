package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// grouping is a rule's groupBy.
type grouping []groupKey

// groupKey is a label, or a text with expressions.
type groupKey struct {
	label string
	text  *template
}

// groupBy reads the names of labels and texts with expressions.
func (c *compiler) groupBy(f *file, n *yaml.Node, r *rule) {
	items, _ := f.list(n, "groupBy")
	var seen []string
	for _, item := range items {
		s, ok := f.text(item, "what alerts are grouped by")
		switch {
		case !ok:
		case slices.Contains(seen, s):
			f.errorf(item, "%q is there twice in groupBy", s)
		case hasExpression(s):
			if t, ok := c.places.group.textTemplate(f.scalar(item)); ok {
				r.group = append(r.group, groupKey{text: t})
			}
		case !isLabelName(s):
			f.errorf(item, "%q is not a label's name: it is of letters, digits and _, and does not begin with a digit", s)
		default:
			r.group = append(r.group, groupKey{label: s})
		}
		seen = append(seen, s)
	}
}

// render gives the group of an alert. Values are quoted, so that no two lists of
// them give the same.
func (g grouping) render(scope *engine.Scope) (string, error) {
	parts := make([]string, len(g))
	for i, key := range g {
		if key.text == nil {
			parts[i] = key.label + "=" + strconv.Quote(scope.Alert.Labels[key.label])
			continue
		}
		value, err := key.text.text(scope)
		if err != nil {
			return "", fmt.Errorf("groupBy: %w", err)
		}
		parts[i] = strconv.Quote(value)
	}
	return strings.Join(parts, ","), nil
}
