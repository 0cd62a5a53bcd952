package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/tripgen/paramedic/remediators"
)

// RolloutPhase is how far a rollout has come. It only goes forward, and may leave
// [RolloutStuck] out: what was complete once stays so, whatever becomes of its
// pods, and however often it is scaled.
type RolloutPhase string

const (
	// RolloutStarted says that the controller has taken the template up.
	RolloutStarted RolloutPhase = "started"
	// RolloutStuck says that it has not got on for too long. It may still complete.
	// Of a Deployment its controller says so, by its progressDeadlineSeconds; of
	// the other kinds [WatchOptions.Deadline] does.
	RolloutStuck RolloutPhase = "stuck"
	// RolloutComplete says what the prober [Rollout] does. Where no pods are wanted,
	// it is complete once the old ones are gone.
	RolloutComplete RolloutPhase = "complete"
)

func (p RolloutPhase) rank() int {
	return slices.Index([]RolloutPhase{RolloutStarted, RolloutStuck, RolloutComplete}, p)
}

// RolloutState is how far the latest rollout of one workload is, as a watch saw it.
type RolloutState struct {
	Kind, Namespace, Name, UID string
	// Rollout tells this rollout from every other one, in all clusters and at all
	// times, a return to an earlier template included. Whoever watches sees the
	// same. It says nothing else.
	//
	// It stands for the entry that the controller makes in its history, and the
	// number that it gave it, and so changes with the template alone: not when the
	// workload is scaled or annotated.
	Rollout string
	// Revision is the number of the entry, as `kubectl rollout history` shows it.
	Revision string
	// Generation is of the spec that the state was last told about.
	Generation int64
	// Images are those of the template that is rolled out, sorted, with those of init
	// containers.
	Images []string
	// Restart says that only the marks of a restart tell the template from the one
	// before: [Restart]'s, or those of `kubectl rollout restart`.
	Restart bool
	Phase   RolloutPhase
	// Reason says why a rollout is stuck, or will not go on before somebody does
	// something: a paused Deployment, a StatefulSet with a partition, pods that are
	// replaced only once deleted. Those are never stuck.
	Reason string
	// Gone says that the workload was deleted, or is being deleted. It comes last.
	Gone bool
}

// same reports whether there is nothing new to tell. A generation alone is no news.
func (s RolloutState) same(as RolloutState) bool {
	return s.Rollout == as.Rollout && s.Phase == as.Phase && s.Reason == as.Reason && s.Gone == as.Gone
}

// SyncState says whether a watch knows the cluster as it is.
type SyncState struct {
	// Current says that all there is has been told, and that changes come as they
	// are made.
	Current bool
	// Since is from when on it is so.
	Since time.Time
	// Err is why it is not.
	Err error
}

// WatchOptions say what to watch. The zero value is every workload of the cluster.
type WatchOptions struct {
	// Namespace, Kind and Name narrow it. Kind is Deployment, StatefulSet or
	// DaemonSet.
	Namespace, Kind, Name string
	// Deadline is how long the rollout of a StatefulSet or DaemonSet may take, from
	// when its controller took it up; 0 means 10 minutes. It holds, too, for a
	// Deployment whose controller says nothing about the rollout though it was asked
	// to by progressDeadlineSeconds, from when it was seen first.
	Deadline time.Duration
	// Now is the clock; nil means [time.Now].
	Now func() time.Time
	// OnSync is told when the watch has told everything for the first time, and each
	// time that it loses the cluster and has it again; nil for nobody.
	OnSync func(SyncState)
}

const defaultRolloutDeadline = 10 * time.Minute

func (o WatchOptions) kinds() []string {
	if o.Kind != "" {
		return []string{o.Kind}
	}
	return []string{kindDeployment, kindStatefulSet, kindDaemonSet}
}

func (o WatchOptions) checked() (WatchOptions, error) {
	if all := (WatchOptions{}).kinds(); o.Kind != "" && !slices.Contains(all, o.Kind) {
		return o, remediators.Terminal("watch rollouts: kind is %q; want one of %q, or none for all of them", o.Kind, all)
	}
	if o.Deadline < 0 {
		return o, remediators.Terminal("watch rollouts: deadline is %v; want more than 0, or 0 for %v", o.Deadline, defaultRolloutDeadline)
	}
	o.Deadline = orDefault(o.Deadline, defaultRolloutDeadline)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnSync == nil {
		o.OnSync = func(SyncState) {}
	}
	return o, nil
}

