package trigger

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// script is a cluster that tells what it is told, and then breaks off.
type script struct{ tells []*Rollout }

var errBroken = errors.New("the watch broke off")

func (s *script) WatchRollouts(_ context.Context, _ rules.RolloutTrigger, each func(*Rollout) error) error {
	for _, r := range s.tells {
		if err := each(r); err != nil {
			return err
		}
	}
	return errBroken
}

// state reads "NAME REVISION PHASE", or "NAME gone", or "synced".
func state(t *testing.T, text string) *Rollout {
	t.Helper()
	f := strings.Fields(text)
	if text == "synced" {
		return nil
	}
	r := &Rollout{Target: engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: f[0]}}
	if f[1] == "gone" {
		r.Gone = true
		return r
	}
	r.ID, r.Revision, r.Phase, r.Images = f[0]+f[1], f[1], rules.RolloutPhase(f[2]), []string{"app:" + f[1]}
	return r
}

// watched runs one watch over what is told, as a process that has just begun.
func watched(t *testing.T, w *world, tr rules.Trigger, now time.Time, tells ...string) {
	t.Helper()
	s := &script{}
	for _, text := range tells {
		s.tells = append(s.tells, state(t, text))
	}
	p := testParts(t, w, func() time.Time { return now })
	r := &rollout{parts: p, trigger: tr, clusters: s, stuck: map[string]*stuck{}}
	if err := r.watch(t.Context()); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
}

// said are the alerts so far, in short.
func said(w *world) string {
	var all []string
	for _, a := range w.alerts() {
		what := a.Labels["deployment"] + " " + a.Labels["revision"]
		if a.Status == alert.Resolved {
			what = "(" + what + ")"
		}
		all = append(all, what)
	}
	return strings.Join(all, ", ")
}

func TestRollout(t *testing.T) {
	t.Parallel()
	const on = `{rollout: {cluster: korea, namespace: production, phase: PHASE}}`
	for _, c := range []struct {
		name, phase string
		watches     [][]string // what one process after another is told
		want        string
	}{
		{"what is there at first begins nothing", "started", [][]string{{"a 1 complete", "b 7 started", "synced"}}, ""},
		{"a new revision does", "started", [][]string{{"a 1 complete", "synced", "a 2 started", "a 2 complete", "a 3 started"}}, "a 2, a 3"},
		{"once, whoever looks", "started", [][]string{{"a 1 complete", "synced", "a 2 started"}, {"a 2 started", "synced", "a 2 complete"}}, "a 2"},
		{"also while nobody looked", "started", [][]string{{"a 1 complete", "synced"}, {"a 2 complete", "synced"}}, "a 2"},
		{"and a workload that is new since", "started", [][]string{{"synced"}, {"b 1 started", "synced"}}, "b 1"},
		{"a first look that broke off is one still", "started", [][]string{{"a 1 complete"}, {"a 1 complete", "b 1 complete", "synced"}}, ""},
		{"but what it saw counts", "started", [][]string{{"a 1 complete"}, {"a 2 started", "synced"}}, "a 2"},
		{"a workload of the same name is another", "started", [][]string{{"a 1 complete", "synced", "a gone", "a 1 started"}}, "a 1"},
		{"one that is gone ends it", "started", [][]string{{"a 1 complete", "synced", "a 2 started", "a gone"}}, "a 2, (a 2)"},
		{"complete at its end", "complete", [][]string{{"a 1 complete", "b 7 started", "synced", "a 2 started", "a 2 complete", "b 7 complete"}}, "a 2, b 7"},
		{"complete, once", "complete", [][]string{{"a 1 complete", "synced", "a 2 complete", "a 2 started", "a 2 complete"}}, "a 2"},
		{"stuck also at first", "stuck", [][]string{{"a 1 stuck", "synced"}}, "a 1"},
		{"until it is not", "stuck", [][]string{{"synced", "a 2 stuck", "a 2 complete"}, {"a 2 complete", "synced", "a 2 stuck", "a 3 started"}}, "a 2, (a 2), a 2, (a 2)"},
		{"stuck, once", "stuck", [][]string{{"synced", "a 2 stuck"}, {"a 2 stuck", "synced"}}, "a 2"},
		{"stuck in the next revision", "stuck", [][]string{{"synced", "a 2 stuck", "a 3 stuck"}}, "a 2, a 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, tr := newWorld(), trigger(t, strings.Replace(on, "PHASE", c.phase, 1))
			now := at(t, "2026-03-01T00:00:00Z")
			for _, tells := range c.watches {
				// No clock goes on between: starts differ all the same.
				watched(t, w, tr, now, tells...)
			}
			if got := said(w); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			starts := map[alert.EpisodeID]string{}
			for _, a := range w.alerts() {
				if err := a.Validate(); err != nil {
					t.Error(err)
				}
				if other, ok := starts[a.Episode()]; ok && a.Status == alert.Firing && other != a.Labels["revision"] {
					t.Errorf("two rollouts are one episode: %s and %s", other, a.Labels["revision"])
				}
				starts[a.Episode()] = a.Labels["revision"]
			}
		})
	}
}

