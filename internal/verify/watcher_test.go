package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// scripted is a prober whose answer is a function of the time since its start.
type scripted struct {
	kind  string
	start time.Time
	at    func(since time.Duration) (bool, error)
	takes time.Duration

	mu    sync.Mutex
	asked []time.Duration
	of    []engine.Target
}

func (s *scripted) Spec() verify.Spec { return verify.Spec{Kind: s.kind} }

func (s *scripted) Probe(ctx context.Context, target engine.Target, params json.RawMessage) (engine.Check, error) {
	since := time.Since(s.start)
	s.mu.Lock()
	s.asked, s.of = append(s.asked, since), append(s.of, target)
	s.mu.Unlock()
	if s.takes > 0 {
		timer := time.NewTimer(s.takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return engine.Check{}, ctx.Err()
		}
	}
	ok, err := s.at(since)
	return engine.Check{Kind: "whatever", OK: ok, Detail: string(params)}, err
}

func always(ok bool) func(time.Duration) (bool, error) {
	return func(time.Duration) (bool, error) { return ok, nil }
}

// from holds from one time on, but for a break.
func from(start, breakAt, breakFor time.Duration) func(time.Duration) (bool, error) {
	return func(d time.Duration) (bool, error) { return d >= start && (d < breakAt || d >= breakAt+breakFor), nil }
}

const forever = time.Hour

func TestVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		probes           []func(time.Duration) (bool, error)
		stable, deadline time.Duration
		takes            time.Duration
		want             bool
		after            time.Duration
	}{
		"holds at once":                 {probes: []func(time.Duration) (bool, error){always(true)}, deadline: time.Minute, want: true, after: 0},
		"holds for stable":              {probes: []func(time.Duration) (bool, error){always(true)}, stable: 30 * time.Second, deadline: time.Minute, want: true, after: 30 * time.Second},
		"a fraction is not lost":        {probes: []func(time.Duration) (bool, error){always(true)}, stable: 2300 * time.Millisecond, deadline: time.Minute, want: true, after: 2300 * time.Millisecond},
		"never":                         {probes: []func(time.Duration) (bool, error){always(false)}, deadline: time.Minute, after: time.Minute},
		"begins later":                  {probes: []func(time.Duration) (bool, error){from(10*time.Second, forever, 0)}, stable: 5 * time.Second, deadline: time.Minute, want: true, after: 15 * time.Second},
		"a break starts it anew":        {probes: []func(time.Duration) (bool, error){from(0, 20*time.Second, 5*time.Second)}, stable: 30 * time.Second, deadline: time.Minute, want: true, after: 55 * time.Second},
		"too late to be stable":         {probes: []func(time.Duration) (bool, error){from(40*time.Second, forever, 0)}, stable: 30 * time.Second, deadline: time.Minute, after: 31 * time.Second},
		"one of two does not":           {probes: []func(time.Duration) (bool, error){always(true), always(false)}, deadline: 10 * time.Second, after: 10 * time.Second},
		"never together":                {probes: []func(time.Duration) (bool, error){from(0, 5*time.Second, forever), from(6*time.Second, forever, 0)}, deadline: 20 * time.Second, after: 20 * time.Second},
		"an error does not hold":        {probes: []func(time.Duration) (bool, error){func(time.Duration) (bool, error) { return true, errors.New("no route") }}, deadline: 5 * time.Second, after: 5 * time.Second},
		"an error breaks":               {probes: []func(time.Duration) (bool, error){func(d time.Duration) (bool, error) { return true, failAt(d, 3*time.Second) }}, stable: 5 * time.Second, deadline: time.Minute, want: true, after: 9 * time.Second},
		"slow answers are waited for":   {probes: []func(time.Duration) (bool, error){always(true)}, takes: 4 * time.Second, deadline: time.Minute, want: true, after: 4 * time.Second},
		"slower than the probe timeout": {probes: []func(time.Duration) (bool, error){always(true)}, takes: 11 * time.Second, deadline: 25 * time.Second, after: 25 * time.Second},
		"the deadline cuts an answer":   {probes: []func(time.Duration) (bool, error){always(true)}, takes: 4 * time.Second, deadline: 3 * time.Second, after: 3 * time.Second},
		"the deadline has passed":       {probes: []func(time.Duration) (bool, error){always(true)}, deadline: -time.Second, after: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				task := engine.Task{ID: "t", Kind: engine.TaskVerify, Stable: c.stable, Deadline: start.Add(c.deadline)}
				var probers []verify.Prober
				for i, at := range c.probes {
					kind := string(rune('a' + i))
					probers = append(probers, &scripted{kind: kind, start: start, at: at, takes: c.takes})
					task.Probes = append(task.Probes, engine.ProbeTask{Kind: kind, Params: json.RawMessage(`"` + kind + `"`)})
				}
				registry, err := verify.NewRegistry(probers...)
				if err != nil {
					t.Fatal(err)
				}
				ok, checks, err := verify.NewWatcher(registry, verify.Options{}).Verify(t.Context(), task)
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); ok != c.want || took != c.after {
					t.Errorf("%t after %v, want %t after %v: %+v", ok, took, c.want, c.after, checks)
				}
				if len(checks) != len(c.probes) {
					t.Fatalf("%d checks of %d probes", len(checks), len(c.probes))
				}
				for i, check := range checks {
					if check.Kind != task.Probes[i].Kind {
						t.Errorf("check %d is of kind %q", i, check.Kind)
					}
					if ok && !check.OK {
						t.Errorf("verified, but %+v", check)
					}
					if !check.OK && check.Detail == "" {
						t.Errorf("check %+v does not say why", check)
					}
				}
			})
		})
	}
}

