package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// lifecycle owns what was started: how to end it, latest first, and the
// goroutines that run parts.
type lifecycle struct {
	log *slog.Logger

	mu    sync.Mutex
	steps []step

	failed chan error
}

type step struct {
	name  string
	bound time.Duration
	end   func(context.Context) error
}

func newLifecycle(log *slog.Logger) *lifecycle {
	return &lifecycle{log: log, failed: make(chan error, 1)}
}

// onClose registers how to end a part, at the moment that it exists.
func (l *lifecycle) onClose(name string, bound time.Duration, end func(context.Context) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, step{name, bound, end})
}

// run starts a part that runs until its context ends. Should it end before, the
// whole program has failed. It is ended by cancelling, and waited for.
func (l *lifecycle) run(ctx context.Context, name string, bound time.Duration, part func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := part(ctx)
		if ctx.Err() == nil {
			l.fail(fmt.Errorf("%s ended: %w", name, orUnexpected(err)))
		}
		done <- err
	}()
	l.onClose(name, bound, func(wait context.Context) error {
		cancel()
		select {
		case err := <-done:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-wait.Done():
			return fmt.Errorf("still running: %w", wait.Err())
		}
	})
}

func orUnexpected(err error) error {
	if err == nil {
		return errors.New("unexpectedly, without an error")
	}
	return err
}

// fail keeps the first failure; the rest follow from it.
func (l *lifecycle) fail(err error) {
	select {
	case l.failed <- err:
	default:
		l.log.Error("a further part failed", "error", err)
	}
}

// close ends everything, latest first, each step within its bound.
func (l *lifecycle) close(ctx context.Context) error {
	l.mu.Lock()
	steps := l.steps
	l.steps = nil
	l.mu.Unlock()
	var errs []error
	for _, s := range slices.Backward(steps) {
		bounded, cancel := context.WithTimeout(ctx, s.bound)
		if err := s.end(bounded); err != nil {
			errs = append(errs, fmt.Errorf("end %s: %w", s.name, err))
		}
		cancel()
		l.log.Debug("ended", "part", s.name)
	}
	return errors.Join(errs...)
}
