package responder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/responder"
)

// fixedRules is a rule set of one rule, which restarts what the label job names.
type fixedRules struct{ digest string }

func (s fixedRules) Digest() string           { return s.digest }
func (s fixedRules) Budgets() []engine.Budget { return nil }
func (s fixedRules) Rule(name string) (*engine.Rule, bool) {
	r := s.rule()
	return r, r.Name == name
}

func (s fixedRules) Match(a alert.Alert, _ time.Time) []engine.Match {
	return []engine.Match{{Rule: s.rule(), Target: engine.Target{System: engine.SystemHTTP, Name: a.Labels["job"]}}}
}

func (fixedRules) rule() *engine.Rule {
	return &engine.Rule{
		Name: "service-down", Mode: engine.ModeAuto,
		Attempts: []engine.Attempt{{
			Name: "restart", Timeout: time.Second,
			Do: []engine.Action{{Name: "http.request", Group: "default", Params: func(engine.Scope) (json.RawMessage, error) {
				return json.RawMessage(`{}`), nil
			}}},
			Verify: engine.Verify{AlertResolved: true, Within: time.Hour},
		}},
	}
}

func compile(sources []engine.Source) (engine.RuleSet, error) {
	if strings.HasPrefix(sources[0].Text, "bad") {
		return nil, errors.New("rules.yaml:1:1: error: it is bad")
	}
	return fixedRules{digest: sources[0].Text}, nil
}

func openBus(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), MaxStore: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return b
}

// start runs a responder until stop is called or the test ends.
func start(t *testing.T, b *bus.Bus, name, rules string, snapshotEvery uint64) (r *responder.Responder, stop func()) {
	t.Helper()
	return startOn(t, b, name, rules, snapshotEvery)
}

func startOn(t *testing.T, b responder.Bus, name, rules string, snapshotEvery uint64) (*responder.Responder, func()) {
	t.Helper()
	metrics, err := responder.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	var ids atomic.Int64
	r, err := responder.New(responder.Options{
		Bus: b, Compile: compile, Rules: []engine.Source{{Name: "rules.yaml", Text: rules}}, Holder: name,
		Now: time.Now, NewID: func() string { return name + strconv.FormatInt(ids.Add(1), 10) },
		Logger: slog.New(slog.DiscardHandler), Metrics: metrics, SnapshotEvery: snapshotEvery,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("responder %s: %v", name, err)
		}
	}
	t.Cleanup(stop)
	if err := r.AwaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return r, stop
}

func firing(n int) engine.Input {
	at := time.Now()
	a := alert.Alert{
		Source: "am", Name: "ServiceDown", Fingerprint: fmt.Sprintf("f%d", n), Status: alert.Firing, StartsAt: at.Add(-time.Minute),
		Labels: map[string]string{"job": fmt.Sprintf("service-%d", n)},
	}
	return engine.Input{Delivery: &alert.Delivery{ID: "d" + strconv.Itoa(n), Source: "am", ReceivedAt: at, Alerts: []alert.Alert{a}}}
}

func submit(t *testing.T, r *responder.Responder, in engine.Input) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	seq, err := r.Submit(ctx, "test", in)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Decided(ctx, seq); err != nil {
		t.Fatal(err)
	}
}

