package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
)

func (w *ward) replays(body string) api.Replay {
	w.t.Helper()
	return into[api.Replay](w.t, want(w.t, w.asks(body), 200))
}

// opened are the services of the episodes that the engine knows.
func (w *ward) opened() map[string]*engine.Episode {
	w.t.Helper()
	w.Submit(engine.Input{Tick: &engine.Tick{}}) // decided behind what came before
	all := map[string]*engine.Episode{}
	w.Responder.View(func(st *engine.State) {
		for _, ep := range st.Episodes {
			known := *ep
			all[ep.Alert.Labels["service"]] = &known
		}
	})
	return all
}

// counted is the sum of a counter's series.
func counted(t *testing.T, w *ward, name string) (sum float64) {
	t.Helper()
	families, err := w.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// A fix replays all, oldest first; until then each source stops at its first body
// that cannot be used, and the others go on.
func TestAFixReplaysInOrder(t *testing.T) {
	t.Parallel()
	w := admit(t)
	w.keeps("am", "?service-down one firing")      // d1
	w.keeps("azure", "?service-down two firing")   // d2
	w.keeps("am", "!service-down never firing")    // d3
	w.keeps("azure", "?service-down two firing")   // d4
	w.keeps("am", "?service-down three firing")    // d5
	w.keeps("azure", "?service-down two resolved") // d6
	got := w.replays(`{"all":true}`)
	if want := "d1 refused, d2 refused, d3 skipped, d4 skipped, d5 skipped, d6 skipped"; said(got) != want || strings.Join(got.Stopped, " ") != "am azure" || got.Next != 0 {
		t.Errorf("before: %s; %+v", said(got), got)
	}
	if !strings.Contains(got.Entries[0].Detail, "line 0 is odd") || w.left() != "d1 d2 d3 d4 d5 d6" || len(w.delivered()) != 0 {
		t.Errorf("before: %+v, left %s", got, w.left())
	}
	w.mended.Store(true)
	if got = w.replays(`{"all":true}`); said(got) != "d1 replayed, d2 replayed, d3 refused, d4 replayed, d5 skipped, d6 replayed" ||
		strings.Join(got.Stopped, " ") != "am" || w.left() != "d3 d5" {
		t.Errorf("after: %s, left %s", said(got), w.left())
	}
	if got = w.replays(`{"source":"am"}`); said(got) != "d3 refused, d5 skipped" {
		t.Errorf("one source: %s", said(got))
	}
	if got = w.replays(`{"source":"am","continue":true}`); said(got) != "d3 refused, d5 replayed" || len(got.Stopped) != 0 || w.left() != "d3" {
		t.Errorf("one source, to its end: %s, left %s", said(got), w.left())
	}
	var order []string
	for _, d := range w.delivered() {
		order = append(order, d.ID+" "+d.Alerts[0].Labels["service"]+" "+string(d.Alerts[0].Status))
	}
	if want := "d1 one firing, d2 two firing, d4 two firing, d6 two resolved, d5 three firing"; strings.Join(order, ", ") != want {
		t.Errorf("delivered %v", order)
	}
	eps := w.opened()
	if len(eps) != 3 || !eps["one"].Firing() || eps["two"].Firing() || !eps["three"].Firing() {
		t.Errorf("the engine knows %+v", eps)
	}
	if n := counted(t, w, "paramedic_quarantine_replays_total"); n != 16 {
		t.Errorf("%v replays are counted", n)
	}
}

func TestReplayingByName(t *testing.T) {
	t.Parallel()
	w := admit(t)
	for n := range 4 {
		w.keeps("am", fmt.Sprintf("?service-down s%d firing", n))
	}
	w.keeps("am", "ping") // d5
	w.mended.Store(true)
	got := w.replays(`{"ids":["d5","d9","d4","d2"]}`)
	if said(got) != "d9 absent, d2 replayed, d4 replayed, d5 ignored" || got.Entries[3].Detail != "a ping" || w.left() != "d1 d3" {
		t.Errorf("%s; %+v; left %s", said(got), got, w.left())
	}
	if got = w.replays(`{"ids":["d1","d2"]}`); said(got) != "d2 absent, d1 replayed" {
		t.Errorf("again: %s", said(got))
	}
	for _, body := range []string{
		`{}`, `{"ids":[]}`, `{"ids":["d3"],"all":true}`, `{"source":"am","all":true}`, `{"ids":["d3"],"source":"am"}`, `{"all":false}`,
		`{"ids":["d3","d3"]}`, `{"source":"*"}`, `{"everything":true}`, `[]`,
	} {
		want(t, w.asks(body), 400).problem(t)
	}
	if w.left() != "d3" {
		t.Errorf("left %s", w.left())
	}
}

// More than one request replays is followed up, and a source that has stopped
// stays so.
func TestALongReplayIsFollowedUp(t *testing.T) {
	t.Parallel()
	w := admit(t)
	w.mended.Store(true)
	ids := make([]string, 0, 230)
	for n := range 230 {
		source, body, id := "am", fmt.Sprintf("?service-down s%d firing", n), fmt.Sprintf("n%03d", n)
		switch {
		case n == 5:
			source, body = "azure", "!"
		case n%10 == 0:
			source = "azure"
		}
		kept := map[string]string{"Paramedic-Received-At": time.Now().Format(time.RFC3339Nano)}
		if _, err := w.Bus.PublishQuarantine(t.Context(), source, id, kept, []byte(body)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	request, outcomes, requests := `{"all":true}`, map[api.ReplayOutcome]int{}, 0
	for {
		got := w.replays(request)
		requests++
		for _, e := range got.Entries {
			if e.ID != ids[0] {
				t.Fatalf("%s, want %s", e.ID, ids[0])
			}
			ids = ids[1:]
			outcomes[e.Outcome]++
		}
		if got.Next == 0 {
			break
		}
		again, err := json.Marshal(api.ReplayRequest{All: true, After: got.Next, Stopped: got.Stopped})
		if err != nil {
			t.Fatal(err)
		}
		request = string(again)
	}
	if len(ids) != 0 || requests != 3 || outcomes[api.Replayed] != 207 || outcomes[api.Refused] != 1 || outcomes[api.Skipped] != 22 {
		t.Errorf("%d requests, %v, left over %v", requests, outcomes, ids)
	}
	if n := len(w.entries("?limit=500")); n != 23 {
		t.Errorf("%d are left", n)
	}
	// Of one source nothing follows behind where it stopped.
	for n := range 100 {
		if _, err := w.Bus.PublishQuarantine(t.Context(), "azure", fmt.Sprintf("m%03d", n), nil, []byte("!")); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.replays(`{"source":"azure"}`); got.Next != 0 || len(got.Entries) != 100 {
		t.Errorf("%d entries, next %d", len(got.Entries), got.Next)
	}
}

// dying is a process that ends between the commit of a replay and the removal.
type dying struct {
	web.Quarantine
	alive *atomic.Bool
}

func (d dying) DeleteQuarantine(ctx context.Context, e bus.QuarantineEntry) error {
	if !d.alive.Load() {
		return errors.New("killed")
	}
	return d.Quarantine.DeleteQuarantine(ctx, e)
}

// A replay whose removal did not happen is replayed again, under the same
// delivery, and the engine takes it for the repeat that it is: one run, one action.
func TestAReplayThatDiesBeforeItsRemoval(t *testing.T) {
	t.Parallel()
	var alive atomic.Bool
	w := admit(t, func(o *web.Options) { o.API.Quarantine = dying{o.API.Quarantine, &alive} })
	w.keeps("am", "?service-down one firing\n?service-down two firing")
	w.keeps("am", "?service-down three firing")
	w.mended.Store(true)
	got := w.replays(`{"all":true}`)
	if said(got) != "d1 failed" || got.Next != 0 || !strings.Contains(got.Entries[0].Detail, "replay it again") || w.left() != "d1 d2" {
		t.Fatalf("%s, %+v, left %s", said(got), got, w.left())
	}
	runs := len(w.runs())
	want(t, w.drops(`{"ids":["d1"],"reason":"x"}`), 503).problem(t)
	alive.Store(true)
	if got = w.replays(`{"all":true}`); said(got) != "d1 replayed, d2 replayed" || w.left() != "" {
		t.Fatalf("%s, left %s", said(got), w.left())
	}
	all := w.delivered()
	if len(all) != 3 || all[0].ID != "d1" || all[1].ID != "d1" || !all[0].ReceivedAt.Equal(all[1].ReceivedAt) || len(all[1].Alerts) != 2 {
		t.Errorf("delivered %+v", all)
	}
	for i := range all[0].Alerts {
		if a, b := all[0].Alerts[i].Episode(), all[1].Alerts[i].Episode(); a != b {
			t.Errorf("the episodes differ: %s and %s", a, b)
		}
	}
	if eps := w.opened(); len(eps) != 3 || runs != 2 || len(w.runs()) != 3 {
		t.Errorf("%d episodes, %d and then %d runs", len(eps), runs, len(w.runs()))
	}
	for _, kind := range []struct {
		kind string
		n    int
	}{{"alert.opened", 3}, {"alert.repeated", 2}, {"run.started", 3}} {
		if n := strings.Count(string(get(t, w.URL+"/api/v1/ledger").body), `"kind":"`+kind.kind+`"`); n != kind.n {
			t.Errorf("%s is in the ledger %d times, want %d", kind.kind, n, kind.n)
		}
	}
}

func (w *ward) runs() []api.Run {
	w.t.Helper()
	w.Submit(engine.Input{Tick: &engine.Tick{}})
	return into[api.Runs](w.t, want(w.t, get(w.t, w.URL+"/api/v1/runs"), 200)).Runs
}

// Of a body that was accepted in part, the replay brings the rest, and what it
// repeats changes nothing, though it was resolved or fires on.
func TestABodyThatWasAcceptedInPart(t *testing.T) {
	t.Parallel()
	w := admit(t)
	status, id := w.posts("am", "service-down one firing\n?service-down two firing\nservice-down three firing")
	if status != 202 || id == "" {
		t.Fatalf("%d, kept as %q", status, id)
	}
	w.clock.Store(int64(time.Minute))
	if status, _ := w.posts("am", "service-down one resolved\nservice-down three firing"); status != 202 {
		t.Fatal(status)
	}
	before := w.opened()
	if got := w.replays(`{"all":true}`); said(got) != id+" refused" || len(w.delivered()) != 2 {
		t.Errorf("stored in part: %s, %d delivered", said(got), len(w.delivered()))
	}
	w.mended.Store(true)
	if got := w.replays(`{"all":true}`); said(got) != id+" replayed" || got.Entries[0].Alerts != 3 || w.left() != "" {
		t.Errorf("%+v, left %s", got, w.left())
	}
	after := w.opened()
	if len(before) != 2 || len(after) != 3 || after["one"].Firing() || !after["two"].Firing() ||
		!after["three"].LastFiring.Equal(before["three"].LastFiring) || len(w.runs()) != 3 {
		t.Errorf("from %+v to %+v, %d runs", before, after, len(w.runs()))
	}
}

// A full quarantine refuses what cannot be read, so that its sender keeps it, and
// takes it again when there is room.
func TestAFullQuarantineRefuses(t *testing.T) {
	t.Parallel()
	w := admit(t)
	var err error
	n := 0
	for ; err == nil; n++ {
		_, err = w.Bus.PublishQuarantine(t.Context(), "am", fmt.Sprintf("n%d", n), nil, make([]byte, 3<<20))
	}
	if !errors.Is(err, bus.ErrFull) {
		t.Fatal(err)
	}
	large := "!" + strings.Repeat("x", 9<<20)
	if status, id := w.posts("am", large); status != 503 || id != "" {
		t.Errorf("without room: %d, kept as %q", status, id)
	}
	if got := len(w.entries("")); got != n-1 {
		t.Errorf("%d are kept of %d", got, n-1)
	}
	if status, id := w.posts("am", "service-down one firing"); status != 202 || id != "" {
		t.Errorf("what can be read: %d", status)
	}
	want(t, w.drops(`{"ids":["n0","n1","n2"],"reason":"to make room"}`), 200)
	id := w.keeps("am", large)
	whole := want(t, get(t, w.URL+"/api/v1/quarantine/"+id+"/body"), 200)
	if string(whole.body) != large {
		t.Errorf("%d bytes of %d", len(whole.body), len(large))
	}
}

// Two replays at a time would mix up their orders.
func TestOneReplayAtATime(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	w := admit(t, func(o *web.Options) {
		inner := o.API.Replay
		o.API.Replay = func(ctx context.Context, e bus.QuarantineEntry, body []byte, try bool) (api.ReplayedEntry, error) {
			entered <- struct{}{}
			<-leave
			if e.ID == "d2" {
				return api.ReplayedEntry{}, errors.New("in doubt")
			}
			return inner(ctx, e, body, try)
		}
	})
	w.mended.Store(true)
	for _, id := range []string{"d1", "d2", "d3"} {
		kept := map[string]string{"Paramedic-Received-At": time.Now().Format(time.RFC3339Nano)}
		if _, err := w.Bus.PublishQuarantine(t.Context(), "am", id, kept, []byte("service-down one firing")); err != nil {
			t.Fatal(err)
		}
	}
	first := make(chan answer, 1)
	go func() { first <- w.asks(`{"all":true}`) }()
	<-entered
	want(t, w.asks(`{"all":true}`), 503).problem(t)
	leave <- struct{}{}
	<-entered
	leave <- struct{}{}
	// What is in doubt ends it.
	if got := into[api.Replay](t, want(t, <-first, 200)); said(got) != "d1 replayed, d2 failed" || got.Next != 0 || w.left() != "d2 d3" {
		t.Errorf("%s, left %s", said(got), w.left())
	}
}
