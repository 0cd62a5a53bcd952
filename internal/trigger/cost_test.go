package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// bill is an account whose costs are as told.
type bill struct {
	costs Costs
	err   error
	asked int
}

func (b *bill) Costs(context.Context, string, string) (Costs, error) {
	b.asked++
	return b.costs, b.err
}

func TestCost(t *testing.T) {
	t.Parallel()
	type day struct {
		total float64
		by    map[string]float64
		want  string
	}
	for name, c := range map[string]struct {
		on   string
		days []day
	}{
		"all together": {`{cost: {account: a, budget: 1000}}`, []day{
			{799.99, nil, ""},
			{800, nil, "warning"},
			{900, nil, ""},
			{1000, nil, "critical"},
			{1300, nil, ""},
			{20, nil, "(critical)"},
			{850, nil, "warning"},
		}},
		"a lesser severity is a new firing": {`{cost: {account: a, budget: 100, warning: 50%, critical: 60%}}`, []day{{70, nil, "critical"}, {55, nil, "warning"}}},
		"by service, each against the budget": {`{cost: {account: a, by: service, budget: 100}}`, []day{
			{0, map[string]float64{"Redis": 80, "AKS": 89, "DNS": 1}, "warning AKS, warning Redis"},
			{0, map[string]float64{"Redis": 90, "AKS": 89}, "critical Redis"},
			{0, nil, "(warning AKS), (critical Redis)"},
		}},
		"by service, each against its own": {`{cost: {account: a, by: service, budgets: {redis: 10, AKS: 1000}}}`, []day{
			{0, map[string]float64{"Redis": 9, "AKS": 9, "DNS": 1e6}, "critical redis"},
			{0, map[string]float64{"AKS": 900}, "critical AKS, (critical redis)"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, w, b := trigger(t, c.on), newWorld(), &bill{}
			now := at(t, "2026-03-01T06:00:00Z")
			for i, d := range c.days {
				b.costs = Costs{Currency: "EUR", Total: d.total, By: d.by}
				p := testParts(t, w, func() time.Time { return now })
				before := len(w.alerts())
				r := &cost{parts: p, trigger: tr, accounts: b}
				next, err := r.step(t.Context(), now)
				if err != nil {
					t.Fatal(err)
				}
				if !next.After(now) {
					t.Errorf("it looks again at %s", next)
				}
				var got []string
				for _, a := range w.alerts()[before:] {
					if err := a.Validate(); err != nil {
						t.Error(err)
					}
					text := strings.TrimSpace(fmt.Sprint(a.Severity, " ", a.Labels["service"]))
					if a.Status == alert.Resolved {
						text = "(" + text + ")"
					}
					got = append(got, text)
				}
				if strings.Join(got, ", ") != d.want {
					t.Errorf("day %d: %q, want %q", i, strings.Join(got, ", "), d.want)
				}
				now = now.Add(CostEvery)
			}
		})
	}
}

// Costs are asked for once a day, whoever asks, and again soon after an error.
func TestCostIsAskedForOnceADay(t *testing.T) {
	t.Parallel()
	tr, w, b := trigger(t, `{cost: {account: a, budget: 1000}}`), newWorld(), &bill{err: errors.New("429")}
	now := at(t, "2026-03-01T06:00:00Z")
	step := func() error {
		p := testParts(t, w, func() time.Time { return now })
		_, err := (&cost{parts: p, trigger: tr, accounts: b}).step(t.Context(), now)
		return err
	}
	if err := step(); err == nil {
		t.Error("no error")
	}
	b.err = nil
	for range 47 {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	if b.asked != 3 {
		t.Errorf("asked %d times in two days, one of which failed", b.asked)
	}
}
