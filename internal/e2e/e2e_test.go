package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

func TestEndToEnd(t *testing.T) {
	w := newWorld(t)
	t.Run("alerts", func(t *testing.T) {
		t.Run("an alert becomes one restart, and is explained", w.testOneRestart)
		t.Run("two pods of one deployment become one restart", w.testPods)
		t.Run("an overloaded service grows", w.testGrows)
		t.Run("what no rung cures ends with people", w.testUncured)
		t.Run("the kill switch holds, and lets go", w.testKillSwitch)
		t.Run("missing rights are said", w.testWithoutRights)
		t.Run("an alert that no rule is for changes nothing", w.testUnmatched)
		t.Run("a deployment is validated, and rolled back if it is bad", w.testRollouts)
	})
	t.Run("the ledger verifies", w.testLedger)
}

func (w *world) testOneRestart(t *testing.T) {
	s := w.scene(t)
	s.deploy(lab.Deployment(s.namespace, "profile-service", 2), lab.Deployment(s.namespace, "place-service", 2))
	before, bystander := s.deployment("profile-service"), s.deployment("place-service")
	alert := s.alert("ServiceDown", map[string]string{"deployment": "profile-service"})
	s.post(alert)
	s.eventually(func() error {
		if s.deployment("profile-service").Generation == before.Generation {
			return errors.New("no restart yet")
		}
		return nil
	})
	if err := s.cluster.WaitAvailable(s.ctx, before); err != nil {
		t.Fatal(err)
	}
	// It fires on for some repeats, as alerts do.
	s.eventually(func() error {
		if n := len(s.tap.of(s.namespace, "firing")); n < 3 {
			return fmt.Errorf("%d notifications of the firing, want some repeats", n)
		}
		return nil
	})
	if r := s.runs(); len(r) != 1 || r[0].Phase != engine.PhaseVerifying {
		t.Errorf("while the alert fires on: %+v, want one run that verifies", r)
	}
	s.resolve(alert)
	run := s.ended(1)[0]
	if run.Outcome != engine.Cured || run.Attempt != 1 || run.Rule != "service-down" || !strings.HasSuffix(run.Target, s.namespace+"/Deployment/profile-service") {
		t.Errorf("the run ended as %+v", run)
	}

	// Everything once more, from whichever replica: late, and in the wrong order.
	for _, d := range append(s.tap.of(s.namespace, "resolved"), s.tap.of(s.namespace, "firing")...) {
		if err := s.tap.again(s.ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	s.decided()
	if r := s.ended(1)[0]; r.ID != run.ID || r.Outcome != engine.Cured {
		t.Errorf("after the redeliveries: %+v", r)
	}

	change := s.changedOnce("profile-service")
	var patch struct{ Spec, Metadata any }
	if err := json.Unmarshal(change.Body, &patch); err != nil || !strings.Contains(string(change.Body), run.ID) {
		t.Errorf("the change does not name its run %s: %s (%v)", run.ID, change.Body, err)
	}
	after := s.deployment("profile-service")
	if after.Generation != before.Generation+1 || after.Spec.Template.Annotations[kubernetes.RestartedAnnotation] == "" {
		t.Errorf("the deployment went from generation %d to %d, with annotations %v", before.Generation, after.Generation, after.Spec.Template.Annotations)
	}
	if d := s.deployment("place-service"); d.Generation != bystander.Generation {
		t.Error("the neighbour was changed")
	}
	s.explains(run.ID, explain.TopicRule, explain.TopicPlan, explain.TopicGuard, explain.TopicAction, explain.TopicVerify, explain.TopicEnd)
}

// decided waits until Paramedic has decided what it took so far: a command goes
// the same way as the webhooks, and behind them.
func (s *scene) decided() {
	s.t.Helper()
	scope := "rule/nothing-" + s.namespace
	if _, err := s.paramedic.API.Pause(s.ctx, scope, "a mark"); err != nil {
		s.t.Fatal(err)
	}
	s.eventually(func() error {
		pauses, err := s.paramedic.API.Pauses(s.ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(pauses.Pauses, func(p api.Pause) bool { return p.Scope == scope && p.Recorded }) {
			return errors.New("a command is not decided yet")
		}
		return nil
	})
}

// explains holds that a run's timeline comes to the topics, in this order.
func (s *scene) explains(run string, topics ...string) {
	s.t.Helper()
	detail, err := s.paramedic.API.Run(s.ctx, run)
	if err != nil {
		s.t.Fatal(err)
	}
	var story []string
	for _, e := range detail.Timeline {
		story = append(story, e.Topic+": "+e.Sentence)
		if len(topics) > 0 && e.Topic == topics[0] && e.Sentence != "" {
			topics = topics[1:]
		}
	}
	if len(topics) > 0 {
		s.t.Errorf("the story lacks %v, or tells it in another order:\n%s", topics, strings.Join(story, "\n"))
	}
}

func (w *world) testPods(t *testing.T) {
	s := w.scene(t)
	d := lab.Deployment(s.namespace, "itinerary-service", 2)
	s.deploy(d)
	pods, err := s.cluster.Client().CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) != 2 {
		t.Fatalf("%d pods, want 2 (%v)", len(pods.Items), err)
	}
	// They fail their readiness until they are replaced.
	broken := fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, lab.BehaviourLabel, lab.NeverReady)
	var alerts []lab.Alert
	for i := range pods.Items {
		name := pods.Items[i].Name
		if _, err := s.cluster.Client().CoreV1().Pods(s.namespace).Patch(s.ctx, name, types.MergePatchType, broken, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		alerts = append(alerts, s.alert("PodStuck", map[string]string{"pod": name}))
	}
	s.eventually(func() error {
		if n := s.deployment(d.Name).Status.AvailableReplicas; n != 0 {
			return fmt.Errorf("%d pods are still available", n)
		}
		return nil
	})
	s.post(alerts...)
	s.eventually(func() error {
		if s.deployment(d.Name).Generation == 1 {
			return errors.New("no restart yet")
		}
		return nil
	})
	if err := s.cluster.WaitAvailable(s.ctx, d); err != nil {
		t.Fatal(err)
	}
	s.resolve(alerts...)
	outcomes := map[engine.RunFinal]int{}
	for _, r := range s.ended(2) {
		outcomes[r.Outcome]++
		if !strings.HasSuffix(r.Target, "/Deployment/itinerary-service") {
			t.Errorf("run %s is for %s, want the deployment", r.ID, r.Target)
		}
	}
	if outcomes[engine.Cured] != 1 || outcomes[engine.Merged] != 1 {
		t.Errorf("the runs ended %v, want one cured and the other merged into it", outcomes)
	}
	s.changedOnce(d.Name)
}

func (w *world) testGrows(t *testing.T) {
	s := w.scene(t)
	d := lab.Deployment(s.namespace, "search", 2)
	s.deploy(d)
	alert := s.alert("Overloaded", map[string]string{"deployment": d.Name})
	s.post(alert)
	s.eventually(func() error {
		if now := s.deployment(d.Name); now.Status.AvailableReplicas != 4 {
			return fmt.Errorf("%d replicas are available, want 4", now.Status.AvailableReplicas)
		}
		return nil
	})
	s.resolve(alert)
	if r := s.ended(1)[0]; r.Outcome != engine.Cured {
		t.Errorf("the run ended %+v", r)
	}
	s.changedOnce(d.Name)
}

func (w *world) testUncured(t *testing.T) {
	s := w.scene(t)
	d := lab.Deployment(s.namespace, "hopeless", 1)
	d.Spec.Template.Labels[lab.BehaviourLabel] = string(lab.NeverReady)
	s.deploy(d)
	s.post(s.alert("Broken", map[string]string{"deployment": d.Name}))
	r := s.ended(1)[0]
	if r.Outcome != engine.Uncured || r.Attempt < 2 || !strings.Contains(r.Why, "rollout: ") {
		t.Errorf("the run ended %+v, want uncured after two attempts, because the rollout does not complete", r)
	}
	s.explains(r.ID, explain.TopicAction, explain.TopicVerify, explain.TopicAction, explain.TopicVerify, explain.TopicPerson)
	attempts := map[string]int{}
	for _, c := range s.changes() {
		if c.Code == http.StatusOK {
			attempts[attemptOf(t, c)]++
		}
	}
	if len(attempts) != 2 || attempts[r.ID+".0"] != 1 || attempts[r.ID+".1"] != 1 {
		t.Errorf("changes by attempt: %v, want one by each of two", attempts)
	}
}

// attemptOf reads run and attempt from a change itself.
func attemptOf(t *testing.T, c lab.AuditEntry) string {
	t.Helper()
	var body struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(c.Body, &body); err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(body.Metadata.Annotations[kubernetes.TaskAnnotation], ".", 3)
	if len(parts) != 3 {
		t.Fatalf("the change names no task: %s", c.Body)
	}
	return parts[0] + "." + parts[1]
}

func (w *world) testKillSwitch(t *testing.T) {
	s := w.scene(t)
	d := lab.Deployment(s.namespace, "paused", 1)
	s.deploy(d)
	const scope = "rule/switched-off"
	if _, err := s.paramedic.API.Pause(s.ctx, scope, "maintenance"); err != nil {
		t.Fatal(err)
	}
	s.post(s.alert("SwitchedOff", map[string]string{"deployment": d.Name}))
	s.eventually(func() error {
		if r := s.runs(); len(r) != 1 || r[0].Phase != engine.PhaseHeld || r[0].Guard != engine.GuardPaused {
			return fmt.Errorf("%+v, want one run that is held by the pause", r)
		}
		return nil
	})
	if c := s.changes(); len(c) > 0 {
		t.Fatalf("changed while paused: %+v", c)
	}
	if _, err := s.paramedic.API.Resume(s.ctx, scope); err != nil {
		t.Fatal(err)
	}
	if r := s.ended(1)[0]; r.Outcome != engine.Cured {
		t.Errorf("after the pause the run ended %+v", r)
	}
	s.changedOnce(d.Name)
}

func (w *world) testWithoutRights(t *testing.T) {
	s := w.scene(t)
	d := lab.Deployment(s.namespace, "untouchable", 1)
	s.deploy(d)
	s.post(s.alert("WithoutRights", map[string]string{"deployment": d.Name}))
	r := s.ended(1)[0]
	if r.Outcome != engine.Uncured || !strings.Contains(r.Why, "forbidden") || !strings.Contains(r.Why, "patch") {
		t.Errorf("the run ended %+v, want uncured, because a patch is forbidden", r)
	}
	// That shows when the plan is rehearsed, before anything is done.
	if c := s.changes(); len(c) > 0 {
		t.Errorf("tried nonetheless: %+v", c)
	}
	tries, err := s.cluster.Audit(s.ctx, lab.AuditFilter{User: lab.Outsider, Namespace: s.namespace, DryRuns: true})
	if err != nil || len(tries) != 1 || tries[0].Code != http.StatusForbidden {
		t.Errorf("the audit log has %+v, %v, want one refused rehearsal: a refusal is not tried again", tries, err)
	}
	if now := s.deployment(d.Name); now.Generation != 1 {
		t.Error("it was changed nonetheless")
	}
}

func (w *world) testUnmatched(t *testing.T) {
	s := w.scene(t)
	d := lab.Deployment(s.namespace, "healthy", 1)
	s.deploy(d)
	minor := s.alert("ServiceDown", map[string]string{"deployment": d.Name, "severity": "warning"})
	s.post(minor, s.alert("SomethingElse", map[string]string{"deployment": d.Name}))
	s.eventually(func() error {
		if len(s.tap.of(s.namespace, "firing")) < 2 {
			return errors.New("not posted yet")
		}
		return nil
	})
	s.decided()
	if r, c := s.runs(), s.changes(); len(r)+len(c) > 0 {
		t.Errorf("runs %+v, changes %+v; want neither", r, c)
	}
}

// testLedger folds the ledger as the API hands it out.
func (w *world) testLedger(t *testing.T) {
	fold := ledger.NewFold()
	err := w.paramedic.API.Ledger(context.WithoutCancel(t.Context()), 1, func(seq uint64, data []byte) error {
		_, err := fold.Take(seq, data)
		return err
	})
	if err != nil || fold.Seq == 0 {
		t.Errorf("the ledger does not verify at record %d: %v", fold.Seq, err)
	}
	var parked []string
	for id, r := range fold.State.Runs {
		if r.Phase == engine.PhaseParked {
			parked = append(parked, id)
		}
	}
	if len(parked) > 0 {
		t.Errorf("runs %v are parked", parked)
	}
}
