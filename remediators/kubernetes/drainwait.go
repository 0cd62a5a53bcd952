package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// After is time.After, or what a test has for it.
type After func(time.Duration) <-chan time.Time

const (
	// leavingEvery is how often pods that end are looked at.
	leavingEvery = time.Second
	// heldEvery is how often a pod that a budget holds is tried, unless the API server
	// says when.
	heldEvery = 5 * time.Second
)

// leavingPods is a checkpoint: those whose eviction was accepted, and those that were
// about to be gone anyhow.
type leavingPods struct {
	Pods []types.UID `json:"pods"`
}

func (l leavingPods) has(pod *corev1.Pod) bool { return slices.Contains(l.Pods, pod.UID) }

// emptying evicts the pods of a closed node.
type emptying struct {
	client *Client
	at     engine.Target
	params drainParams
	after  After

	accepted map[types.UID]bool
	kept     bool
	// left is how many pods were last seen, and held why one of them still is there.
	left int
	held error
}

// run returns nil once all pods are gone. Any error says that the outcome is unknown:
// the node is closed by now.
func (e *emptying) run(ctx context.Context) error {
	e.accepted = map[types.UID]bool{}
	for {
		pause, err := e.round(ctx)
		switch {
		case err != nil:
			return e.stopped(err)
		case pause == 0:
			return nil
		}
		select {
		case <-ctx.Done():
			return e.stopped(cmp.Or(e.held, ctx.Err()))
		case <-e.after(pause):
		}
	}
}

func (e *emptying) stopped(err error) error {
	return remediators.UnknownOutcome("node %s is cordoned and %d of its pods are evicted, but %d were still there: %w", e.at.Name, len(e.accepted), e.left, err)
}

// round evicts what can be evicted now, and tells when to look again; 0 says that
// nothing is left.
func (e *emptying) round(ctx context.Context) (time.Duration, error) {
	pods, err := podsOf(ctx, e.client, e.at, e.params.EmptyDirs)
	if err != nil {
		return e.hold(err)
	}
	if pods.gone() {
		return 0, nil
	}
	e.left = len(pods.evict) + len(pods.leaving)
	// Some may have come since, which nobody has allowed.
	if err := pods.check(e.at, e.params.most-len(e.accepted)); err != nil {
		return 0, err
	}
	pause := leavingEvery
	e.held = nil
	for i := range pods.evict {
		_, err := evictionOf(&pods.evict[i]).make(ctx, e.client)
		if err == nil {
			e.accepted[pods.evict[i].UID] = true
			continue
		}
		more, err := e.hold(err)
		if err != nil {
			return 0, err
		}
		pause = max(pause, more)
	}
	if e.held == nil && !e.kept {
		e.kept = true
		if b, err := json.Marshal(leavingPods{pods.uids()}); err == nil {
			// Where it is not kept the worker says so, and whoever comes looks at the node.
			_ = remediators.Checkpoint(ctx, b)
		}
	}
	return pause, nil
}

// hold tells when to try again what failed, if that may help. So it may also where
// nobody knows whether a pod was evicted: the next look tells.
func (e *emptying) hold(err error) (time.Duration, error) {
	if c := remediators.ClassOf(err); c != engine.ClassRetryable && c != engine.ClassUnknown {
		return 0, err
	}
	e.held = err
	return cmp.Or(remediators.Failure(err).RetryAfter, heldEvery), nil
}

// awaited waits until the pods of a node that still belong to a drain are gone: those
// that which tells, or else all. Unknown says that there are some that nobody has
// evicted yet.
func (d *Drain) awaited(ctx context.Context, client *Client, at engine.Target, which func(*corev1.Pod) bool) (engine.Effect, error) {
	for {
		pods, err := podsOf(ctx, client, at, true)
		if err != nil {
			return engine.Unknown, err
		}
		waiting := pods.leaving
		if which != nil {
			waiting = slices.DeleteFunc(slices.Concat(pods.evict, pods.leaving), func(pod corev1.Pod) bool { return !which(&pod) })
		} else if len(pods.evict)+len(pods.refused) > 0 {
			return engine.Unknown, nil
		}
		if len(waiting) == 0 {
			return engine.Applied, nil
		}
		select {
		case <-ctx.Done():
			return engine.Unknown, remediators.Retryable(0, "node %s: %d of its pods are still ending, as %s: %w", at.Name, len(waiting), podName(&waiting[0]), ctx.Err())
		case <-d.after(leavingEvery):
		}
	}
}
