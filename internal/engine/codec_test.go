package engine_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

var update = flag.Bool("update", false, "write testdata/events.golden.json anew")

const golden = "testdata/events.golden.json"

// examples is one event of each kind, with every field set, in an order in which
// none needs a later one.
func examples() []engine.Event {
	at := time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)
	a := alert.Alert{
		Source: "am", Fingerprint: "f00d", Name: "Down", Status: alert.Firing, Severity: "critical",
		Labels: map[string]string{"job": "shop"}, Annotations: map[string]string{"summary": "shop is down"},
		StartsAt: at, URL: "https://alerts.example/1",
	}
	r := resolved(a)
	r.EndsAt = at.Add(time.Minute)
	target := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "shop"}
	plan := engine.Plan{
		Target: target, Summary: "restart shop", Changes: []engine.Change{{Field: "restartedAt", From: "", To: "now"}},
		Health:       &engine.Health{Total: 3, Healthy: 2, Disrupts: 1},
		Precondition: json.RawMessage(`{"resourceVersion":"7"}`),
	}
	outcome := engine.Outcome{Summary: "restarted", Before: json.RawMessage(`{"replicas":3}`)}
	task := engine.Task{
		ID: "r1.0.0.execute.1", Kind: engine.TaskExecute, Run: "r1", Rule: "down", Group: "korea", Action: "kubernetes.restart",
		Target: target, Params: json.RawMessage(`{"surge":1}`), Plan: &plan, Outcome: &outcome, Undoes: "r1.0.0.execute.0",
		Probes: []engine.ProbeTask{{Kind: "http", Params: json.RawMessage(`{"url":"http://shop"}`)}},
		Stable: 30 * time.Second, Deadline: at.Add(5 * time.Minute), NotAfter: at.Add(2 * time.Minute), Timeout: time.Minute,
	}
	result := engine.Result{
		Task: task.ID, Worker: "w1", At: at, Outcome: &outcome,
		Checks: []engine.Check{{Kind: "http", OK: true, Detail: "200"}}, Observed: true,
	}
	failed := engine.Result{Task: task.ID, Worker: "w1", At: at, Failure: &engine.Failure{Class: engine.ClassRetryable, Message: "busy", RetryAfter: time.Second}}
	route := []engine.Route{{Reporter: "slack", To: "#ops"}}
	episode := a.Episode()
	return []engine.Event{
		engine.RulesLoaded{Digest: "d1", Sources: []engine.Source{{Name: "a.yaml", Text: "rules: []"}}},
		engine.AlertOpened{Episode: episode, Delivery: "d", Received: at, Alert: a},
		engine.AlertRepeated{Episode: episode, Delivery: "d", Received: at.Add(time.Second)},
		engine.AlertResolved{Episode: episode, Delivery: "d", Received: at, Alert: &r},
		engine.AlertReopened{Episode: episode, Delivery: "d", Received: at},
		engine.AlertDropped{Episode: episode, Delivery: "d", Reason: "known already"},
		engine.AlertUnmatched{Episode: episode, Reason: "no rule is for this alert"},
		engine.RuleFailed{Episode: episode, Rule: "down", Reason: "no such label"},
		engine.RunStarted{Run: "r1", Rule: "down", RuleSet: "d1", Mode: engine.ModeAuto, Target: target, Episode: episode, Alert: a, Report: route, Group: "zone-1"},
		engine.RunJoined{Run: "r1", Episode: episode},
		engine.RunContinued{Run: "r1", After: "r0", Attempt: 1},
		engine.TaskIssued{Run: "r1", Action: 0, Task: task, Until: at.Add(3 * time.Minute)},
		engine.TaskAnswered{Run: "r1", Task: engine.TaskExecute, Result: result},
		engine.TaskUnanswered{Run: "r1", Task: task.ID},
		engine.AnswerIgnored{Result: failed, Reason: "late"},
		engine.RetryScheduled{Run: "r1", Task: engine.TaskPlan, Action: 0, At: at.Add(time.Second), Reason: "busy"},
		engine.Replanned{Run: "r1", Action: 0, Reason: "changed", Stale: true},
		engine.RunHeld{Run: "r1", Guard: engine.GuardCooldown, Reason: "too soon", Until: at.Add(time.Minute), Waits: "rule down"},
		engine.ActionSkipped{Run: "r1", Action: 1, Reason: "it is so already"},
		engine.ApprovalAsked{Run: "r1", Plan: plan.Digest(), Until: at.Add(time.Hour)},
		engine.ApprovalGiven{Run: "r1", Plan: plan.Digest(), By: "ann"},
		engine.RunAllowed{Run: "r1", Attempt: 1, Plan: plan.Digest(), Spends: []engine.Spend{{Budget: "fleet", Key: "production"}}},
		engine.VerifyStarted{Run: "r1", Until: at.Add(5 * time.Minute)},
		engine.VerifyWaiting{Run: "r1", Reason: "waits for the alert to resolve", Until: at.Add(5 * time.Minute)},
		engine.RunStanding{Run: "r1", Reason: "verified: http"},
		engine.UndoStarted{Run: "r1", Attempt: 1, Reason: "not cured", Seen: true, Ends: engine.Restored},
		engine.AttemptFailed{Run: "r1", Attempt: 1, Reason: "not cured", Seen: true},
		engine.RunParked{Run: "r1", Reason: "unknown", Until: at.Add(24 * time.Hour)},
		engine.Escalated{Run: "r1", Routes: route, Reason: "unknown"},
		engine.RunEnded{Run: "r1", Outcome: engine.Cured, Reason: "verified"},
		engine.RunMerged{Run: "r2", Into: "r1"},
		engine.ScopePaused{Scope: "all", By: "ann", Reason: "release"},
		engine.ScopeResumed{Scope: "all", By: "ann"},
		engine.CommandRefused{Command: engine.Command{Verb: engine.Approve, By: "ann", Reason: "fine", Run: "r1", Plan: "p"}, Reason: "has ended"},
		engine.Pruned{Before: at},
	}
}

