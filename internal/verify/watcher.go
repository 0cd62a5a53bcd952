package verify

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Options say how a [Watcher] asks. The zero value is good but for Random.
type Options struct {
	// Interval is the shortest pause between two rounds; 0 means 1 s. A pause
	// is up to twice as long, so that many runs do not ask in step.
	Interval time.Duration
	// ProbeTimeout bounds one answer; 0 means 10 s.
	ProbeTimeout time.Duration
	// Random returns numbers in [0, 1), safe for concurrent use; nil means no
	// jitter.
	Random func() float64
}

const (
	defaultInterval     = time.Second
	defaultProbeTimeout = 10 * time.Second
)

// Watcher carries out verify and check tasks.
type Watcher struct {
	probers *Registry
	options Options
}

// NewWatcher makes a watcher that asks these probers.
func NewWatcher(probers *Registry, options Options) *Watcher {
	if options.Interval <= 0 {
		options.Interval = defaultInterval
	}
	if options.ProbeTimeout <= 0 {
		options.ProbeTimeout = defaultProbeTimeout
	}
	if options.Random == nil {
		options.Random = func() float64 { return 0 }
	}
	return &Watcher{probers: probers, options: options}
}

// Verify asks the task's probes until all hold for t.Stable, which it reports as
// true, or t.Deadline has passed, which it reports as false. The checks are the
// last round's, in the order of the task's probes. A task that makes no sense is
// a terminal error of package remediators; if ctx ends before, its error is
// returned with the checks so far.
//
// A round counts from when its last answer came, and one that the deadline cut
// short does not count.
func (w *Watcher) Verify(ctx context.Context, t engine.Task) (bool, []engine.Check, error) {
	probers, err := w.find(t, engine.TaskVerify)
	if err != nil {
		return false, nil, err
	}
	if t.Deadline.IsZero() {
		return false, nil, remediators.Terminal("verify task %s has no deadline", t.ID)
	}
	bounded, cancel := context.WithDeadline(ctx, t.Deadline)
	defer cancel()

	var last []engine.Check
	var since time.Time // when all began to hold; zero while they do not
	for {
		checks := checksOf(w.round(bounded, t, probers))
		if bounded.Err() != nil {
			if last == nil {
				last = checks
			}
			return false, last, ended(ctx, t)
		}
		last = checks
		now := time.Now()
		switch {
		case !allOK(checks):
			since = time.Time{}
		case since.IsZero():
			since = now
		}
		if !since.IsZero() && now.Sub(since) >= t.Stable {
			return true, last, nil
		}
		if from := latest(since, now); from.Add(t.Stable).After(t.Deadline) {
			return false, last, nil // whatever comes, there is no time left for it
		}
		if !pause(bounded, w.pauseAfter(since, now, t.Stable)) {
			return false, last, ended(ctx, t)
		}
	}
}

// latest is from when all can hold: since, or, while they do not, now at the soonest.
func latest(since, now time.Time) time.Time {
	if since.IsZero() {
		return now
	}
	return since
}

// ended tells the caller's own end, an error, from the deadline, which is none.
func ended(ctx context.Context, t engine.Task) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("%s task %s: %w", t.Kind, t.ID, context.Cause(ctx))
}

// find looks up the probers of a task, which must be of that kind.
func (w *Watcher) find(t engine.Task, kind engine.TaskKind) ([]Prober, error) {
	switch {
	case t.Kind != kind:
		return nil, remediators.Terminal("%s task %s is of kind %q", kind, t.ID, t.Kind)
	case len(t.Probes) == 0:
		return nil, remediators.Terminal("%s task %s has no probes, which would hold without anything being asked", t.Kind, t.ID)
	}
	probers := make([]Prober, len(t.Probes))
	for i, p := range t.Probes {
		var ok bool
		if probers[i], ok = w.probers.Get(p.Kind); !ok {
			return nil, remediators.Terminal("%s task %s: probe %q is not known; known are: %s", t.Kind, t.ID, p.Kind, strings.Join(w.probers.Kinds(), ", "))
		}
	}
	return probers, nil
}

// answer is what came of asking one probe. With an error its check does not hold
// and tells the error.
type answer struct {
	check engine.Check
	err   error
}

func checksOf(answers []answer) []engine.Check {
	checks := make([]engine.Check, len(answers))
	for i, a := range answers {
		checks[i] = a.check
	}
	return checks
}

// round asks all probes at once and waits for all answers. A prober's panic is
// raised here, where the caller can deal with it.
func (w *Watcher) round(ctx context.Context, t engine.Task, probers []Prober) []answer {
	answers := make([]answer, len(probers))
	panics := make([]any, len(probers))
	var all sync.WaitGroup
	for i, p := range probers {
		all.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					panics[i] = fmt.Sprintf("prober %s: %v\n%s", t.Probes[i].Kind, v, debug.Stack())
				}
			}()
			answers[i] = w.ask(ctx, p, t.Target, t.Probes[i])
		})
	}
	all.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return answers
}

// ask asks one probe once. What cannot be asked, or answers too late, does not
// hold.
func (w *Watcher) ask(ctx context.Context, p Prober, target engine.Target, probe engine.ProbeTask) answer {
	ctx, cancel := context.WithTimeout(ctx, w.options.ProbeTimeout)
	defer cancel()
	if probe.Target != nil {
		target = *probe.Target
	}
	check, err := p.Probe(ctx, target, probe.Params)
	switch {
	case err != nil:
		check = engine.Check{Detail: err.Error()}
	case ctx.Err() != nil:
		check = engine.Check{Detail: "it answered too late"}
	}
	check.Kind = probe.Kind
	return answer{check: check, err: err}
}

func allOK(checks []engine.Check) bool {
	for _, c := range checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// pauseAfter is the jittered interval, or less if it takes less to be stable.
func (w *Watcher) pauseAfter(since, now time.Time, stable time.Duration) time.Duration {
	d := w.options.Interval + time.Duration(w.options.Random()*float64(w.options.Interval))
	if !since.IsZero() {
		d = min(d, since.Add(stable).Sub(now))
	}
	return d
}

// pause reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
