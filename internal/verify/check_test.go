package verify_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// look answers a check task over probes that answer so, each after as long.
func look(ctx context.Context, t *testing.T, takes time.Duration, at ...func(time.Duration) (bool, error)) (bool, []engine.Check, []*scripted, error) {
	t.Helper()
	var all []verify.Prober
	var probes []*scripted
	task := engine.Task{ID: "t", Kind: engine.TaskCheck, Timeout: 10 * time.Second}
	for i, f := range at {
		kind := string(rune('a' + i))
		p := &scripted{kind: kind, start: time.Now(), at: f, takes: takes}
		all, probes = append(all, p), append(probes, p)
		task.Probes = append(task.Probes, engine.ProbeTask{Kind: kind})
	}
	registry, err := verify.NewRegistry(all...)
	if err != nil {
		t.Fatal(err)
	}
	ok, checks, err := verify.NewWatcher(registry, verify.Options{ProbeTimeout: time.Hour}).Check(ctx, task)
	return ok, checks, probes, err
}

func failing(err error) func(time.Duration) (bool, error) {
	return func(time.Duration) (bool, error) { return true, err }
}

func TestCheck(t *testing.T) {
	t.Parallel()
	busy, gone, odd := remediators.Retryable(time.Minute, "busy"), remediators.Terminal("forbidden"), errors.New("odd")
	for name, c := range map[string]struct {
		probes []func(time.Duration) (bool, error)
		takes  time.Duration
		want   bool
		class  engine.Class // of the error; empty for none
		says   string       // in the error, or else in the last check
	}{
		"all hold":                        {probes: []func(time.Duration) (bool, error){always(true), always(true)}, want: true},
		"one does not":                    {probes: []func(time.Duration) (bool, error){always(true), always(false)}},
		"one cannot be asked for now":     {probes: []func(time.Duration) (bool, error){always(true), failing(busy)}, class: engine.ClassRetryable, says: "probe b: busy"},
		"one can never be asked":          {probes: []func(time.Duration) (bool, error){failing(busy), failing(gone)}, class: engine.ClassTerminal, says: "probe b: forbidden"},
		"one says no, another nothing":    {probes: []func(time.Duration) (bool, error){always(false), failing(busy)}, says: "busy"},
		"an error that nobody classified": {probes: []func(time.Duration) (bool, error){always(true), failing(odd)}, says: "odd"},
		"none of both":                    {probes: []func(time.Duration) (bool, error){failing(odd), failing(gone)}, says: "forbidden"},
		"slow":                            {probes: []func(time.Duration) (bool, error){always(true)}, takes: 9 * time.Second, want: true},
		"too slow":                        {probes: []func(time.Duration) (bool, error){always(true)}, takes: 11 * time.Second, says: "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				ok, checks, probes, err := look(t.Context(), t, c.takes, c.probes...)
				if ok != c.want || len(checks) != len(c.probes) {
					t.Errorf("%t, %+v; want %t and %d checks", ok, checks, c.want, len(c.probes))
				}
				said := checks[len(checks)-1].Detail
				if c.class != "" {
					if remediators.ClassOf(err) != c.class {
						t.Errorf("error %v, want one of class %s", err, c.class)
					}
					said = err.Error()
				} else if err != nil {
					t.Error(err)
				}
				if !strings.Contains(said, c.says) {
					t.Errorf("says %q, want %q", said, c.says)
				}
				for _, p := range probes {
					if len(p.asked) != 1 {
						t.Errorf("probe %s was asked %d times, want once", p.kind, len(p.asked))
					}
				}
				if took := time.Since(begun); took > 10*time.Second {
					t.Errorf("took %v, more than the task's timeout", took)
				}
			})
		})
	}
}

func TestCheckRefusesNonsense(t *testing.T) {
	t.Parallel()
	good := engine.Task{ID: "t", Kind: engine.TaskCheck, Probes: []engine.ProbeTask{{Kind: "a"}}, Timeout: time.Second}
	refuses(t, (*verify.Watcher).Check, good, map[string]func(*engine.Task){
		"has no probes": func(t *engine.Task) { t.Probes = nil },
		"timeout is 0s": func(t *engine.Task) { t.Timeout = 0 },
		`kind "verify"`: func(t *engine.Task) { t.Kind = engine.TaskVerify },
		"known are: a":  func(t *engine.Task) { t.Probes = append(t.Probes, engine.ProbeTask{Kind: "b"}) },
	})
}

func TestCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ok, _, _, err := look(ctx, t, 5*time.Second, always(true))
		if ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%t, %v", ok, err)
		}
	})
}

// TestProbesOfOtherTargets looks at what a probe names, and at the task's target
// where it names none.
func TestProbesOfOtherTargets(t *testing.T) {
	t.Parallel()
	own, other := engine.Target{System: "http", Name: "shop"}, engine.Target{System: "redis", Name: "cache"}
	a := &scripted{kind: "a", start: time.Now(), at: always(true)}
	b := &scripted{kind: "b", start: time.Now(), at: always(true)}
	registry, err := verify.NewRegistry(a, b)
	if err != nil {
		t.Fatal(err)
	}
	task := engine.Task{
		ID: "t", Kind: engine.TaskCheck, Target: own, Timeout: time.Minute,
		Probes: []engine.ProbeTask{{Kind: "a", Target: &other}, {Kind: "b"}},
	}
	if ok, checks, err := verify.NewWatcher(registry, verify.Options{}).Check(t.Context(), task); !ok || err != nil {
		t.Fatalf("%+v, %v", checks, err)
	}
	if len(a.of) != 1 || a.of[0] != other || len(b.of) != 1 || b.of[0] != own {
		t.Errorf("looked at %v and %v, want %s and %s", a.of, b.of, other, own)
	}
}
