package worker

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/engine"
)

// TestHeartbeat: a call that takes far longer than the acknowledgement wait is
// not delivered again, though somebody waits for work.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(cancel)
		task := executeTask()
		task.Timeout = time.Hour
		w.enqueue(t, task)
		v := &view{world: w, name: "solo", kind: fencedKind(), at: func(_ int, name string) error {
			if name == "execute.before" {
				<-time.After(20 * testAckWait)
			}
			return nil
		}}
		if err := v.worker(t, func(c *Config) { c.Parallel = 2 }).Run(ctx); err != nil {
			t.Error(err)
		}
		if d := w.messages[0].deliveries; d != 1 || w.target.calls != 1 {
			t.Errorf("%d deliveries, %d calls", d, w.target.calls)
		}
	})
}

// TestCutOffFromTheQueue: a worker's heartbeats are lost, and its call takes
// long, but it is well. The one who gets the task then waits for it, rather than
// ask a person.
func TestCutOffFromTheQueue(t *testing.T) {
	for _, k := range []kind{{name: "observable"}, {name: "blind", blind: true}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := newWorld(cancel)
			task := executeTask()
			task.Timeout = 3 * testAckWait
			w.enqueue(t, task)
			a := &view{world: w, name: "first", kind: k, deaf: true, at: func(_ int, name string) error {
				if name == "execute.before" {
					<-time.After(2 * testAckWait)
				}
				return nil
			}}
			ended := make(chan error)
			go func() { ended <- a.worker(t).Run(ctx) }()
			synctest.Wait()
			b := &view{world: w, name: "second", kind: k}
			if err := b.worker(t).Run(ctx); err != nil {
				t.Error(err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if len(w.results) == 0 || w.results[0].Outcome == nil || w.target.calls != 1 {
				t.Errorf("%s: %d calls, results %+v", k.name, w.target.calls, w.results)
			}
		})
	}
}

// TestCameAgainInHand: heartbeats are lost, the task comes again to another loop
// of the same worker, which does not touch it.
func TestCameAgainInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(cancel)
		task := executeTask()
		task.Timeout = time.Hour
		w.enqueue(t, task)
		v := &view{world: w, name: "solo", kind: kind{blind: true}, deaf: true}
		v.at = func(_ int, name string) error {
			if name == "execute.before" {
				<-time.After(5*testAckWait - time.Second)
			}
			return nil
		}
		if err := v.worker(t, func(c *Config) { c.Parallel = 3 }).Run(ctx); err != nil {
			t.Error(err)
		}
		if w.messages[0].deliveries < 3 || w.target.calls != 1 || len(w.results) != 1 || w.results[0].Outcome == nil {
			t.Errorf("%d deliveries, %d calls, results %+v", w.messages[0].deliveries, w.target.calls, w.results)
		}
	})
}

func TestParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(cancel)
		for i := range 20 {
			task := executeTask()
			task.ID = fmt.Sprint("task-", i)
			w.enqueue(t, task)
		}
		var now, most atomic.Int32
		v := &view{world: w, name: "solo", kind: kind{blind: true}}
		v.at = func(_ int, name string) error {
			if name == "execute.before" {
				most.Store(max(most.Load(), now.Add(1)))
				<-time.After(time.Second)
				now.Add(-1)
			}
			return nil
		}
		if err := v.worker(t, func(c *Config) { c.Parallel = 5 }).Run(ctx); err != nil {
			t.Error(err)
		}
		if most.Load() != 5 || w.target.effects != 20 || len(w.results) != 20 {
			t.Errorf("%d at once, %d effects, %d results", most.Load(), w.target.effects, len(w.results))
		}
	})
}

