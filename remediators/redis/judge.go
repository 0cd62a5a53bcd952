package redis

import (
	"context"
	"time"

	"github.com/tripgen/paramedic/remediators"
)

// judge decides whether a replica may become a primary, and says what it is. Whatever
// is not known speaks against it.
func (p promoteParams) judge(ctx context.Context, i *Instance, s server, now state) (before, error) {
	seen := before{Run: now["run_id"], Data: now["master_replid"], Of: now.master()}
	switch {
	case now["cluster_enabled"] == "1":
		return seen, remediators.Terminal("redis %s belongs to a cluster, which promotes by itself", s.address)
	case now["master_sync_in_progress"] != "0":
		return seen, remediators.Retryable(busyFor, "redis %s is being filled from %s, so its data is not whole", s.address, seen.Of)
	}
	primary, err := i.open(seen.Of)
	if err != nil {
		return seen, err
	}
	defer closed(primary)
	there, err := primary.state(ctx)
	switch {
	case ctx.Err() != nil:
		return seen, remediators.Retryable(0, "redis %s: %w", s.address, ctx.Err())
	case err == nil && !there.primary():
		return seen, remediators.Terminal("redis %s: its primary %s is itself %s: somebody has rearranged them; promote by hand", s.address, seen.Of, there)
	case err == nil:
		seen.Alive = true
		return seen, p.beside(s, now, there, seen.Of)
	case answered(err):
		return seen, remediators.Terminal("redis %s: its primary is there, though it does not say how it is, so that there would be two: %w", s.address, err)
	case now.linked():
		return seen, remediators.Terminal("redis %s: its link to its primary is up, although that does not answer here, so that there would be two: %w", s.address, err)
	}
	return seen, p.alone(s, now, seen.Of)
}

// beside is for a primary that answers.
func (p promoteParams) beside(s server, now, there state, of string) error {
	if !p.Force {
		return remediators.Terminal("redis %s: its primary %s answers, so that there would be two; write force: true if that is meant", s.address, of)
	}
	if there["master_replid"] != now["master_replid"] || !now.linked() {
		return remediators.Terminal("redis %s is not in step with its primary %s: its link is %s", s.address, of, now["master_link_status"])
	}
	has, err := now.offset()
	if err != nil {
		return err
	}
	wants, err := there.offset()
	if err != nil {
		return err
	}
	if lag := wants - has; lag > p.maxLag {
		return remediators.Retryable(busyFor, "redis %s is %d bytes behind its primary %s, which is more than maxLag %d", s.address, lag, of, p.maxLag)
	}
	return nil
}

// alone is for a primary that is gone.
func (p promoteParams) alone(s server, now state, of string) error {
	down, err := now.number("master_link_down_since_seconds")
	switch {
	case err != nil:
		return err
	case down < 0:
		return remediators.Terminal("redis %s has never been in step with its primary %s since it was started, so it may have nothing", s.address, of)
	case time.Duration(down)*time.Second > p.maxLinkDown:
		return remediators.Terminal("redis %s has been without its primary %s for %v, which is more than maxLinkDown %v: what that took in since is not here",
			s.address, of, time.Duration(down)*time.Second, p.maxLinkDown)
	}
	return nil
}
