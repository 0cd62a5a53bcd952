package responder_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// TestWhoMayAnswerMayDoNothingElse: what stands on a subject for workers'
// answers is believed to be an answer of that group, and nothing else.
func TestWhoMayAnswerMayDoNothingElse(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	r, _ := start(t, b, "one", "v1", 1000)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	submit(t, r, firing(1))
	task := nextTask(t, b)
	publish := func(kind, id string, lines ...any) {
		t.Helper()
		var text [][]byte
		for _, l := range lines {
			line, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			text = append(text, line)
		}
		seq, err := b.PublishInbox(ctx, kind, id, bytes.Join(text, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Decided(ctx, seq); err != nil {
			t.Fatal(err)
		}
	}
	pause := engine.Input{Command: &engine.Command{Verb: engine.Pause, Scope: engine.ScopeAll, By: "mallory"}}
	forged := func(group string) engine.Input {
		return engine.Input{Result: &engine.Result{Task: task.ID, Group: group, Failure: &engine.Failure{Class: engine.ClassTerminal, Message: "forged"}}}
	}
	long := forged("")
	long.Result.Failure.Message = strings.Repeat("x", b.MaxMessage()/8*7)
	publish("result.seoul", "a", pause)
	publish("result.seoul", "b", firing(2))
	publish("result.seoul", "c", engine.Input{Rules: &engine.NewRules{Digest: "v2", Sources: []engine.Source{{Name: "r.yaml", Text: "v2"}}}})
	publish("result", "d", pause)
	publish("result.seoul", "e", forged("default"), pause)
	publish("result.default", "f", long)
	r.View(func(st *engine.State) {
		if len(st.Paused) != 0 || len(st.Episodes) != 1 || st.RuleSet != "v1" || len(st.ActiveRuns()) != 1 {
			t.Errorf("%d pauses, %d episodes, rules %s, %d runs", len(st.Paused), len(st.Episodes), st.RuleSet, len(st.ActiveRuns()))
		}
		waits := 0
		st.Outstanding(func(o engine.Task) {
			if o.ID == task.ID {
				waits++
			}
		})
		if waits != 1 {
			t.Error("the task was answered by another group")
		}
	})
	publish("result.default", "g", engine.Input{Result: &engine.Result{
		Task: task.ID, Group: "forged", Plan: &engine.Plan{Target: task.Target, Summary: "restart"},
	}})
	if next := nextTask(t, b); next.Kind != engine.TaskExecute {
		t.Errorf("after the answer comes %+v", next)
	}
	// Another kind is for the hub's own processes.
	publish("results", "h", pause)
	r.View(func(st *engine.State) {
		if len(st.Paused) != 1 {
			t.Errorf("%d pauses, want 1", len(st.Paused))
		}
	})
}