// A process that was stopped, and tells what it saw before, sets nothing off.
func TestOldNewsOfARolloutChangeNothing(t *testing.T) {
	t.Parallel()
	old, young := state(t, "a 2 started"), state(t, "a 3 started")
	old.Version, young.Version = 12, 15
	old.UID, young.UID = "u", "u"
	for _, phase := range []string{"started", "stuck"} {
		w, tr := newWorld(), trigger(t, `{rollout: {cluster: korea, namespace: production, phase: `+phase+`}}`)
		now := at(t, "2026-03-01T00:00:00Z")
		p := testParts(t, w, func() time.Time { return now })
		r := &rollout{parts: p, trigger: tr, stuck: map[string]*stuck{}}
		young.Phase = rules.RolloutPhase(phase)
		for _, seen := range []*Rollout{young, old} {
			if err := r.see(t.Context(), seen); err != nil {
				t.Fatal(err)
			}
		}
		if got := said(w); got != "a 3" {
			t.Errorf("%s: %q", phase, got)
		}
		// A workload of the same name counts from the beginning.
		other := state(t, "a 1 "+phase)
		other.UID, other.Version = "other", 3
		if err := r.see(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		if got := said(w); got != "a 3, a 1" {
			t.Errorf("%s, of another workload: %q", phase, got)
		}
	}
}

// A restart is no new version; one that is stuck is stuck all the same.
func TestARestartIsNoRolloutUnlessItIsStuck(t *testing.T) {
	t.Parallel()
	for phase, want := range map[string]string{"started": "a 4", "complete": "a 4", "stuck": "a 3, a 4"} {
		w, tr := newWorld(), trigger(t, `{rollout: {cluster: korea, namespace: production, phase: `+phase+`}}`)
		now := at(t, "2026-03-01T00:00:00Z")
		p := testParts(t, w, func() time.Time { return now })
		r := &rollout{parts: p, trigger: tr, stuck: map[string]*stuck{}}
		restart := state(t, "a 3 "+phase)
		restart.Restart = true
		for _, seen := range []*Rollout{restart, restart, state(t, "a 4 "+phase)} {
			if err := r.see(t.Context(), seen); err != nil {
				t.Fatal(err)
			}
		}
		if got := said(w); got != want {
			t.Errorf("%s: %q, want %q", phase, got, want)
		}
	}
}

func TestAStuckRolloutIsRepeated(t *testing.T) {
	t.Parallel()
	w, tr := newWorld(), trigger(t, `{rollout: {cluster: korea, namespace: production, phase: stuck}}`)
	now := at(t, "2026-03-01T00:00:00Z")
	p := testParts(t, w, func() time.Time { return now })
	r := &rollout{parts: p, trigger: tr, stuck: map[string]*stuck{}}
	if err := r.see(t.Context(), state(t, "a 2 stuck")); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		now = now.Add(30 * time.Second)
		if err := r.repeat(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := said(w); got != "a 2, a 2, a 2, a 2" {
		t.Error(got)
	}
}
