package backtest_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules/backtest"
)

// TestAReplayTakesTheDecisionsOfTheLiveEngine is the property: for any sequence
// of inputs, a backtest over the recording and the live engine decide alike,
// byte for byte.
func TestAReplayTakesTheDecisionsOfTheLiveEngine(t *testing.T) {
	t.Parallel()
	acts, events := 0, 0
	missing := []string{
		"run.held", "run.allowed", "run.joined", "run.merged", "run.continued", "run.replanned", "run.parked", "approval.given",
		"undo.started", "retry.scheduled", "attempt.failed", "rule.failed", "scope.paused", "rules.loaded", "command.refused",
		"answer.ignored", "task.unanswered", "state.pruned", "run.standing",
	}
	for seed := range uint64(150) {
		w := newLive(t, seed)
		w.live()
		name := filepath.Join(t.TempDir(), "recording.jsonl")
		if err := os.WriteFile(name, w.recording.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		var replayed decided
		report := run(t, backtest.Options{Source: backtest.File{Name: name}, Compile: w.compile, Observe: replayed.observe})
		if !report.Replayed {
			t.Fatalf("seed %d: a recording with ticks under its own rules was not replayed", seed)
		}
		if !bytes.Equal(replayed.Bytes(), w.decided.Bytes()) {
			t.Fatalf("seed %d: the replay decided\n%s", seed, firstDifference(w.decided.Bytes(), replayed.Bytes()))
		}
		missing = slices.DeleteFunc(missing, func(kind string) bool { return bytes.Contains(replayed.Bytes(), []byte(`"kind":"`+kind+`"`)) })
		acts += report.All.Acts
		events += bytes.Count(replayed.Bytes(), []byte(`"kind"`))
	}
	if len(missing) > 0 {
		t.Errorf("no world has %v", missing)
	}
	if acts < 150 || events < 10_000 {
		t.Errorf("%d acts and %d events in all: the worlds are too calm to prove anything", acts, events)
	}
}

func firstDifference(live, replay []byte) string {
	a, b := bytes.Split(live, []byte("\n")), bytes.Split(replay, []byte("\n"))
	for i := range min(len(a), len(b)) {
		if !bytes.Equal(a[i], b[i]) {
			return fmt.Sprintf("line %d\nlive:   %s\nreplay: %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines live, %d in the replay", len(a), len(b))
}

// live is an engine at work: alerts, answers, people, ticks and new rules come
// at times that a seed draws.
type live struct {
	t         *testing.T
	rng       *rand.Rand
	st        *engine.State
	now       time.Time
	sets      map[string]*ruleSet
	recording bytes.Buffer
	writer    *backtest.Writer
	decided   decided
	tasks     []engine.Task
	starts    map[string]time.Time
}

func newLive(t *testing.T, seed uint64) *live {
	t.Helper()
	w := &live{
		t: t, rng: rand.New(rand.NewPCG(seed, 3)), st: engine.NewState(), now: epoch(), sets: map[string]*ruleSet{},
		starts: map[string]time.Time{},
	}
	w.writer = backtest.NewWriter(&w.recording)
	for _, digest := range []string{"a", "b", "c"} {
		w.sets[digest] = w.draw(digest)
	}
	return w
}

// Set implements engine.Sets.
func (w *live) Set(digest string) (engine.RuleSet, bool) {
	s, ok := w.sets[digest]
	return s, ok
}

func (w *live) compile(sources []engine.Source) (engine.RuleSet, error) {
	return w.sets[sources[0].Text], nil
}

// tea is a window of five minutes in every half hour.
func tea(at time.Time) (open bool, until time.Time) {
	start := at.Truncate(30 * time.Minute)
	if at.Before(start.Add(5 * time.Minute)) {
		return true, start.Add(5 * time.Minute)
	}
	return false, start.Add(30 * time.Minute)
}

func (w *live) draw(digest string) *ruleSet {
	minutes := func(of ...int) time.Duration { return time.Duration(of[w.rng.IntN(len(of))]) * time.Minute }
	rule := func(name string, mode engine.Mode, alerts ...string) *namedRule {
		r := down(mode)
		r.Name, r.alerts = name, alerts
		r.Guards = engine.Guards{
			Cooldown: minutes(0, 3), Freshness: minutes(10, 60), Breaker: w.rng.IntN(3), Relapse: minutes(0, 20), Approval: minutes(4),
			Limits: []engine.Rate{{Count: 1 + w.rng.IntN(3), Per: 20 * time.Minute}}, Flap: engine.Rate{Count: 3, Per: 5 * time.Minute},
		}
		r.Guards.Concurrent = w.rng.IntN(3)
		r.Guards.MinHealthy = engine.Share{Percent: []int{0, 50}[w.rng.IntN(2)]}
		if w.rng.IntN(2) == 0 {
			r.Guards.Windows = []engine.Window{{Name: "tea", Effect: engine.WindowHold, Open: tea}}
		}
		if w.rng.IntN(3) == 0 && name != "down" {
			r.Unless = []engine.Inhibitor{{Text: "rule down", Rule: "down"}}
			r.Guards.Requires = []engine.Requirement{{Rule: "down", State: engine.RuleTrusted}}
		}
		r.grouped = w.rng.IntN(3) == 0
		r.Attempts = nil
		for i := range 1 + w.rng.IntN(3) {
			a := mend(fmt.Sprintf("act%d", i))
			if w.rng.IntN(2) == 0 {
				a.Verify.Probes = nil
			}
			if w.rng.IntN(3) == 0 {
				a.Do = append(a.Do, a.Do[0])
			}
			if w.rng.IntN(3) == 0 {
				a.Check = a.Verify.Probes
			}
			a.Undo = w.rng.IntN(2) == 0
			if r.Restore = name == "night"; r.Restore {
				a.Verify.AlertResolved = false
			}
			r.Attempts = append(r.Attempts, a)
		}
		return r
	}
	return &ruleSet{
		digest: digest,
		budgets: []engine.Budget{
			{Name: "fleet", Rate: engine.Rate{Count: 4, Per: 10 * time.Minute}},
			{Name: "one", Key: func(s engine.Scope) (string, error) { return s.Target.Name[:1], nil }, Concurrent: 1},
		},
		rules: []*namedRule{
			rule("watch", engine.ModeObserve, "Noise", "Down"), rule("ghost", engine.ModeShadow, "Slow"),
			rule("down", engine.ModeAuto, "Down"), rule("slow", engine.ModeApprove, "Slow", "Odd"),
			rule("night", engine.ModeAuto, "Night"),
		},
	}
}

// take decides one input and records it, as the leader does.
func (w *live) take(in engine.Input) {
	w.t.Helper()
	if err := w.writer.Write(backtest.Recorded{At: w.now, Input: in}); err != nil {
		w.t.Fatal(err)
	}
	events, err := engine.Advance(w, w.st, w.now, in)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(events) == 0 {
		return
	}
	if err := w.decided.observe(w.now, in, events); err != nil {
		w.t.Fatal(err)
	}
	for _, ev := range events {
		if e, ok := ev.(engine.TaskIssued); ok {
			w.tasks = append(w.tasks, e.Task)
		}
	}
}

func (w *live) live() {
	w.load("a")
	for range 250 {
		w.now = w.now.Add(time.Duration(w.rng.Int64N(int64(40 * time.Second))))
		switch n := w.rng.IntN(100); {
		case n < 40:
			w.notify()
		case n < 70:
			w.work()
		case n < 78:
			w.command()
		case n < 80:
			w.load([]string{"a", "b", "c"}[w.rng.IntN(3)])
		default:
			// A tick may come at any time, and late, and say an older time.
			in := engine.Input{Tick: &engine.Tick{}}
			if w.rng.IntN(2) == 0 {
				in.Tick.At = w.now.Add(-time.Duration(w.rng.Int64N(int64(time.Minute))))
			}
			w.take(in)
		}
	}
}

func (w *live) load(digest string) {
	w.take(engine.Input{Rules: &engine.NewRules{Digest: digest, Sources: []engine.Source{{Name: "r", Text: digest}}}})
}

// notify sends alerts: a new firing, a repeat or a resolve, several at once.
func (w *live) notify() {
	d := &alert.Delivery{ID: fmt.Sprint("d", w.now.UnixNano()), Source: "am", ReceivedAt: w.now}
	for range 1 + w.rng.IntN(3) {
		name := []string{"Down", "Slow", "Noise", "Odd", "Nobody", "Night"}[w.rng.IntN(6)]
		on := []string{"x1", "x2", "y1", ""}[w.rng.IntN(4)]
		key := name + on
		if w.starts[key].IsZero() || w.rng.IntN(3) == 0 {
			w.starts[key] = w.now
		}
		status := alert.Firing
		if w.rng.IntN(3) == 0 {
			status = alert.Resolved
		}
		d.Alerts = append(d.Alerts, sent(w.now, name, on, w.starts[key], status).Input.Delivery.Alerts...)
	}
	w.take(engine.Input{Delivery: d})
}

// work answers a task in some way, sometimes twice, and not the oldest first.
func (w *live) work() {
	if len(w.tasks) == 0 {
		return
	}
	i := w.rng.IntN(len(w.tasks))
	task := w.tasks[i]
	if w.rng.IntN(10) > 0 {
		w.tasks = append(w.tasks[:i], w.tasks[i+1:]...)
	}
	res := engine.Result{Task: task.ID, Worker: "w", At: w.now}
	switch n := w.rng.IntN(10); {
	case n < 2:
		classes := []engine.Class{engine.ClassRetryable, engine.ClassTerminal, engine.ClassUnknown, engine.ClassPlanChanged, engine.ClassPaused}
		res.Failure = &engine.Failure{Class: classes[w.rng.IntN(len(classes))], Message: "no luck"}
	case task.Kind == engine.TaskPlan:
		res.Plan = &engine.Plan{Target: task.Target, Summary: "mend " + task.Target.Name, Noop: n == 2}
		if n > 3 {
			res.Plan.Health = &engine.Health{Total: 4, Healthy: n % 5, Disrupts: n % 2}
		}
	case task.Kind == engine.TaskExecute, task.Kind == engine.TaskUndo:
		res.Outcome = &engine.Outcome{Summary: "done"}
	default:
		res.Verified = n > 4
	}
	w.take(engine.Input{Result: &res})
}

func (w *live) command() {
	c := engine.Command{By: "ann", Reason: "because", Scope: []string{"all", "rule/down", "target/http/x1", "odd"}[w.rng.IntN(4)]}
	c.Verb = []engine.Verb{engine.Pause, engine.Resume, engine.Resume, engine.Approve, engine.Approve, engine.Deny, engine.Cancel}[w.rng.IntN(7)]
	if runs := w.st.ActiveRuns(); len(runs) > 0 {
		r := runs[w.rng.IntN(len(runs))]
		c.Run, c.Plan = r.ID, r.PlanDigest()
	}
	w.take(engine.Input{Command: &c})
}
