package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
	// leastTries is how often a notice is tried even if it is old already.
	leastTries = 3
)

// channel is one reporter's way through the ledger. Its goroutine owns it.
type channel struct {
	d        *Dispatcher
	reporter Reporter
	routing  routing
	log      *slog.Logger
	progress progress
}

func newChannel(d *Dispatcher, r Reporter, way routing) *channel {
	return &channel{
		d: d, reporter: r, routing: way, log: d.Log.With("reporter", r.Name()),
		progress: progress{store: d.Store, key: r.Name(), now: d.Now},
	}
}

// run follows the ledger until ctx ends, and begins again after trouble with it.
func (c *channel) run(ctx context.Context) {
	for try := 0; ctx.Err() == nil; try++ {
		before := c.progress.seq
		err := c.follow(ctx)
		if ctx.Err() != nil {
			break
		}
		if c.progress.seq != before {
			try = 0
		}
		c.d.metrics.broken.WithLabelValues(c.reporter.Name()).Inc()
		c.log.LogAttrs(ctx, slog.LevelWarn, "reports are delayed: the ledger cannot be followed",
			slog.Uint64("after", c.progress.seq), slog.Any("error", err))
		c.pause(ctx, try, 0)
	}
	// The caller's context has ended; what is known is worth a moment more.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c.save(last)
}

// follow reads and delivers until something fails.
func (c *channel) follow(ctx context.Context) error {
	if err := c.progress.load(ctx, c.d.Ledger); err != nil {
		return err
	}
	records, err := c.d.Ledger.Read(ctx, c.progress.oldest)
	if err != nil {
		return fmt.Errorf("read the ledger from record %d: %w", c.progress.oldest, err)
	}
	defer records.Close()
	fold := NewFold()
	for {
		rec, err := c.next(ctx, records)
		if err != nil {
			return err
		}
		notices := fold.Apply(rec)
		if rec.Seq <= c.progress.seq {
			continue // reported before; read for what it says about its runs
		}
		for _, n := range notices {
			if n, ok := c.routing.take(n); ok {
				if err := c.deliver(ctx, n); err != nil {
					return err
				}
			}
		}
		c.progress.advance(rec.Seq, fold.Oldest(rec.Seq))
		c.d.metrics.position.WithLabelValues(c.reporter.Name()).Set(float64(rec.Seq))
		if c.progress.due() {
			c.save(ctx)
		}
	}
}

// next waits for a record, and saves the progress when that is due before it comes.
func (c *channel) next(ctx context.Context, records Records) (Record, error) {
	for c.progress.dirty {
		wait, cancel := context.WithTimeout(ctx, c.progress.untilDue())
		rec, err := records.Next(wait)
		late := wait.Err() != nil && ctx.Err() == nil
		cancel()
		if err == nil || !late {
			return rec, err
		}
		c.save(ctx)
	}
	return records.Next(ctx)
}

func (c *channel) save(ctx context.Context) {
	if err := c.progress.save(ctx); err != nil {
		c.d.metrics.broken.WithLabelValues(c.reporter.Name()).Inc()
		c.log.LogAttrs(ctx, slog.LevelWarn, "how far reports came is not saved: after a restart some are sent again",
			slog.Uint64("seq", c.progress.seq), slog.Any("error", err))
	}
}

// deliver returns nil once the notice has arrived or is dead, and an error only if ctx ended before.
func (c *channel) deliver(ctx context.Context, n Notice) error {
	name := c.reporter.Name()
	for try := 0; ; try++ {
		err := c.report(ctx, n)
		switch {
		case err == nil:
			c.d.metrics.delivered.WithLabelValues(name, string(n.Kind)).Inc()
			c.d.metrics.lag.WithLabelValues(name).Observe(c.d.Now().Sub(n.At).Seconds())
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("notice %s: %w", n.ID, context.Cause(ctx))
		case isPermanent(err):
			c.dead(ctx, n, "refused", try, err)
			return nil
		case try+1 >= leastTries && c.d.Now().Sub(n.At) > c.d.Patience:
			c.dead(ctx, n, "exhausted", try, err)
			return nil
		}
		c.d.metrics.retries.WithLabelValues(name).Inc()
		level := slog.LevelDebug
		if try == 0 {
			level = slog.LevelWarn
		}
		c.log.LogAttrs(ctx, level, "a notice is tried again",
			slog.String("notice", n.ID), slog.Int("tries", try+1), slog.Any("error", err))
		c.pause(ctx, try, delay(err))
	}
}

func (c *channel) report(ctx context.Context, n Notice) error {
	bounded, cancel := context.WithTimeoutCause(ctx, c.d.Timeout, errTimeout)
	defer cancel()
	return c.reporter.Report(bounded, n)
}

var errTimeout = errors.New("the reporter took too long")

func (c *channel) dead(ctx context.Context, n Notice, reason string, try int, err error) {
	c.d.metrics.dead.WithLabelValues(c.reporter.Name(), reason).Inc()
	c.log.LogAttrs(ctx, slog.LevelError, "a notice is given up",
		slog.String("notice", n.ID), slog.String("kind", string(n.Kind)), slog.String("run", n.Run),
		slog.String("reason", reason), slog.Int("tries", try+1), slog.Any("error", err))
}

// pause waits longer with each try, spread by a quarter up or down so that reporters do not return in step, and never
// shorter than asked.
func (c *channel) pause(ctx context.Context, try int, asked time.Duration) {
	wait := min(backoffFirst<<min(try, 20), backoffMost)
	wait = max(wait-wait/4+time.Duration(c.d.Jitter()*float64(wait)/2), min(asked, backoffMost))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
