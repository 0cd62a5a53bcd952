package rules

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// triggerLabels reads the labels that a trigger puts on its alerts.
func (f *file) triggerLabels(n *yaml.Node, t *Trigger) {
	if n == nil {
		return
	}
	if n.Kind != yaml.MappingNode {
		f.errorf(n, "labels is a mapping of names and texts, as {severity: critical}, not %s", describe(n))
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case !isLabelName(key.Value):
			f.errorf(key, "%q is not a label's name: it is of letters, digits and _, and does not begin with a digit", key.Value)
			continue
		case key.Value == labelAlertName:
			f.errorf(key, "the label alertname is the rule's name: nobody gives another")
			continue
		}
		var text string
		f.constantText(n.Content[i+1], "the label "+key.Value, &text)
		t.Labels[key.Value] = text
	}
}

// labelNames reads a list of label names, each once.
func (f *file) labelNames(n *yaml.Node, what string) []string {
	items, _ := f.list(n, what)
	var names []string
	for _, item := range items {
		name, ok := f.text(item, "a label's name in "+what)
		switch {
		case !ok:
		case !isLabelName(name):
			f.errorf(item, "%q is not a label's name: it is of letters, digits and _, and does not begin with a digit", name)
		case slices.Contains(names, name):
			f.errorf(item, "%q is there twice in %s", name, what)
		default:
			names = append(names, name)
		}
	}
	return names
}

// isLabelName holds names to what can stand behind alert.labels. as it is.
// Source: the Prometheus documentation, "Data model".
func isLabelName(s string) bool { return regexp.MustCompile(`^[a-zA-Z_]\w*$`).MatchString(s) }

// constantText reads a text that is not empty and has no expression in it.
func (f *file) constantText(n *yaml.Node, what string, into *string) {
	if n == nil {
		return
	}
	s, ok := f.text(n, what)
	switch {
	case !ok:
	case s == "":
		f.errorf(n, "%s is empty", what)
	case strings.Contains(s, "${"):
		f.errorf(n, "%s is the same for every alert: there can be no ${...} in it", what)
	default:
		*into = s
	}
}
