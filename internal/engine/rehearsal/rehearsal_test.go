package rehearsal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/engine/rehearsal"
)

// epoch is when every rehearsal begins.
var epoch = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// set is one rule with two rungs for whatever alert comes.
type set struct{ rule engine.Rule }

func (s *set) Digest() string { return "d" }
func (s *set) Budgets() []engine.Budget {
	return []engine.Budget{{Name: "fleet", Rate: engine.Rate{Count: 4, Per: time.Hour}}}
}

func (s *set) Rule(name string) (*engine.Rule, bool) { return &s.rule, name == s.rule.Name }

func (s *set) Match(a alert.Alert, _ time.Time) []engine.Match {
	return []engine.Match{{Rule: &s.rule, Target: engine.Target{System: engine.SystemHTTP, Name: a.Labels["on"]}}}
}

// Set makes it the only set that there is.
func (s *set) Set(digest string) (engine.RuleSet, bool) { return s, digest == s.Digest() }

func newSet() *set {
	constant := func(engine.Scope) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }
	rung := func(name string, mode engine.Mode) engine.Attempt {
		return engine.Attempt{
			Name: name, Mode: mode, Retries: 1, Backoff: 5 * time.Second, Timeout: time.Minute,
			Check: []engine.Probe{{Kind: "http", Params: constant}}, Undo: true,
			Do: []engine.Action{{Name: "fix." + name, Group: "g", Params: constant, Undoable: true}},
			Verify: engine.Verify{
				Probes: []engine.Probe{{Kind: "http", Params: constant}}, AlertResolved: true,
				Within: 5 * time.Minute, Stable: 10 * time.Second,
			},
		}
	}
	return &set{rule: engine.Rule{
		Name: "r", Mode: engine.ModeAuto, Attempts: []engine.Attempt{rung("a", ""), rung("b", engine.ModeApprove)},
		Guards: engine.Guards{
			Cooldown: 10 * time.Minute, Limits: []engine.Rate{{Count: 3, Per: time.Hour}}, Freshness: 15 * time.Minute,
			Flap: engine.Rate{Count: 4, Per: 30 * time.Minute}, Breaker: 2, Relapse: time.Hour, Approval: 30 * time.Minute,
			Concurrent: 1,
		},
	}}
}

// worker answers in one of many ways, always the same for the same task.
type worker struct{}

func (worker) Do(_ time.Time, t engine.Task) (engine.Result, time.Duration, bool) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(t.ID)) // a hash never fails
	dice := h.Sum32()
	after := time.Duration(dice%7) * time.Second
	classes := []engine.Class{engine.ClassRetryable, engine.ClassTerminal, engine.ClassUnknown, engine.ClassPlanChanged, engine.ClassPaused}
	if kind := dice / 7 % 4; kind == 0 && t.Kind != engine.TaskVerify {
		return engine.Result{Failure: &engine.Failure{Class: classes[dice/28%uint32(len(classes))], Message: "no"}}, after, dice%11 != 0
	}
	switch t.Kind {
	case engine.TaskPlan:
		return engine.Result{Plan: &engine.Plan{Target: t.Target, Summary: "change it"}}, after, true
	case engine.TaskVerify, engine.TaskCheck:
		return engine.Result{Verified: dice%3 != 0, Checks: []engine.Check{{Kind: "http", OK: dice%3 != 0}}}, t.Stable, true
	case engine.TaskExecute, engine.TaskUndo:
	}
	return engine.Result{Outcome: &engine.Outcome{Summary: "done"}}, after, true
}

// play rehearses a random day of alerts and people, and gives the ledger's form
// of what followed. With restart, the engine restarts whenever anything happened.
func play(t *testing.T, seed uint64, restart bool) []string {
	t.Helper()
	s := newSet()
	if s.rule.Restore = seed%2 == 1; s.rule.Restore {
		for i := range s.rule.Attempts {
			s.rule.Attempts[i].Verify.AlertResolved = false
		}
	}
	var ledger []string
	stage := rehearsal.New(rehearsal.Options{Sets: s, Worker: worker{}, Record: restart, Observe: func(at time.Time, _ engine.Input, events []engine.Event) error {
		for _, ev := range events {
			b, err := engine.MarshalEvent(ev)
			if err != nil {
				return err
			}
			ledger = append(ledger, at.Sub(epoch).String()+" "+string(b))
		}
		return nil
	}}, epoch)
	stage.At(epoch, engine.Input{Rules: &engine.NewRules{Digest: s.Digest(), Sources: []engine.Source{{Name: "r.yaml", Text: "-"}}}})
	random := rand.New(rand.NewPCG(seed, 1))
	for range 30 {
		stir(stage, random, epoch.Add(time.Duration(random.IntN(6*3600))*time.Second))
	}
	for next, ok := stage.Next(); ok && next.Before(epoch.Add(24*time.Hour)); next, ok = stage.Next() {
		if err := stage.Run(next); err != nil {
			t.Fatal(err)
		}
		if !restart {
			continue
		}
		if err := stage.Restart(); err != nil {
			t.Fatalf("seed %d, at %s: %v", seed, next.Sub(epoch), err)
		}
	}
	return ledger
}

