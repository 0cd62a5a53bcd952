package trigger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/rules"
)

// parts are what every runner uses.
type parts struct {
	book    *book
	metrics *Metrics
	log     *slog.Logger
	now     func() time.Time
}

// stepper is a runner that looks from time to time.
type stepper interface {
	// step looks, concludes and sends, and returns when to look again.
	step(ctx context.Context, now time.Time) (time.Time, error)
}

const (
	// leastRetry and mostRetry bound how long is waited after an error.
	leastRetry = time.Second
	mostRetry  = time.Minute
)

// runSteps has a stepper look until ctx ends. A streak of the same trouble is told
// once.
func runSteps(ctx context.Context, p parts, t rules.Trigger, s stepper) {
	wait := leastRetry
	for ctx.Err() == nil {
		now := p.now()
		next, err := s.step(ctx, now)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			wait = leastRetry
			pause(ctx, next.Sub(p.now()))
			continue
		}
		p.failed(t, err, wait > leastRetry)
		delay := wait
		if e, ok := errors.AsType[*remediators.Error](err); ok {
			delay = max(delay, e.RetryAfter)
		}
		pause(ctx, delay)
		wait = min(2*wait, mostRetry)
	}
}

// failed counts and tells an error.
func (p parts) failed(t rules.Trigger, err error, again bool) {
	p.metrics.errors.WithLabelValues(string(t.Kind), t.Rule).Inc()
	level := slog.LevelError
	if again {
		level = slog.LevelDebug
	}
	p.log.Log(context.Background(), level, "a trigger could not look; it tries again", "rule", t.Rule, "kind", string(t.Kind), "error", err)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// repeats sends an alert again while what it stands for goes on.
type repeats struct {
	book    *book
	episode alert.EpisodeID
	sent    time.Time
}

// send sends the alert of a record that fires, if it was last sent long ago, and
// says when that is due again.
func (x *repeats) send(ctx context.Context, r Record, now time.Time) (time.Time, error) {
	if episode := r.Alert.Episode(); episode != x.episode {
		x.episode, x.sent = episode, r.At
	}
	if due := x.sent.Add(RepeatEvery); due.After(now) {
		return due, nil
	}
	if err := x.book.repeat(ctx, r, now); err != nil {
		return time.Time{}, fmt.Errorf("repeat: %w", err)
	}
	x.sent = now
	return now.Add(RepeatEvery), nil
}
