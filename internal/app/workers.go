package app

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/internal/worker"
)

const (
	// ackWait is how soon a task is delivered again after its worker died.
	ackWait = 15 * time.Second
	// drain is how long tasks in hand may go on after a stop was asked for.
	drain = 20 * time.Second
	// verifiersPerWorker is how many verifications may wait for each action that
	// may be under way: they take long, and nearly nothing else.
	verifiersPerWorker = 8
)

// startWorkers starts one worker for the actions of this build and one for
// verifications, which take long and must not keep actions waiting.
func (a *App) startWorkers(ctx context.Context) error {
	if !a.has(RoleWorker) {
		return nil
	}
	watcher := verify.NewWatcher(a.tools.Probers, verify.Options{Random: rand.Float64})
	group, parallel := a.o.Config.Worker.Group, a.o.Config.Worker.Concurrency
	if a.joins() == "" {
		if err := a.bus.EnsureClaims(ctx, group); err != nil {
			return err
		}
	}
	if err := a.startWorker(ctx, group, a.tools.Remediators.Names(), parallel, watcher); err != nil {
		return err
	}
	return a.startWorker(ctx, engine.VerifyGroup(group), []string{engine.VerifyAction}, verifiersPerWorker*parallel, watcher)
}

func (a *App) startWorker(ctx context.Context, group string, actions []string, parallel int, watcher *verify.Watcher) error {
	q, err := a.bus.Work(ctx, group, actions, a.o.AckWait)
	if err != nil {
		return err
	}
	w, err := worker.New(worker.Config{
		ID: a.id + "-" + group, Group: group, Parallel: parallel, AckWait: q.AckWait(), Drain: drain,
		Ports:       worker.OnBus(a.bus, q),
		Remediators: a.tools.Remediators, Verifier: watcher,
		Now: time.Now, Jitter: rand.Float64,
		Log: a.o.Logger.With("part", "worker", "group", group), Registry: a.metrics, Hook: a.workerHook(),
	})
	if err != nil {
		return err
	}
	a.life.run(ctx, "worker of group "+group, closeWorker, w.Run)
	return nil
}

func (a *App) workerHook() func(worker.Point) {
	if a.o.Hook == nil {
		return nil
	}
	return func(p worker.Point) { a.o.Hook(string(p)) }
}
