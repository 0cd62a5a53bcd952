package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/responder"
	"github.com/tripgen/paramedic/internal/trigger"
	"github.com/tripgen/paramedic/remediators/azure"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/rules"
)

// The lease that says which process runs the triggers, and how long one that died
// is waited for.
const (
	triggerLease    = "triggers"
	triggerLeaseTTL = 10 * time.Second
)

// TriggerKinds are the kinds of trigger that rules of this build may have.
func TriggerKinds() []string {
	kinds := []string{string(rules.TriggerManual)}
	for _, k := range trigger.Kinds() {
		kinds = append(kinds, string(k))
	}
	return kinds
}

// startTriggers runs the triggers of the rules in force, in one of the processes
// that decide.
func (a *App) startTriggers(ctx context.Context) error {
	if !a.has(RoleEngine) {
		return nil
	}
	metrics, err := trigger.NewMetrics(a.metrics)
	if err != nil {
		return err
	}
	log := a.o.Logger.With("part", "triggers")
	m, err := trigger.New(trigger.Options{
		Store: a.bus.Triggers(), Inbox: a.bus, Lease: a.bus.Lease(triggerLease, a.id, triggerLeaseTTL),
		Rules:    rulesInForce{a.responder, a.catalog},
		Probes:   a.tools.Probers,
		Clusters: rolloutClusters{a.systems.Clusters, time.Now, log},
		Accounts: costAccounts{a.systems.Accounts},
		Metrics:  metrics, Log: log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	a.life.run(ctx, "triggers", closePart, m.Run)
	return nil
}

// checkTriggers reports triggers that look at what is not configured here: they
// would wait for ever.
func (a *App) checkTriggers(triggers []rules.Trigger) error {
	var errs []error
	for _, t := range triggers {
		var err error
		switch t.Kind {
		case rules.TriggerRollout:
			_, err = a.systems.Clusters.Named(t.Rollout.Cluster)
		case rules.TriggerCost:
			if _, err = a.systems.Accounts.Account(t.Cost.Account); err == nil && t.Cost.By != "" {
				err = azure.CheckDimension(t.Cost.By)
			}
		case rules.TriggerProbe, rules.TriggerSchedule, rules.TriggerManual:
			// All that they need is in the rule.
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: on.%s: %w", t.Rule, t.Kind, err))
		}
	}
	return errors.Join(errs...)
}

// raise makes the alert with which a person sets off a rule.
func (a *App) raise(ctx context.Context, rule string, labels map[string]string, by, reason string) (*alert.Delivery, error) {
	_, triggers, err := rulesInForce{a.responder, a.catalog}.Triggers(ctx, "")
	if err != nil {
		return nil, err
	}
	return trigger.Manual(triggers, rule, labels, by, reason, time.Now())
}

// rulesInForce shows the triggers of the rules that the ledger says are in force.
type rulesInForce struct {
	responder *responder.Responder
	catalog   rules.Catalog
}

func (r rulesInForce) Triggers(ctx context.Context, after string) (string, []rules.Trigger, error) {
	digest, sources, err := r.responder.RulesAfter(ctx, after)
	if err != nil {
		return after, nil, err
	}
	set, findings := rules.Parse(sources, r.catalog)
	if err := findings.Err(); err != nil {
		return digest, nil, fmt.Errorf("rules:\n%w", err)
	}
	return digest, set.Triggers(), nil
}

// rolloutClusters shows the clusters as triggers want to see them.
type rolloutClusters struct {
	clusters kubernetes.Clusters
	now      func() time.Time
	log      *slog.Logger
}

func (c rolloutClusters) WatchRollouts(ctx context.Context, t rules.RolloutTrigger, each func(*trigger.Rollout) error) error {
	client, err := c.clusters.Named(t.Cluster)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	told := false
	o := kubernetes.WatchOptions{Namespace: t.Namespace, Kind: t.Kind, Name: t.Name, Now: c.now, OnSync: func(s kubernetes.SyncState) {
		switch {
		case !s.Current:
			c.log.Warn("a cluster's rollouts are not watched for now; those that are missed are found later", "cluster", t.Cluster, "since", s.Since, "error", s.Err)
		case !told:
			told = true
			if err := each(nil); err != nil {
				cancel(err)
			}
		}
	}}
	err = client.WatchRollouts(ctx, o, func(s kubernetes.RolloutState) error {
		r := rolloutOf(t.Cluster, s)
		return each(&r)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func rolloutOf(cluster string, s kubernetes.RolloutState) trigger.Rollout {
	phases := []rules.RolloutPhase{rules.RolloutStarted, rules.RolloutStuck, rules.RolloutComplete}
	r := trigger.Rollout{
		Target: engine.Target{System: engine.SystemKubernetes, Cluster: cluster, Namespace: s.Namespace, Kind: s.Kind, Name: s.Name},
		ID:     s.Rollout, Revision: s.Revision, UID: s.UID, Images: s.Images, Restart: s.Restart, Phase: rules.RolloutPhase(s.Phase), Reason: s.Reason, Gone: s.Gone,
	}
	// Each template is a generation of its own, and a rollout's phases only go forward.
	if i := slices.Index(phases, r.Phase); i >= 0 && s.Generation > 0 {
		r.Version = uint64(s.Generation)*uint64(len(phases)) + uint64(i)
	}
	return r
}

// costAccounts shows the accounts as triggers want to see them.
type costAccounts struct{ accounts azure.Accounts }

func (c costAccounts) Costs(ctx context.Context, account, by string) (trigger.Costs, error) {
	a, err := c.accounts.Account(account)
	if err != nil {
		return trigger.Costs{}, err
	}
	costs, err := a.MonthToDate(ctx, by)
	if err != nil {
		return trigger.Costs{}, err
	}
	return trigger.Costs{Currency: costs.Currency, Total: costs.Total, By: costs.By}, nil
}
