package backtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules/backtest"
)

// epoch is when every history begins.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func after(d time.Duration) time.Time { return epoch().Add(d) }

// ruleSet is a rule set written in Go. Rules match alerts by name and take their
// target from the label on.
type ruleSet struct {
	digest  string
	rules   []*namedRule
	budgets []engine.Budget
	// asked is a rule that a schedule sets off.
	asked string
}

type namedRule struct {
	engine.Rule
	alerts []string
	// grouped has all its alerts join one run.
	grouped bool
}

func (s *ruleSet) Digest() string           { return s.digest }
func (s *ruleSet) Asked(rule string) bool   { return rule == s.asked }
func (s *ruleSet) Budgets() []engine.Budget { return s.budgets }

func (s *ruleSet) Rules() []*engine.Rule {
	var all []*engine.Rule
	for _, r := range s.rules {
		all = append(all, &r.Rule)
	}
	return all
}

func (s *ruleSet) Rule(name string) (*engine.Rule, bool) {
	for _, r := range s.rules {
		if r.Name == name {
			return &r.Rule, true
		}
	}
	return nil, false
}

func (s *ruleSet) Match(a alert.Alert, _ time.Time) []engine.Match {
	var found []engine.Match
	for _, r := range s.rules {
		if slices.Contains(r.alerts, a.Name) {
			m := engine.Match{Rule: &r.Rule, Target: engine.Target{System: engine.SystemHTTP, Name: a.Labels["on"]}}
			if r.grouped {
				m.Group = "all"
			}
			if a.Labels["on"] == "" {
				m.Err = errors.New("the alert has no label on")
			}
			found = append(found, m)
		}
	}
	return found
}

func nothing(engine.Scope) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }

// mend is a rung with one action and a probe.
func mend(name string) engine.Attempt {
	return engine.Attempt{
		Name: name, Timeout: 20 * time.Second, Retries: 1, Backoff: 5 * time.Second,
		Do: []engine.Action{{Name: "http." + name, Group: "here", Params: nothing, Undoable: true}},
		Verify: engine.Verify{
			Probes:        []engine.Probe{{Kind: "http", Params: nothing}},
			AlertResolved: true, Within: 5 * time.Minute, Stable: 30 * time.Second,
		},
	}
}

func down(mode engine.Mode, attempts ...engine.Attempt) *namedRule {
	if len(attempts) == 0 {
		attempts = []engine.Attempt{mend("restart")}
	}
	return &namedRule{alerts: []string{"Down"}, Rule: engine.Rule{
		Name: "down", Mode: mode, Attempts: attempts, Otherwise: []engine.Routing{{Reporter: "log"}},
		Guards: engine.Guards{Freshness: time.Hour, Approval: 10 * time.Minute},
	}}
}

func set(rules ...*namedRule) *ruleSet { return &ruleSet{digest: "new", rules: rules} }

// sent is one notification.
func sent(at time.Time, name, on string, start time.Time, status alert.Status) backtest.Recorded {
	a := alert.Alert{
		Source: "am", Name: name, Fingerprint: name + "-" + on, Status: status, StartsAt: start,
		Labels: map[string]string{"alertname": name, "on": on},
	}
	if status == alert.Resolved {
		a.EndsAt = at
	}
	id := fmt.Sprintf("%s-%s-%d", a.Fingerprint, status, at.UnixNano())
	return backtest.Recorded{At: at, Input: engine.Input{Delivery: &alert.Delivery{ID: id, Source: "am", ReceivedAt: at, Alerts: []alert.Alert{a}}}}
}

// firing is the first notification of an alert, resolved its last.
func firing(at time.Duration, name, on string) backtest.Recorded {
	return sent(after(at), name, on, after(at), alert.Firing)
}

func resolved(at time.Duration, name, on string, began time.Duration) backtest.Recorded {
	return sent(after(at), name, on, after(began), alert.Resolved)
}

// history is a source in memory.
type history []backtest.Recorded

func (h history) Each(_ context.Context, take func(backtest.Recorded) error) error {
	for _, r := range h {
		if err := take(r); err != nil {
			return err
		}
	}
	return nil
}

func (history) About() backtest.About { return backtest.About{From: "a test"} }

func (h history) Survey(context.Context) (backtest.Survey, error) {
	s := backtest.Survey{Answered: map[string]struct{}{}}
	for _, r := range h {
		s.Ticks = s.Ticks || r.Input.Tick != nil
		if r.Input.Result != nil {
			s.Answered[r.Input.Result.Task] = struct{}{}
		}
	}
	return s, nil
}

func run(t *testing.T, o backtest.Options) *backtest.Report {
	t.Helper()
	r, err := backtest.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// decided are events as a ledger holds them, a line for every input.
type decided struct{ bytes.Buffer }

func (d *decided) observe(at time.Time, _ engine.Input, events []engine.Event) error {
	if _, err := fmt.Fprint(d, at.UTC().Format(time.RFC3339Nano)); err != nil {
		return err
	}
	for _, ev := range events {
		b, err := engine.MarshalEvent(ev)
		if err != nil {
			return err
		}
		d.WriteByte(' ')
		d.Write(b)
	}
	return d.WriteByte('\n')
}
