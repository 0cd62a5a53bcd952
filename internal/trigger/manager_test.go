package trigger

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/rules"
)

// turns is a lease that the test gives and takes.
type turns struct {
	give chan struct{}
	mu   sync.Mutex
	done chan struct{}
}

func (l *turns) Acquire(ctx context.Context) error {
	select {
	case <-l.give:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = make(chan struct{})
	return nil
}

func (l *turns) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.done
}

func (l *turns) take() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.done)
}

func (*turns) Release(context.Context) error { return nil }

// inForce are rule sets that the test puts in force.
type inForce struct {
	mu      sync.Mutex
	digest  string
	now     []rules.Trigger
	err     error
	changed chan struct{}
}

func (f *inForce) put(digest string, err error, triggers ...rules.Trigger) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.digest, f.now, f.err = digest, triggers, err
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *inForce) Triggers(ctx context.Context, after string) (string, []rules.Trigger, error) {
	for {
		f.mu.Lock()
		digest, now, err, changed := f.digest, f.now, f.err, f.changed
		f.mu.Unlock()
		if digest != after {
			return digest, now, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return after, nil, ctx.Err()
		}
	}
}

type probes struct{ *seen }

func (p probes) Get(string) (verify.Prober, bool) { return p.seen, true }

// TestManager runs it through its life, in time that goes by at once.
func TestManager(t *testing.T) {
	t.Parallel()
	failing := trigger(t, `{probe: {every: 10s, timeout: 1s, failures: 3, http: {}}}`)
	slower := trigger(t, `{probe: {every: 20s, timeout: 1s, failures: 3, http: {}}}`)
	nightly := trigger(t, `{schedule: {cron: "0 * * * *", restore: "30 * * * *"}}`)
	nightly.Rule = "nightly"
	synctest.Test(t, func(t *testing.T) {
		w, l, f := newWorld(), &turns{give: make(chan struct{})}, &inForce{changed: make(chan struct{})}
		metrics, err := NewMetrics(prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(Options{
			Store: w, Inbox: w, Lease: l, Rules: f, Probes: probes{&seen{}}, Clusters: &script{}, Accounts: &bill{},
			Metrics: metrics, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		count := func(after time.Duration, want int, what string) {
			t.Helper()
			<-time.After(after) // the bubble's time: it passes at once
			synctest.Wait()
			if got := len(w.alerts()); got != want {
				t.Fatalf("%s: %d messages, want %d: %+v", what, got, want, w.alerts())
			}
		}
		f.put("one", nil, failing)
		count(time.Minute, 0, "it is not its turn")
		l.give <- struct{}{}
		count(time.Minute, 1, "the probe failed")
		f.put("two", nil, failing, nightly)
		count(5*time.Minute, 2, "the probe's trigger ran on, and repeated")
		f.put("three", errors.New("written for a newer build"))
		count(time.Hour, 2, "rules that cannot be read: nothing runs, and nothing is resolved")
		f.put("four", nil, slower)
		count(29*time.Minute, 2+1+5, "the schedule's record is gone, it did not fire; the probe goes on")
		if r := w.record(t, key(nightly, "")); !r.Tick.IsZero() {
			t.Errorf("%+v", r)
		}
		l.take()
		count(time.Hour, 8, "it is another's turn")
		if n := testutil.CollectAndCount(metrics.running); n != 0 {
			t.Errorf("%d kinds are said to run", n)
		}
		l.give <- struct{}{}
		count(time.Minute, 9, "its turn again")
		f.put("five", nil)
		count(time.Minute, 10, "the rule is gone, and its alert is resolved")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestNewWantsEveryOption(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Now: time.Now}); err == nil {
		t.Error("no error")
	}
}
