package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	storyWithin = time.Minute
	lookEvery   = 100 * time.Millisecond
	// repeats are how often Alertmanager is let repeat the alert before it
	// resolves.
	repeats = 2 * time.Second
)

// perform breaks the service, watches Paramedic heal it, and checks that it did.
func (s *stage) perform(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, storyWithin, fmt.Errorf("not healed within %v", storyWithin))
	defer cancel()
	telling, stop := context.WithCancel(ctx)
	told := make(chan error, 1)
	started := time.Now()
	go func() { told <- s.tell(telling, started) }()
	err := s.healed(ctx)
	if err == nil {
		err = s.ended(ctx)
	}
	if err == nil {
		err = <-told // the story ends by itself with the run
	}
	stop()
	if err != nil {
		return err
	}
	return s.prove(ctx)
}

// tell prints what the ledger says, as it says it, until the run ends.
func (s *stage) tell(ctx context.Context, started time.Time) error {
	return s.paramedic.API.Events(ctx, client.Follow{From: 1}, func(e api.Entry) error {
		if !slices.Contains(bookkeeping(), e.Kind) {
			s.say("  %5.1fs  %-6s  %s", max(0, e.At.Sub(started).Seconds()), e.Topic, e.Sentence)
		}
		if e.Outcome != "" {
			return client.ErrStop
		}
		return nil
	})
}

// bookkeeping are the events that are of no interest here.
func bookkeeping() []string {
	return []string{engine.AlertRepeated{}.Kind(), engine.RulesLoaded{}.Kind(), engine.Pruned{}.Kind()}
}

// healed breaks all pods, lets the alert fire, and resolves it once new pods are
// ready, as Prometheus would.
func (s *stage) healed(ctx context.Context) error {
	old, err := s.cluster.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list pods: %w", err)
	}
	broken := fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, lab.BehaviourLabel, lab.NeverReady)
	for i := range old.Items {
		if _, err := s.cluster.Client().CoreV1().Pods(namespace).Patch(ctx, old.Items[i].Name, types.MergePatchType, broken, metav1.PatchOptions{}); err != nil {
			return fmt.Errorf("break a pod: %w", err)
		}
	}
	if err := s.until(ctx, func(d *appsv1.Deployment) bool { return d.Status.AvailableReplicas == 0 }); err != nil {
		return err
	}
	s.say("All %d pods of %s have stopped being ready. The alert fires.", len(old.Items), service)
	alert := lab.Alert{
		Labels:      map[string]string{"alertname": "ServiceDown", "severity": "critical", "namespace": namespace, "deployment": service},
		Annotations: map[string]string{"summary": service + " has no pod that is ready"}, StartsAt: time.Now(),
	}
	if err := s.alertmanager.Post(ctx, alert); err != nil {
		return err
	}
	if err := s.until(ctx, func(d *appsv1.Deployment) bool { return d.Generation > 1 }); err != nil {
		return err
	}
	if err := s.cluster.WaitAvailable(ctx, lab.Deployment(namespace, service, pods)); err != nil {
		return err
	}
	repeating := time.NewTimer(repeats)
	defer repeating.Stop()
	select {
	case <-repeating.C:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	s.say("All pods are new and ready, so the alert resolves.")
	alert.EndsAt = time.Now()
	return s.alertmanager.Post(ctx, alert)
}

// until waits until the service's deployment is as wanted.
func (s *stage) until(ctx context.Context, is func(*appsv1.Deployment) bool) error {
	return poll(ctx, func() (bool, error) {
		d, err := s.cluster.Client().AppsV1().Deployments(namespace).Get(ctx, service, metav1.GetOptions{})
		if err != nil {
			return false, fmt.Errorf("look at %s: %w", service, err)
		}
		return is(d), nil
	})
}

// ended waits for the end of the run, which must be a cure.
func (s *stage) ended(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		runs, err := s.paramedic.API.Runs(ctx, client.Filter{})
		if err != nil || len(runs.Runs) == 0 || runs.Runs[0].Outcome == "" {
			return false, err
		}
		if r := runs.Runs[0]; len(runs.Runs) != 1 || r.Outcome != engine.Cured {
			return false, fmt.Errorf("%d runs, and the first ended %s (%s); want one that cured", len(runs.Runs), r.Outcome, r.Why)
		}
		return true, nil
	})
}

func poll(ctx context.Context, until func() (bool, error)) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if yes, err := until(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// prove counts the changes by the API server's own log, and folds the ledger.
func (s *stage) prove(ctx context.Context) error {
	entries, err := s.cluster.Audit(ctx, lab.AuditFilter{User: lab.Paramedic})
	if err != nil {
		return err
	}
	changes := 0
	for i := range entries {
		if entries[i].Code/100 == 2 {
			changes++
		}
	}
	if changes != 1 {
		return fmt.Errorf("the API server's audit log has %d changes by paramedic, want 1", changes)
	}
	fold := ledger.NewFold()
	err = s.paramedic.API.Ledger(ctx, 1, func(seq uint64, data []byte) error {
		_, err := fold.Take(seq, data)
		return err
	})
	if err != nil {
		return fmt.Errorf("the ledger does not verify: %w", err)
	}
	if fold.Seq == 0 {
		return errors.New("the ledger is empty")
	}
	s.say("Healed. The API server's audit log has exactly 1 change by Paramedic, and the ledger's %d records verify.", fold.Seq)
	return nil
}
