package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// off is what must be written to turn a guard off.
const off = "off"

// maxWindow is how much history the engine keeps, and so the longest window
// that anything can be counted in.
const maxWindow = 7 * 24 * time.Hour

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// text reads a scalar that YAML takes for a text.
func (f *file) text(n *yaml.Node, what string) (string, bool) {
	if n.Kind != yaml.ScalarNode {
		f.errorf(n, "%s is a text, not %s", what, describe(n))
		return "", false
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value, true
	case "!!null":
		f.errorf(n, "%s has no value", what)
	default:
		f.errorf(n, "%s is a text, and YAML takes %s for something else: put it in quotes", what, n.Value)
	}
	return "", false
}

// name reads what becomes part of message subjects, scopes and log lines.
func (f *file) name(n *yaml.Node, what string) (string, bool) {
	s, ok := f.text(n, what)
	if !ok {
		return "", false
	}
	if len(s) > 63 || !regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`).MatchString(s) {
		f.errorf(n, "%s %q must be of lower-case letters, digits and inner dashes, at most 63", what, s)
		return "", false
	}
	return s, true
}

// oneOf reads a text out of a closed list.
func (f *file) oneOf(n *yaml.Node, what string, values []string) (string, bool) {
	s, ok := f.text(n, what)
	if !ok {
		return "", false
	}
	if slices.Contains(values, s) {
		return s, true
	}
	if c, near := nearest(s, values); near {
		f.errorf(n, "%s is %s, not %q: did you mean %q?", what, enumerate(values, "or"), s, c)
		return "", false
	}
	f.errorf(n, "%s is %s, not %q", what, enumerate(values, "or"), s)
	return "", false
}

// duration reads Prometheus' durations: whole numbers with the units ms, s, m,
// h, d, w and y, the greatest first, as 1h30m or 1d. Source: the Prometheus
// documentation, "Querying basics", "Float literals and time durations". It gives
// 0 if there is none.
func (f *file) duration(n *yaml.Node, what string, least, most time.Duration) time.Duration {
	if n.Kind != yaml.ScalarNode {
		f.errorf(n, "%s is a duration such as 30s, not %s", what, describe(n))
		return 0
	}
	d, err := parseDuration(n.Value)
	switch {
	case err != nil:
		f.errorf(n, "%s: %s", what, err)
		return 0
	case d < least:
		f.errorf(n, "%s is %s, and must be at least %s", what, n.Value, model.Duration(least))
		return 0
	case d > most:
		f.errorf(n, "%s is %s, and can be at most %s", what, n.Value, model.Duration(most))
		return 0
	}
	return d
}

func parseDuration(s string) (time.Duration, error) {
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), nil
	}
	if _, err := strconv.Atoi(s); err == nil {
		return 0, fmt.Errorf("%s has no unit: write %ss, %sm or %sh", s, s, s, s)
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return 0, fmt.Errorf("%q is not a duration of whole numbers: write %s", s, model.Duration(d.Round(time.Millisecond)))
	}
	return 0, fmt.Errorf("%q is not a duration: write whole numbers and the units ms, s, m, h, d and w, greatest first, as 30s, 1h30m or 1d", s)
}

// rate reads so many in so long: 3/1h.
func (f *file) rate(n *yaml.Node, what string) (engine.Rate, bool) {
	if n.Kind != yaml.ScalarNode {
		f.errorf(n, "%s is so many in so long, as 3/1h, not %s", what, describe(n))
		return engine.Rate{}, false
	}
	before, after, found := strings.Cut(n.Value, "/")
	times, err := strconv.Atoi(before)
	if !found || err != nil {
		f.errorf(n, "%s is so many in so long, as 3/1h, not %q", what, n.Value)
		return engine.Rate{}, false
	}
	per, err := parseDuration(after)
	switch {
	case err != nil:
		f.errorf(n, "%s: %s", what, err)
	case times < 1:
		f.errorf(n, "%s allows %d: it must allow at least 1; to stop a rule set its mode to shadow", what, times)
	case times > maxCount:
		f.errorf(n, "%s allows %d, and can allow at most %d", what, times, maxCount)
	case per < time.Second || per > maxWindow:
		f.errorf(n, "%s counts in a window of %s: windows are from 1s to %s", what, after, model.Duration(maxWindow))
	default:
		return engine.Rate{Count: times, Per: per}, true
	}
	return engine.Rate{}, false
}

// maxCount bounds every number of a rule, far above what is sensible.
const maxCount = 100_000

// number reads a whole number; 0 if there is none.
func (f *file) number(n *yaml.Node, what string, least, most int) int {
	v, err := strconv.Atoi(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || err != nil || n.Value != strconv.Itoa(v):
		f.errorf(n, "%s is a whole number, not %s", what, describe(n))
	case v < least || v > most:
		f.errorf(n, "%s is %d, and must be from %d to %d", what, v, least, most)
	default:
		return v
	}
	return 0
}

// isOff reports whether a guard is turned off here.
func isOff(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Value == off }
