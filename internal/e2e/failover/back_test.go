package failover_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/e2e"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab/azure"
)

// program is the path of the built one.
type program string

// TestFailover builds the program once, and lets all of it happen at the same time.
func TestFailover(t *testing.T) {
	t.Parallel()
	built, err := e2e.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := program(built)
	t.Run("killed at each step", p.killedAtEachStep)
	t.Run("there and back", p.thereAndBack)
	t.Run("the second place", p.theSecondPlace)
}

// bounded is the test's context, with the time that a scenario has.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), scenarioWithin, fmt.Errorf("not over within %v", scenarioWithin))
	t.Cleanup(cancel)
	return ctx
}

// thereAndBack fails over, fills Korea from Japan once it is well, and fails back: then everything is as it was.
func (p program) thereAndBack(t *testing.T) {
	t.Parallel()
	ctx := bounded(t)
	w := startWorld(ctx, t, string(p))
	var err error
	if w.rules, err = fitted(libraryRules(t), slices.Concat(hours("2m"), w.addresses("default"))...); err != nil {
		t.Fatal(err)
	}
	if err := w.start(ctx); err != nil {
		t.Fatal(err)
	}
	w.korea.sick.Store(true)
	w.cures(ctx, t, failover)
	if info, err := infoOf(ctx, w.standby.Address()); err != nil || info["role"] != "master" {
		t.Fatalf("Japan's Redis is %s, %v", info["role"], err)
	}

	w.korea.sick.Store(false)
	w.triggers(ctx, t, "region-resync")
	w.cures(ctx, t, "region-resync")
	_, port, err := net.SplitHostPort(w.relay.address())
	if err != nil {
		t.Fatal(err)
	}
	if info, err := infoOf(ctx, w.primary.Address()); err != nil || info["role"] != "slave" || info["master_port"] != port || info["master_link_status"] != "up" {
		t.Errorf("Korea's Redis is %s of %s, link %s, %v", info["role"], info["master_port"], info["master_link_status"], err)
	}
	if runs, cleared := w.cloud.Effects(azure.PipelineRun), w.korea.cleared.Load(); runs != 1 || cleared != 1 {
		t.Errorf("the pipeline ran %d times, and the caches were cleared %d times", runs, cleared)
	}

	w.triggers(ctx, t, "region-failback")
	w.cures(ctx, t, "region-failback")
	if e := w.cloud.Endpoint(name, "korea"); e.Status != "Enabled" {
		t.Errorf("the endpoint is %+v", e)
	}
	if r := w.cloud.Regions(name); !slices.Equal(r, []string{koreaEast, japanEast}) {
		t.Errorf("Cosmos DB is in %v", r)
	}
	if a := w.cloud.Addresses(zone, "api"); !slices.Equal(a, []string{korean}) {
		t.Errorf("the name leads to %v", a)
	}
	korea, errKorea := infoOf(ctx, w.primary.Address())
	japan, errJapan := infoOf(ctx, w.standby.Address())
	if errKorea != nil || errJapan != nil || korea["role"] != "master" || japan["role"] != "slave" || japan["master_link_status"] != "up" || korea["db0"] == "" {
		t.Errorf("Korea's Redis is %s (%s), Japan's is %s, link %s", korea["role"], korea["db0"], japan["role"], japan["master_link_status"])
	}
	for kind, want := range map[azure.Kind]int{azure.EndpointChange: 2, azure.FailoverChange: 2, azure.RecordChange: 2, azure.PipelineRun: 1} {
		if n := w.cloud.Effects(kind); n != want {
			t.Errorf("%s: %d times, want %d", kind, n, want)
		}
	}
}

// startWorld is a world for the test, without Paramedic.
func startWorld(ctx context.Context, t *testing.T, program string) *world {
	t.Helper()
	w, err := newWorld(ctx, t.TempDir(), program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
		for _, strange := range w.cloud.Refused() {
			t.Errorf("Azure was asked for what it does not take: %s", strange)
		}
		for _, log := range w.logs {
			if t.Failed() {
				t.Logf("--- paramedic's log ---\n%s", log)
			}
		}
	})
	return w
}

// triggers begins a rule by a person's hand, once the rule before has let the hold-down begin.
func (w *world) triggers(ctx context.Context, t *testing.T, rule string) {
	t.Helper()
	operator, err := w.api()
	if err == nil {
		_, err = operator.Trigger(ctx, rule, nil, "Korea is well")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// cures holds that a rule asks, acts and cures, and that people are told.
func (w *world) cures(ctx context.Context, t *testing.T, rule string) {
	t.Helper()
	began := time.Now()
	if err := w.agree(ctx, rule); err != nil {
		t.Fatal(err)
	}
	r, err := w.reaches(ctx, rule, engine.PhaseEnded, engine.PhaseParked)
	if err != nil || r.Outcome != engine.Cured {
		t.Fatalf("%s is %s %s: %s, %v", rule, r.Phase, r.Outcome, r.Why, err)
	}
	err = eventually(ctx, func() error {
		if told := w.phone.of(r.ID); told["approval"] != 1 || told["acting"] != 1 || told["cured"] != 1 {
			return fmt.Errorf("people know %v", told)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%s cured within %v", rule, time.Since(began).Round(time.Second))
}
