package engine_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// benchState knows so many firing alerts, each with a run that waits.
func benchState(b *testing.B, alerts int) (fakeSets, *engine.State) {
	b.Helper()
	r := down()
	r.Guards.Freshness = 0
	sets := fakeSets{"v1": {digest: "v1", rules: []*fakeRule{r}}}
	st := engine.NewState()
	advance(b, sets, st, epoch, engine.Input{Rules: &engine.NewRules{Digest: "v1"}})
	for i := range alerts {
		advance(b, sets, st, epoch, delivery(firing(fmt.Sprint("s", i)), epoch))
	}
	return sets, st
}

func advance(b *testing.B, sets fakeSets, st *engine.State, at time.Time, in engine.Input) []engine.Event {
	b.Helper()
	events, err := engine.Advance(sets, st, at, in)
	if err != nil {
		b.Fatal(err)
	}
	return events
}

func delivery(a alert.Alert, at time.Time) engine.Input {
	return engine.Input{Delivery: &alert.Delivery{ID: "d", Source: "am", ReceivedAt: at, Alerts: []alert.Alert{a}}}
}

// BenchmarkDecideRepeat is the commonest input: an alert that fires as before.
func BenchmarkDecideRepeat(b *testing.B) {
	for _, known := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("known=%d", known), func(b *testing.B) {
			sets, st := benchState(b, known)
			in := delivery(firing("s1"), epoch)
			b.ReportAllocs()
			for b.Loop() {
				advance(b, sets, st, epoch, in)
			}
		})
	}
}

// BenchmarkDecideNewEpisode opens an episode, starts a run and asks for a plan,
// without folding it, so that the state stays as large as it is.
func BenchmarkDecideNewEpisode(b *testing.B) {
	for _, known := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("known=%d", known), func(b *testing.B) {
			sets, st := benchState(b, known)
			a := firing("new")
			step := engine.Step{Alert: &engine.AlertStep{Delivery: "d", Received: epoch, Alert: a}}
			b.ReportAllocs()
			for b.Loop() {
				if events := engine.Decide(sets, st, epoch, step); len(events) != 3 {
					b.Fatalf("%d events", len(events))
				}
			}
		})
	}
}

// BenchmarkFold folds the events of whole runs, decoded and from JSON; an
// operation is one event.
func BenchmarkFold(b *testing.B) {
	var events []engine.Event
	sets, st := benchState(b, 0)
	take := func(at time.Time, in engine.Input) { events = append(events, advance(b, sets, st, at, in)...) }
	events = append(events, engine.RulesLoaded{Digest: "v1"})
	for i := range 1000 {
		a := firing(fmt.Sprint("s", i))
		take(epoch, delivery(a, epoch))
		for range 2 {
			for _, t := range outstanding(st) {
				res := engine.Result{Task: t.ID, Outcome: &engine.Outcome{}}
				if t.Kind == engine.TaskPlan {
					res = engine.Result{Task: t.ID, Plan: &engine.Plan{Target: t.Target}}
				}
				take(epoch, engine.Input{Result: &res})
			}
		}
		take(epoch, delivery(resolved(a), epoch))
	}
	b.Run("events", func(b *testing.B) {
		b.ReportAllocs()
		i, st := 0, engine.NewState()
		for b.Loop() {
			if i == len(events) {
				i, st = 0, engine.NewState()
			}
			if err := st.Apply(epoch, events[i]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("json", func(b *testing.B) {
		encoded := make([][]byte, len(events))
		for i, ev := range events {
			var err error
			if encoded[i], err = engine.MarshalEvent(ev); err != nil {
				b.Fatal(err)
			}
		}
		decoder := engine.NewEventDecoder()
		b.ReportAllocs()
		i, st := 0, engine.NewState()
		for b.Loop() {
			if i == len(events) {
				i, st = 0, engine.NewState()
			}
			ev, err := decoder.Decode(encoded[i])
			if err != nil {
				b.Fatal(err)
			}
			if err := st.Apply(epoch, ev); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

// openEpisodes is a state that knows so many firing alerts that no rule is for.
func openEpisodes(b *testing.B, sets fakeSets, n int) *engine.State {
	b.Helper()
	st := engine.NewState()
	advance(b, sets, st, epoch, engine.Input{Rules: &engine.NewRules{Digest: "v1"}})
	for i := range n {
		advance(b, sets, st, epoch, delivery(called(firing(fmt.Sprint("s", i)), "Unknown"), epoch))
	}
	return st
}

// BenchmarkMemoryOfOpenEpisodes reports what an open episode takes, its alert, its
// series and its place in the index included.
func BenchmarkMemoryOfOpenEpisodes(b *testing.B) {
	const episodes = 100_000
	sets := fakeSets{"v1": {digest: "v1"}}
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		st := openEpisodes(b, sets, episodes)
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(st)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/episodes, "bytes/episode")
}

// BenchmarkJudge asks the guards of a run with an "unless" while very many alerts
// fire. One that names its alerts looks at no others.
func BenchmarkJudge(b *testing.B) {
	for name, alertName := range map[string]string{"named": "Region", "any": ""} {
		b.Run("unless="+name, func(b *testing.B) {
			r := guarded(engine.Guards{})
			r.Unless = []engine.Inhibitor{{Text: "region", AlertName: alertName, Alert: func(_, other alert.Alert) bool { return other.Name == "Region" }}}
			sets := fakeSets{"v1": {digest: "v1", rules: []*fakeRule{r}}}
			st := openEpisodes(b, sets, 100_000)
			advance(b, sets, st, epoch, delivery(firing("a"), epoch))
			task := outstanding(st)[0]
			step := engine.Step{Result: &engine.Result{Task: task.ID, Plan: &engine.Plan{Target: task.Target}}}
			b.ReportAllocs()
			for b.Loop() {
				if events := engine.Decide(sets, st, epoch, step); len(events) != 3 {
					b.Fatalf("%d events", len(events))
				}
			}
		})
	}
}
