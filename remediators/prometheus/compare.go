package prometheus

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
)

// comparison is how each value must stand to a threshold. holds is false where one
// of both is not a number.
type comparison struct {
	word  string
	to    threshold
	holds func(value, threshold float64) bool
}

const (
	// mostShown is how many series that do not hold are named, mostLabels how long
	// a name may be, in bytes.
	mostShown  = 3
	mostLabels = 200
)

// all reports whether every series holds, and says so, or which do not and why.
// baseline is the answer to the threshold's query, if it has one.
func (c comparison) all(series model.Vector, baseline *answer) (bool, string) {
	limit, err := c.limit(baseline)
	if err != nil {
		return false, err.Error()
	}
	var bad []string
	var last string
	for _, s := range series {
		to, ok := limit(s.Metric)
		value := float64(s.Value)
		last = fmt.Sprintf("%s is %s", nameOf(s.Metric), number(value))
		switch {
		case !ok:
			bad = append(bad, last+", and the threshold has no series with these labels")
		case !c.holds(value, to):
			bad = append(bad, fmt.Sprintf("%s, not %s %s", last, c.word, c.shown(to)))
		default:
			last = fmt.Sprintf("%s, %s %s", last, c.word, c.shown(to))
		}
	}
	switch {
	case len(bad) == 0 && len(series) == 1:
		return true, last
	case len(bad) == 0:
		return true, fmt.Sprintf("all %d series are %s the threshold; the last: %s", len(series), c.word, last)
	case len(series) == 1:
		return false, bad[0]
	}
	more := ""
	if n := len(bad) - mostShown; n > 0 {
		bad, more = bad[:mostShown], fmt.Sprintf("; and %d more", n)
	}
	return false, fmt.Sprintf("of %d series: %s%s", len(series), strings.Join(bad, "; "), more)
}

// limit gives what a series is compared with; false if there is nothing.
func (c comparison) limit(baseline *answer) (func(model.Metric) (float64, bool), error) {
	if baseline == nil {
		return func(model.Metric) (float64, bool) { return c.to.number, true }, nil
	}
	if len(baseline.series) == 0 {
		return nil, fmt.Errorf("the threshold's query %s has no result", c.to.query)
	}
	if first := baseline.series[0]; len(baseline.series) == 1 && len(first.Metric) == 0 {
		only := c.to.factor * float64(first.Value)
		return func(model.Metric) (float64, bool) { return only, true }, nil
	}
	by := make(map[model.Fingerprint]float64, len(baseline.series))
	for _, s := range baseline.series {
		by[identity(s.Metric)] = c.to.factor * float64(s.Value)
	}
	if len(by) < len(baseline.series) {
		return nil, fmt.Errorf("the threshold's query %s has series that differ only by their name", c.to.query)
	}
	return func(m model.Metric) (float64, bool) {
		v, ok := by[identity(m)]
		return v, ok
	}, nil
}

// identity is that of the labels without the name, as PromQL matches series.
func identity(m model.Metric) model.Fingerprint {
	labels := m.Clone()
	delete(labels, model.MetricNameLabel)
	return labels.Fingerprint()
}

func (c comparison) shown(to float64) string {
	if c.to.query == "" {
		return number(to)
	}
	return fmt.Sprintf("%s (%s times the threshold's query)", number(to), number(c.to.factor))
}

func nameOf(m model.Metric) string {
	name := m.String()
	if len(m) == 0 {
		name = "the result"
	}
	if len(name) > mostLabels {
		name = strings.ToValidUTF8(name[:mostLabels], "") + "..."
	}
	return name
}

func number(v float64) string {
	if math.Abs(v) >= 1e-4 && math.Abs(v) < 1e15 || v == 0 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