func failAt(d, at time.Duration) error {
	if d == at {
		return errors.New("no route")
	}
	return nil
}

func TestPausesAreJittered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		numbers := []float64{0, 0.5, 0.999, 0.25}
		i := 0
		random := func() float64 { i++; return numbers[(i-1)%len(numbers)] }
		start := time.Now()
		p := &scripted{kind: "a", start: start, at: always(false)}
		registry, err := verify.NewRegistry(p)
		if err != nil {
			t.Fatal(err)
		}
		task := engine.Task{Kind: engine.TaskVerify, Probes: []engine.ProbeTask{{Kind: "a"}}, Deadline: start.Add(6 * time.Second)}
		if _, _, err := verify.NewWatcher(registry, verify.Options{Random: random}).Verify(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{0, time.Second, 2500 * time.Millisecond, 4499 * time.Millisecond, 5749 * time.Millisecond}
		if len(p.asked) != len(want) {
			t.Fatalf("asked at %v, want %v", p.asked, want)
		}
		for i := range want {
			if p.asked[i] != want[i] {
				t.Errorf("asked at %v, want %v", p.asked, want)
				break
			}
		}
	})
}

// refuses holds that a good task that was spoilt is a terminal error, which says why.
func refuses(
	t *testing.T, watch func(*verify.Watcher, context.Context, engine.Task) (bool, []engine.Check, error),
	good engine.Task, spoilt map[string]func(*engine.Task),
) {
	t.Helper()
	registry, err := verify.NewRegistry(&scripted{kind: "a", at: always(true)})
	if err != nil {
		t.Fatal(err)
	}
	for want, spoil := range spoilt {
		task := good
		spoil(&task)
		ok, _, err := watch(verify.NewWatcher(registry, verify.Options{}), t.Context(), task)
		if ok || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), want) {
			t.Errorf("%t, %v; want a terminal error with %q", ok, err, want)
		}
	}
}

func TestVerifyRefusesNonsense(t *testing.T) {
	t.Parallel()
	good := engine.Task{ID: "t", Kind: engine.TaskVerify, Probes: []engine.ProbeTask{{Kind: "a"}}, Deadline: time.Now().Add(time.Hour)}
	refuses(t, (*verify.Watcher).Verify, good, map[string]func(*engine.Task){
		"has no probes":      func(t *engine.Task) { t.Probes = nil },
		"has no deadline":    func(t *engine.Task) { t.Deadline = time.Time{} },
		"kind \"execute\"":   func(t *engine.Task) { t.Kind = engine.TaskExecute },
		"known are: a":       func(t *engine.Task) { t.Probes = append(t.Probes, engine.ProbeTask{Kind: "b"}) },
		"\"\" is not known;": func(t *engine.Task) { t.Probes = []engine.ProbeTask{{}} },
	})
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]time.Duration{"in a pause": 0, "in a probe": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				registry, err := verify.NewRegistry(&scripted{kind: "a", start: start, at: always(false), takes: takes})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				task := engine.Task{Kind: engine.TaskVerify, Probes: []engine.ProbeTask{{Kind: "a"}}, Deadline: start.Add(time.Hour)}
				ok, _, err := verify.NewWatcher(registry, verify.Options{}).Verify(ctx, task)
				if ok || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2500*time.Millisecond {
					t.Errorf("%t, %v, after %v", ok, err, time.Since(start))
				}
			})
		})
	}
}

func TestProberPanicIsTheCallers(t *testing.T) {
	t.Parallel()
	registry, err := verify.NewRegistry(&scripted{kind: "a", at: func(time.Duration) (bool, error) { panic("oh") }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if said, ok := recover().(string); !ok || !strings.Contains(said, "prober a: oh") {
			t.Errorf("recovered %q", said)
		}
	}()
	task := engine.Task{Kind: engine.TaskVerify, Probes: []engine.ProbeTask{{Kind: "a"}}, Deadline: time.Now().Add(time.Hour)}
	_, _, err = verify.NewWatcher(registry, verify.Options{}).Verify(t.Context(), task)
	t.Errorf("no panic, but %v", err)
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	a, b := &scripted{kind: "a"}, &scripted{kind: "b"}
	r, err := verify.NewRegistry(b, a)
	if err != nil {
		t.Fatal(err)
	}
	if specs := r.Specs(); len(specs) != 2 || specs[0].Kind != "a" || specs[1].Kind != "b" {
		t.Errorf("specs %+v", specs)
	}
	if p, ok := r.Get("b"); !ok || p != b {
		t.Errorf("b is %v", p)
	}
	if _, ok := r.Get("c"); ok {
		t.Error("c is known")
	}
	if _, err := verify.NewRegistry(a, &scripted{kind: "a"}); err == nil {
		t.Error("two of one kind")
	}
	if _, err := verify.NewRegistry(&scripted{}); err == nil {
		t.Error("one without a kind")
	}
}
