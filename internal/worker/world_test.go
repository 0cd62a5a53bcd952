package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

const (
	testAckWait = 30 * time.Second
	testTimeout = 10 * time.Second
)

// world is everything outside of a worker: a queue that redelivers and a claim
// store and streams that survive, as JetStream's do, and a target that counts.
// It is what several workers, or one after another, share.
type world struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and renewed at every change of the queue
	empty    func()        // called once no message is left
	messages []*message
	claims   map[string]stored
	revision uint64
	pauses   map[string][]byte
	results  []engine.Result
	dead     []string
	target   target
}

type message struct {
	subject    string
	data       []byte
	deliveries uint64
	visible    time.Time
	gone       bool
	termed     string
}

type stored struct {
	value    []byte
	revision uint64
}

func newWorld(empty func()) *world {
	return &world{
		changed: make(chan struct{}), empty: empty,
		claims: make(map[string]stored), pauses: make(map[string][]byte),
		target: target{applied: make(map[string]bool), undone: make(map[string]bool)},
	}
}

func (w *world) enqueue(t *testing.T, task engine.Task) {
	t.Helper()
	data, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	w.enqueueRaw("work."+task.Group+"."+task.Action, data)
}

func (w *world) enqueueRaw(subject string, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.messages = append(w.messages, &message{subject: subject, data: data})
	w.notify()
}

// notify is called with mu held.
func (w *world) notify() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// take returns a visible message, or when to look again; ok is false once none
// is left.
func (w *world) take() (m *message, next time.Time, changed chan struct{}, left bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, m := range w.messages {
		if m.gone {
			continue
		}
		left = true
		if !m.visible.After(now) {
			m.deliveries++
			m.visible = now.Add(testAckWait)
			return m, next, w.changed, true
		}
		if next.IsZero() || m.visible.Before(next) {
			next = m.visible
		}
	}
	return nil, next, w.changed, left
}

// view is one worker's sight of the world. Every step through it is a point at
// which the step may fail or the worker may die or be stopped.
type view struct {
	*world
	name string
	kind kind
	// at is asked at every point; an error fails the step there.
	at func(n int, name string) error
	// deaf workers' heartbeats do not arrive: the process is stopped.
	deaf bool

	pmu   sync.Mutex
	trace []string
}

func (v *view) point(name string) error {
	v.pmu.Lock()
	n := len(v.trace)
	v.trace = append(v.trace, name)
	v.pmu.Unlock()
	if v.at == nil {
		return nil
	}
	return v.at(n, name)
}

// step runs f between two points; an error at the second hides that f was done.
func (v *view) step(name string, f func() error) error {
	if err := v.point(name + ".before"); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return v.point(name + ".after")
}

