package rules_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// dumped is the scope that fixtures are rendered for: that of an alert of which
// nothing is known.
func dumped() engine.Scope {
	return engine.Scope{
		Target:  engine.Target{System: "kubernetes", Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "thing"},
		Run:     engine.RunScope{ID: "r1", Rule: "rule"},
		Attempt: engine.AttemptScope{Name: "first", Number: 1},
	}
}

type dumpedCall struct {
	Name     string
	Group    string `json:",omitempty"`
	Undoable bool   `json:",omitempty"`
	Target   string `json:",omitempty"`
	Timeout  string `json:",omitempty"`
	Params   any
}

type dumpedAttempt struct {
	Name                    string
	From                    string       `json:",omitempty"`
	Mode                    engine.Mode  `json:",omitempty"`
	Check                   []dumpedCall `json:",omitempty"`
	Do, Verify              []dumpedCall
	Undo                    bool `json:",omitempty"`
	AlertResolved           bool
	Within, Stable, Backoff string
	Retries                 int
	Timeout                 string
}

type dumpedWindow struct {
	Name   string
	Effect engine.WindowEffect
	// Open and Until are at the time of the tests.
	Open  bool
	Until time.Time
}

type dumpedInhibitor struct {
	Text, Rule, AlertName string
	Alert                 bool
}

// dump writes out what a set holds.
func dump(t *testing.T, set *rules.Set) string {
	t.Helper()
	var out strings.Builder
	write := func(what string, v any) {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(what + " " + string(b) + "\n")
	}
	for _, b := range set.Budgets() {
		key := ""
		if b.Key != nil {
			k, err := b.Key(dumped())
			if err != nil {
				t.Fatal(err)
			}
			key = k
		}
		write("budget", map[string]any{"name": b.Name, "key": key, "rate": b.Rate, "concurrent": b.Concurrent})
	}
	for _, r := range set.Rules() {
		guards := r.Guards
		guards.Windows = nil
		fields := map[string]any{
			"name": r.Name, "mode": r.Mode, "guards": guards, "attempts": dumpAttempts(r.Attempts),
			"otherwise": dumpRoutes(r.Otherwise), "report": dumpRoutes(r.Report),
		}
		if r.Restore {
			fields["restore"] = true
		}
		if r.Asked {
			fields["asked"] = true
		}
		for _, w := range r.Guards.Windows {
			open, until := w.Open(now)
			windows, _ := fields["windows"].([]dumpedWindow)
			fields["windows"] = append(windows, dumpedWindow{w.Name, w.Effect, open, until})
		}
		for _, i := range r.Unless {
			unless, _ := fields["unless"].([]dumpedInhibitor)
			fields["unless"] = append(unless, dumpedInhibitor{i.Text, i.Rule, i.AlertName, i.Alert != nil})
		}
		write("rule", fields)
	}
	for _, trigger := range set.Triggers() {
		if s := trigger.Schedule; s != nil {
			starts, _ := s.Starts.Next(now)
			restores, _ := s.Restores.Next(now)
			write("schedule", map[string]any{"rule": trigger.Rule, "starts": starts, "restores": restores})
		}
		write("trigger", trigger)
	}
	return out.String()
}

func dumpAttempts(all []engine.Attempt) []dumpedAttempt {
	attempts := []dumpedAttempt{}
	for _, a := range all {
		d := dumpedAttempt{
			Name: a.Name, From: a.From, Mode: a.Mode, Undo: a.Undo, AlertResolved: a.Verify.AlertResolved, Within: a.Verify.Within.String(),
			Stable: a.Verify.Stable.String(), Retries: a.Retries, Backoff: a.Backoff.String(), Timeout: a.Timeout.String(),
		}
		for _, do := range a.Do {
			d.Do = append(d.Do, dumpedCall{do.Name, do.Group, do.Undoable, aimed(do.Target), bound(do.Timeout), rendered(do.Params)})
		}
		for _, p := range a.Check {
			d.Check = append(d.Check, dumpedCall{Name: p.Kind, Target: aimed(p.Target), Params: rendered(p.Params)})
		}
		for _, p := range a.Verify.Probes {
			d.Verify = append(d.Verify, dumpedCall{Name: p.Kind, Target: aimed(p.Target), Params: rendered(p.Params)})
		}
		attempts = append(attempts, d)
	}
	return attempts
}

func rendered(params func(engine.Scope) (json.RawMessage, error)) any {
	p, err := params(dumped())
	if err != nil {
		return "error: " + err.Error()
	}
	return p
}

func bound(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// aimed is the target that a call has of its own.
func aimed(target func(engine.Scope) (engine.Target, error)) string {
	if target == nil {
		return ""
	}
	t, err := target(dumped())
	if err != nil {
		return "error: " + err.Error()
	}
	return t.String()
}

func dumpRoutes(all []engine.Routing) []engine.Route {
	var routes []engine.Route
	for _, r := range all {
		route := engine.Route{Reporter: r.Reporter}
		if r.To != nil {
			to, err := r.To(dumped())
			if err != nil {
				to = "error: " + err.Error()
			}
			route.To = to
		}
		routes = append(routes, route)
	}
	return routes
}