// stir adds one random thing that happens.
func stir(stage *rehearsal.Stage, random *rand.Rand, at time.Time) {
	labels := map[string]string{"on": string(rune('a' + random.IntN(3)))}
	a := alert.Alert{
		Source: "s", Name: "A", Status: alert.Firing, Labels: labels, Fingerprint: alert.Fingerprint(labels),
		StartsAt: epoch.Add(at.Sub(epoch).Truncate(time.Hour)),
	}
	switch random.IntN(6) {
	case 0:
		a.Status = alert.Resolved
	case 1:
		stage.At(at, engine.Input{Command: &engine.Command{Verb: engine.Pause, Scope: engine.ScopeAll, By: "kim"}})
		stage.At(at.Add(5*time.Minute), engine.Input{Command: &engine.Command{Verb: engine.Resume, Scope: engine.ScopeAll, By: "kim"}})
		return
	case 2:
		stage.Then(at, func() (engine.Input, bool, error) {
			for _, r := range stage.State().ActiveRuns() {
				if r.Phase == engine.PhaseApproval {
					return engine.Input{Command: &engine.Command{Verb: engine.Approve, By: "kim", Run: r.ID, Plan: r.PlanDigest()}}, true, nil
				}
			}
			return engine.Input{}, false, nil
		})
		return
	}
	stage.At(at, engine.Input{Delivery: &alert.Delivery{ID: "d", Source: "s", ReceivedAt: at, Alerts: []alert.Alert{a}}})
}

// The same inputs give the same events, and a restart changes nothing, wherever
// it comes.
func TestSameInputsSameEvents(t *testing.T) {
	t.Parallel()
	acted, undone, stood, restored := 0, 0, 0, 0
	for seed := range uint64(8) {
		first := play(t, seed, false)
		for what, again := range map[string][]string{"again": play(t, seed, false), "with restarts": play(t, seed, true)} {
			if !slices.Equal(first, again) {
				t.Fatalf("seed %d, played %s, differs:\n%s", seed, what, firstDifference(first, again))
			}
		}
		acted += strings.Count(strings.Join(first, "\n"), `"run.allowed"`)
		undone += strings.Count(strings.Join(first, "\n"), `"undo.started"`)
		stood += strings.Count(strings.Join(first, "\n"), `"run.standing"`)
		restored += strings.Count(strings.Join(first, "\n"), `"outcome":"restored"`)
	}
	if acted < 10 || undone < 3 || stood < 3 || restored < 2 {
		t.Errorf("only %d attempts acted, %d were put back, %d stood, %d runs were restored: the property is held over too little", acted, undone, stood, restored)
	}
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("event %d:\n%s\n%s", i, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d events", len(a), len(b))
}

// What comes at one time comes in the order of the ranks, however it was added.
func TestOrderAtOneTime(t *testing.T) {
	t.Parallel()
	s := newSet()
	var came []string
	stage := rehearsal.New(rehearsal.Options{Sets: s, Worker: answerAtOnce{}, Observe: func(_ time.Time, in engine.Input, _ []engine.Event) error {
		switch {
		case in.Delivery != nil:
			came = append(came, "alert")
		case in.Result != nil:
			came = append(came, "answer")
		case in.Rules != nil:
			came = append(came, "rules")
		case in.Command != nil:
			came = append(came, "command")
		}
		return nil
	}}, epoch)
	at := epoch.Add(time.Second)
	stage.Then(at, func() (engine.Input, bool, error) {
		came = append(came, "then")
		return engine.Input{}, false, nil
	})
	labels := map[string]string{"on": "a"}
	stage.At(at, engine.Input{Delivery: &alert.Delivery{ReceivedAt: at, Alerts: []alert.Alert{{Source: "s", Fingerprint: "f", Status: alert.Firing, Labels: labels, StartsAt: at}}}})
	stage.At(epoch, engine.Input{Rules: &engine.NewRules{Digest: s.Digest()}})
	if err := stage.Run(at); err != nil {
		t.Fatal(err)
	}
	if want := []string{"rules", "alert", "answer", "answer", "answer", "then"}; !slices.Equal(came, want) {
		t.Errorf("came %v, want %v", came, want)
	}
	if !stage.Now().Equal(at) {
		t.Errorf("it is %s, want %s", stage.Now(), at)
	}
}

// answerAtOnce plans and acts without taking time, and never verifies.
type answerAtOnce struct{}

func (answerAtOnce) Do(_ time.Time, t engine.Task) (engine.Result, time.Duration, bool) {
	switch t.Kind {
	case engine.TaskPlan:
		return engine.Result{Plan: &engine.Plan{Target: t.Target, Summary: "x"}}, 0, true
	case engine.TaskCheck:
		return engine.Result{Verified: true}, 0, true
	case engine.TaskExecute, engine.TaskVerify, engine.TaskUndo:
	}
	return engine.Result{Outcome: &engine.Outcome{Summary: "y"}}, 0, t.Kind == engine.TaskExecute
}

func TestErrorsEndTheRehearsal(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	stage := rehearsal.New(rehearsal.Options{Sets: newSet(), Worker: worker{}}, epoch)
	stage.Then(epoch, func() (engine.Input, bool, error) { return engine.Input{}, false, broken })
	if err := stage.Run(epoch); !errors.Is(err, broken) {
		t.Errorf("Run says %v, want the error of what was added", err)
	}
	if err := stage.Restart(); err == nil {
		t.Error("a stage that did not record restarts")
	}
	if _, ok := stage.Next(); ok {
		t.Error("something is due where nothing was added")
	}
}
