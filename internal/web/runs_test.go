package web_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

// cure takes a run from its alert to its cure.
func cure(w *webtest.World, service string) string {
	run := w.Fire(webtest.Auto, service)
	w.Plan()
	w.Execute()
	w.Resolve(webtest.Auto, service)
	return run
}

func show(t *testing.T, w *webtest.World, run string) api.RunDetail {
	t.Helper()
	return into[api.RunDetail](t, want(t, get(t, w.URL+"/api/v1/runs/"+run), http.StatusOK))
}

func kinds(entries []api.Entry) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.Kind
	}
	return all
}

func TestRunsAreListedByWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	cured := cure(w, "one")
	waiting := w.Fire(webtest.Approved, "two")
	w.Plan()
	active := w.Fire(webtest.Auto, "three")
	for query, expect := range map[string][]string{
		"":                          {active, waiting, cured},
		"?state=all":                {active, waiting, cured},
		"?state=active":             {active, waiting},
		"?state=ended":              {cured},
		"?rule=" + webtest.Approved: {waiting},
		"?outcome=cured":            {cured},
		"?outcome=denied":           {},
		"?limit=2":                  {active, waiting},
		"?rule=never-heard-of":      {},
		"?state=active&limit=1":     {active},
	} {
		runs := into[api.Runs](t, want(t, get(t, w.URL+"/api/v1/runs"+query), http.StatusOK))
		ids := []string{}
		for _, r := range runs.Runs {
			ids = append(ids, r.ID)
		}
		if !slices.Equal(ids, expect) {
			t.Errorf("%s: %q, want %q", query, ids, expect)
		}
		if runs.Matching < len(expect) {
			t.Errorf("%s: %d match", query, runs.Matching)
		}
	}
	for _, query := range []string{
		"?state=over", "?outcome=fixed", "?limit=0", "?limit=-1", "?limit=many", "?limit=100000", "?stat=active", "?state=all&state=all", "?%zz",
	} {
		want(t, get(t, w.URL+"/api/v1/runs"+query), http.StatusBadRequest).problem(t)
	}
}

func TestARunIsExplainedFromTheLedger(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	before := cure(w, "before")
	run := cure(w, "one")
	cure(w, "after")
	d := show(t, w, run)
	if d.Run.Outcome != engine.Cured || d.Run.Target != "http/one" || d.Alert.Name != "ServiceDown" || d.Run.Attempt != 1 {
		t.Errorf("run %+v", d.Run)
	}
	if len(d.Plans) != 1 || d.Plans[0].Summary != "restart one" || len(d.Plans[0].Changes) != 1 {
		t.Errorf("plans %+v", d.Plans)
	}
	expect := []string{
		"alert.opened", "run.started", "task.issued", "task.answered", "run.allowed", "task.issued", "task.answered",
		"verify.started", "verify.waiting", "alert.resolved", "run.ended",
	}
	if have := kinds(d.Timeline); !slices.Equal(have, expect) {
		t.Errorf("timeline %q\nwant     %q", have, expect)
	}
	last, err := w.Bus.LedgerLast(t.Context())
	if err != nil || d.Ledger != last {
		t.Errorf("looked up to record %d of %d, %v", d.Ledger, last, err)
	}
	for i, e := range d.Timeline {
		if e.Sentence == "" || e.Topic == "" || len(e.Event) == 0 || e.Seq == 0 || e.At.IsZero() {
			t.Errorf("entry %+v", e)
		}
		if i > 0 && (e.Seq < d.Timeline[i-1].Seq || e.At.Before(d.Timeline[i-1].At)) {
			t.Errorf("entry %d comes before the one before it", i)
		}
	}
	if first := show(t, w, before); first.Timeline[0].Seq >= d.Timeline[0].Seq {
		t.Error("the runs are not told apart")
	}
	want(t, get(t, w.URL+"/api/v1/runs/rnever"), http.StatusNotFound).problem(t)
	want(t, get(t, w.URL+"/api/v1/runs/"+run+"?x=1"), http.StatusBadRequest).problem(t)
}

// forgetful is an engine that has pruned its runs.
type forgetful struct{ engine.State }

func (*forgetful) Submit(context.Context, string, engine.Input) (uint64, error) { return 0, nil }
func (*forgetful) Decided(context.Context, uint64) error                        { return nil }
func (*forgetful) Ready() bool                                                  { return true }
func (f *forgetful) View(look func(*engine.State))                              { look(&f.State) }

func TestARunThatTheEngineHasForgottenIsStillExplained(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	run := cure(w, "one")
	remembered := show(t, w, run)
	o := options(w, web.Auth{Open: true})
	o.API.Engine = &forgetful{}
	_, later := webtest.Serve(t, o)
	d := into[api.RunDetail](t, want(t, get(t, later+"/api/v1/runs/"+run), http.StatusOK))
	if !slices.Equal(kinds(d.Timeline), kinds(remembered.Timeline)) {
		t.Errorf("timeline %q", kinds(d.Timeline))
	}
	a, b := d.Run, remembered.Run
	if a.ID != b.ID || a.Outcome != b.Outcome || a.Target != b.Target || a.Rule != b.Rule || a.Attempt != b.Attempt ||
		a.Episodes != b.Episodes || a.Why != b.Why || !a.StartedAt.Equal(b.StartedAt) || !a.EndedAt.Equal(b.EndedAt) || a.Phase != b.Phase {
		t.Errorf("from the ledger alone:\n%+v\nremembered:\n%+v", a, b)
	}
	if len(d.Plans) != 1 || d.Alert.Fingerprint != remembered.Alert.Fingerprint {
		t.Errorf("plans %+v, alert %+v", d.Plans, d.Alert)
	}
	want(t, get(t, later+"/api/v1/runs/rnever"), http.StatusNotFound).problem(t)
}

