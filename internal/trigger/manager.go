package trigger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/tripgen/paramedic/rules"
)

// Kinds are the kinds of trigger that a manager runs.
func Kinds() []rules.TriggerKind {
	return []rules.TriggerKind{rules.TriggerSchedule, rules.TriggerProbe, rules.TriggerRollout, rules.TriggerCost}
}

// Options are what a manager needs; all must be set.
type Options struct {
	Store    Store
	Inbox    Inbox
	Lease    Lease
	Rules    Rules
	Probes   Probes
	Clusters Clusters
	Accounts Accounts
	Metrics  *Metrics
	Log      *slog.Logger
	Now      func() time.Time
}

// Manager runs the triggers of the rules in force while it holds the lease.
type Manager struct{ Options }

// New makes a manager. It starts nothing.
func New(o Options) (*Manager, error) {
	v := reflect.ValueOf(o)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			return nil, fmt.Errorf("trigger: Options.%s must be set", v.Type().Field(i).Name)
		}
	}
	return &Manager{o}, nil
}

// Run waits for its turn and runs the triggers, until ctx ends. What goes wrong on
// the way is told and tried again.
func (m *Manager) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := m.turn(ctx); err != nil && ctx.Err() == nil {
			m.Log.Warn("the triggers start over", "error", err)
			pause(ctx, leastRetry)
		}
	}
	return nil
}

// turn lasts from when the lease is held to when it is lost.
func (m *Manager) turn(ctx context.Context) error {
	if err := m.Lease.Acquire(ctx); err != nil {
		return fmt.Errorf("wait for the triggers' turn: %w", err)
	}
	held, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-m.Lease.Done():
			cancel()
		case <-held.Done():
		}
	})
	err := m.follow(held)
	cancel()
	watching.Wait()
	release, stop := context.WithTimeout(context.WithoutCancel(ctx), mostRetry/10)
	defer stop()
	return errors.Join(err, m.Lease.Release(release))
}

// running is a trigger that runs.
type running struct {
	trigger rules.Trigger
	cancel  context.CancelFunc
	done    chan struct{}
}

func (r running) stop() {
	r.cancel()
	<-r.done
}

// follow runs the triggers of the rules in force until ctx ends.
func (m *Manager) follow(ctx context.Context) error {
	now := map[string]running{}
	defer func() {
		for _, r := range now {
			r.cancel()
		}
		for _, r := range now {
			<-r.done
		}
		m.Metrics.running.Reset()
	}()
	book := newBook(m.Store, m.Inbox, m.Metrics)
	digest := ""
	for {
		next, triggers, err := m.Rules.Triggers(ctx, digest)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && next == digest:
			return fmt.Errorf("the rules in force: %w", err)
		case err != nil:
			// Their alerts stay as they are: to resolve them could set off a restore.
			m.Log.Error("the rules in force cannot be read here, so none of their triggers runs", "digest", next, "error", err)
			triggers = nil
		}
		digest = next
		m.replace(ctx, book, now, triggers)
		if err != nil {
			continue
		}
		if err := m.tidy(ctx, book, triggers); err != nil {
			return err
		}
	}
}

// replace stops the triggers that are gone or others now, and starts the new ones.
func (m *Manager) replace(ctx context.Context, b *book, now map[string]running, triggers []rules.Trigger) {
	wanted := map[string]rules.Trigger{}
	for _, t := range triggers {
		if slices.Contains(Kinds(), t.Kind) {
			wanted[key(t, "")] = t
		}
	}
	for k, r := range now {
		if t, ok := wanted[k]; !ok || !reflect.DeepEqual(t, r.trigger) {
			r.stop()
			delete(now, k)
		}
	}
	m.Metrics.running.Reset()
	for k, t := range wanted {
		if _, runs := now[k]; !runs {
			now[k] = m.start(ctx, b, t)
		}
		m.Metrics.running.WithLabelValues(string(t.Kind)).Inc()
	}
}

func (m *Manager) start(ctx context.Context, b *book, t rules.Trigger) running {
	ctx, cancel := context.WithCancel(ctx)
	r := running{trigger: t, cancel: cancel, done: make(chan struct{})}
	p := parts{book: b, metrics: m.Metrics, log: m.Log, now: m.Now}
	// The series exists from the start, so that a rate over the first is not lost.
	m.Metrics.errors.WithLabelValues(string(t.Kind), t.Rule)
	go func() {
		defer close(r.done)
		switch t.Kind {
		case rules.TriggerSchedule:
			m.Metrics.missed.WithLabelValues(t.Rule)
			runSteps(ctx, p, t, &schedule{parts: p, trigger: t, repeats: repeats{book: b}})
		case rules.TriggerProbe:
			prober, ok := m.Probes.Get(t.Probe.Kind)
			if !ok {
				p.failed(t, fmt.Errorf("there is no probe %q in this build", t.Probe.Kind), false)
				return
			}
			runSteps(ctx, p, t, &probe{parts: p, trigger: t, prober: prober, repeats: repeats{book: b}})
		case rules.TriggerRollout:
			(&rollout{parts: p, trigger: t, clusters: m.Clusters}).run(ctx)
		case rules.TriggerCost:
			runSteps(ctx, p, t, &cost{parts: p, trigger: t, accounts: m.Accounts})
		case rules.TriggerManual:
			// A person raises it.
		}
	}()
	return r
}

// tidy resolves what triggers raised that are no longer there.
func (m *Manager) tidy(ctx context.Context, b *book, triggers []rules.Trigger) error {
	wanted := map[string]bool{}
	for _, t := range triggers {
		wanted[key(t, "")] = true
	}
	all, err := b.store.List(ctx)
	if err != nil {
		return fmt.Errorf("list the records: %w", err)
	}
	for k := range all {
		if wanted[owner(k)] {
			continue
		}
		m.Log.Info("a trigger is gone; its alert is resolved", "record", k)
		if err := b.remove(ctx, k, m.Now()); err != nil {
			return err
		}
	}
	return nil
}