// eventTypes are the types with a method Kind, by the source.
func eventTypes(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source: %v", err)
	}
	types := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Kind" {
				if recv, ok := f.Recv.List[0].Type.(*ast.Ident); ok {
					types[recv.Name] = true
				}
			}
		}
	}
	return types
}

func TestEveryEventHasAnExample(t *testing.T) {
	missing := eventTypes(t)
	for _, ev := range examples() {
		delete(missing, reflect.TypeOf(ev).Name())
	}
	if len(missing) > 0 {
		t.Errorf("no example of %v", missing)
	}
}

func TestGoldenEvents(t *testing.T) {
	var lines [][]byte
	for _, ev := range examples() {
		b, err := engine.MarshalEvent(ev)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, b)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, append(append([]byte("["), bytes.Join(lines, []byte(","))...), ']'), "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Error("events encode otherwise than " + golden + " says: ledgers that exist could not be read; a new field is added with -update")
	}

	var stored []json.RawMessage
	if err := json.Unmarshal(want, &stored); err != nil {
		t.Fatal(err)
	}
	decoder := engine.NewEventDecoder()
	for i, ev := range examples() {
		got, err := decoder.Decode(stored[i])
		if err != nil {
			t.Errorf("%s: %v", ev.Kind(), err)
			continue
		}
		if g, w := encode(t, got), encode(t, ev); reflect.TypeOf(got) != reflect.TypeOf(ev) || g != w {
			t.Errorf("decodes as %T %s, want %T %s", got, g, ev, w)
		}
	}
}

func TestEveryEventIsFolded(t *testing.T) {
	changesNothing := map[string]bool{"alert.dropped": true, "answer.ignored": true, "command.refused": true, "run.escalated": true}
	at := epoch.Add(30 * time.Hour) // so that the example of pruning finds something
	for _, ev := range examples() {
		t.Run(ev.Kind(), func(t *testing.T) {
			st := engine.NewState()
			apply := func(at time.Time, ev engine.Event) {
				if err := st.Apply(at, ev); err != nil {
					t.Fatal(err)
				}
			}
			all := examples()
			for _, before := range all {
				if before.Kind() == ev.Kind() && ev.Kind() != "run.joined" && ev.Kind() != "run.merged" {
					break
				}
				switch e := before.(type) {
				case engine.AlertOpened:
					apply(epoch, e)
					other := e.Alert
					other.Fingerprint = "beef"
					apply(epoch, engine.AlertOpened{Episode: other.Episode(), Received: epoch, Alert: other})
					apply(epoch, engine.AlertUnmatched{Episode: other.Episode(), Reason: "r"})
				case engine.AlertResolved:
					apply(epoch, engine.AlertResolved{Episode: e.Episode, Received: epoch})
					if ev.Kind() == "state.pruned" || ev.Kind() == "alert.reopened" {
						continue
					}
					apply(epoch, engine.AlertReopened{Episode: e.Episode, Received: epoch})
				case engine.RunStarted:
					e2 := e
					e2.Run = "r2"
					apply(epoch, e)
					apply(epoch, e2)
				case engine.TaskIssued:
					apply(epoch, e)
				case engine.ScopePaused:
					apply(epoch, e)
				}
			}
			if joined, ok := ev.(engine.RunJoined); ok {
				joined.Episode = "am/beef/" + joined.Episode[len("am/f00d/"):]
				ev = joined
			}
			if replanned, ok := ev.(engine.Replanned); ok {
				replanned.Stale = false // there is no plan to forget here
				ev = replanned
			}
			st.At = at
			before := encode(t, st)
			apply(at, ev)
			if changed := encode(t, st) != before; changed == changesNothing[ev.Kind()] {
				t.Errorf("the fold changes the state: %v", changed)
			}
		})
	}
}

func TestEventsThatDoNotDecode(t *testing.T) {
	decoder := engine.NewEventDecoder()
	for name, c := range map[string]struct{ event, want string }{
		"unknown kind":  {`{"kind":"run.teleported","v":1,"data":{}}`, `"run.teleported" is not known`},
		"newer version": {`{"kind":"run.ended","v":2,"data":{}}`, "version 2, this build knows 1"},
		"no version":    {`{"kind":"run.ended","data":{}}`, `field "data" stands where "v" belongs`},
		"not an event":  {`[]`, "event: "},
		"wrong data":    {`{"kind":"run.ended","v":1,"data":{"run":1}}`, "event run.ended: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := decoder.Decode([]byte(c.event)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
		})
	}
}

func TestRunOf(t *testing.T) {
	for _, ev := range examples() {
		run, ok := engine.RunOf(ev)
		field := reflect.ValueOf(ev).FieldByName("Run")
		if ok != field.IsValid() || ok && run != field.String() {
			t.Errorf("%s is of run %q, %v", ev.Kind(), run, ok)
		}
	}
}

func TestUnmarshalLine(t *testing.T) {
	for _, good := range []string{`{"tick":{}}`, `{"delivery":{}}`, `{"result":{}}`, `{"command":{}}`, `{"rules":{}}`, `{"tick":{"at":"2026-03-01T12:00:00Z"}}`} {
		if _, err := engine.UnmarshalLine([]byte(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{``, `{}`, `null`, `{"tick":{},"result":{}}`, `{"tick":`} {
		if _, err := engine.UnmarshalLine([]byte(bad)); err == nil {
			t.Errorf("%s: decoded", bad)
		}
	}
}