func TestWhatTheEngineCannotTellYetIsNotToldAsNothing(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	run := w.Fire(webtest.Auto, "one")
	w.StopEngine()
	for _, path := range []string{"/runs", "/events?run=" + run} {
		want(t, get(t, w.URL+"/api/v1"+path), 503).problem(t)
	}
	want(t, post(t, w, run, "cancel", `{}`), 503).problem(t)
	if d := show(t, w, run); len(d.Timeline) != 3 || d.Run.Rule != webtest.Auto || d.Run.Phase != "" {
		t.Errorf("the ledger says %+v", d)
	}
}

func post(t *testing.T, w *webtest.World, run, verb, body string) answer {
	t.Helper()
	return send(t, http.MethodPost, w.URL+"/api/v1/runs/"+run+"/"+verb, body, nil)
}

func TestACommandIsAnsweredWithWhatTheEngineDecided(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	run := w.Fire(webtest.Approved, "one")
	if p := want(t, post(t, w, run, "approve", `{"plan":"x"}`), 409).problem(t); !strings.Contains(p.Detail, "does not wait for approval") {
		t.Errorf("refused with %q", p.Detail)
	}
	plan := w.Plan()
	if p := want(t, post(t, w, run, "approve", `{"plan":"x"}`), 409).problem(t); !strings.Contains(p.Detail, plan.Digest()) {
		t.Errorf("refused with %q", p.Detail)
	}
	if d := show(t, w, run); d.Run.Plan != plan.Digest() {
		t.Fatalf("the plan to approve is %q, want %q", d.Run.Plan, plan.Digest())
	}
	out := into[api.Commanded](t, want(t, post(t, w, run, "approve", `{"plan":"`+plan.Digest()+`"}`), 200))
	if !out.Decided || out.Run.Phase != engine.PhaseExecuting {
		t.Errorf("approved: %+v", out)
	}
	want(t, post(t, w, run, "approve", `{"plan":"`+plan.Digest()+`"}`), 409).problem(t)
	want(t, post(t, w, run, "cancel", `{}`), 409).problem(t) // an action is under way
	w.Execute()
	out = into[api.Commanded](t, want(t, post(t, w, run, "cancel", `{"reason":"enough"}`), 200))
	if out.Run.Outcome != engine.Cancelled {
		t.Errorf("cancelled: %+v", out)
	}
	have := strings.Join(kinds(show(t, w, run).Timeline), " ")
	if strings.Count(have, "command.refused") != 4 || !strings.Contains(have, "approval.given") {
		t.Errorf("the timeline does not tell of every command: %s", have)
	}

	denied := w.Fire(webtest.Approved, "two")
	w.Plan()
	out = into[api.Commanded](t, want(t, post(t, w, denied, "deny", `{"reason":"not now"}`), 200))
	if out.Run.Outcome != engine.Denied || !strings.Contains(out.Run.Why, "not now") {
		t.Errorf("denied: %+v", out)
	}
}

func TestACommandThatMakesNoSenseIsNotStored(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	run := w.Fire(webtest.Approved, "one")
	w.Plan()
	before, err := w.Bus.InboxLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		run, verb, body string
		status          int
	}{
		{"rnever", "approve", `{"plan":"x"}`, 404},
		{"rnever", "cancel", `{}`, 404},
		{run, "approve", `{}`, 400},
		{run, "approve", `{"plna":"x"}`, 400},
		{run, "approve", `{"plan":"x"}{}`, 400},
		{run, "approve", `["x"]`, 400},
		{run, "approve", `{"plan":`, 400},
		{run, "approve", ``, 415},
		{run, "cancel", `{"plan":"x"}`, 400},
		{run, "cancel", `{"reason":"` + strings.Repeat("a", 1001) + `"}`, 400},
		{run, "cancel", `{"reason":"` + strings.Repeat("a", 70_000) + `"}`, 413},
		{run, "explode", `{}`, 404},
	} {
		want(t, post(t, w, c.run, c.verb, c.body), c.status).problem(t)
	}
	if after, err := w.Bus.InboxLast(t.Context()); err != nil || after != before {
		t.Errorf("INBOX grew from %d to %d, %v", before, after, err)
	}
}

// undecided is an engine whose leader does not decide.
type undecided struct{ web.Engine }

func (undecided) Decided(ctx context.Context, _ uint64) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestACommandWithoutALeaderIsStoredAndNotClaimedDone(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, func(o *web.Options) {
		o.API.DecideTimeout = 50 * time.Millisecond
		o.API.Engine = undecided{o.API.Engine}
	})
	run := w.Fire(webtest.Approved, "one")
	plan := w.Plan()
	out := into[api.Commanded](t, want(t, post(t, w, run, "approve", `{"plan":"`+plan.Digest()+`"}`), 202))
	if out.Decided || out.Detail == "" || out.Run.ID != run {
		t.Errorf("answered %+v", out)
	}
}
