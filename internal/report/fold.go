package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Record is one record of the ledger.
type Record struct {
	Seq    uint64
	At     time.Time
	Events []engine.Event
}

// Fold derives notices from the records of a ledger, which it must see in order. It is pure: the same records give the
// same notices. An event of a run whose start it did not see gives none.
type Fold struct {
	runs map[string]*run
}

// run is what later events of a run do not say again.
type run struct {
	started uint64 // the record's sequence
	rule    string
	mode    engine.Mode
	aim     engine.Aim
	alert   *Alert
	report  []engine.Route
	plans   []string // what its present attempt would do
	guard   string   // the guard that holds it, as last told
}

// NewFold begins with a ledger of which nothing was read.
func NewFold() *Fold { return &Fold{runs: map[string]*run{}} }

// Oldest is the sequence of the oldest record that a new Fold must see to go on after record seq as this one does.
func (f *Fold) Oldest(seq uint64) uint64 {
	oldest := seq + 1
	for _, r := range f.runs {
		oldest = min(oldest, r.started)
	}
	return oldest
}

// Apply takes the next record and returns its notices.
func (f *Fold) Apply(rec Record) []Notice {
	var notices []Notice
	var ended []string
	for i, ev := range rec.Events {
		n, ok := f.event(rec.Seq, ev)
		if ok {
			n.ID = fmt.Sprintf("%d-%d", rec.Seq, i)
			n.At = rec.At
			notices = append(notices, n)
		}
		if id, end := ends(ev); end {
			ended = append(ended, id)
		}
	}
	// Only now: people are asked in the record that ends a run, after its end.
	for _, id := range ended {
		delete(f.runs, id)
	}
	return notices
}

func ends(ev engine.Event) (string, bool) {
	switch e := ev.(type) {
	case engine.RunEnded:
		return e.Run, true
	case engine.RunMerged:
		return e.Run, true
	default:
		return "", false
	}
}

func (f *Fold) event(seq uint64, ev engine.Event) (Notice, bool) {
	switch e := ev.(type) {
	case engine.RunStarted:
		r := &run{started: seq, rule: e.Rule, mode: e.Mode, aim: engine.NewAim(e.Target), alert: alertOf(e.Alert), report: e.Report}
		f.runs[e.Run] = r
		return r.notice(e.Run, Started, "", r.startedText()), true
	case engine.RuleFailed:
		return Notice{
			Kind: RuleFailed, Rule: e.Rule, Reason: e.Reason,
			Text: fmt.Sprintf("It cannot be told whether rule %s is for alert %s: %s", e.Rule, e.Episode, sentence(e.Reason)),
		}, true
	case engine.ScopePaused:
		return Notice{
			Kind: Paused, Scope: e.Scope, By: e.By, Reason: e.Reason,
			Text: fmt.Sprintf("%s paused %s: %s", e.By, e.Scope, sentence(e.Reason)),
		}, true
	case engine.ScopeResumed:
		return Notice{Kind: Resumed, Scope: e.Scope, By: e.By, Text: fmt.Sprintf("%s resumed %s.", e.By, e.Scope)}, true
	}
	id, ok := engine.RunOf(ev)
	r := f.runs[id]
	if !ok || r == nil {
		return Notice{}, false
	}
	return r.event(id, ev)
}

