package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/alertmanager/matcher/parse"
	"github.com/prometheus/alertmanager/pkg/labels"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/alert"
)

// everyAlert is how a rule says that it means every alert.
const everyAlert = `alertname=~".+"`

// selector reads on.alerts: texts of one or several matchers each, all of which
// must match. They are in Alertmanager's syntax, read by its own parser, always
// in its UTF-8 mode: what a text means depends on nothing but the text.
func (f *file) selector(n *yaml.Node) (labels.Matchers, bool) { return f.matchers(n, "on.alerts") }

// matchers reads a list of matchers that stands at what.
func (f *file) matchers(n *yaml.Node, what string) (labels.Matchers, bool) {
	items, ok := f.list(n, what)
	if !ok {
		return nil, false
	}
	var all labels.Matchers
	for _, item := range items {
		text, isText := f.text(item, "a matcher")
		if !isText {
			ok = false
			continue
		}
		ms, err := parse.Matchers(text)
		switch {
		case err != nil:
			f.matcherError(item, err)
			ok = false
		case len(ms) == 0:
			f.errorf(item, "there is no matcher in this text: a rule for every alert says so, with %s", everyAlert)
			ok = false
		}
		all = append(all, ms...)
	}
	return all, ok && f.selects(n, all)
}

// selects holds that matchers neither fit everything by accident nor nothing.
func (f *file) selects(n *yaml.Node, ms labels.Matchers) bool {
	if !slices.ContainsFunc(ms, func(m *labels.Matcher) bool { return !m.Matches("") }) {
		f.errorf(n, "these matchers also fit an alert that has none of their labels, and so nearly every alert: add one that demands a label, or say that every alert is meant, with %s", everyAlert)
		return false
	}
	for _, m := range ms {
		if m.Type != labels.MatchEqual {
			continue
		}
		for _, other := range ms {
			if other.Name == m.Name && !other.Matches(m.Value) {
				f.errorf(n, "no alert can fit both %s and %s", m, other)
				return false
			}
		}
	}
	return true
}

// fitsAll reports whether an alert fits all matchers. A label that it does not
// have counts as empty.
func fitsAll(ms labels.Matchers, a alert.Alert) bool {
	for _, m := range ms {
		if !m.Matches(a.Labels[m.Name]) {
			return false
		}
	}
	return true
}

// matcherError puts Alertmanager's complaint, which begins with columns of its
// own, at its place in the file.
func (f *file) matcherError(n *yaml.Node, err error) {
	message, p := err.Error(), at(n)
	if m := regexp.MustCompile(`^(\d+):\d+: `).FindStringSubmatch(message); m != nil {
		message = message[len(m[0]):]
		if column, bad := strconv.Atoi(m[1]); bad == nil {
			p = f.scalar(n).position(column)
		}
	}
	if strings.Contains(n.Value, `\`) {
		message += " (in a quoted value a backslash is written twice)"
	}
	f.errorAt(p, "not a matcher, which is written as name=\"value\": %s", message)
}
