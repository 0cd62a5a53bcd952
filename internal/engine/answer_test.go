package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestLateAnswersChangeNothing(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"))
	late := w.task(engine.TaskPlan)
	w.passTo()
	w.planOn(late, late.Target)
	w.says("answer.ignored")
	w.passTo()
	w.says("task.issued")
	w.plan()
	task := w.task(engine.TaskExecute)
	w.act()
	w.answer(task, engine.Result{Outcome: &engine.Outcome{}})
	w.says("answer.ignored")
	w.answer(engine.Task{ID: "never issued"}, engine.Result{Verified: true})
	w.says("answer.ignored")
}

// While the engine was away answers gathered in INBOX: none may be given up
// before it was read.
func TestAnswersThatOnlyTheEngineIsLateForCount(t *testing.T) {
	w := newWorld(t, down())
	w.send(firing("a"), firing("b"))
	a := outstanding(w.st)[0]
	w.now = w.now.Add(10 * time.Minute)
	w.send(firing("c"))
	w.says("alert.opened", "run.started", "task.issued")
	w.do(engine.Input{Tick: &engine.Tick{At: w.now.Add(-9 * time.Minute)}})
	w.says()
	w.planOn(a, a.Target)
	w.says("task.answered", "run.allowed", "task.issued")
	w.do(engine.Input{Tick: &engine.Tick{At: w.now}})
	w.says("task.unanswered", "retry.scheduled")
}

func TestAnswersThatDoNotFit(t *testing.T) {
	plan := &engine.Plan{Target: service("a"), Summary: "s"}
	outcome := &engine.Outcome{Summary: "s"}
	failure := &engine.Failure{Class: engine.ClassRetryable}
	for name, c := range map[string]struct {
		kind engine.TaskKind
		res  engine.Result
	}{
		"plan with nothing":        {engine.TaskPlan, engine.Result{}},
		"plan with an outcome":     {engine.TaskPlan, engine.Result{Outcome: outcome}},
		"plan with both":           {engine.TaskPlan, engine.Result{Plan: plan, Outcome: outcome}},
		"plan of no target":        {engine.TaskPlan, engine.Result{Plan: &engine.Plan{}}},
		"execute with nothing":     {engine.TaskExecute, engine.Result{}},
		"execute with a plan":      {engine.TaskExecute, engine.Result{Plan: plan}},
		"execute with both":        {engine.TaskExecute, engine.Result{Plan: plan, Outcome: outcome}},
		"execute done and failed":  {engine.TaskExecute, engine.Result{Outcome: outcome, Failure: failure}},
		"execute verified":         {engine.TaskExecute, engine.Result{Verified: true}},
		"verify with a plan":       {engine.TaskVerify, engine.Result{Plan: plan}},
		"verify with an outcome":   {engine.TaskVerify, engine.Result{Outcome: outcome}},
		"verified and yet failed":  {engine.TaskVerify, engine.Result{Verified: true, Failure: failure}},
		"verified with an outcome": {engine.TaskVerify, engine.Result{Verified: true, Outcome: outcome}},
	} {
		t.Run(name, func(t *testing.T) {
			r := down()
			r.Attempts[0].Verify.Probes = []engine.Probe{{Kind: "http", Params: params}}
			w := newWorld(t, r)
			w.send(firing("a"))
			if c.kind != engine.TaskPlan {
				w.plan()
			}
			if c.kind == engine.TaskVerify {
				w.act()
			}
			w.answer(w.task(c.kind), c.res)
			if c.kind == engine.TaskExecute {
				w.says("task.answered", "run.parked", "run.escalated")
			} else {
				w.says("task.answered", "attempt.failed", "task.issued")
			}
		})
	}
}
