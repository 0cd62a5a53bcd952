package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/remediators"
)

// Config is what a worker needs. Every field must be set but Hook.
type Config struct {
	// ID is this process's, and no other's: a claim that carries it is ours.
	ID string
	// Group is the worker group that Queue serves.
	Group string
	// Parallel is how many tasks are done at once.
	Parallel int
	// AckWait is the queue's; a task in hand is kept alive at a third of it.
	AckWait time.Duration
	// Drain is how long tasks in hand may go on once Run's context has ended.
	Drain time.Duration

	Ports

	Remediators *remediators.Registry
	Verifier    Verifier

	// Now is the time of day. Jitter returns a number in [0,1).
	Now    func() time.Time
	Jitter func() float64

	Log      *slog.Logger
	Registry prometheus.Registerer
	// Hook is called at each Point, on the goroutine that gets there.
	Hook func(Point)
}

// Point is a place where a crash is of interest.
type Point string

// The points, in the order in which a task passes them. Those of the call are
// passed by execute and undo tasks only, those of keeping a checkpoint by calls
// that have one.
const (
	CallBefore   Point = "worker.call.before"
	KeepBefore   Point = "worker.keep.before"
	KeepAfter    Point = "worker.keep.after"
	CallAfter    Point = "worker.call.after"
	ResultBefore Point = "worker.result.before"
	ResultAfter  Point = "worker.result.after"
	AckBefore    Point = "worker.ack.before"
	AckAfter     Point = "worker.ack.after"
)

// Worker does the tasks of one group.
type Worker struct {
	cfg     Config
	metrics metrics

	mu      sync.Mutex
	running map[string]bool
}

// New checks the configuration and registers the metrics.
func New(c Config) (*Worker, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("worker %q: %w", c.ID, err)
	}
	if c.Hook == nil {
		c.Hook = func(Point) {}
	}
	c.Log = c.Log.With("worker", c.ID, "group", c.Group)
	m, err := newMetrics(prometheus.WrapRegistererWith(prometheus.Labels{"group": c.Group}, c.Registry))
	if err != nil {
		return nil, fmt.Errorf("worker %q: metrics: %w", c.ID, err)
	}
	return &Worker{cfg: c, metrics: m, running: make(map[string]bool)}, nil
}

func (c Config) validate() error {
	var errs []error
	for _, field := range []struct {
		name string
		set  bool
	}{
		{"ID", c.ID != ""},
		{"Group", c.Group != ""},
		{"Queue", c.Queue != nil},
		{"Claims", c.Claims != nil},
		{"Pauses", c.Pauses != nil},
		{"Publisher", c.Publisher != nil},
		{"Remediators", c.Remediators != nil},
		{"Verifier", c.Verifier != nil},
		{"Now", c.Now != nil},
		{"Jitter", c.Jitter != nil},
		{"Log", c.Log != nil},
		{"Registry", c.Registry != nil},
	} {
		if !field.set {
			errs = append(errs, fmt.Errorf("%s is not set", field.name))
		}
	}
	if c.Parallel < 1 {
		errs = append(errs, fmt.Errorf("parallel %d: want at least 1", c.Parallel))
	}
	if c.AckWait <= 0 {
		errs = append(errs, fmt.Errorf("acknowledgement wait %v: want more than 0", c.AckWait))
	}
	if c.Drain < 0 {
		errs = append(errs, fmt.Errorf("drain %v: want 0 or more", c.Drain))
	}
	return errors.Join(errs...)
}

// Run pulls and does tasks until ctx ends, then drains, and returns once
// nothing runs any more. The error says that tasks were cut off.
func (w *Worker) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	var loops sync.WaitGroup
	for range w.cfg.Parallel {
		loops.Go(func() { w.loop(ctx, work) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		loops.Wait()
	}()

	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	deadline := time.NewTimer(w.cfg.Drain)
	defer deadline.Stop()
	select {
	case <-ended:
		return nil
	case <-deadline.C:
	}
	inHand := w.inHand()
	cancel()
	<-ended
	if inHand == 0 {
		return nil
	}
	return fmt.Errorf("worker %q: %d tasks were cut off after %v of draining; they will be delivered again", w.cfg.ID, inHand, w.cfg.Drain)
}

// loop pulls one task at a time until pull ends. What it has pulled it does
// under work.
func (w *Worker) loop(pull, work context.Context) {
	for failures := uint64(0); pull.Err() == nil; {
		job, err := w.cfg.Queue.Next(pull)
		switch {
		case err == nil:
			failures = 0
			w.handle(pull, work, job)
		case pull.Err() != nil:
			return
		default:
			failures++
			delay := w.backoff(failures)
			w.cfg.Log.Warn("cannot pull a task", "error", err, "again", delay)
			wait(pull, delay)
		}
	}
}

// enter marks a task as in hand. It refuses one that is: the queue gave it out
// again because keeping it alive failed, while the first handling still goes on.
func (w *Worker) enter(task string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running[task] {
		return false
	}
	w.running[task] = true
	return true
}

func (w *Worker) exit(task string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, task)
}

func (w *Worker) inHand() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.running)
}

// The bounds of the backoff towards the bus. Trying a failed action again is
// the engine's: it is counted in the ledger.
const (
	backoffFirst = 500 * time.Millisecond
	backoffMost  = 30 * time.Second
)

// backoff doubles with every failure, from the first, and is jittered down to a
// half.
func (w *Worker) backoff(failures uint64) time.Duration {
	d := backoffMost
	if shift := max(failures, 1) - 1; shift < 6 {
		d = backoffFirst << shift
	}
	return d/2 + time.Duration(w.cfg.Jitter()*float64(d/2))
}

// wait returns after d, or false as soon as ctx ends.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
