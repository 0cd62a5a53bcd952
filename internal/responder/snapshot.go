package responder

import (
	"context"
	"fmt"
)

// keepSnapshots is how many are kept: one more than is needed, should the last
// be damaged.
const keepSnapshots = 2

// snapshot saves the fold. It only saves time at the next start, so a failure
// is logged and no more.
func (r *Responder) snapshot(ctx context.Context) {
	if err := r.trySave(ctx); err != nil {
		r.Logger.Warn("no snapshot was taken", "ledger", r.fold.Seq, "error", err)
	}
}

func (r *Responder) trySave(ctx context.Context) error {
	data, err := r.fold.Snapshot()
	if err != nil {
		return err
	}
	if err := r.Bus.PutSnapshot(ctx, fmt.Sprintf("%020d", r.fold.Seq), data); err != nil {
		return err
	}
	names, err := r.Bus.ListSnapshots(ctx)
	if err != nil {
		return err
	}
	for _, old := range names[min(keepSnapshots, len(names)):] {
		if err := r.Bus.DeleteSnapshot(ctx, old); err != nil {
			return err
		}
	}
	return nil
}
