package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// good is the evidence of an iteration in which nothing went wrong: one
// deployment was restarted, another had no alert.
func good() evidence {
	return evidence{
		Alerts:      map[string]alert.EpisodeID{"place": "e1"},
		Patches:     []patch{{"place", 409, "r1.0.0.execute.1"}, {"place", 200, "r1.0.0.execute.2"}},
		Generations: map[string]int64{"place": 1, "profile": 0},
		Events: []engine.Event{
			engine.RunStarted{Run: "r1", Episode: "e1"},
			engine.RunEnded{Run: "r1", Outcome: engine.Cured},
		},
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(*evidence)
		want  []string // part of each violation, in order; none if empty
	}{
		"all is well": {func(*evidence) {}, nil},
		"two changes for one attempt": {func(e *evidence) {
			e.Patches = append(e.Patches, patch{"place", 200, "r1.0.0.execute.4"})
			e.Generations["place"] = 2
		}, []string{"more than once by attempt r1.0", "2 changes", "grew by 2"}},
		"two changes of which the second changed nothing": {func(e *evidence) {
			e.Patches = append(e.Patches, e.Patches[1])
		}, []string{"more than once by attempt r1.0", "2 changes"}},
		"a change that names no task": {func(e *evidence) { e.Patches[1].Task = "" }, []string{"names no task"}},
		"no change": {func(e *evidence) {
			e.Patches, e.Generations["place"] = nil, 0
		}, []string{"0 changes", "grew by 0"}},
		"a change whose request was cut off": {func(e *evidence) { e.Patches[1].Code = 504 }, nil},
		"a change beside one whose request was cut off": {func(e *evidence) {
			e.Patches = append(e.Patches, patch{"place", 504, "r1.0.0.execute.2"})
			e.Generations["place"] = 2
		}, []string{"grew by 2"}},
		"a request that was cut off and changed nothing": {func(e *evidence) {
			e.Patches = append(e.Patches, patch{"place", 504, "r1.0.0.execute.2"})
		}, nil},
		"a change that the audit log lacks": {func(e *evidence) { e.Generations["place"] = 2 }, []string{"grew by 2"}},
		"a change of a healthy one": {func(e *evidence) {
			e.Patches = append(e.Patches, patch{"profile", 200, "r2.0.0.execute.1"})
			e.Generations["profile"] = 1
		}, []string{"profile: 1 changes", "profile: its generation"}},
		"a change of something else": {func(e *evidence) {
			e.Patches = append(e.Patches, patch{"pods/place-1", 200, "r2.0.0.execute.1"})
		}, []string{"pods/place-1 was changed"}},
		"an accepted alert without a run": {func(e *evidence) { e.Events = nil }, []string{"ends in 0 runs", "0 runs for 1 alerts"}},
		"two runs for one alert": {func(e *evidence) {
			e.Events = append(e.Events, engine.RunStarted{Run: "r2", Episode: "e1"}, engine.RunEnded{Run: "r2", Outcome: engine.Cured})
		}, []string{"ends in 2 runs", "2 runs for 1 alerts"}},
		"a run that did not end": {func(e *evidence) { e.Events = e.Events[:1] }, []string{`run r1 ended "", not cured`}},
		"a run that was given up": {func(e *evidence) {
			e.Events[1] = engine.RunEnded{Run: "r1", Outcome: engine.Undetermined}
		}, []string{`ended "unknown"`}},
		"a ledger that does not verify": {func(e *evidence) { e.Broken = "record 3" }, []string{"does not verify: record 3"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := good()
			tt.spoil(&e)
			found := judge(e)
			if len(found) != len(tt.want) {
				t.Fatalf("found %q, want %d violations", found, len(tt.want))
			}
			for i, want := range tt.want {
				if !strings.Contains(found[i], want) {
					t.Errorf("violation %d is %q, want one about %q", i, found[i], want)
				}
			}
		})
	}
}

func TestPlansFollowFromTheSeed(t *testing.T) {
	t.Parallel()
	m := measure{Hits: map[string]int64{}, Took: 1e9}
	for _, p := range namedPoints() {
		m.Hits[p] = 20
	}
	seen := map[string]bool{}
	twice := 0
	for number := range 50 {
		for _, point := range append(namedPoints(), atRandom) {
			p := m.plan(7, point, number, 0)
			if again := m.plan(7, point, number, 0); !slices.Equal(p.Kills, again.Kills) {
				t.Fatalf("planned %v, and then %v", p.Kills, again.Kills)
			}
			if k := p.Kills[0]; k.Point != point || point != atRandom && (k.Nth < 1 || k.Nth > 20) || k.After < 0 || k.After >= m.Took {
				t.Fatalf("kill %+v for point %s", k, point)
			}
			if len(p.Kills) > 1 {
				twice++
			}
			seen[p.Kills[0].String()] = true
		}
	}
	if len(seen) < 200 || twice < 100 || twice > 300 {
		t.Errorf("750 plans have %d different first kills, and %d a second; want most of 280, and a quarter", len(seen), twice)
	}
	for try := range maxTries {
		if k := m.plan(7, "claim.after", 1, try).Kills[0]; k.Nth > max(int64(20)>>try, 1) {
			t.Errorf("try %d kills at passing %d", try, k.Nth)
		}
	}
}
