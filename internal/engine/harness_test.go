package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// epoch is when every test begins.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeRule matches alerts by their name, and takes the target from the labels
// "on" and "cluster".
type fakeRule struct {
	engine.Rule
	alerts []string
	err    error
	// groupBy is the label whose value is the group.
	groupBy string
}

// fakeSet is a rule set written in Go.
type fakeSet struct {
	digest  string
	rules   []*fakeRule
	budgets []engine.Budget
}

func (s *fakeSet) Digest() string           { return s.digest }
func (s *fakeSet) Budgets() []engine.Budget { return s.budgets }

func (s *fakeSet) Rule(name string) (*engine.Rule, bool) {
	for _, r := range s.rules {
		if r.Name == name {
			return &r.Rule, true
		}
	}
	return nil, false
}

func (s *fakeSet) Match(a alert.Alert, _ time.Time) []engine.Match {
	var found []engine.Match
	for _, r := range s.rules {
		if slices.Contains(r.alerts, a.Name) {
			found = append(found, engine.Match{Rule: &r.Rule, Target: about(a), Group: a.Labels[r.groupBy], Err: r.err})
		}
	}
	return found
}

type fakeSets map[string]*fakeSet

func (s fakeSets) Set(digest string) (engine.RuleSet, bool) {
	set, ok := s[digest]
	return set, ok
}

func service(name string) engine.Target {
	return engine.Target{System: engine.SystemHTTP, Name: name}
}

func params(engine.Scope) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }

func noParams(engine.Scope) (json.RawMessage, error) { return nil, errors.New("no such field") }

func action(name string) engine.Action {
	return engine.Action{Name: name, Group: "here", Params: params}
}

func rung(name string, actions ...engine.Action) engine.Attempt {
	if len(actions) == 0 {
		actions = []engine.Action{action("mend")}
	}
	return engine.Attempt{
		Name: name, Do: actions, Retries: 2, Backoff: 10 * time.Second, Timeout: 30 * time.Second,
		Verify: engine.Verify{AlertResolved: true, Within: 5 * time.Minute, Stable: 30 * time.Second},
	}
}

// down is the rule that most tests begin from: two rungs, nothing held back but
// by freshness.
func down() *fakeRule {
	return &fakeRule{
		alerts: []string{"Down"},
		Rule: engine.Rule{
			Name: "down", Mode: engine.ModeAuto,
			Guards:    engine.Guards{Freshness: 15 * time.Minute, Approval: time.Hour},
			Attempts:  []engine.Attempt{rung("first"), rung("second")},
			Otherwise: []engine.Routing{{Reporter: "log", To: func(engine.Scope) (string, error) { return "ops", nil }}},
		},
	}
}

// world drives one engine through virtual time, and checks after every step what
// must hold after every step.
type world struct {
	t    *testing.T
	sets fakeSets
	st   *engine.State
	now  time.Time
	// last are the events of the last input, all those of the test.
	last, all []engine.Event
	// fold is the state that the events' JSON adds up to.
	fold    *engine.State
	decoder *engine.EventDecoder
}

func newWorld(t *testing.T, rules ...*fakeRule) *world {
	t.Helper()
	w := &world{
		t: t, sets: fakeSets{}, st: engine.NewState(), now: epoch,
		fold: engine.NewState(), decoder: engine.NewEventDecoder(),
	}
	w.load(&fakeSet{digest: "v1", rules: rules})
	return w
}

func (w *world) load(set *fakeSet) {
	w.t.Helper()
	w.sets[set.digest] = set
	w.do(engine.Input{Rules: &engine.NewRules{Digest: set.digest}})
}

