package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
)

// stage is where the acts play: the services, the monitor, and Paramedic.
type stage struct {
	app     *app.App
	town    town
	fleet   []string
	monitor *monitor
	tell    *teller
}

var errTooLong = errors.New("it took too long")

// lookEvery is how often the stage looks whether an act is over.
const lookEvery = 50 * time.Millisecond

// poll looks until look says that it is over, at most actWithin.
func poll(ctx context.Context, look func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, actWithin)
	defer cancel()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for !look() {
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return errTooLong
			}
			return ctx.Err()
		case <-ticker.C:
		}
	}
	return nil
}

// endOfRun waits for the run on a service, and for its end.
func (s *stage) endOfRun(ctx context.Context, service string) (engine.Run, error) {
	var found engine.Run
	err := poll(ctx, func() bool {
		s.app.Responder().View(func(st *engine.State) {
			for _, r := range st.Runs {
				if r.Stated.Name == service && !r.Active() {
					found = *r
				}
			}
		})
		return found.ID != ""
	})
	if err != nil {
		return engine.Run{}, fmt.Errorf("wait for the run on %s: %w", service, err)
	}
	return found, nil
}

// expect compares how a run ended, and on which rung.
func (s *stage) expect(r engine.Run, outcome engine.RunFinal, attempt int) error {
	if r.Outcome != outcome || r.Attempt != attempt {
		return fmt.Errorf("run %s on %s ended %s on attempt %d (%s), want %s on attempt %d",
			r.ID, r.Stated.Name, r.Outcome, r.Attempt+1, r.Why, outcome, attempt+1)
	}
	return nil
}

// until counts the fleet's runs until the count is as wanted.
func (s *stage) until(ctx context.Context, done func(census) bool) (census, error) {
	var c census
	err := poll(ctx, func() bool {
		c = census{}
		s.app.Responder().View(func(st *engine.State) {
			for _, r := range st.Runs {
				c.count(r)
			}
		})
		return done(c)
	})
	return c, err
}

// verifyLedger folds the whole ledger anew and returns how many records and
// events are in it.
func (s *stage) verifyLedger(ctx context.Context) (records uint64, events int, err error) {
	last, err := s.app.Bus().LedgerLast(ctx)
	if err != nil {
		return 0, 0, err
	}
	reader, err := s.app.Bus().Ledger(ctx, 1)
	if err != nil {
		return 0, 0, err
	}
	defer reader.Close()
	fold := ledger.NewFold()
	for fold.Seq < last {
		m, err := reader.Next(ctx)
		if err != nil {
			return 0, 0, err
		}
		r, err := fold.Take(m.Seq, m.Data)
		if err != nil {
			return 0, 0, err
		}
		events += len(r.Events)
	}
	return fold.Seq, events, nil
}
