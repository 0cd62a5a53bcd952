package responder

import (
	"context"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// ticker puts a tick into INBOX when the state asks to be woken. Only the last
// time that it was told counts.
type ticker struct{ at chan time.Time }

func newTicker() ticker { return ticker{at: make(chan time.Time, 1)} }

// wakeAt replaces the time; zero means never.
func (t ticker) wakeAt(at time.Time) {
	select {
	case <-t.at:
	default:
	}
	t.at <- at
}

// run owns the timer, until ctx ends.
func (t ticker) run(ctx context.Context, r *Responder) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	timer.Stop()
	var due time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-t.at:
			if at.Equal(due) {
				continue
			}
			due = at
			timer.Stop()
			if !due.IsZero() {
				timer.Reset(max(0, due.Sub(r.Now())))
			}
		case <-timer.C:
			if err := r.tick(ctx); err != nil {
				r.Logger.Warn("a tick is not in INBOX yet; trying again", "error", err)
				timer.Reset(again)
				continue
			}
			due = time.Time{}
		}
	}
}

// tick says that this time has come. A tick that is late in the INBOX counts for
// its own time and no later one, so that answers which lie behind it still do.
func (r *Responder) tick(ctx context.Context) error {
	_, err := r.Submit(ctx, "tick", engine.Input{Tick: &engine.Tick{At: r.Now()}})
	return err
}
