package responder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
)

// load folds the ledger to its end, from the newest snapshot that fits it.
func (r *Responder) load(ctx context.Context) error {
	fold, err := r.fromSnapshot(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.fold = fold
	r.moved()
	r.mu.Unlock()
	last, err := r.Bus.LedgerLast(ctx)
	if err != nil {
		return err
	}
	if err := r.readTo(ctx, last); err != nil {
		return err
	}
	r.mu.Lock()
	r.ready = true
	r.moved()
	r.mu.Unlock()
	return nil
}

// fromSnapshot returns a fold that stands at the newest snapshot whose record
// is in the ledger, or at the beginning. Snapshots only save time, so one that
// cannot be used is passed over.
func (r *Responder) fromSnapshot(ctx context.Context) (*ledger.Fold, error) {
	names, err := r.Bus.ListSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		fold, err := r.trySnapshot(ctx, name)
		if err == nil {
			return fold, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r.Logger.Warn("a snapshot is passed over", "snapshot", name, "error", err)
	}
	return ledger.NewFold(), nil
}

func (r *Responder) trySnapshot(ctx context.Context, name string) (*ledger.Fold, error) {
	data, err := r.Bus.GetSnapshot(ctx, name)
	if err != nil {
		return nil, err
	}
	fold, err := ledger.FromSnapshot(data)
	if err != nil {
		return nil, err
	}
	msg, err := r.Bus.LedgerAt(ctx, fold.Seq)
	if err != nil {
		return nil, err
	}
	if head := ledger.Hash(msg.Data); head != fold.Head {
		return nil, fmt.Errorf("it was taken of another ledger: record %d has hash %s, not %s", fold.Seq, head, fold.Head)
	}
	return fold, nil
}

// readTo folds until the record at last was folded.
func (r *Responder) readTo(ctx context.Context, last uint64) error {
	if r.fold.Seq >= last {
		return nil
	}
	reader, err := r.Bus.Ledger(ctx, r.fold.Seq+1)
	if err != nil {
		return err
	}
	defer reader.Close()
	for r.fold.Seq < last {
		msgs, err := reader.NextBatch(ctx, 256)
		if err != nil {
			return gapIsFatal(err)
		}
		if err := r.take(msgs); err != nil {
			return err
		}
	}
	return nil
}

func gapIsFatal(err error) error {
	if errors.Is(err, bus.ErrGap) {
		return fatalError{err}
	}
	return err
}

// take folds records that others wrote.
func (r *Responder) take(msgs []bus.Msg) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range msgs {
		rec, err := r.fold.Take(m.Seq, m.Data)
		if err != nil {
			return fatalError{fmt.Errorf("the ledger cannot be folded: %w", err)}
		}
		r.observe(rec.At, rec.Events, false)
	}
	r.moved()
	return nil
}

// follow folds the ledger until the lease is acquired and the fold is at the
// ledger's end.
func (r *Responder) follow(ctx context.Context, lease *bus.Lease) error {
	acquiring, giveUp := context.WithCancel(ctx)
	defer giveUp()
	following, stop := context.WithCancel(ctx)
	defer stop()
	acquired := make(chan error, 1)
	go func() {
		acquired <- lease.Acquire(acquiring)
		stop()
	}()
	err := r.keepUp(following)
	broke := following.Err() == nil
	if broke {
		giveUp()
	}
	if lost := <-acquired; lost != nil {
		return errors.Join(lost, err)
	}
	if !broke {
		err = r.catchUp(ctx)
	}
	if err != nil {
		return errors.Join(err, lease.Release(context.WithoutCancel(ctx)))
	}
	return nil
}

// catchUp folds to the end that the ledger's leader knows.
func (r *Responder) catchUp(ctx context.Context) error {
	last, err := r.Bus.LedgerLast(ctx)
	if err != nil {
		return err
	}
	return r.readTo(ctx, last)
}

// keepUp folds what comes until ctx ends.
func (r *Responder) keepUp(ctx context.Context) error {
	reader, err := r.Bus.Ledger(ctx, r.fold.Seq+1)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		msgs, err := reader.NextBatch(ctx, 256)
		if err != nil {
			return gapIsFatal(err)
		}
		if err := r.take(msgs); err != nil {
			return err
		}
	}
}

func (r *Responder) observe(at time.Time, events []engine.Event, decided bool) {
	r.Metrics.record(r.fold.State, at, events, decided)
	if r.Observer != nil {
		r.Observer(r.fold.State, at, events, decided)
	}
}
