package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

func TestRoutes(t *testing.T) {
	to := func(f func(engine.Scope) string) func(engine.Scope) (string, error) {
		return func(s engine.Scope) (string, error) { return f(s), nil }
	}
	broken := func(engine.Scope) (string, error) { return "half", errors.New("no label team") }
	r := guarded(engine.Guards{})
	r.Report = []engine.Routing{
		{Reporter: "slack", To: to(func(s engine.Scope) string { return "#" + s.Alert.Labels["on"] + "-" + s.Run.Rule })},
		{Reporter: "webhook", To: broken},
		{Reporter: "log"},
	}
	r.Otherwise = []engine.Routing{
		{Reporter: "pagerduty", To: to(func(s engine.Scope) string { return s.Target.Name + s.Attempt.Name })},
		{Reporter: "slack", To: broken},
	}
	w := newWorld(t, r)
	w.send(firing("a"))
	if got := encode(t, lastEvent[engine.RunStarted](w).Report); got != `[{"reporter":"slack","to":"#a-down"},{"reporter":"webhook"},{"reporter":"log"}]` {
		t.Errorf("reports to %s", got)
	}
	w.planOn(w.task(engine.TaskPlan), service("canonical"))
	w.fail(w.task(engine.TaskExecute), engine.ClassUnknown)
	e := lastEvent[engine.Escalated](w)
	if got := encode(t, e.Routes); got != `[{"reporter":"pagerduty","to":"canonicalfirst"},{"reporter":"slack"}]` {
		t.Errorf("escalates to %s", got)
	}
	if !strings.Contains(e.Reason, "because unknown; told where the reporter would by itself, since reporter slack: no label team") {
		t.Errorf("escalates because %q", e.Reason)
	}
}
