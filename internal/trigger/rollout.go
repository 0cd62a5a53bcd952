package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/rules"
)

// rollout runs a trigger of that kind.
type rollout struct {
	parts
	trigger  rules.Trigger
	clusters Clusters

	// first says that no process has looked through the cluster for this trigger
	// yet: what is there was there before it.
	first bool
	// stuck are the rollouts that are stuck, and when their alerts were sent last,
	// by the key of their record.
	stuck map[string]*stuck
}

type stuck struct {
	seen    Rollout
	repeats repeats
}

// judgeRollout decides what follows from how far a workload's rollout is. What the
// trigger's first look finds, and a restart, set nothing off, unless they are stuck:
// a service that is restarted since it is ill must not pass for a bad version.
func judgeRollout(t rules.Trigger, r Record, seen Rollout, first bool, now time.Time) (Record, bool) {
	same := r.Rollout == seen.ID
	first = first && r.Rollout == ""
	took := func() { r.Rollout, r.UID, r.Version = seen.ID, seen.UID, seen.Version }
	raise := func() (Record, bool) {
		took()
		return r.raised(rolloutAlert(t, seen), now, now), true
	}
	switch phase := t.Rollout.Phase; {
	case seen.Version < r.Version && seen.Version != 0 && seen.UID == r.UID:
		// A process that was stopped tells what is no longer true.
		return r, false
	case seen.Gone && r.Firing():
		return r.resolved(now, now), true
	case seen.Gone:
		return r, false
	case phase == rules.RolloutStuck && seen.Phase == rules.RolloutStuck && (!same || !r.Firing()):
		return raise()
	case phase == rules.RolloutStuck && seen.Phase != rules.RolloutStuck && r.Firing():
		r.Version = seen.Version
		return r.resolved(now, now), true
	case phase == rules.RolloutStuck, same, phase == rules.RolloutComplete && seen.Phase != rules.RolloutComplete:
		return r, false
	case first, seen.Restart:
		took()
		return r, true
	default:
		return raise()
	}
}

// rolloutAlert names the workload by the labels that kube-state-metrics gives it.
func rolloutAlert(t rules.Trigger, seen Rollout) alert.Alert {
	what := seen.Target
	return newAlert(t,
		map[string]string{"cluster": what.Cluster, "namespace": what.Namespace, strings.ToLower(what.Kind): what.Name},
		map[string]string{"revision": seen.Revision},
		map[string]string{
			"summary":     fmt.Sprintf("the rollout of %s %s/%s to revision %s: %s", what.Kind, what.Namespace, what.Name, seen.Revision, seen.Phase),
			"description": seen.Reason,
			"images":      strings.Join(seen.Images, ", "),
		})
}

// errRefused says that a workload that a watch told of could not be dealt with.
var errRefused = errors.New("deal with a rollout")

// run watches until ctx ends.
func (w *rollout) run(ctx context.Context) {
	w.stuck = map[string]*stuck{}
	wait := leastRetry
	for ctx.Err() == nil {
		began := w.now()
		err := w.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.now().Sub(began) > mostRetry {
			wait = leastRetry
		}
		w.failed(w.trigger, err, wait > leastRetry)
		pause(ctx, wait)
		wait = min(2*wait, mostRetry)
	}
}

// watch deals with what one watch tells, one after the other.
func (w *rollout) watch(ctx context.Context) error {
	base, err := w.book.load(ctx, key(w.trigger, baseline))
	if err != nil {
		return err
	}
	w.first = base.record.Tick.IsZero()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	seen := make(chan *Rollout)
	done := make(chan error, 1)
	go func() {
		done <- w.clusters.WatchRollouts(ctx, *w.trigger.Rollout, func(r *Rollout) error {
			select {
			case seen <- r:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		var err error
		select {
		case r := <-seen:
			err = w.see(ctx, r)
		case <-again.C:
			err = w.repeat(ctx)
		case err := <-done:
			if err == nil {
				err = errors.New("the watch ended by itself")
			}
			return fmt.Errorf("watch rollouts in cluster %s: %w", w.trigger.Rollout.Cluster, err)
		}
		if err != nil {
			cancel()
			// What the watch says to that is its cancellation.
			return fmt.Errorf("%w: %w", errRefused, errors.Join(err, notCancelled(<-done)))
		}
	}
}

func notCancelled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// see deals with one workload, or, with nil, with the end of the first look.
func (w *rollout) see(ctx context.Context, seen *Rollout) error {
	now := w.now()
	if seen == nil {
		w.first = false
		_, err := w.book.change(ctx, key(w.trigger, baseline), func(r Record) (Record, bool) {
			begins := r.Tick.IsZero()
			if begins {
				r.Tick = now.UTC()
			}
			return r, begins
		})
		return err
	}
	name := key(w.trigger, seen.Target.String())
	if err := w.judge(ctx, name, *seen); err != nil {
		return err
	}
	switch {
	case seen.Gone:
		delete(w.stuck, name)
		return w.book.remove(ctx, name, now)
	case w.trigger.Rollout.Phase != rules.RolloutStuck || seen.Phase != rules.RolloutStuck:
		delete(w.stuck, name)
	case w.stuck[name] == nil:
		w.stuck[name] = &stuck{seen: *seen, repeats: repeats{book: w.book}}
	default:
		w.stuck[name].seen = *seen
	}
	return nil
}

func (w *rollout) judge(ctx context.Context, name string, seen Rollout) error {
	_, err := w.book.change(ctx, name, func(r Record) (Record, bool) {
		return judgeRollout(w.trigger, r, seen, w.first, w.now())
	})
	return err
}

// repeat looks at what is stuck once more, since a process that was stopped may
// have said that it is not, and sends its alert again where that is due.
func (w *rollout) repeat(ctx context.Context) error {
	for name, x := range w.stuck {
		w.book.forget(name)
		if err := w.judge(ctx, name, x.seen); err != nil {
			return err
		}
		e, err := w.book.load(ctx, name)
		if err != nil {
			return err
		}
		if !e.record.Firing() {
			continue
		}
		if _, err := x.repeats.send(ctx, e.record, w.now()); err != nil {
			return err
		}
	}
	return nil
}
