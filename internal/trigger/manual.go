package trigger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/rules"
)

// maxLabel bounds the value of a label that a person gives, in bytes.
const maxLabel = 1 << 10

// Manual is the alert with which a person sets off one of the rules: it has the
// labels that the person gives, which are those that the rule asks for and no
// others. It fires until the next with the same labels takes its place. The errors
// are for the person.
func Manual(all []rules.Trigger, rule string, labels map[string]string, by, reason string, now time.Time) (*alert.Delivery, error) {
	t, err := manual(all, rule)
	if err != nil {
		return nil, err
	}
	for _, name := range t.Manual.Inputs {
		switch value, ok := labels[name]; {
		case !ok || value == "":
			return nil, fmt.Errorf("rule %q asks for the label %s: give all of %s", rule, name, strings.Join(t.Manual.Inputs, ", "))
		case len(value) > maxLabel:
			return nil, fmt.Errorf("the label %s has %d bytes: at most %d are taken", name, len(value), maxLabel)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if !slices.Contains(t.Manual.Inputs, name) {
			return nil, fmt.Errorf("rule %q does not ask for a label %q: it asks for %s", rule, name, asked(t.Manual.Inputs))
		}
	}
	a := newAlert(t, labels, nil, map[string]string{"summary": "set off by " + by, "description": reason, "by": by})
	r := Record{}.raised(a, now, now)
	id, _, err := r.message(now)
	if err != nil {
		return nil, err
	}
	return &alert.Delivery{ID: id, Source: a.Source, ReceivedAt: now.UTC(), Alerts: []alert.Alert{r.Alert}}, nil
}

func asked(inputs []string) string {
	if len(inputs) == 0 {
		return "none"
	}
	return strings.Join(inputs, ", ")
}

func manual(all []rules.Trigger, rule string) (rules.Trigger, error) {
	var known []string
	for _, t := range all {
		if t.Kind != rules.TriggerManual {
			continue
		}
		if t.Rule == rule {
			return t, nil
		}
		known = append(known, t.Rule)
	}
	if len(known) == 0 {
		return rules.Trigger{}, fmt.Errorf("rule %q cannot be set off by hand: no rule in force has on.manual", rule)
	}
	return rules.Trigger{}, fmt.Errorf("rule %q cannot be set off by hand: those that can be are %s", rule, strings.Join(known, ", "))
}
