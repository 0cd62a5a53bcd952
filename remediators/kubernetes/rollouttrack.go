package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/remediators"
)

// tracked is a workload that a watch knows.
type tracked struct {
	sight sight
	// revision is what is rolled out, as read for the history named so. It is nil
	// before the first read.
	revision *revision
	history  string
	// template and images are the revision's, restart is whether it is but a restart.
	template string
	images   []string
	restart  bool
	// state is what was told last; the zero value if nothing.
	state RolloutState
	// first is when this rollout was told first.
	first time.Time
	// held says that somebody holds it up, and resumed when that ended, from when on
	// it has its time anew.
	held    bool
	resumed time.Time
	// due is when a started rollout is stuck; zero if no time makes it so.
	due time.Time
}

// saw takes a new version of a workload in.
func (w *rolloutWatch) saw(ctx context.Context, s sight) error {
	t, ok := w.known[s.uid]
	switch {
	case s.leaving:
		return w.gone(s.uid)
	case !ok:
		t = &tracked{}
		w.known[s.uid] = t
	}
	t.sight = s
	return w.look(ctx, t)
}

// only says that these are all that there are of a kind.
func (w *rolloutWatch) only(ctx context.Context, kind string, all []sight) error {
	there := map[types.UID]bool{}
	for _, s := range all {
		there[s.uid] = true
	}
	for uid, t := range w.known {
		if t.sight.kind == kind && !there[uid] {
			if err := w.gone(uid); err != nil {
				return err
			}
		}
	}
	for _, s := range all {
		if err := w.saw(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *rolloutWatch) gone(uid types.UID) error {
	t, ok := w.known[uid]
	delete(w.known, uid)
	delete(w.unread, uid)
	if !ok || t.state.Rollout == "" {
		return nil
	}
	t.state.Gone = true
	return w.each(t.state)
}

// look judges a workload and tells what is new.
func (w *rolloutWatch) look(ctx context.Context, t *tracked) error {
	if !t.read() {
		if err := w.read(ctx, t); err != nil {
			return err
		}
	}
	if t.revision == nil {
		return nil
	}
	next := t.next(w.options.Now(), w.options.Deadline)
	if next.same(t.state) {
		return nil
	}
	t.state = next
	return w.each(next)
}

// read reports whether the revision is the sight's, as far as that can be told.
func (t *tracked) read() bool {
	// Until its controller has taken a spec up, the history is that of the one before.
	return t.revision != nil && (t.history == t.sight.history() || !t.sight.observed())
}

const (
	firstReadDelay = time.Second
	lastReadDelay  = 30 * time.Second
)

// read finds a workload's revision. One that cannot be read now is left as it was,
// to be read again; then nothing else is tried to be read before, for a cluster
// that is away would let each try wait for its end.
func (w *rolloutWatch) read(ctx context.Context, t *tracked) error {
	now, uid := w.options.Now(), t.sight.uid
	if now.Before(w.retryAt) {
		w.unread[uid] = nil
		return nil
	}
	found, before, err := w.client.current(ctx, t.sight)
	if apierrors.IsForbidden(err) {
		return remediators.Terminal("watch rollouts: %w; give its user this right, or the whole role that the watch needs", err)
	}
	if err != nil {
		w.delay = min(max(2*w.delay, firstReadDelay), lastReadDelay)
		w.retryAt, w.unread[uid] = w.options.Now().Add(w.delay), err
		return nil //nolint:nilerr // it is told by OnSync, and tried again
	}
	w.delay = 0
	delete(w.unread, uid)
	if found == nil {
		return nil
	}
	pods, err := found.pods()
	if err != nil {
		return fmt.Errorf("watch rollouts: %s: %w", t.sight.owner, err)
	}
	if t.template, err = templateOf(pods); err != nil {
		return err
	}
	if t.restart, err = found.restarts(before); err != nil {
		return err
	}
	t.images = imagesOf(slices.Concat(pods.Spec.InitContainers, pods.Spec.Containers))
	t.revision, t.history = found, t.sight.history()
	return nil
}

// current reads the revision that a workload is rolled out to, as it is seen, and
// the one before. It is nil if the workload has changed since, or its history has
// not come up yet; another sight of it will follow.
func (c *Client) current(ctx context.Context, s sight) (found, before *revision, err error) {
	if s.hint == "" && s.kind != kindDaemonSet {
		return nil, nil, nil // nothing is rolled out yet
	}
	all, err := c.history(ctx, s.owner)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(all, func(r revision) bool {
		if s.kind == kindDeployment {
			return strconv.FormatInt(r.number, 10) == s.hint
		}
		return r.name == s.hint
	})
	if s.kind == kindDaemonSet {
		i = len(all) - 1 // its status does not name the revision
	}
	if i < 0 {
		return nil, nil, nil
	}
	if i > 0 {
		before = &all[i-1]
	}
	if s.kind == kindDeployment {
		return &all[i], before, nil // by its number: a later rollout would have given it another
	}
	// The history is of the sight only if the spec was the same before and after.
	again, err := getWorkload(ctx, c, s.kind, s.namespace, s.name)
	switch {
	case notFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case again.meta.UID != s.uid || again.meta.Generation != s.progress.generation:
		return nil, nil, nil
	}
	return &all[i], before, nil
}

// next is the state now, and sets when time alone will change it.
func (t *tracked) next(now time.Time, deadline time.Duration) RolloutState {
	s, r, was := &t.sight, t.revision, t.state
	next := RolloutState{
		Kind: s.kind, Namespace: s.namespace, Name: s.name, UID: string(s.uid),
		Rollout: r.rollout(), Revision: strconv.FormatInt(r.number, 10), Generation: s.progress.generation,
		Images: t.images, Restart: t.restart, Phase: RolloutStarted, Reason: s.halted,
	}
	same := was.Rollout == next.Rollout
	if !same {
		t.first, t.resumed = now, time.Time{}
	}
	if t.held && s.halted == "" {
		t.resumed = now
	}
	t.held = s.halted != ""
	t.due = time.Time{}
	if !s.observed() || t.history != s.history() || s.kind == kindDeployment && t.template != s.template {
		// The numbers are of another template than the revision.
		if same {
			return was
		}
		return next
	}
	since := r.began
	if s.kind == kindDeployment {
		since = t.first
	}
	if t.resumed.After(since) {
		since = t.resumed
	}
	v := s.judge(r, since, now, deadline)
	if was.Rollout == "" && v.phase != RolloutComplete && s.over(r, now, deadline) {
		v = verdict{phase: RolloutComplete, reason: "taken for complete, since it is old and no pod is of another template; now " + v.detail}
	}
	if same && v.phase.rank() <= was.Phase.rank() && was.Phase != RolloutStarted {
		return was
	}
	next.Phase, next.Reason, t.due = v.phase, v.reason, v.due
	return next
}
