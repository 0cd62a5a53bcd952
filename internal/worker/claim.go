package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

type state string

const (
	started  state = "started"
	released state = "released"
	done     state = "done"
)

// claim is the record of an execute or an undo task, as stored under the task's id.
type claim struct {
	State  state  `json:"state"`
	Worker string `json:"worker"`
	// At is when this state was written, Since when the first one was.
	At    time.Time `json:"at"`
	Since time.Time `json:"since"`
	// Calls is how many calls of the remediator may have been made, the one
	// that this state announces included.
	Calls int `json:"calls"`
	// Plan is what is called with, precondition and all; for an undo task, the
	// plan that is undone.
	Plan *engine.Plan `json:"plan,omitempty"`
	// Kept is the call's last checkpoint, what a long change is followed with.
	Kept   json.RawMessage `json:"kept,omitempty"`
	Result *engine.Result  `json:"result,omitempty"`
}

// check reports a claim that says less than its state needs.
func (c claim) check() error {
	switch {
	case c.State == started && c.Plan != nil, c.State == done && c.Result != nil, c.State == released:
		return nil
	}
	return fmt.Errorf("claim in state %q without a plan or result for it", c.State)
}

// held is a claim at a revision; the zero value stands for none.
type held struct {
	claim
	revision uint64
	// broken is why the stored claim says nothing.
	broken error
}

// busTimeout bounds one exchange with the bus.
const busTimeout = 5 * time.Second

// patience is how long a worker that knows how a task ended tries to store that.
// While it does, nobody else needs to guess.
const patience = 2 * time.Minute

func (w *Worker) readClaim(ctx context.Context, task string) (held, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busTimeout)
	defer cancel()
	value, revision, err := w.cfg.Claims.Get(ctx, task)
	switch {
	case errors.Is(err, ErrNoClaim):
		return held{}, nil
	case err != nil:
		return held{}, fmt.Errorf("claim %s: %w", task, err)
	}
	return decodeClaim(value, revision), nil
}

func decodeClaim(value []byte, revision uint64) held {
	h := held{revision: revision}
	if err := json.Unmarshal(value, &h.claim); err != nil {
		return held{revision: revision, broken: err}
	}
	h.broken = h.check()
	return h
}

// writeClaim writes next over prior, if prior is still what is stored. It
// returns next as held, or, with won false, what is stored instead. An error
// means that it could not find out which; then next may be stored, or may be
// yet. It tries until ctx ends, and at least once.
func (w *Worker) writeClaim(ctx context.Context, task string, prior held, next claim) (now held, won bool, err error) {
	next.Worker, next.At = w.cfg.ID, w.cfg.Now()
	if next.Since = prior.Since; next.Since.IsZero() {
		next.Since = next.At
	}
	value, err := json.Marshal(next)
	if err != nil {
		return held{}, false, fmt.Errorf("claim %s: %w", task, err)
	}
	expected := prior.revision
	for failures := uint64(1); ; failures++ {
		revision, werr := w.putClaim(ctx, task, value, expected)
		if werr == nil {
			return held{claim: next, revision: revision}, true, nil
		}
		stored, revision, rerr := w.getClaim(ctx, task)
		switch {
		case errors.Is(rerr, ErrNoClaim):
			// The store has lost the claim, or never had one.
			expected = 0
		case rerr != nil:
			werr = errors.Join(werr, rerr)
		case bytes.Equal(stored, value):
			// The write that failed was stored: nobody else writes our ID
			// and time.
			return held{claim: next, revision: revision}, true, nil
		case revision != expected:
			return decodeClaim(stored, revision), false, nil
		}
		delay := w.backoff(failures)
		w.cfg.Log.Warn("cannot write a claim", "task", task, "state", next.State, "error", werr, "again", delay)
		if !wait(ctx, delay) {
			return held{}, false, fmt.Errorf("claim %s: %w", task, werr)
		}
	}
}

// putClaim is not cut off by ctx: what is known when the drain ends is still
// written.
func (w *Worker) putClaim(ctx context.Context, task string, value []byte, expected uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busTimeout)
	defer cancel()
	if expected == 0 {
		return w.cfg.Claims.Create(ctx, task, value)
	}
	return w.cfg.Claims.Update(ctx, task, value, expected)
}

func (w *Worker) getClaim(ctx context.Context, task string) ([]byte, uint64, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busTimeout)
	defer cancel()
	return w.cfg.Claims.Get(ctx, task)
}
