package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/pkg/labels"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// Explanation says what each rule of a set makes of one alert.
type Explanation struct {
	RuleSet string      `json:"ruleSet"`
	At      time.Time   `json:"at"`
	Alert   alert.Alert `json:"alert"`
	// TakenBy is the rule that takes the alert: the first whose mode may act.
	TakenBy string `json:"takenBy,omitempty"`
	// Note is what holds for all rules: that the alert has resolved.
	Note  string            `json:"note,omitempty"`
	Rules []RuleExplanation `json:"rules"`
}

// Answered reports whether the alert sets off a rule, and every rule that it
// sets off can be evaluated.
func (e Explanation) Answered() bool {
	answered := false
	for _, r := range e.Rules {
		switch r.Result {
		case ResultFails:
			return false
		case ResultTakes, ResultRecords:
			answered = true
		case ResultBehind, ResultNotFor:
		}
	}
	return answered && e.Note == ""
}

// Result is what a rule makes of an alert.
type Result string

// The results.
const (
	// ResultTakes: the rule may act, and is the first that may.
	ResultTakes Result = "takes"
	// ResultRecords: the rule only observes or shadows, and leaves the alert to
	// those behind it.
	ResultRecords Result = "records"
	// ResultFails: the rule is for this alert as far as is known, and its
	// condition, group or target cannot be evaluated.
	ResultFails Result = "fails"
	// ResultBehind: the rule is for this alert, and an earlier one takes it.
	ResultBehind Result = "behind"
	// ResultNotFor: the rule is not for this alert.
	ResultNotFor Result = "not-for"
)

// RuleExplanation is what one rule makes of the alert.
type RuleExplanation struct {
	Rule   string      `json:"rule"`
	File   string      `json:"file"`
	Line   int         `json:"line"`
	Mode   engine.Mode `json:"mode"`
	Result Result      `json:"result"`
	// Why is the reason in a sentence.
	Why      string           `json:"why"`
	Matchers []MatcherVerdict `json:"matchers,omitempty"`
	When     *Condition       `json:"when,omitempty"`
	// Unless are the inhibitors as they are written. The guard "unless" says
	// whether one of them holds.
	Unless []string `json:"unless,omitempty"`
	// Target and Group are set if the rule is for the alert and they could be
	// rendered.
	Target string           `json:"target,omitempty"`
	Group  string           `json:"group,omitempty"`
	Guards []engine.Verdict `json:"guards,omitempty"`
}

// MatcherVerdict is one matcher and the label that it saw.
type MatcherVerdict struct {
	Matcher string `json:"matcher"`
	Label   string `json:"label"`
	Value   string `json:"value"`
	// Missing says that the alert does not have the label, which counts as empty.
	Missing bool `json:"missing,omitempty"`
	Holds   bool `json:"holds"`
}

// Judge asks the guards about a run of a rule on a target.
type Judge func(*engine.Rule, engine.Target) []engine.Verdict

// Explain says what each rule makes of an alert, and what the guards of those
// that it sets off say. It decides as [Set.Match] and the engine do.
func (s *Set) Explain(a alert.Alert, now time.Time, judge Judge) Explanation {
	e := Explanation{RuleSet: s.digest, At: now, Alert: a}
	if a.Status == alert.Resolved {
		e.Note = "The alert has resolved, and so sets nothing off. What follows is as if it fired."
	}
	scope := &engine.Scope{Alert: a, Now: now}
	for _, r := range s.rules {
		x := r.explain(scope, e.TakenBy)
		if e.TakenBy == "" && x.Result != ResultNotFor && r.rule.Mode.Acts() {
			e.TakenBy = r.rule.Name
		}
		if (x.Result == ResultTakes || x.Result == ResultRecords) && r.rule.Mode != engine.ModeObserve {
			m, _ := r.match(scope)
			x.Guards = judge(&r.rule, m.Target)
		}
		e.Rules = append(e.Rules, x)
	}
	return e
}

// explain says what a rule makes of an alert that taken, if it is not empty,
// takes before it.
func (r *rule) explain(scope *engine.Scope, taken string) RuleExplanation {
	x := RuleExplanation{Rule: r.rule.Name, File: r.file.path, Line: r.node.Line, Mode: r.rule.Mode, Matchers: verdicts(r.matchers, scope.Alert.Labels)}
	if r.when != nil {
		c := r.when.decompose(r.condition, scope)
		x.When = &c
	}
	for _, u := range r.rule.Unless {
		x.Unless = append(x.Unless, u.Text)
	}
	m, matches := r.match(scope)
	switch {
	case !matches:
		x.Result, x.Why = ResultNotFor, r.whyNot(x, scope.Alert)
		return x
	case m.Err != nil:
		x.Result, x.Why = ResultFails, m.Err.Error()
	default:
		x.Target, x.Group = m.Target.String(), m.Group
	}
	switch {
	case taken != "":
		x.Result, x.Why = ResultBehind, fmt.Sprintf("it is for this alert, and rule %s, which comes first and acts, takes it", taken)
	case m.Err != nil:
		if r.rule.Mode.Acts() {
			x.Why += "; the alert goes to no rule behind it, because whether this one is for it is not known"
		}
	case r.rule.Mode.Acts():
		x.Result, x.Why = ResultTakes, fmt.Sprintf("it is the first rule for this alert that may act (mode %s)", r.rule.Mode)
	default:
		x.Result, x.Why = ResultRecords, fmt.Sprintf("it is for this alert; in mode %s it leaves it to the rules behind it, too", r.rule.Mode)
	}
	return x
}

// whyNot is the first thing that keeps a rule from an alert.
func (r *rule) whyNot(x RuleExplanation, a alert.Alert) string {
	triggered := strings.HasPrefix(a.Source, TriggerSource)
	switch {
	case r.trigger != nil && (a.Source != r.trigger.Source() || a.Labels[labelAlertName] != r.rule.Name):
		return fmt.Sprintf("it is set off by its own %s, and by no other alerts", r.trigger.Kind)
	case r.trigger == nil && triggered:
		return "the alert was raised by a trigger, and is for that trigger's rule only"
	}
	for _, m := range x.Matchers {
		if !m.Holds {
			return fmt.Sprintf("%s does not fit: %s", m.Matcher, m.saw())
		}
	}
	if x.When != nil && x.When.Verdict == VerdictFalse {
		if cause, ok := x.When.cause(); ok {
			return "when: " + cause.line()
		}
	}
	return "it does not match"
}

func (m MatcherVerdict) saw() string {
	if m.Missing {
		return fmt.Sprintf("the alert has no label %s", m.Label)
	}
	return fmt.Sprintf("%s is %q", m.Label, m.Value)
}

func verdicts(ms labels.Matchers, of map[string]string) []MatcherVerdict {
	var all []MatcherVerdict
	for _, m := range ms {
		v, there := of[m.Name]
		all = append(all, MatcherVerdict{Matcher: m.String(), Label: m.Name, Value: v, Missing: !there, Holds: m.Matches(v)})
	}
	return all
}
