package webtest

import (
	"encoding/json"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// The rules of a world, and where their tasks go.
const (
	Auto     = "service-down"
	Approved = "approved-down"

	group  = "default"
	action = "http.request"
)

// ruleSet has the rule that the alert's label names, and no budgets.
type ruleSet struct{ digest string }

func compile(sources []engine.Source) (engine.RuleSet, error) {
	return ruleSet{digest: sources[0].Text}, nil
}

// Digest implements engine.RuleSet.
func (s ruleSet) Digest() string { return s.digest }

// Budgets implements engine.RuleSet.
func (ruleSet) Budgets() []engine.Budget { return nil }

// Rule implements engine.RuleSet.
func (ruleSet) Rule(name string) (*engine.Rule, bool) {
	mode, ok := map[string]engine.Mode{Auto: engine.ModeAuto, Approved: engine.ModeApprove}[name]
	if !ok {
		return nil, false
	}
	return &engine.Rule{
		Name: name, Mode: mode, Guards: engine.Guards{Approval: time.Hour},
		Attempts: []engine.Attempt{{
			Name: "restart", Timeout: time.Second,
			Do: []engine.Action{{Name: action, Group: group, Params: func(engine.Scope) (json.RawMessage, error) {
				return json.RawMessage(`{}`), nil
			}}},
			Verify: engine.Verify{AlertResolved: true, Within: time.Hour},
		}},
	}, true
}

// Match implements engine.RuleSet.
func (s ruleSet) Match(a alert.Alert, _ time.Time) []engine.Match {
	r, ok := s.Rule(a.Labels["rule"])
	if !ok {
		return nil
	}
	return []engine.Match{{Rule: r, Target: engine.Target{System: engine.SystemHTTP, Name: a.Labels["service"]}}}
}
