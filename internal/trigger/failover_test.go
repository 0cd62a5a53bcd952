package trigger

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// errKilled ends a process at a write.
var errKilled = errors.New("killed")

// host is a process that believes that it is its turn. One that was stopped for
// long goes on with what it had read before.
type host struct {
	schedule *schedule
	// late is how far behind its clock is.
	late time.Duration
}

// TestAStartIsOneEpisodeAcrossFailovers has several processes, all of which believe
// that it is their turn, look at one schedule in any order, with clocks that differ,
// and kills them before and after any write. The engine decides what came into INBOX,
// and every start must have opened one episode, and no more than one run.
func TestAStartIsOneEpisodeAcrossFailovers(t *testing.T) {
	t.Parallel()
	seeds, kills, repeated := 300, 0, 0
	for seed := range seeds {
		k, r := failover(t, uint64(seed))
		kills, repeated = kills+k, repeated+r
	}
	// The seeds show what they are for.
	if kills < seeds || repeated < seeds/4 {
		t.Errorf("in %d seeds there were %d kills and %d alerts that were sent again", seeds, kills, repeated)
	}
}

func failover(t *testing.T, seed uint64) (kills, repeated int) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	set := ruleSet(t, `    - {name: r, on: {schedule: {cron: "*/10 * * * *", missed: once}}, target: {http: x}, mode: observe}`+"\n")
	w := newWorld()
	w.fail = func(string, bool) error {
		if random.IntN(12) == 0 {
			kills++
			return errKilled
		}
		return nil
	}
	begin := time.Date(2026, 3, 1, 0, 0, 30, 0, time.UTC)
	now := begin
	fresh := func() *host {
		h := &host{late: time.Duration(random.IntN(4000)) * time.Millisecond}
		p := testParts(t, w, func() time.Time { return now.Add(-h.late) })
		h.schedule = &schedule{parts: p, trigger: set.Triggers()[0], repeats: repeats{book: p.book}}
		return h
	}
	hosts := []*host{fresh(), fresh(), fresh()}
	for range 400 {
		now = now.Add(time.Duration(random.IntN(30)) * time.Second)
		i := random.IntN(len(hosts))
		if _, err := hosts[i].schedule.step(t.Context(), now.Add(-hosts[i].late)); err != nil {
			if !errors.Is(err, errKilled) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			hosts[i] = fresh()
		}
	}
	// Somebody survives, and finds what the others left.
	w.fail = func(string, bool) error { return nil }
	last := fresh()
	last.late = 0
	if _, err := last.schedule.step(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	starts := map[time.Time]int{}
	for _, ev := range decide(t, set, w.inbox) {
		switch e := ev.(type) {
		case engine.AlertOpened:
			starts[e.Alert.StartsAt]++
		case engine.AlertReopened, engine.AlertUnmatched, engine.RuleFailed:
			t.Fatalf("seed %d: %s", seed, fmt.Sprint(ev))
		case engine.AlertRepeated, engine.AlertDropped:
			repeated++
		}
	}
	opened := 0
	for at, n := range starts {
		if n != 1 || at.Minute()%10 != 0 || at.Second() != 0 {
			t.Errorf("seed %d: the start at %s opened %d episodes", seed, at, n)
		}
		opened++
	}
	// Looks are at most 30 s apart, and missed starts are made up for: none is left out.
	want := int(now.Truncate(10*time.Minute).Sub(begin.Truncate(10*time.Minute)) / (10 * time.Minute))
	if opened < want-1 || opened > want {
		t.Errorf("seed %d: %d starts between %s and %s, want %d", seed, opened, begin, now, want)
	}
	return kills, repeated
}