func (w *world) set() *fakeSet { return w.sets[w.st.RuleSet] }

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// do advances by one input and checks that Decide is pure, that the ledger's
// JSON folds to the same state, that a snapshot restores it, and that the state
// that a snapshot restored decides the same.
func (w *world) do(in engine.Input) {
	w.t.Helper()
	before := encode(w.t, w.st)
	for _, step := range engine.Steps(in) {
		engine.Decide(w.sets, w.st, w.now, step)
	}
	if after := encode(w.t, w.st); after != before {
		w.t.Fatalf("Decide changed the state\nfrom %s\nto   %s", before, after)
	}
	restored := restore(w.t, w.st)
	events, err := engine.Advance(w.sets, w.st, w.now, in)
	if err != nil {
		w.t.Fatalf("%s: %v", encode(w.t, in), err)
	}
	same, err := engine.Advance(w.sets, restored, w.now, in)
	if want, got := encode(w.t, events), encode(w.t, same); err != nil || got != want {
		w.t.Fatalf("after a snapshot decides (%v)\n%s\nand without\n%s", err, got, want)
	}
	w.last, w.all = events, append(w.all, events...)
	w.checkFold(events)
	w.checkSnapshot()
}

func (w *world) checkFold(events []engine.Event) {
	w.t.Helper()
	for _, ev := range events {
		b, err := engine.MarshalEvent(ev)
		if err != nil {
			w.t.Fatal(err)
		}
		decoded, err := w.decoder.Decode(b)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.fold.Apply(w.now, decoded); err != nil {
			w.t.Fatal(err)
		}
	}
	if live, folded := encode(w.t, w.st), encode(w.t, w.fold); live != folded {
		w.t.Fatalf("the ledger does not fold to the state\nlive   %s\nfolded %s", live, folded)
	}
}

func (w *world) checkSnapshot() {
	w.t.Helper()
	restored := restore(w.t, w.st)
	if want, got := encode(w.t, w.st), encode(w.t, restored); got != want {
		w.t.Fatalf("a snapshot restores\n%s\nwant\n%s", got, want)
	}
	if want, got := w.st.NextWake(), restored.NextWake(); !got.Equal(want) {
		w.t.Fatalf("a snapshot restores NextWake %s, want %s", got, want)
	}
	if want, got := encode(w.t, outstanding(w.st)), encode(w.t, outstanding(restored)); got != want {
		w.t.Fatalf("a snapshot restores the outstanding tasks %s, want %s", got, want)
	}
}

func restore(t testing.TB, st *engine.State) *engine.State {
	t.Helper()
	b, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	restored := &engine.State{}
	if err := json.Unmarshal(b, restored); err != nil {
		t.Fatal(err)
	}
	restored.Reindex()
	return restored
}

func outstanding(st *engine.State) []engine.Task {
	var tasks []engine.Task
	st.Outstanding(func(t engine.Task) { tasks = append(tasks, t) })
	return tasks
}

// says checks the kinds of the last input's events, leaving out the pruning.
func (w *world) says(want ...string) {
	w.t.Helper()
	var got []string
	for _, ev := range w.last {
		if _, pruned := ev.(engine.Pruned); !pruned {
			got = append(got, ev.Kind())
		}
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("at %s concluded\n%s\nwant\n%s\n%s", w.now.Format(time.TimeOnly), strings.Join(got, " "), strings.Join(want, " "), encode(w.t, w.last))
	}
}

// reason checks that the last events give a reason that contains part.
func (w *world) reason(part string) {
	w.t.Helper()
	if all := encode(w.t, w.last); !strings.Contains(all, part) {
		w.t.Fatalf("no reason says %q: %s", part, all)
	}
}

// lastEvent is the newest event of type E of the last input.
func lastEvent[E engine.Event](w *world) E {
	w.t.Helper()
	for _, ev := range slices.Backward(w.last) {
		if e, ok := ev.(E); ok {
			return e
		}
	}
	var none E
	w.t.Fatalf("no %s among %s", none.Kind(), encode(w.t, w.last))
	return none
}

func (w *world) count(kind string) int {
	n := 0
	for _, ev := range w.all {
		if ev.Kind() == kind {
			n++
		}
	}
	return n
}

