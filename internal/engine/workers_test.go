package engine_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// about is the service in an alert's label "on", or the pod, if it names a cluster.
func about(a alert.Alert) engine.Target {
	if cluster := a.Labels["cluster"]; cluster != "" {
		return pod(cluster, a.Labels["on"])
	}
	return service(a.Labels["on"])
}

func pod(cluster, name string) engine.Target {
	return engine.Target{System: engine.SystemKubernetes, Cluster: cluster, Namespace: "n", Kind: "Pod", Name: name}
}

// inCluster is an alert about pod a of a cluster.
func inCluster(cluster string) alert.Alert {
	a := firing("a")
	a.Labels["cluster"] = cluster
	return a
}

// regional is a rule whose targets in korea are worked on by group seoul. Its
// rung checks, does, verifies and puts back.
func regional() *fakeRule {
	r := guarded(engine.Guards{})
	r.GroupOf = func(t engine.Target) string { return map[string]string{"korea": "seoul"}[t.Cluster] }
	a := rung("first", action("mend"), action("polish"))
	for i := range a.Do {
		a.Do[i].Undoable = true
	}
	a.Undo = true
	a.Check = []engine.Probe{{Kind: "rollout", Params: params}}
	a.Verify.Probes = a.Check
	r.Attempts = []engine.Attempt{a, {Name: "look", Group: "there", Verify: engine.Verify{Probes: a.Check, Within: time.Minute}}}
	return r
}

// TestTasksGoToTheGroupOfTheirCluster: whatever is asked about a target goes to
// its cluster's group, and about others to the action's.
func TestTasksGoToTheGroupOfTheirCluster(t *testing.T) {
	for cluster, groups := range map[string][3]string{
		"korea": {"seoul", "seoul-verify", "seoul-verify"},
		"japan": {"here", "here-verify", "there-verify"},
		"":      {"here", "here-verify", "there-verify"},
	} {
		t.Run("cluster "+cluster, func(t *testing.T) {
			w := newWorld(t, regional())
			w.send(inCluster(cluster))
			w.plan()
			w.plan()
			w.answer(w.task(engine.TaskCheck), engine.Result{Verified: true})
			w.act()
			w.act()
			w.answer(w.task(engine.TaskVerify), engine.Result{Checks: []engine.Check{{Kind: "rollout"}}})
			for range 2 {
				w.answer(w.task(engine.TaskUndo), engine.Result{Outcome: &engine.Outcome{Summary: "put back"}})
			}
			kinds := map[engine.TaskKind]int{}
			for _, ev := range w.all {
				issued, ok := ev.(engine.TaskIssued)
				if !ok {
					continue
				}
				task := issued.Task
				kinds[task.Kind]++
				want := groups[0]
				switch {
				case task.Attempt == 1:
					want = groups[2]
				case task.Kind == engine.TaskCheck, task.Kind == engine.TaskVerify:
					want = groups[1]
				}
				if task.Group != want {
					t.Errorf("task %s went to group %q, want %q", task.ID, task.Group, want)
				}
			}
			want := map[engine.TaskKind]int{engine.TaskPlan: 2, engine.TaskCheck: 1, engine.TaskExecute: 2, engine.TaskVerify: 2, engine.TaskUndo: 2}
			for kind, n := range want {
				if kinds[kind] != n {
					t.Errorf("%d tasks of kind %s, want %d: %v", kinds[kind], kind, n, kinds)
				}
			}
		})
	}
}

// TestAPlanCannotLeaveItsCluster: or else the workers of one cluster could have
// those of another act.
func TestAPlanCannotLeaveItsCluster(t *testing.T) {
	for name, to := range map[string]engine.Target{
		"another cluster": pod("japan", "a"), "no cluster": service("a"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, regional())
			w.send(inCluster("korea"))
			w.planOn(w.task(engine.TaskPlan), to)
			w.reason("the task is for cluster \\\"korea\\\"")
			if n := w.count("attempt.failed"); n != 1 {
				t.Errorf("%d attempts failed, want 1", n)
			}
		})
	}
	t.Run("a cluster of its own", func(t *testing.T) {
		w := newWorld(t, regional())
		w.send(firing("a"))
		w.planOn(w.task(engine.TaskPlan), pod("korea", "a"))
		w.reason("the task is for cluster \\\"\\\"")
	})
}

// TestAnAnswerCountsByItsGroupOnly: a group cannot answer for another, and what
// it tries changes nothing.
func TestAnAnswerCountsByItsGroupOnly(t *testing.T) {
	w := newWorld(t, regional())
	w.send(inCluster("korea"))
	task := w.task(engine.TaskPlan)
	for _, group := range []string{"here", "seoul-verify", "tokyo"} {
		w.answer(task, engine.Result{Group: group, Failure: &engine.Failure{Class: engine.ClassUnknown, Message: "forged"}})
		w.says("answer.ignored")
		w.reason("the task is for group \\\"seoul\\\"")
	}
	w.answer(task, engine.Result{Group: "seoul", Plan: &engine.Plan{Target: task.Target, Summary: "mend"}})
	w.says("task.answered", "task.issued")
}