// TestARolloutIsOneEpisodeAcrossFailovers is the same for what has no time of its own:
// several processes see each new revision, at times of their own.
func TestARolloutIsOneEpisodeAcrossFailovers(t *testing.T) {
	t.Parallel()
	set := ruleSet(t, `    - {name: r, on: {rollout: {cluster: korea, namespace: production, phase: started}}, target: {http: x}, mode: observe}`+"\n")
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 2))
		w := newWorld()
		w.fail = func(string, bool) error {
			if random.IntN(12) == 0 {
				return errKilled
			}
			return nil
		}
		now := at(t, "2026-03-01T00:00:00Z")
		fresh := func() *rollout {
			late := time.Duration(random.IntN(4000)) * time.Millisecond
			return &rollout{parts: testParts(t, w, func() time.Time { return now.Add(-late) }), trigger: set.Triggers()[0], stuck: map[string]*stuck{}}
		}
		hosts := []*rollout{fresh(), fresh(), fresh()}
		const revisions = 40
		for revision := range revisions {
			for seen := 0; seen < len(hosts); {
				now = now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
				i := random.IntN(len(hosts))
				err := hosts[i].see(t.Context(), state(t, fmt.Sprintf("a %d started", revision+1)))
				switch {
				case err == nil:
					seen++
				case errors.Is(err, errKilled):
					hosts[i] = fresh()
				default:
					t.Fatal(err)
				}
			}
		}
		w.fail = func(string, bool) error { return nil }
		if err := fresh().see(t.Context(), state(t, fmt.Sprintf("a %d started", revisions))); err != nil {
			t.Fatal(err)
		}
		opened := map[string]int{}
		for _, ev := range decide(t, set, w.inbox) {
			if e, ok := ev.(engine.AlertOpened); ok {
				opened[e.Alert.Labels["revision"]]++
			}
		}
		for revision := range revisions {
			if n := opened[strconv.Itoa(revision+1)]; n != 1 {
				t.Errorf("seed %d: revision %d opened %d episodes", seed, revision+1, n)
			}
		}
	}
}

// A process that was stopped between its record and INBOX, and sends what it had to
// send when all is over, opens nothing again.
func TestALateMessageOfAStoppedProcessChangesNothing(t *testing.T) {
	t.Parallel()
	set := ruleSet(t, `    - {name: r, on: {schedule: {cron: "0 20 * * *", restore: "0 21 * * *"}}, target: {http: x}, mode: observe}`+"\n")
	tr, w := set.Triggers()[0], newWorld()
	now := at(t, "2026-03-01T00:00:00Z")
	step := func(h *schedule, text string) {
		t.Helper()
		now = at(t, text)
		if _, err := h.step(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	p := testParts(t, w, func() time.Time { return now })
	one := &schedule{parts: p, trigger: tr, repeats: repeats{book: p.book}}
	step(one, "2026-03-01T00:00:00Z")
	step(one, "2026-03-01T20:00:00Z")
	raised := w.record(t, key(tr, ""))
	step(one, "2026-03-01T21:00:00Z")
	if r := w.record(t, key(tr, "")); r.Firing() || !r.Sent {
		t.Fatalf("%+v", r)
	}
	// An hour later the stopped one wakes up.
	id, line, err := raised.message(raised.At)
	if err != nil {
		t.Fatal(err)
	}
	if id != w.ids[0] {
		t.Errorf("the same message has another id: %s, %s", id, w.ids[0])
	}
	if _, err := w.PublishInbox(t.Context(), "delivery", id, line); err != nil {
		t.Fatal(err)
	}
	opened, dropped := 0, 0
	for _, ev := range decide(t, set, w.inbox) {
		switch ev.(type) {
		case engine.AlertOpened:
			opened++
		case engine.AlertDropped:
			dropped++
		case engine.AlertReopened:
			t.Error("the episode was opened again")
		}
	}
	if opened != 1 || dropped != 1 {
		t.Errorf("%d opened, %d dropped", opened, dropped)
	}
}

// What goes on is said again, so that it stays fresh; what happened is not.
func TestAPeriodIsRepeatedAndAStartIsNot(t *testing.T) {
	t.Parallel()
	for on, want := range map[string]int{
		`{schedule: {cron: "0 20 * * *", restore: "0 21 * * *"}}`: 1 + 11 + 1,
		`{schedule: {cron: "0 20 * * *"}}`:                        1,
	} {
		tr, w := trigger(t, on), newWorld()
		now := at(t, "2026-03-01T19:59:00Z")
		p := testParts(t, w, func() time.Time { return now })
		s := &schedule{parts: p, trigger: tr, repeats: repeats{book: p.book}}
		for end := at(t, "2026-03-01T22:00:00Z"); now.Before(end); {
			next, err := s.step(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			if !next.After(now) || next.Sub(now) > lookAgain {
				t.Fatalf("at %s it looks again at %s", now, next)
			}
			now = next
		}
		got := w.alerts()
		if len(got) != want {
			t.Errorf("%s: %d messages, want %d", on, len(got), want)
		}
		for i, a := range got {
			if resolved := a.Status == alert.Resolved; resolved != (want > 1 && i == len(got)-1) {
				t.Errorf("%s: message %d is %s", on, i, a.Status)
			}
		}
	}
}