// nextTask takes a task from WORK and acknowledges it.
func nextTask(t *testing.T, b *bus.Bus) engine.Task {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	q, err := b.Work(ctx, "default", []string{"http.request"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	job, err := q.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var task engine.Task
	if err := json.Unmarshal(job.Data, &task); err != nil {
		t.Fatal(err)
	}
	if err := job.Ack(ctx); err != nil {
		t.Fatal(err)
	}
	return task
}

// refold checks the chain of the whole ledger and returns its state.
func refold(t *testing.T, b *bus.Bus) *ledger.Fold {
	t.Helper()
	return reread(t, b, func(ledger.Record) {})
}

// reread is refold, and hands over each record on the way.
func reread(t *testing.T, b *bus.Bus, each func(ledger.Record)) *ledger.Fold {
	t.Helper()
	last, err := b.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := b.Ledger(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	fold := ledger.NewFold()
	for fold.Seq < last {
		m, err := reader.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rec, err := fold.Take(m.Seq, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		each(rec)
	}
	return fold
}

func TestAnAlertBecomesATaskAndTheLedgerKnowsWhy(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	r, _ := start(t, b, "one", "v1", 1000)
	submit(t, r, firing(1))
	task := nextTask(t, b)
	if task.Kind != engine.TaskPlan || task.Target.Name != "service-1" {
		t.Fatalf("task %+v", task)
	}
	plan := engine.Plan{Target: task.Target, Summary: "restart"}
	submit(t, r, engine.Input{Result: &engine.Result{Task: task.ID, At: time.Now(), Plan: &plan}})
	if task = nextTask(t, b); task.Kind != engine.TaskExecute || task.Plan == nil {
		t.Fatalf("after the plan came %+v", task)
	}
	r.View(func(live *engine.State) {
		want, err := json.Marshal(refold(t, b).State)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := json.Marshal(live); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%v\nlive state:\n%s\nfold of the ledger:\n%s", err, have, want)
		}
	})
}

func TestAFollowerTakesOverWithoutLosingOrRepeating(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	one, stopOne := start(t, b, "one", "v1", 3)
	submit(t, one, firing(1))
	two, _ := start(t, b, "two", "v1", 3)
	for n := 2; n < 12; n++ {
		submit(t, one, firing(n))
	}
	stopOne()
	if two.Leading() {
		t.Log("the follower leads already")
	}
	for n := range 20 {
		submit(t, two, firing(n))
	}
	if !two.Leading() {
		t.Error("the follower decided, but does not lead")
	}
	if fold := refold(t, b); len(fold.State.Runs) != 20 {
		t.Errorf("20 alerts, some of them twice, became %d runs", len(fold.State.Runs))
	}
}

func TestARestartGoesOnFromItsSnapshot(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	one, stop := start(t, b, "one", "v1", 2)
	for n := range 9 {
		submit(t, one, firing(n))
	}
	stop()
	names, err := b.ListSnapshots(t.Context())
	if err != nil || len(names) == 0 || len(names) > 2 {
		t.Fatalf("snapshots %v, %v", names, err)
	}
	// A snapshot of something else must not be believed.
	if err := b.PutSnapshot(t.Context(), "99999999999999999999", []byte(`{"v":1,"seq":3,"head":"no","state":{}}`)); err != nil {
		t.Fatal(err)
	}
	two, _ := start(t, b, "two", "v1", 2)
	submit(t, two, firing(9))
	two.View(func(st *engine.State) {
		if len(st.Runs) != 10 {
			t.Errorf("%d runs after the restart, want 10", len(st.Runs))
		}
	})
}

func TestNewRulesComeIntoForceByTheInbox(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	one, stop := start(t, b, "one", "v1", 1000)
	submit(t, one, firing(1))
	stop()
	two, _ := start(t, b, "two", "v2", 1000)
	submit(t, two, firing(2)) // two leads from here on at the latest
	submit(t, two, firing(3)) // and this comes behind its rules
	two.View(func(st *engine.State) {
		if st.RuleSet != "v2" || st.RuleSets["v1"] == nil {
			t.Errorf("rules in force %q, known %v; want v2, and v1 kept for the run that began with it", st.RuleSet, st.RuleSets)
		}
	})
}

func TestALedgerThatWasTamperedWithStopsTheEngine(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	one, stop := start(t, b, "one", "v1", 1000)
	submit(t, one, firing(1))
	stop()
	last, err := b.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.AppendLedger(t.Context(), last, "forged", []byte(`{"v":1,"at":"2026-01-01T00:00:00Z","cause":{"inbox":9},"events":[],"prev":"made up"}`)); err != nil {
		t.Fatal(err)
	}
	metrics, err := responder.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	r, err := responder.New(responder.Options{
		Bus: b, Compile: compile, Holder: "two", Now: time.Now, NewID: func() string { return "x" },
		Logger: slog.New(slog.DiscardHandler), Metrics: metrics, SnapshotEvery: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, broken := errors.AsType[*ledger.BrokenError](r.Run(ctx)); !broken {
		t.Error("ran on a broken chain")
	}
}
