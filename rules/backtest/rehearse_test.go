package backtest_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules/backtest"
)

func candidate(s *ruleSet) backtest.Candidate { return backtest.Candidate{Name: s.digest, Set: s} }

// acts are the attempts of a report, in words.
func acts(r *backtest.Report) []string {
	list := []string{}
	for _, a := range r.Acts {
		kind := ""
		if a.Would {
			kind = " would"
		}
		list = append(list, fmt.Sprintf("%s%s %s#%d on %s: %s", a.At.Sub(epoch()), kind, a.Rule, a.Attempt, a.Target, strings.Join(a.Actions, ",")))
	}
	return list
}

func same(t *testing.T, have []string, want ...string) {
	t.Helper()
	if !slices.Equal(have, want) {
		t.Errorf("have\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestAnActionCuresOnlyIfHistoryDid(t *testing.T) {
	t.Parallel()
	rules := set(down(engine.ModeAuto, mend("restart"), mend("rollback")))
	for name, test := range map[string]struct {
		history history
		assume  backtest.Assumption
		outcome engine.RunFinal
		acts    []string
	}{
		"resolved while verifying": {
			history{firing(0, "Down", "api"), resolved(3*time.Minute, "Down", "api", 0)},
			"", engine.Cured,
			[]string{"1s down#1 on http/api: http.restart"},
		},
		"resolved at the second rung": {
			history{firing(0, "Down", "api"), resolved(7*time.Minute, "Down", "api", 0)},
			"", engine.Cured,
			[]string{"1s down#1 on http/api: http.restart", "5m3s down#2 on http/api: http.rollback"},
		},
		"never": {
			history{firing(0, "Down", "api")},
			"", engine.Uncured,
			[]string{"1s down#1 on http/api: http.restart", "5m3s down#2 on http/api: http.rollback"},
		},
		"assumed": {
			history{firing(0, "Down", "api"), sent(after(4*time.Minute), "Down", "api", epoch(), "firing"), resolved(7*time.Minute, "Down", "api", 0)},
			backtest.AssumeCured, engine.Cured,
			[]string{"1s down#1 on http/api: http.restart"},
		},
		"before anything began": {
			history{firing(0, "Down", "api"), resolved(time.Second/2, "Down", "api", 0)}, "", engine.SelfResolved, nil,
		},
	} {
		report := run(t, backtest.Options{Source: test.history, Rules: candidate(rules), Assume: test.assume, Until: after(time.Hour)})
		same(t, acts(report), test.acts...)
		if report.Replayed || report.All.Runs != 1 || report.All.Outcomes[test.outcome] != 1 {
			t.Errorf("%s: %d runs, %v, want %s", name, report.All.Runs, report.All.Outcomes, test.outcome)
		}
		if none := len(test.acts) == 0; none != (report.All.SelfCured == 1) {
			t.Errorf("%s: %d self-cured", name, report.All.SelfCured)
		}
	}
}

// What a schedule sets off cures, whatever is assumed of alerts, and stays until the
// recording has its restore.
func TestAScheduleIsPutBackWhenTheRecordingSaysSo(t *testing.T) {
	t.Parallel()
	shrink := mend("shrink")
	shrink.Verify.AlertResolved = false
	nightly := down(engine.ModeAuto, shrink)
	nightly.Name, nightly.Restore, nightly.alerts = "nightly", true, []string{"Night"}
	rules := set(nightly, down(engine.ModeAuto))
	rules.asked, rules.budgets = "nightly", []engine.Budget{{Name: "one", Rate: engine.Rate{Count: 9, Per: time.Hour}, Concurrent: 1}}
	h := history{
		firing(0, "Night", "api"),
		firing(time.Hour, "Down", "api"), resolved(time.Hour+3*time.Minute, "Down", "api", time.Hour),
		resolved(12*time.Hour, "Night", "api", 0),
	}
	for _, assume := range []backtest.Assumption{backtest.AssumeHistory, backtest.AssumeCured} {
		for _, mode := range []engine.Mode{"", engine.ModeAuto} {
			report := run(t, backtest.Options{Source: h, Rules: candidate(rules), Assume: assume, Mode: mode, Until: after(13 * time.Hour)})
			same(t, acts(report), "1s nightly#1 on http/api: http.shrink", "1h0m1s down#1 on http/api: http.restart")
			var text bytes.Buffer
			if err := backtest.WriteText(&text, report); err != nil {
				t.Fatal(err)
			}
			r := report.PerRule[0]
			if r.Outcomes[engine.Restored] != 1 || r.Unfinished != 0 || len(r.Holds) != 0 || !strings.Contains(text.String(), "restored 1") {
				t.Errorf("assuming %s: %+v", assume, r)
			}
			if b := report.Budgets[0]; b.Concurrent != 1 || b.Peak != 1 {
				t.Errorf("what stands is under repair: %+v", b)
			}
		}
	}
	report := run(t, backtest.Options{Source: h[:1], Rules: candidate(rules), Until: after(13 * time.Hour)})
	if r := report.PerRule[0]; r.Unfinished != 1 || len(r.Outcomes) != 0 {
		t.Errorf("the night is not over: %+v", r)
	}
}

func TestModesSayWhatTrustWouldBring(t *testing.T) {
	t.Parallel()
	rules := set(down(engine.ModeShadow))
	h := history{firing(0, "Down", "api"), resolved(10*time.Minute, "Down", "api", 0)}
	report := run(t, backtest.Options{Source: h, Rules: candidate(rules)})
	same(t, acts(report), "1s would down#1 on http/api: http.restart")
	if r := report.PerRule[0]; r.Mode != engine.ModeShadow || r.WouldActs != 1 || r.Acts != 0 || r.ToAct.Value != time.Second || r.SelfCured != 0 {
		t.Errorf("%+v", r)
	}
	report = run(t, backtest.Options{Source: h, Rules: candidate(rules), Mode: engine.ModeAuto})
	same(t, acts(report), "1s down#1 on http/api: http.restart")
	if r := report.PerRule[0]; r.Mode != engine.ModeAuto || report.Mode != engine.ModeAuto || r.Acts != 1 {
		t.Errorf("%+v", r)
	}
	report = run(t, backtest.Options{Source: h, Rules: candidate(rules), Mode: engine.ModeApprove})
	if len(report.Acts) != 0 || report.All.Approvals != 1 || report.All.SelfCured != 1 {
		t.Errorf("nobody approved, and yet: %+v", report.All)
	}
	report = run(t, backtest.Options{Source: h, Rules: candidate(rules), Mode: engine.ModeApprove, ApproveAfter: 5 * time.Minute})
	same(t, acts(report), "5m1s down#1 on http/api: http.restart")
}

func TestAShadowRuleSaysWhatWouldHaveHeldIt(t *testing.T) {
	t.Parallel()
	h := history{
		{At: epoch(), Input: engine.Input{Command: &engine.Command{Verb: engine.Pause, Scope: "rule/down", By: "ann"}}},
		firing(time.Minute, "Down", "api"),
	}
	report := run(t, backtest.Options{Source: h, Rules: candidate(set(down(engine.ModeShadow))), Until: after(time.Hour)})
	if holds := report.PerRule[0].Holds; len(holds) != 1 || holds[0] != (backtest.Hold{Guard: engine.GuardPaused, Would: 1}) {
		t.Errorf("%+v", holds)
	}
}

// TestWhatWorkersAndPeopleDidStandsWhereItFits replays a recording under other
// rules that differ in one action only.
func TestWhatWorkersAndPeopleDidStandsWhereItFits(t *testing.T) {
	t.Parallel()
	recorded := &ruleSet{digest: "old", rules: []*namedRule{down(engine.ModeApprove, mend("restart"), mend("rollback"))}}
	compile := func([]engine.Source) (engine.RuleSet, error) { return recorded, nil }
	begin := history{{At: epoch(), Input: engine.Input{Rules: &engine.NewRules{Digest: "old"}}}, firing(0, "Down", "api")}
	// Who records knows the run and its tasks from the engine.
	var planTask, runID string
	run(t, backtest.Options{Source: begin, Compile: compile, Observe: func(_ time.Time, _ engine.Input, events []engine.Event) error {
		for _, ev := range events {
			if e, ok := ev.(engine.TaskIssued); ok {
				planTask, runID = e.Task.ID, e.Run
			}
		}
		return nil
	}})
	plan := engine.Plan{Target: engine.Target{System: engine.SystemHTTP, Name: "canonical"}, Summary: "as a worker saw it"}
	h := append(slices.Clone(begin),
		backtest.Recorded{At: after(20 * time.Second), Input: engine.Input{Result: &engine.Result{Task: planTask, Worker: "w", Plan: &plan}}},
		backtest.Recorded{At: after(21 * time.Second), Input: engine.Input{Tick: &engine.Tick{}}},
		backtest.Recorded{At: after(time.Minute), Input: engine.Input{Command: &engine.Command{Verb: engine.Approve, By: "ann", Run: runID, Plan: plan.Digest()}}},
		backtest.Recorded{At: after(2 * time.Minute), Input: engine.Input{Command: &engine.Command{Verb: engine.Cancel, By: "ann", Run: "of another history"}}},
		backtest.Recorded{At: after(2 * time.Minute), Input: engine.Input{Result: &engine.Result{Task: "of another history", Worker: "w"}}},
		resolved(3*time.Minute, "Down", "api", 0),
	)
	alike := &ruleSet{digest: "new", rules: []*namedRule{down(engine.ModeApprove, mend("restart"))}}
	report := run(t, backtest.Options{Source: h, Compile: compile, Rules: candidate(alike)})
	same(t, acts(report), "1m0s down#1 on http/canonical: http.restart")
	if l := report.Read.LeftOut; l != (backtest.LeftOut{Results: 1, Commands: 1, RuleSets: 1}) {
		t.Errorf("%+v", l)
	}
	other := &ruleSet{digest: "new", rules: []*namedRule{down(engine.ModeApprove, mend("scale"))}}
	report = run(t, backtest.Options{Source: h, Compile: compile, Rules: candidate(other)})
	if len(report.Acts) != 0 || report.All.Approvals != 1 || report.Read.LeftOut.Commands != 2 {
		t.Errorf("an approval of a restart approved something else: %+v, %+v", report.Acts, report.Read)
	}
}

func TestAgainstTellsEveryDifference(t *testing.T) {
	t.Parallel()
	slowly := down(engine.ModeAuto)
	slowly.Guards.Cooldown = 20 * time.Minute
	h := history{
		firing(0, "Down", "api"), resolved(2*time.Minute, "Down", "api", 0),
		firing(10*time.Minute, "Down", "api"), resolved(40*time.Minute, "Down", "api", 10*time.Minute),
	}
	old, other := set(down(engine.ModeAuto)), set(slowly)
	report := run(t, backtest.Options{Source: h, Rules: candidate(other), Against: &backtest.Candidate{Name: "old", Set: old}})
	have := []string{}
	for _, c := range report.Against.Changes {
		have = append(have, fmt.Sprintf("%s %s by %s, held by %v", c.Rule, c.Kind, c.By, c.IsHeld))
	}
	same(t, have, "down holds by 0s, held by [cooldown]", "down moved by 10m0s, held by []")
	if !report.Against.Different() || report.Against.PerRule[0] != (backtest.RuleChange{Rule: "down", Moved: 1, Holds: 1}) {
		t.Errorf("%+v", report.Against.PerRule)
	}
	report = run(t, backtest.Options{Source: h, Rules: candidate(old), Against: &backtest.Candidate{Name: "old", Set: old}})
	if report.Against.Different() {
		t.Errorf("%+v", report.Against.Changes)
	}
}

func TestWhatLiesBeforeIsPlayedAndNotCounted(t *testing.T) {
	t.Parallel()
	slowly := down(engine.ModeAuto)
	slowly.Guards.Cooldown = time.Hour
	h := history{
		firing(0, "Down", "api"), resolved(2*time.Minute, "Down", "api", 0),
		firing(30*time.Minute, "Down", "api"), firing(50*time.Minute, "Nobody", "x"), firing(3*time.Hour, "Nobody", "x"),
	}
	report := run(t, backtest.Options{Source: h, Rules: candidate(set(slowly)), Since: after(20 * time.Minute), Until: after(2 * time.Hour)})
	if r := report.All; r.Runs != 1 || r.Episodes != 1 || r.Holds[0].Guard != engine.GuardCooldown || r.Holds[0].Times != 1 {
		t.Errorf("%+v", r)
	}
	if report.Read.Episodes != 2 || report.Unmatched[0] != (backtest.Unmatched{Alert: "Nobody", Episodes: 1}) || !report.From.Equal(after(20*time.Minute)) {
		t.Errorf("%+v, %+v from %s", report.Read, report.Unmatched, report.From)
	}
	_, err := backtest.Run(t.Context(), backtest.Options{Source: h, Rules: candidate(set(slowly)), Since: after(9 * time.Hour)})
	if !errors.Is(err, backtest.ErrEmpty) {
		t.Errorf("a time without anything: %v", err)
	}
}

func TestARecordingWithoutTicksIsRehearsedUnderItsOwnRules(t *testing.T) {
	t.Parallel()
	rules := set(down(engine.ModeAuto))
	h := history{{At: epoch(), Input: engine.Input{Rules: &engine.NewRules{Digest: "new"}}}, firing(0, "Down", "api"), resolved(time.Minute, "Down", "api", 0)}
	report := run(t, backtest.Options{Source: h, Compile: func([]engine.Source) (engine.RuleSet, error) { return rules, nil }, Until: after(time.Hour)})
	if report.Replayed || report.All.Outcomes[engine.Cured] != 1 {
		t.Errorf("replayed: %t, %+v", report.Replayed, report.All)
	}
	_, err := backtest.Run(t.Context(), backtest.Options{Source: h, Compile: func([]engine.Source) (engine.RuleSet, error) { return nil, errors.New("line 3") }})
	if err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("recorded rules that do not compile: %v", err)
	}
}

func TestChecksAndUndosSucceed(t *testing.T) {
	t.Parallel()
	a := mend("restart")
	a.Check, a.Undo = a.Verify.Probes, true
	rule := down(engine.ModeAuto, a)
	rule.Guards.MinHealthy = engine.Share{Percent: 80}
	undone := 0
	report := run(t, backtest.Options{
		Source: history{firing(0, "Down", "api")}, Rules: candidate(set(rule)), Until: after(time.Hour),
		Observe: func(_ time.Time, _ engine.Input, events []engine.Event) error {
			for _, ev := range events {
				if e, ok := ev.(engine.TaskAnswered); ok && e.Task == engine.TaskUndo && e.Result.Outcome != nil {
					undone++
				}
			}
			return nil
		},
	})
	same(t, acts(report), "2s down#1 on http/api: http.restart")
	if undone != 1 || report.All.Outcomes[engine.Uncured] != 1 {
		t.Errorf("%d undone, %v", undone, report.All.Outcomes)
	}
}
