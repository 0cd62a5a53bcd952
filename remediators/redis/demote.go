package redis

import (
	"context"
	"net"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// writePause is how long clients' writes wait while it is made sure that there were
// none. It ends by itself, should the worker die.
const writePause = 2 * time.Second

// Undo implements [remediators.Undoer]: the server follows its old primary again, if
// that is there and nothing was written here since, as it would be lost. Replicas that
// were re-pointed stay with it; with one of them attached its stream goes on, so that
// it no longer shows that nothing was written.
func (p *Promote) Undo(ctx context.Context, t engine.Task, o engine.Outcome) error {
	raw, target := o.Before, t.Target
	if t.Plan != nil {
		target = t.Plan.Target
		if len(raw) == 0 {
			raw = t.Plan.Precondition
		}
	}
	was, err := decodeBefore(raw)
	if err != nil {
		return err
	}
	i, s, err := standalone(p.instances, target)
	if err != nil {
		return err
	}
	defer closed(s)
	if back, err := s.isBack(ctx, was); back || err != nil {
		return err
	}
	if err := i.awaits(ctx, was); err != nil {
		return err
	}
	if err := s.Do(ctx, "client", "pause", writePause.Milliseconds(), "write").Err(); err != nil {
		return failed(s.address, err, false)
	}
	// Read once more: only now nothing can come between.
	if back, err := s.isBack(ctx, was); back || err != nil {
		_ = s.Do(ctx, "client", "unpause").Err() // or it ends by itself
		return err
	}
	host, port, err := net.SplitHostPort(was.Of)
	if err != nil {
		return remediators.Terminal("redis %s: its old primary: %w", s.address, err)
	}
	err = s.Do(ctx, "replicaof", host, port).Err()
	_ = s.Do(ctx, "client", "unpause").Err()
	if err != nil {
		return failed(s.address, err, true)
	}
	return nil
}

// isBack reports whether a server is a replica as it was, or why it cannot become
// one.
func (s server) isBack(ctx context.Context, was before) (bool, error) {
	now, err := s.state(ctx)
	if err != nil {
		return false, err
	}
	if !now.primary() {
		if now.master() == was.Of {
			return true, nil
		}
		return false, remediators.PlanChanged("redis %s is %s by now, so it is not made a replica of %s again", s.address, now, was.Of)
	}
	if now["run_id"] != was.Run || now["master_replid2"] != was.Data {
		return false, remediators.PlanChanged("redis %s was restarted or changed its role since, so it is not made a replica of %s again", s.address, was.Of)
	}
	has, err := now.offset()
	if err != nil {
		return false, err
	}
	// The first byte of its stream that is its own and not its old primary's.
	own, err := now.number("second_repl_offset")
	if err != nil {
		return false, err
	}
	if has >= own {
		return false, remediators.PlanChanged("redis %s: %d bytes were written since it is a primary, and would be lost were it made a replica of %s again", s.address, has-own+1, was.Of)
	}
	return false, nil
}

// awaits holds that the old primary is one, and there to be followed.
func (i *Instance) awaits(ctx context.Context, was before) error {
	old, err := i.open(was.Of)
	if err != nil {
		return err
	}
	defer closed(old)
	there, err := old.state(ctx)
	switch {
	case err != nil:
		return err
	case !there.primary():
		return remediators.PlanChanged("redis %s, the old primary, is %s by now", was.Of, there)
	}
	return nil
}