// firing makes an alert called "Down" about a service, of the test's first firing.
func firing(on string) alert.Alert {
	return alert.Alert{
		Source: "am", Fingerprint: "fp-" + on, Name: "Down", Status: alert.Firing,
		Labels: map[string]string{"on": on}, StartsAt: epoch,
	}
}

func resolved(a alert.Alert) alert.Alert {
	a.Status = alert.Resolved
	return a
}

// since gives an alert another start, and so makes it another episode.
func since(a alert.Alert, start time.Time) alert.Alert {
	a.StartsAt = start
	return a
}

func (w *world) send(alerts ...alert.Alert) {
	w.t.Helper()
	w.do(engine.Input{Delivery: &alert.Delivery{ID: fmt.Sprintf("d%d", len(w.all)), Source: "am", ReceivedAt: w.now, Alerts: alerts}})
}

// pass lets time go by and ticks at the end of it.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.do(engine.Input{Tick: &engine.Tick{}})
}

// passTo lets time go by until the state asks to be woken.
func (w *world) passTo() {
	w.t.Helper()
	next := w.st.NextWake()
	if next.IsZero() {
		w.t.Fatal("nothing is ever due")
	}
	w.pass(next.Sub(w.now))
}

func (w *world) command(c engine.Command) {
	w.t.Helper()
	c.By = "ann"
	w.do(engine.Input{Command: &c})
}

// task is the one outstanding task of a kind.
func (w *world) task(kind engine.TaskKind) engine.Task {
	w.t.Helper()
	var found []engine.Task
	for _, t := range outstanding(w.st) {
		if t.Kind == kind {
			found = append(found, t)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("%d tasks of kind %s are outstanding, want one: %s", len(found), kind, encode(w.t, found))
	}
	return found[0]
}

func (w *world) answer(t engine.Task, res engine.Result) {
	w.t.Helper()
	res.Task, res.Worker, res.At = t.ID, "w1", w.now
	w.do(engine.Input{Result: &res})
}

func (w *world) fail(t engine.Task, class engine.Class) {
	w.t.Helper()
	w.answer(t, engine.Result{Failure: &engine.Failure{Class: class, Message: "because " + string(class)}})
}

// planOn answers a plan task with a plan for the canonical target.
func (w *world) planOn(t engine.Task, canonical engine.Target) {
	w.t.Helper()
	w.answer(t, engine.Result{Plan: &engine.Plan{Target: canonical, Summary: t.Action + " " + canonical.Name}})
}

// plan answers the one plan task; the stated target is canonical.
func (w *world) plan() {
	w.t.Helper()
	t := w.task(engine.TaskPlan)
	w.planOn(t, t.Target)
}

// act answers the one execute task.
func (w *world) act() {
	w.t.Helper()
	w.answer(w.task(engine.TaskExecute), engine.Result{Outcome: &engine.Outcome{Summary: "mended"}})
}

// run is the one run in a phase.
func (w *world) run(phase engine.Phase) *engine.Run {
	w.t.Helper()
	var found []*engine.Run
	for _, r := range w.st.Runs {
		if r.Phase == phase {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		w.t.Fatalf("%d runs are %s, want one", len(found), phase)
	}
	return found[0]
}

// outcome checks how the last input ended a run.
func (w *world) outcome(want engine.RunFinal) {
	w.t.Helper()
	if e := lastEvent[engine.RunEnded](w); e.Outcome != want || e.Reason == "" {
		w.t.Fatalf("ended %q because %q, want %q and a reason", e.Outcome, e.Reason, want)
	}
}

// verifying brings the alert of a service to where its action was done.
func (w *world) verifying(on string) {
	w.t.Helper()
	w.send(firing(on))
	w.plan()
	w.act()
}

// cure resolves the alert of a service and lets it stay so.
func (w *world) cure(a alert.Alert) {
	w.t.Helper()
	w.send(resolved(a))
	w.pass(30 * time.Second)
	w.outcome(engine.Cured)
}