// event tells of one event of a run.
func (r *run) event(id string, ev engine.Event) (Notice, bool) {
	r.aim.Follow(ev)
	switch e := ev.(type) {
	case engine.TaskAnswered:
		if e.Result.Plan != nil {
			r.plans = append(r.plans, e.Result.Plan.Summary)
		}
		return Notice{}, false
	case engine.Replanned:
		r.plans = r.plans[:min(max(e.Action, 0), len(r.plans))]
		return Notice{}, false
	case engine.RunContinued:
		r.plans = nil
		n := r.notice(id, Relapsed, "", fmt.Sprintf("%s relapsed after run %s: rule %s goes on with attempt %d.", r.aim.Target().Text(), e.After, r.rule, e.Attempt+1))
		n.Attempt = e.Attempt + 1
		return n, true
	case engine.RunHeld:
		if r.guard == e.Guard {
			return Notice{}, false
		}
		r.guard = e.Guard
		n := r.notice(id, Held, e.Reason, fmt.Sprintf("Rule %s holds on %s (%s): %s", r.rule, r.aim.Target().Text(), e.Guard, sentence(e.Reason)))
		n.Guard, n.Until = e.Guard, e.Until
		return n, true
	case engine.RunAllowed:
		r.guard = ""
		n := r.notice(id, Acting, "", fmt.Sprintf("Rule %s acts on %s, attempt %d: %s", r.rule, r.aim.Target().Text(), e.Attempt+1, sentence(r.would())))
		n.Plan, n.Attempt = e.Plan, e.Attempt+1
		return n, true
	case engine.RunStanding:
		r.guard = ""
		return r.notice(id, Standing, e.Reason, fmt.Sprintf("What rule %s did to %s stays until its alert resolves: %s", r.rule, r.aim.Target().Text(), sentence(e.Reason))), true
	case engine.UndoStarted:
		r.guard = ""
		kind := Undoing
		if e.Ends == engine.Restored {
			kind = Restoring
		}
		n := r.notice(id, kind, e.Reason, fmt.Sprintf("Rule %s puts back what attempt %d did to %s: %s", r.rule, e.Attempt+1, r.aim.Target().Text(), sentence(e.Reason)))
		n.Attempt = e.Attempt + 1
		return n, true
	case engine.AttemptFailed:
		r.plans, r.guard = nil, ""
		n := r.notice(id, AttemptFailed, e.Reason, fmt.Sprintf("Attempt %d of rule %s on %s failed: %s", e.Attempt+1, r.rule, r.aim.Target().Text(), sentence(e.Reason)))
		n.Attempt = e.Attempt + 1
		return n, true
	case engine.RunMerged:
		return r.notice(id, Merged, "", fmt.Sprintf("Run %s of rule %s has %s in hand already.", e.Into, r.rule, r.aim.Target().Text())), true
	case engine.RunEnded:
		return r.end(id, e), true
	default:
		return r.people(id, ev)
	}
}

// people tells of an event that asks something of a person, or answers it.
func (r *run) people(id string, ev engine.Event) (Notice, bool) {
	switch e := ev.(type) {
	case engine.ApprovalAsked:
		r.guard = ""
		n := r.notice(id, ApprovalWanted, "", fmt.Sprintf("Rule %s asks for approval, until %s, to act on %s: %s", r.rule, clock(e.Until), r.aim.Target().Text(), sentence(r.would())))
		n.Plan, n.Until = e.Plan, e.Until
		return n, true
	case engine.ApprovalGiven:
		n := r.notice(id, Approved, "", fmt.Sprintf("%s approved what rule %s does to %s.", e.By, r.rule, r.aim.Target().Text()))
		n.Plan, n.By = e.Plan, e.By
		return n, true
	case engine.RunParked:
		n := r.notice(id, Parked, e.Reason, fmt.Sprintf("Rule %s needs a person to look at %s: %s", r.rule, r.aim.Target().Text(), sentence(e.Reason)))
		n.Until = e.Until
		return n, true
	case engine.Escalated:
		n := r.notice(id, Escalated, e.Reason, fmt.Sprintf("Rule %s asks people to look after %s: %s", r.rule, r.aim.Target().Text(), sentence(e.Reason)))
		n.Routes = e.Routes
		return n, true
	default:
		return Notice{}, false
	}
}

func (r *run) notice(id string, kind Kind, reason, text string) Notice {
	return Notice{
		Kind: kind, Text: text, Reason: reason, Run: id, Rule: r.rule, Mode: r.mode, Target: r.aim.Target().String(),
		Alert: r.alert, Routes: r.report,
	}
}

func (r *run) startedText() string {
	severity := ""
	if r.alert.Severity != "" {
		severity = " (" + r.alert.Severity + ")"
	}
	text := fmt.Sprintf("Rule %s, mode %s, takes up alert %s%s for %s", r.rule, r.mode, r.alert.Name, severity, r.aim.Target().Text())
	if r.alert.Summary == "" {
		return text + "."
	}
	return text + ": " + sentence(r.alert.Summary)
}

// would is what the plans of the attempt say.
func (r *run) would() string {
	if len(r.plans) == 0 {
		return "its plan is in the ledger"
	}
	return strings.Join(r.plans, "; ")
}

// sentence ends a text as a sentence ends, and keeps it in one line.
func sentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return "no reason was given."
	}
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
