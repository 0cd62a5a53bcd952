package engine_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestVerdicts(t *testing.T) {
	byName := func(s engine.Scope) (string, error) { return s.Target.Name, nil }
	noKey := func(engine.Scope) (string, error) { return "", errors.New("no namespace") }
	r := guarded(engine.Guards{
		Cooldown: time.Hour, Limits: []engine.Rate{{Count: 1, Per: time.Hour}}, Flap: engine.Rate{Count: 2, Per: time.Hour},
		Concurrent: 1, MinHealthy: engine.Share{Percent: 50},
		Windows:  []engine.Window{between("backup", engine.WindowHold, 0, time.Hour)},
		Requires: []engine.Requirement{{Rule: "failover", State: engine.RuleIdle}},
	})
	r.Unless = []engine.Inhibitor{sameOn("Region")}
	beside := failover()
	beside.alerts = append(beside.alerts, "Slow")
	w := newWorld(t, beside)
	w.load(&fakeSet{digest: "v2", rules: []*fakeRule{guarded(engine.Guards{}), beside}, budgets: []engine.Budget{
		{Name: "fleet", Rate: engine.Rate{Count: 1, Per: time.Hour}},
		{Name: "name", Key: byName, Concurrent: 1},
		{Name: "odd", Key: noKey},
	}})
	budgets := w.set().budgets
	w.set().budgets = budgets[1:2]
	first := firing("a")
	w.verifying("a")
	w.cure(first)
	w.set().budgets = budgets[:1]
	slow := called(firing("a"), "Slow")
	w.send(slow)
	w.plan()
	w.act()
	w.send(called(firing("a"), "Region"))
	w.set().budgets = budgets[1:2]
	w.send(firing("b"))
	w.plan()
	w.says("task.answered", "run.allowed", "task.issued") // and has its target still
	w.set().budgets = budgets
	w.command(engine.Command{Verb: engine.Pause, Scope: "target/http/a", Reason: "release"})

	judge := func(a engine.Target, plans []engine.Plan) map[string]engine.Verdict {
		t.Helper()
		before := encode(t, w.st)
		verdicts := engine.Verdicts(w.sets, w.st, w.now, &r.Rule, a, w.again(), plans)
		if after := encode(t, w.st); after != before {
			t.Fatalf("the state changed\nfrom %s\nto   %s", before, after)
		}
		found := map[string]engine.Verdict{}
		for _, v := range verdicts {
			name := v.Guard
			if _, twice := found[name]; twice {
				name += ": " + v.Reason
			}
			found[name] = v
		}
		return found
	}
	all := judge(service("a"), nil)
	for guard, why := range map[string]string{
		engine.GuardPaused:     "target/http/a is paused by ann: release",
		engine.GuardWindow:     "window backup is open",
		engine.GuardBusy:       "of rule failover is at work on http/a",
		engine.GuardUnless:     "an alert about the same",
		engine.GuardRequires:   "it has 1 active run",
		engine.GuardFlap:       "it began 2 times within 1h0m0s",
		engine.GuardCooldown:   "the cooldown is 1h0m0s",
		engine.GuardLimit:      "1 times within 1h0m0s",
		engine.GuardConcurrent: "has 1 targets under repair",
		engine.GuardBudget:     "budget fleet is spent: 1 attempts",
	} {
		if v := all[guard]; !v.Held || v.Unknown || !strings.Contains(v.Reason, why) {
			t.Errorf("%s: %+v, want held because %q", guard, v, why)
		}
	}
	if v := all[engine.GuardFreshness]; v.Held || v.Reason != "" {
		t.Errorf("an alert that comes now is not fresh: %+v", v)
	}
	if v := all[engine.GuardMinHealthy]; v.Held || !v.Unknown || v.Reason == "" {
		t.Errorf("without a plan: %+v", v)
	}
	if v := all["budget: budget odd cannot be judged: no namespace"]; !v.Held {
		t.Errorf("not every budget is judged: %+v", all)
	}

	planned := judge(service("stated"), []engine.Plan{{Target: service("a"), Health: &engine.Health{Total: 2, Healthy: 1, Disrupts: 1}}})
	if v := planned[engine.GuardMinHealthy]; !v.Held || v.Unknown {
		t.Errorf("with a plan: %+v", v)
	}
	if v := planned[engine.GuardBusy]; !v.Held {
		t.Errorf("the plan's target does not count: %+v", v)
	}
	if v := judge(service("elsewhere"), nil)[engine.GuardBusy]; v.Held {
		t.Errorf("held elsewhere: %+v", v)
	}
}

func TestVerdictsOfNothing(t *testing.T) {
	r := guarded(engine.Guards{})
	for _, v := range engine.Verdicts(fakeSets{}, engine.NewState(), epoch, &r.Rule, service("a"), firing("a"), nil) {
		if v.Held || v.Unknown != (v.Guard == engine.GuardBudget) {
			t.Errorf("%+v", v)
		}
	}
	w := newWorld(t, r)
	want := []string{"freshness", "paused", "window", "busy", "unless", "requires", "flap", "cooldown", "holdDown", "limit", "concurrent", "budget", "minHealthy"}
	verdicts := engine.Verdicts(w.sets, w.st, epoch, &r.Rule, service("a"), firing("a"), nil)
	if len(verdicts) != len(want) {
		t.Fatalf("%+v", verdicts)
	}
	for i, v := range verdicts {
		if v.Guard != want[i] || v.Held || v.Unknown {
			t.Errorf("%+v, want %s to let it pass", v, want[i])
		}
	}
}
