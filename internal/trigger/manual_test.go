package trigger

import (
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestManual(t *testing.T) {
	t.Parallel()
	set := ruleSet(t, `    - {name: drain, on: {manual: {inputs: [zone], labels: {severity: info}}}, target: {http: x}, mode: observe}
    - {name: other, on: {schedule: {cron: "0 20 * * *"}}, target: {http: x}, mode: observe}
`)
	now := at(t, "2026-03-01T20:00:00Z")
	d, err := Manual(set.Triggers(), "drain", map[string]string{"zone": "a"}, "kim", "it smokes", now)
	if err != nil {
		t.Fatal(err)
	}
	a := d.Alerts[0]
	if err := a.Validate(); err != nil {
		t.Error(err)
	}
	if a.Labels["zone"] != "a" || a.Severity != "info" || a.Annotations["by"] != "kim" || a.Annotations["description"] != "it smokes" {
		t.Errorf("%+v", a)
	}
	started := 0
	for _, ev := range decide(t, set, []engine.Input{{Delivery: d}}) {
		if e, ok := ev.(engine.RunStarted); ok && e.Rule == "drain" {
			started++
		}
	}
	if started != 1 {
		t.Errorf("%d runs", started)
	}
	for _, c := range []struct {
		rule   string
		labels map[string]string
		want   string
	}{
		{"drain", nil, "asks for the label zone"},
		{"drain", map[string]string{"zone": ""}, "asks for the label zone"},
		{"drain", map[string]string{"zone": "a", "alertname": "other"}, `does not ask for a label "alertname"`},
		{"drain", map[string]string{"zone": strings.Repeat("x", maxLabel+1)}, "at most"},
		{"other", nil, "those that can be are drain"},
		{"none", nil, "those that can be are drain"},
	} {
		if d, err := Manual(set.Triggers(), c.rule, c.labels, "kim", "", now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v: %+v, %v", c.rule, c.labels, d, err)
		}
	}
	if _, err := Manual(nil, "drain", nil, "kim", "", now); err == nil || !strings.Contains(err.Error(), "no rule in force has on.manual") {
		t.Error(err)
	}
}
