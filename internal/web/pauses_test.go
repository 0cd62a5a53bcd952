package web_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func pause(t *testing.T, w *webtest.World, body string) answer {
	t.Helper()
	return send(t, http.MethodPost, w.URL+"/api/v1/pauses", body, nil)
}

func resume(t *testing.T, w *webtest.World, scope string) answer {
	t.Helper()
	return send(t, http.MethodDelete, w.URL+"/api/v1/pauses?scope="+scope, "", nil)
}

func pauses(t *testing.T, w *webtest.World) []api.Pause {
	t.Helper()
	return into[api.Pauses](t, want(t, get(t, w.URL+"/api/v1/pauses"), 200)).Pauses
}

func TestTheKillSwitch(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	w.Fire(webtest.Auto, "one")
	out := into[api.Switched](t, want(t, pause(t, w, `{"scope":"rule/service-down","reason":"deploy"}`), 200))
	if !out.Paused || !out.Enforced || !out.Recorded || out.By != "anonymous" || out.ActiveRuns != 1 || out.Warning != "" {
		t.Errorf("answered %+v", out)
	}
	if on, err := w.Bus.Pauses().List(t.Context()); err != nil || len(on) != 1 || on["rule/service-down"] == nil {
		t.Errorf("the workers see %v, %v", on, err)
	}
	w.Submit(engine.Input{Tick: &engine.Tick{}}) // decided behind the command
	if all := pauses(t, w); len(all) != 1 || !all[0].Enforced || !all[0].Recorded || all[0].Reason != "deploy" || all[0].At.IsZero() {
		t.Errorf("listed %+v", all)
	}
	if out := into[api.Switched](t, want(t, pause(t, w, `{"scope":"cluster/none"}`), 200)); out.ActiveRuns != 0 {
		t.Errorf("a cluster without runs: %+v", out)
	}
	want(t, resume(t, w, "all"), 404).problem(t)
	if out = into[api.Switched](t, want(t, resume(t, w, "rule/service-down"), 200)); out.Paused || !out.Enforced || !out.Recorded {
		t.Errorf("answered %+v", out)
	}
	w.Submit(engine.Input{Tick: &engine.Tick{}})
	if all := pauses(t, w); len(all) != 1 || all[0].Scope != "cluster/none" {
		t.Errorf("listed %+v", all)
	}
	for _, body := range []string{
		`{}`, `{"scope":""}`, `{"scope":"everything"}`, `{"scope":"rule/"}`, `{"scope":"all","rule":"x"}`,
		`{"scope":"rule/` + strings.Repeat("x", 1024) + `"}`, `{"scope":"all","reason":"` + strings.Repeat("x", 1001) + `"}`,
	} {
		want(t, pause(t, w, body), 400).problem(t)
	}
	want(t, resume(t, w, ""), 400).problem(t)
	want(t, resume(t, w, "rule/x&force=1"), 400).problem(t)
}

func TestTheKillSwitchWorksWithTheEngineDown(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	w.StopEngine()
	out := into[api.Switched](t, want(t, pause(t, w, `{"scope":"all"}`), 200))
	if !out.Enforced || !out.Recorded {
		t.Errorf("answered %+v", out)
	}
	if on, err := w.Bus.Pauses().List(t.Context()); err != nil || on["all"] == nil {
		t.Errorf("the workers see %v, %v", on, err)
	}
	if all := pauses(t, w); len(all) != 1 || !all[0].Enforced || all[0].Recorded {
		t.Errorf("listed %+v", all)
	}
}

var errAway = errors.New("the bus is away at nats://internal:4222")

// brokenSwitch fails where it is told to.
type brokenSwitch struct {
	web.Pauses
	put, del, list bool
}

func (b brokenSwitch) Put(ctx context.Context, scope string, value []byte) error {
	if b.put {
		return errAway
	}
	return b.Pauses.Put(ctx, scope, value)
}

func (b brokenSwitch) Delete(ctx context.Context, scope string) error {
	if b.del {
		return errAway
	}
	return b.Pauses.Delete(ctx, scope)
}

func (b brokenSwitch) List(ctx context.Context) (map[string][]byte, error) {
	if b.list {
		return nil, errAway
	}
	return b.Pauses.List(ctx)
}

// mute is an engine that nothing can be submitted to.
type mute struct{ web.Engine }

func (mute) Submit(context.Context, string, engine.Input) (uint64, error) { return 0, errAway }

func TestTheKillSwitchClaimsNothingThatIsNotSo(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	want(t, pause(t, w, `{"scope":"rule/on"}`), 200)
	w.Submit(engine.Input{Tick: &engine.Tick{}})
	inbox, err := w.Bus.InboxLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	broken := func(p brokenSwitch, adapt ...func(*web.Options)) *webtest.World {
		o := options(w, web.Auth{Open: true})
		p.Pauses = o.API.Pauses
		o.API.Pauses = p
		for _, a := range adapt {
			a(&o)
		}
		_, url := webtest.Serve(t, o)
		return &webtest.World{URL: url}
	}
	for name, a := range map[string]answer{
		"pause":             pause(t, broken(brokenSwitch{put: true}), `{"scope":"all"}`),
		"resume":            resume(t, broken(brokenSwitch{del: true}), "rule/on"),
		"resume unread":     resume(t, broken(brokenSwitch{list: true}), "rule/on"),
		"list what is away": get(t, broken(brokenSwitch{list: true}).URL+"/api/v1/pauses"),
	} {
		p := want(t, a, http.StatusServiceUnavailable).problem(t)
		if a.header.Get("Retry-After") == "" || strings.Contains(p.Detail, "nats://") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if now, err := w.Bus.InboxLast(t.Context()); err != nil || now != inbox {
		t.Errorf("a change that was not made was recorded: INBOX went from %d to %d, %v", inbox, now, err)
	}
	silent := broken(brokenSwitch{}, func(o *web.Options) { o.API.Engine = mute{o.API.Engine} })
	out := into[api.Switched](t, want(t, pause(t, silent, `{"scope":"all"}`), 200))
	if !out.Enforced || out.Recorded || out.Warning == "" {
		t.Errorf("paused, but not recorded, was answered %+v", out)
	}
	if on, err := w.Bus.Pauses().List(t.Context()); err != nil || on["all"] == nil {
		t.Errorf("the workers see %v, %v", on, err)
	}
}
