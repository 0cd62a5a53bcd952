package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/tripgen/paramedic/internal/engine"
)

var errBroken = errors.New("broken")

// world is a ledger that grows, a store that lasts over restarts, and what goes wrong with them.
type world struct {
	t *testing.T

	mu      sync.Mutex
	records []Record
	grown   chan struct{} // closed when records or the trouble change
	reads   int
	failing int // so many calls of Next and Save fail
	values  map[string][]byte
	saves   int
	log     bytes.Buffer
	metrics *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{t: t, grown: make(chan struct{}), values: map[string][]byte{}}
}

func (w *world) append(events ...engine.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.records = append(w.records, Record{Seq: uint64(len(w.records)) + 1, At: time.Now(), Events: events})
	close(w.grown)
	w.grown = make(chan struct{})
}

func (w *world) fail(times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing = times
}

func (w *world) broken() error {
	if w.failing == 0 {
		return nil
	}
	w.failing--
	return errBroken
}

// Last is the length of the ledger.
func (w *world) Last(context.Context) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.records)), nil
}

// Read begins a reading.
func (w *world) Read(_ context.Context, seq uint64) (Records, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seq == 0 {
		return nil, errors.New("records count from 1")
	}
	w.reads++
	return &reading{w: w, next: seq}, nil
}

// Load is of the store.
func (w *world) Load(_ context.Context, key string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.values[key], w.broken()
}

// Save is of the store.
func (w *world) Save(ctx context.Context, key string, value []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := errors.Join(ctx.Err(), w.broken()); err != nil {
		return err
	}
	w.saves++
	w.values[key] = bytes.Clone(value)
	return nil
}

type reading struct {
	w    *world
	next uint64
}

func (*reading) Close() {}

func (r *reading) Next(ctx context.Context) (Record, error) {
	for {
		r.w.mu.Lock()
		err, grown := r.w.broken(), r.w.grown
		if err == nil && r.next <= uint64(len(r.w.records)) {
			rec := r.w.records[r.next-1]
			r.next++
			r.w.mu.Unlock()
			return rec, nil
		}
		r.w.mu.Unlock()
		if err != nil {
			return Record{}, err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return Record{}, fmt.Errorf("read: %w", ctx.Err())
		}
	}
}

// listener is a reporter that writes down what it is told.
type listener struct {
	name   string
	answer func(ctx context.Context, n Notice, tries int) error

	mu    sync.Mutex
	heard []Notice
	tries map[string]int
}

// Name is as the test says.
func (l *listener) Name() string { return l.name }

// Report answers as the test says, and hears what it answers nil to.
func (l *listener) Report(ctx context.Context, n Notice) error {
	l.mu.Lock()
	if l.tries == nil {
		l.tries = map[string]int{}
	}
	l.tries[n.ID]++
	tries := l.tries[n.ID]
	l.mu.Unlock()
	if l.answer != nil {
		if err := l.answer(ctx, n, tries); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, n)
	return nil
}

func (l *listener) ids() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]string, len(l.heard))
	for i, n := range l.heard {
		ids[i] = n.ID
	}
	return ids
}

// run starts a Dispatcher and returns what stops it, as at a shutdown.
func (w *world) run(subscriptions ...Subscription) (stop func()) {
	w.t.Helper()
	w.metrics = prometheus.NewRegistry()
	d, err := New(Options{
		Subscriptions: subscriptions, Ledger: w, Store: w, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Metrics: w.metrics, Now: time.Now, Jitter: func() float64 { return 0.5 },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// metric sums the series of a family that have a label of this value.
func (w *world) metric(name, label string) float64 {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			if has(series, label) {
				sum += series.GetCounter().GetValue() + series.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func has(series *dto.Metric, value string) bool {
	for _, l := range series.GetLabel() {
		if l.GetValue() == value {
			return true
		}
	}
	return false
}
