package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// TestOnTheBus does tasks over a real embedded bus, with a crash of the worker
// at each of its points.
func TestOnTheBus(t *testing.T) {
	b, err := bus.Open(t.Context(), bus.Config{Dir: t.TempDir(), MaxStore: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	points := map[string]Point{
		"none": "", "call-before": CallBefore, "call-after": CallAfter, "result-before": ResultBefore,
		"result-after": ResultAfter, "ack-before": AckBefore, "ack-after": AckAfter,
	}
	for group, point := range points {
		t.Run(group, func(t *testing.T) {
			t.Parallel()
			onTheBus(t, b, group, point)
		})
	}
}

func onTheBus(t *testing.T, b *bus.Bus, group string, point Point) {
	const wait = 500 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	task := executeTask()
	task.ID, task.Group = group+"/"+task.ID, group
	if err := b.EnsureClaims(ctx, group); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.PublishWork(ctx, group, task.Action, task.ID, data); err != nil {
		t.Fatal(err)
	}

	w := newWorld(func() {})
	run := func(ctx context.Context, name string, hook func(Point)) {
		q, err := b.Work(ctx, group, []string{task.Action}, wait)
		if err != nil {
			t.Fatal(err)
		}
		registry, err := remediators.NewRegistry(&remediator{view: &view{world: w, name: name, kind: fencedKind()}})
		if err != nil {
			t.Fatal(err)
		}
		worker, err := New(Config{
			ID: name, Group: group, Parallel: 1, AckWait: wait, Drain: time.Second,
			Ports: OnBus(b, q), Remediators: registry, Verifier: patientVerifier{},
			Now: time.Now, Jitter: func() float64 { return 0 }, Hook: hook,
			Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.Run(ctx); err != nil {
			t.Error(err)
		}
	}
	if point != "" {
		run(ctx, "first", func(p Point) {
			if p == point {
				runtime.Goexit()
			}
		})
	}
	if point == AckAfter {
		resultOf(ctx, t, b, task.ID) // nothing comes again
	} else {
		second, stop := context.WithCancel(ctx)
		run(second, "second", func(p Point) {
			if p == AckAfter {
				stop()
			}
		})
	}
	r := resultOf(ctx, t, b, task.ID)
	if r.Outcome == nil || w.target.effects != 1 {
		t.Errorf("%d effects, result %+v", w.target.effects, r)
	}
	value, _, err := b.Claims(group).Get(ctx, task.ID)
	if err != nil || !bytes.Contains(value, []byte(`"state":"done"`)) {
		t.Errorf("claim %s: %v", value, err)
	}
}

// resultOf waits for a task's result in INBOX.
func resultOf(ctx context.Context, t *testing.T, b *bus.Bus, task string) engine.Result {
	t.Helper()
	r, err := b.Inbox(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		messages, err := r.NextBatch(ctx, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			in, err := engine.UnmarshalLine(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			if in.Result != nil && in.Result.Task == task {
				return *in.Result
			}
		}
	}
}