// TestDrain stops the worker in the middle of a call that takes as long as
// given, and says what is there right after.
func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		takes     time.Duration
		obeys     bool // the remediator ends with its context
		cutOff    bool
		delivered uint64
	}{
		"ends in time":      {takes: 30 * time.Second, delivered: 1},
		"is cut off":        {takes: time.Hour, obeys: true, cutOff: true, delivered: 2},
		"ends after cutoff": {takes: 90 * time.Second, cutOff: true, delivered: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(func() {})
				task := executeTask()
				task.Timeout = 2 * time.Hour
				w.enqueue(t, task)
				v := &view{world: w, name: "first", kind: fencedKind()}
				ctx, cancel := context.WithCancel(t.Context())
				var cut context.Context
				v.at = func(_ int, name string) error {
					if name != "execute.before" {
						return nil
					}
					cancel()
					if c.obeys {
						<-cut.Done()
						return cut.Err()
					}
					<-time.After(c.takes)
					return nil
				}
				worker := v.worker(t)
				var cutNow context.CancelFunc
				cut, cutNow = context.WithTimeout(context.Background(), worker.cfg.Drain+time.Millisecond)
				defer cutNow()
				if err := worker.Run(ctx); (err != nil) != c.cutOff {
					t.Errorf("Run: %v", err)
				}
				if c.obeys == (len(w.results) != 0) {
					t.Errorf("results after the drain: %+v", w.results)
				}
				next, cancel := context.WithCancel(t.Context())
				defer cancel()
				w.empty = cancel
				if err := (&view{world: w, name: "second", kind: fencedKind()}).worker(t).Run(next); err != nil {
					t.Error(err)
				}
				if len(w.results) != 1 || w.results[0].Outcome == nil || w.target.effects != 1 || w.messages[0].deliveries != c.delivered {
					t.Errorf("%d deliveries, %d effects, results %+v", w.messages[0].deliveries, w.target.effects, w.results)
				}
			})
		})
	}
}

// TestVerifyEndsAtOnce: a verification does not hold a shutdown up.
func TestVerifyEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func() {})
		task := executeTask()
		task.Kind, task.Plan, task.Deadline = engine.TaskVerify, nil, time.Now().Add(time.Hour)
		w.enqueue(t, task)
		ctx, cancel := context.WithCancel(t.Context())
		v := &view{world: w, name: "first"}
		begun := time.Now()
		worker := v.worker(t, func(c *Config) { c.Verifier = patientVerifier{cancel} })
		if err := worker.Run(ctx); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Second || len(w.results) != 0 || w.messages[0].visible.After(time.Now()) {
			t.Errorf("took %v, results %+v, comes again at %v", took, w.results, w.messages[0].visible)
		}
	})
}

type patientVerifier struct{ begun func() }

func (p patientVerifier) Verify(ctx context.Context, _ engine.Task) (bool, []engine.Check, error) {
	p.begun()
	<-ctx.Done()
	return false, nil, ctx.Err()
}

func (p patientVerifier) Check(ctx context.Context, t engine.Task) (bool, []engine.Check, error) {
	return p.Verify(ctx, t)
}

// TestBusDown: with the outcome known and the bus out of reach, the worker holds
// on until the bus is back, and asks nobody.
func TestBusDown(t *testing.T) {
	for _, from := range []string{"claim.update.before", "inbox.publish.before"} {
		var down time.Time
		s := solo(t, kind{name: "blind", blind: true}, nil, func(v *view, _ int, name string) error {
			if down.IsZero() && name == from {
				down = time.Now()
				v.pmu.Lock()
				v.deaf = true
				v.pmu.Unlock()
			}
			remote := strings.HasPrefix(name, "claim.") || strings.HasPrefix(name, "inbox.") || strings.HasPrefix(name, "queue.")
			if remote && !down.IsZero() && time.Since(down) < time.Minute {
				return errInjected
			}
			return nil
		})
		if r := s.world.results[0]; r.Outcome == nil || s.world.target.effects != 1 {
			t.Errorf("down at %s: %+v", from, r)
		}
	}
}

func TestMetrics(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := newWorld(cancel)
		w.enqueue(t, executeTask())
		v := &view{world: w, name: "solo", kind: kind{name: "observable"}}
		v.at = func(_ int, name string) error {
			if name == "execute.after" {
				return errInjected
			}
			return nil
		}
		if err := v.worker(t, func(c *Config) { c.Registry = r }).Run(ctx); err != nil {
			t.Error(err)
		}
	})
	want := `
# HELP paramedic_worker_observations_total Observations of a call whose outcome nobody saw, by what was found, or error.
# TYPE paramedic_worker_observations_total counter
paramedic_worker_observations_total{action="test.restart",effect="applied",group="korea"} 1
# HELP paramedic_worker_tasks_total Tasks answered, by the class of the failure or ok or unverified.
# TYPE paramedic_worker_tasks_total counter
paramedic_worker_tasks_total{action="test.restart",class="ok",group="korea",kind="execute"} 1
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "paramedic_worker_tasks_total", "paramedic_worker_observations_total"); err != nil {
		t.Error(err)
	}
}

func TestNewChecks(t *testing.T) {
	_, err := New(Config{Log: slog.New(slog.DiscardHandler)})
	for _, want := range []string{"ID is not set", "Queue is not set", "parallel 0", "acknowledgement wait"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