func (v *view) Next(ctx context.Context) (Job, error) {
	for {
		m, next, changed, left := v.take()
		if m != nil {
			return &job{view: v, m: m, deliveries: m.deliveries}, nil
		}
		if !left {
			v.empty()
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(time.Until(next))
		}
		select {
		case <-timer:
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type job struct {
	*view
	m          *message
	deliveries uint64
}

func (j *job) Subject() string    { return j.m.subject }
func (j *job) Data() []byte       { return j.m.data }
func (j *job) Deliveries() uint64 { return j.deliveries }

// An answer from an old delivery counts as much as one from the last: JetStream
// does not tell them apart.
func (j *job) answer(f func(m *message)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(j.m)
	j.notify()
	return nil
}

func (j *job) Ack(context.Context) error {
	return j.step("queue.ack", func() error { return j.answer(func(m *message) { m.gone = true }) })
}

func (j *job) InProgress() error {
	j.pmu.Lock()
	deaf := j.deaf
	j.pmu.Unlock()
	if deaf {
		return nil
	}
	return j.answer(func(m *message) { m.visible = time.Now().Add(testAckWait) })
}

func (j *job) Retry(d time.Duration) error {
	return j.step("queue.retry", func() error { return j.answer(func(m *message) { m.visible = time.Now().Add(d) }) })
}

func (j *job) Term(reason string) error {
	return j.step("queue.term", func() error { return j.answer(func(m *message) { m.gone, m.termed = true, reason }) })
}

var errStore = errors.New("wrong revision")

func (v *view) put(key string, value []byte, expected uint64) (revision uint64, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.claims[key].revision != expected {
		return 0, errStore
	}
	v.revision++
	v.claims[key] = stored{value, v.revision}
	return v.revision, nil
}

func (v *view) Create(_ context.Context, key string, value []byte) (revision uint64, err error) {
	err = v.step("claim.create", func() (err error) { revision, err = v.put(key, value, 0); return err })
	return revision, err
}

func (v *view) Update(_ context.Context, key string, value []byte, expected uint64) (revision uint64, err error) {
	err = v.step("claim.update", func() (err error) { revision, err = v.put(key, value, expected); return err })
	return revision, err
}

func (v *view) Get(_ context.Context, key string) (value []byte, revision uint64, err error) {
	err = v.step("claim.get", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		s, ok := v.claims[key]
		if !ok {
			return ErrNoClaim
		}
		value, revision = s.value, s.revision
		return nil
	})
	return value, revision, err
}

func (v *view) List(context.Context) (paused map[string][]byte, err error) {
	err = v.step("pauses.list", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		paused = make(map[string][]byte)
		maps.Copy(paused, v.pauses)
		return nil
	})
	return paused, err
}

func (w *world) pause(scope string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pauses[scope] = []byte(`{}`)
}

func (w *world) resume(scope string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.pauses, scope)
}

func (v *view) PublishInbox(_ context.Context, kind, id string, data []byte) (sequence uint64, err error) {
	err = v.step("inbox.publish", func() error {
		in, err := engine.UnmarshalLine(data)
		if err != nil {
			return err
		}
		if kind != "result.korea" || id != "result/"+in.Result.Task {
			return fmt.Errorf("published kind %q id %q", kind, id)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.results = append(v.results, *in.Result)
		sequence = uint64(len(v.results))
		return nil
	})
	return sequence, err
}

func (v *view) PublishDead(_ context.Context, group, action, id, reason string, _ []byte) error {
	return v.step("dead.publish", func() error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.dead = append(v.dead, group+" "+action+" "+id+" "+reason)
		return nil
	})
}

func (v *view) Verify(ctx context.Context, _ engine.Task) (bool, []engine.Check, error) {
	return v.ask(ctx, "verify")
}

func (v *view) Check(ctx context.Context, _ engine.Task) (bool, []engine.Check, error) {
	return v.ask(ctx, "check")
}

func (v *view) ask(ctx context.Context, name string) (bool, []engine.Check, error) {
	if err := v.step(name, func() error { return nil }); err != nil {
		return false, nil, err
	}
	return true, []engine.Check{{Kind: "http", OK: true}}, ctx.Err()
}

// worker makes a worker that sees the world through v.
func (v *view) worker(t *testing.T, change ...func(*Config)) *Worker {
	t.Helper()
	var all remediators.Remediator = &remediator{view: v}
	if v.kind.permanent {
		all = struct{ remediators.Remediator }{all}
	}
	registry, err := remediators.NewRegistry(all)
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		ID: v.name, Group: "korea", Parallel: 1, AckWait: testAckWait, Drain: time.Minute,
		Ports:       Ports{Queue: v, Claims: v, Pauses: v, Publisher: v},
		Remediators: registry, Verifier: v,
		Now: time.Now, Jitter: func() float64 { return 0.5 },
		Log: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
		Hook: func(p Point) {
			if err := v.point(string(p)); err != nil && !errors.Is(err, errInjected) {
				panic(err)
			}
		},
	}
	for _, f := range change {
		f(&c)
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