// Rules is what a watch with these options needs to be allowed.
func (o WatchOptions) Rules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	allow := func(kind string, verbs ...string) { rules = append(rules, may(verbs, kind)) }
	for _, kind := range o.kinds() {
		verbs := []string{"list", "watch"}
		if kind != kindDeployment {
			verbs = append(verbs, "get")
		}
		allow(kind, verbs...)
		allow(owner{kind: kind}.recordKind(), "list")
	}
	return rules
}

// WatchRollouts calls each with the rollout of every workload that fits, and then
// with each change of one, until ctx ends or each returns an error, which it
// returns. Calls come one at a time, OnSync's too; the states of one workload come
// in the order in which they were. One that was passed through while nobody was
// looking, or within the few milliseconds that a look takes, is left out.
//
// A cluster that is away is tried again for ever, as OnSync is told; being
// forbidden to watch is a terminal error that names the right.
//
// A rollout that is older than twice the deadline when the watch begins, and has
// left no pod of another template, is taken for complete, though pods may be
// missing now: of a StatefulSet or a DaemonSet nobody can tell what came first.
func (c *Client) WatchRollouts(ctx context.Context, o WatchOptions, each func(RolloutState) error) error {
	o, err := o.checked()
	if err != nil {
		return err
	}
	// client-go's own log lines would come beside the errors that are returned or told.
	ctx, end := context.WithCancelCause(klog.NewContext(ctx, klog.Logger{}))
	w := &rolloutWatch{
		client: c, options: o, each: each, end: end,
		steps: make(chan step), known: map[types.UID]*tracked{}, trouble: map[string]error{}, unread: map[types.UID]error{},
		sync: SyncState{Since: o.Now()},
	}
	var reflectors sync.WaitGroup
	for _, kind := range o.kinds() {
		w.trouble[kind] = errNotYet
		reflectors.Go(func() { w.reflect(ctx, kind) })
	}
	err = w.run(ctx)
	end(err)
	reflectors.Wait()
	return err
}

// errNotYet is why a watch that has just begun is not current.
var errNotYet = errors.New("the first list is not complete")

// step is what a reflector has the loop do, so that nothing of a watch is used by
// two goroutines.
type step func(context.Context) error

// rolloutWatch is one call of WatchRollouts.
type rolloutWatch struct {
	client  *Client
	options WatchOptions
	each    func(RolloutState) error
	end     context.CancelCauseFunc
	steps   chan step
	known   map[types.UID]*tracked
	// trouble is why a kind is not watched now.
	trouble map[string]error
	// unread are the workloads whose history could not be read, to be read again
	// from retryAt on.
	unread  map[types.UID]error
	retryAt time.Time
	delay   time.Duration
	sync    SyncState
}

func (w *rolloutWatch) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(w.rest())
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case s := <-w.steps:
			err = s(ctx)
		case <-timer.C:
			err = w.wake(ctx)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx) // what else went wrong, did so by that
		}
		if err != nil {
			return err
		}
		w.tellSync()
	}
}

// rest is how long there is nothing to do unless something happens.
func (w *rolloutWatch) rest() time.Duration {
	next := w.options.Now().Add(time.Hour)
	if len(w.unread) > 0 && w.retryAt.Before(next) {
		next = w.retryAt
	}
	for _, t := range w.known {
		if !t.due.IsZero() && t.due.Before(next) {
			next = t.due
		}
	}
	return max(0, next.Sub(w.options.Now()))
}

// wake looks again at what was waiting for the time.
func (w *rolloutWatch) wake(ctx context.Context) error {
	now := w.options.Now()
	for uid, t := range w.known {
		due := !t.due.IsZero() && !now.Before(t.due)
		_, unread := w.unread[uid]
		if due || unread && !now.Before(w.retryAt) {
			if err := w.look(ctx, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellSync tells of the first list's end, and of a loss and its end. It does not
// tell that the watch has begun.
func (w *rolloutWatch) tellSync() {
	next := SyncState{Current: len(w.trouble) == 0 && len(w.unread) == 0, Since: w.sync.Since, Err: w.lost()}
	switch {
	case !next.Current && next.Err == nil:
		return
	case next.Current == w.sync.Current && (next.Err == nil) == (w.sync.Err == nil):
		return
	}
	if next.Current != w.sync.Current {
		next.Since = w.options.Now()
	}
	w.sync = next
	w.options.OnSync(next)
}

func (w *rolloutWatch) lost() error {
	for _, kind := range w.options.kinds() {
		if err := w.trouble[kind]; err != nil && !errors.Is(err, errNotYet) {
			return fmt.Errorf("watch rollouts: %w", err)
		}
	}
	for _, err := range w.unread {
		if err != nil {
			return fmt.Errorf("watch rollouts: %w", err)
		}
	}
	return nil
}
