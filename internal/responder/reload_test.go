package responder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/responder"
)

func text(rules string) []engine.Source { return []engine.Source{{Name: "rules.yaml", Text: rules}} }

func reload(t *testing.T, r *responder.Responder, rules string) {
	t.Helper()
	if digest, err := r.Reload(text(rules)); err != nil || digest != rules {
		t.Fatalf("reload of %s: %s, %v", rules, digest, err)
	}
}

// awaitRules waits until a responder sees these rules in force.
func awaitRules(t *testing.T, r *responder.Responder, rules string) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var now string
		r.View(func(st *engine.State) { now = st.RuleSet })
		if now == rules {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("rules %.20q are in force, waited for %.20q", now, rules)
		}
	}
}

// loaded lists the rule sets that the ledger puts in force, in order.
func loaded(t *testing.T, b *bus.Bus) []string {
	t.Helper()
	var digests []string
	reread(t, b, func(rec ledger.Record) {
		for _, ev := range rec.Events {
			if e, ok := ev.(engine.RulesLoaded); ok {
				digests = append(digests, e.Digest)
			}
		}
	})
	return digests
}

func TestReloadedRulesComeIntoForceAndRunsKeepTheirs(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	r, _ := start(t, b, "one", "v1", 1000)
	submit(t, r, firing(1))
	before := nextTask(t, b)
	reload(t, r, "v2")
	awaitRules(t, r, "v2")
	submit(t, r, firing(2))
	plan := engine.Plan{Target: before.Target, Summary: "restart"}
	submit(t, r, engine.Input{Result: &engine.Result{Task: before.ID, At: time.Now(), Plan: &plan}})
	r.View(func(st *engine.State) {
		of := map[string]string{}
		for _, run := range st.Runs {
			of[run.Stated.Name] = run.RuleSet
		}
		if of["service-1"] != "v1" || of["service-2"] != "v2" {
			t.Errorf("rule sets of the runs %v: want v1 for the one that had begun, and v2 for the next", of)
		}
		if st.Runs[before.Run].Phase == engine.PhasePlanning {
			t.Error("the run that had begun does not go on")
		}
	})
	if got := loaded(t, b); !slices.Equal(got, []string{"v1", "v2"}) {
		t.Errorf("the ledger has %v", got)
	}
}

func TestOnlyTheLeaderProposesItsRules(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	one, stopOne := start(t, b, "one", "v1", 1000)
	submit(t, one, firing(1)) // one leads
	two, _ := start(t, b, "two", "v1", 1000)
	reload(t, two, "v2")
	reload(t, one, "v3")
	awaitRules(t, two, "v3")
	submit(t, one, firing(2))
	if got := loaded(t, b); !slices.Equal(got, []string{"v1", "v3"}) {
		t.Errorf("the ledger has %v; a follower's rules must wait until it leads", got)
	}
	stopOne()
	awaitRules(t, two, "v2")
	if got := loaded(t, b); !slices.Equal(got, []string{"v1", "v3", "v2"}) {
		t.Errorf("the ledger has %v", got)
	}
}

// TestALeftoverProposal: a leader before put its rules into INBOX and died. They
// come into force, and are answered.
func TestALeftoverProposal(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	r, _ := start(t, b, "one", "v1", 1000)
	submit(t, r, firing(1))
	submit(t, r, engine.Input{Rules: &engine.NewRules{Digest: "old", Sources: text("old")}})
	awaitRules(t, r, "v1")
	if got := loaded(t, b); !slices.Equal(got, []string{"v1", "old", "v1"}) {
		t.Errorf("the ledger has %v", got)
	}
}

// TestRulesThereAndBack changes the wanted rules faster than they are decided.
func TestRulesThereAndBack(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	r, _ := start(t, b, "one", "v0", 5)
	random := rand.New(rand.NewPCG(3, 4))
	last := "v0"
	for range 10 {
		for range 1 + random.IntN(4) {
			last = fmt.Sprintf("v%d", random.IntN(3))
			reload(t, r, last)
		}
		if random.IntN(2) == 0 {
			submit(t, r, firing(random.IntN(5)))
		}
	}
	awaitRules(t, r, last)
	submit(t, r, firing(1))
	submit(t, r, firing(2))
	awaitRules(t, r, last)
	all := loaded(t, b)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("rules were put in force that were: %v", all)
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	t.Parallel()
	metrics, err := responder.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	b := &tightBus{Bus: openBus(t)}
	var ids atomic.Int64
	o := responder.Options{
		Bus: b, Compile: compile, Rules: text("v1"), Holder: "one", Now: time.Now, NewID: func() string { return strconv.FormatInt(ids.Add(1), 10) },
		Logger: slog.New(slog.DiscardHandler), Metrics: metrics, SnapshotEvery: 1000,
		Admit: func(sources []engine.Source) (engine.RuleSet, error) {
			if sources[0].Text == "foreign" {
				return nil, errors.New("rules.yaml: not in this build")
			}
			return compile(sources)
		},
	}
	r, err := responder.New(o)
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{
		"bad":                      "rules.yaml:1:1: error: it is bad",
		"foreign":                  "not in this build",
		strings.Repeat("x", 5<<10): "and the bus takes 4608",
	}
	for rules, want := range refused {
		if _, err := r.Reload(text(rules)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.10s: %v, want %q", rules, err, want)
		}
		o := o
		o.Rules = text(rules)
		if _, err := responder.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New with %.10s: %v, want %q", rules, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	awaitRules(t, r, "v1")
	// The largest that is taken gets through the ledger, too.
	largest := strings.Repeat("x", 4608/2-100) // a digest of this test is the text
	reload(t, r, largest)
	awaitRules(t, r, largest)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
