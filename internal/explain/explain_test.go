package explain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
)

type saying struct {
	event    engine.Event
	topic    string
	sentence string
}

func sayings() []saying {
	const ep = alert.EpisodeID("am/f/1")
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	target := engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: "profile"}
	down := alert.Alert{Source: "am", Name: "ServiceDown", Severity: "critical", StartsAt: at}
	plan := &engine.Plan{Target: target, Summary: "restart 3 pods"}
	executing := engine.Task{ID: "r1.0.0.execute.1", Kind: engine.TaskExecute, Action: "kubernetes.restart", Target: target, Plan: plan}
	return []saying{
		{engine.AlertOpened{Episode: ep, Alert: down}, explain.TopicAlert, "The alert ServiceDown (critical) from am fires since Mar 4 05:06:07 UTC."},
		{engine.AlertOpened{Episode: ep}, explain.TopicAlert, "The alert without a name from fires since an unknown time."},
		{engine.AlertRepeated{Episode: ep}, explain.TopicAlert, "The alert still fires (am/f/1)."},
		{engine.AlertReopened{Episode: ep}, explain.TopicAlert, "The alert fires again after it had resolved (am/f/1)."},
		{engine.AlertResolved{Episode: ep}, explain.TopicAlert, "The alert resolved (am/f/1)."},
		{engine.AlertResolved{Episode: ep, Alert: &down}, explain.TopicAlert, "The alert ServiceDown (critical) from am resolved; that it fired was never seen."},
		{engine.AlertDropped{Episode: ep, Reason: "too old"}, explain.TopicAlert, "An alert changed nothing (am/f/1): too old."},
		{engine.AlertUnmatched{Episode: ep}, explain.TopicRule, "Nothing is done about this alert (am/f/1)."},
		{engine.RuleFailed{Rule: "x", Reason: "no label job"}, explain.TopicRule, "It cannot be told whether rule x acts on this alert: no label job."},
		{
			engine.RunStarted{Run: "r1", Rule: "x", Mode: engine.ModeAuto, Target: target, Alert: down},
			explain.TopicRule,
			"Rule x (mode auto) starts on kubernetes/korea/production/Deployment/profile for the alert ServiceDown (critical) from am.",
		},
		{engine.RunJoined{Run: "r1", Episode: ep}, explain.TopicAlert, "Another alert joins the run (am/f/1)."},
		{engine.RunMerged{Run: "r1", Into: "r2"}, explain.TopicEnd, "The run ends, because run r2 of the same rule has the same target."},
		{engine.RunContinued{Run: "r1", After: "r0", Attempt: 1}, explain.TopicRule, "A relapse: attempt 2 comes next, where run r0 stopped."},
		{
			engine.TaskIssued{Task: engine.Task{Kind: engine.TaskPlan, Action: "kubernetes.restart", Target: target}},
			explain.TopicPlan,
			"Asks what kubernetes.restart would change on kubernetes/korea/production/Deployment/profile (attempt 1).",
		},
		{
			engine.TaskIssued{Task: executing},
			explain.TopicAction,
			"Does kubernetes.restart on kubernetes/korea/production/Deployment/profile (attempt 1): restart 3 pods.",
		},
		{
			engine.TaskIssued{Task: engine.Task{Kind: engine.TaskVerify, Deadline: at, Probes: []engine.ProbeTask{{Kind: "http"}, {Kind: "rollout"}}}},
			explain.TopicVerify,
			"Watches until Mar 4 05:06:07 UTC whether it helped: http, rollout.",
		},
		{
			engine.TaskIssued{Task: engine.Task{Kind: engine.TaskCheck, Probes: []engine.ProbeTask{{Kind: "http"}, {Kind: "rollout"}}}},
			explain.TopicVerify,
			"Looks whether what the attempt needs first is so: http, rollout.",
		},
		{
			engine.TaskIssued{Task: engine.Task{Kind: engine.TaskUndo, Action: "kubernetes.scale", Target: target, Outcome: &engine.Outcome{Summary: "scaled to 5"}}},
			explain.TopicAction,
			"Puts back kubernetes.scale on kubernetes/korea/production/Deployment/profile (attempt 1): scaled to 5.",
		},
		{
			engine.TaskAnswered{Task: engine.TaskUndo, Result: engine.Result{Outcome: &engine.Outcome{Summary: "scaled to 3"}}},
			explain.TopicAction,
			"Put back: scaled to 3.",
		},
		{
			engine.TaskAnswered{Task: engine.TaskCheck, Result: engine.Result{Verified: true, Checks: []engine.Check{{Kind: "http", OK: true}}}},
			explain.TopicVerify,
			"What the attempt needs first is so: http.",
		},
		{
			engine.TaskAnswered{Task: engine.TaskCheck, Result: engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}}}},
			explain.TopicVerify,
			"What the attempt needs first is not so: http fails (503).",
		},
		{engine.TaskAnswered{Result: engine.Result{Plan: plan}}, explain.TopicPlan, "Would change kubernetes/korea/production/Deployment/profile: restart 3 pods."},
		{
			engine.TaskAnswered{Result: engine.Result{Plan: &engine.Plan{Target: target, Noop: true}}},
			explain.TopicPlan,
			"Nothing on kubernetes/korea/production/Deployment/profile needs to change.",
		},
		{engine.TaskAnswered{Result: engine.Result{Outcome: &engine.Outcome{Summary: "restarted"}}}, explain.TopicAction, "Done: restarted."},
		{
			engine.TaskAnswered{Result: engine.Result{Observed: true, Outcome: &engine.Outcome{Summary: "restarted"}}},
			explain.TopicAction,
			"Done, as was found out afterwards: restarted.",
		},
		{
			engine.TaskAnswered{Result: engine.Result{Verified: true, Checks: []engine.Check{{Kind: "http", OK: true, Detail: "200"}}}},
			explain.TopicVerify,
			"Everything that was watched is well: http (200).",
		},
		{
			engine.TaskAnswered{Result: engine.Result{Checks: []engine.Check{{Kind: "http", Detail: "503"}, {Kind: "rollout", OK: true}}}},
			explain.TopicVerify,
			"It did not help in time: http fails (503), rollout.",
		},
		{engine.TaskUnanswered{Run: "r1", Task: "t"}, explain.TopicPlan, "No worker answered task t in time."},
		{engine.AnswerIgnored{Result: engine.Result{Task: "t"}, Reason: "answered before"}, explain.TopicAction, "An answer to task t came too late to count: answered before."},
		{engine.RetryScheduled{Task: engine.TaskExecute, At: at, Reason: "timeout"}, explain.TopicAction, "The action failed and is tried again at Mar 4 05:06:07 UTC: timeout."},
		{engine.RetryScheduled{Task: engine.TaskPlan, At: at}, explain.TopicPlan, "The planning failed and is tried again at Mar 4 05:06:07 UTC."},
		{engine.RetryScheduled{Task: engine.TaskVerify, At: at}, explain.TopicVerify, "The verification failed and is tried again at Mar 4 05:06:07 UTC."},
		{engine.RetryScheduled{Task: engine.TaskCheck, At: at}, explain.TopicVerify, "The check failed and is tried again at Mar 4 05:06:07 UTC."},
		{engine.RetryScheduled{Task: engine.TaskUndo, At: at}, explain.TopicAction, "The undoing failed and is tried again at Mar 4 05:06:07 UTC."},
		{engine.Replanned{Reason: "its health is old", Stale: true}, explain.TopicPlan, "The plan is made anew: its health is old."},
		{engine.Replanned{Reason: "it changed"}, explain.TopicPlan, "The plan no longer holds and is made anew: it changed."},
		{engine.RunHeld{Guard: "cooldown", Until: at, Reason: "10m"}, explain.TopicGuard, "Held by cooldown, judged again at Mar 4 05:06:07 UTC: 10m."},
		{
			engine.RunAllowed{Attempt: 0, Spends: []engine.Spend{{Budget: "fleet"}, {Budget: "namespace", Key: "production"}}},
			explain.TopicGuard,
			"All guards let attempt 1 act; it counts against budget fleet, namespace of production.",
		},
		{engine.ActionSkipped{Action: 1, Reason: "it is so already"}, explain.TopicAction, "Action 2 is skipped, as it finds nothing to change: it is so already."},
		{engine.ApprovalAsked{Plan: "abc", Until: at}, explain.TopicPerson, "Waits until Mar 4 05:06:07 UTC for a person to approve plan abc."},
		{engine.ApprovalGiven{Plan: "abc", By: "kim"}, explain.TopicPerson, "kim approved plan abc."},
		{engine.VerifyStarted{Until: at}, explain.TopicVerify, "Waits for the cure to show until Mar 4 05:06:07 UTC."},
		{
			engine.VerifyWaiting{Until: at, Reason: "waits for the alert to resolve"},
			explain.TopicVerify,
			"Not confirmed yet, at most until Mar 4 05:06:07 UTC: waits for the alert to resolve.",
		},
		{engine.AttemptFailed{Attempt: 1, Reason: "not ready"}, explain.TopicVerify, "Attempt 2 did not cure: not ready."},
		{engine.UndoStarted{Attempt: 1, Reason: "not ready"}, explain.TopicAction, "Attempt 2 did not cure, and what it did is put back: not ready."},
		{
			engine.UndoStarted{Reason: "the alert resolved", Ends: engine.Restored},
			explain.TopicAction,
			"The time of what attempt 1 did is over, and it is put back: the alert resolved.",
		},
		{engine.UndoStarted{Reason: "denied by kim", Ends: engine.Denied}, explain.TopicAction, "What attempt 1 did is put back before the run ends: denied by kim."},
		{
			engine.RunStanding{Reason: "verified: http"},
			explain.TopicAction,
			"Stays as it is until the alert resolves, and is put back then: verified: http.",
		},
		{
			engine.RunParked{Reason: "no answer", Until: at},
			explain.TopicAction,
			"It is not known what became of the action; a person is asked until Mar 4 05:06:07 UTC: no answer.",
		},
		{engine.RunEnded{Outcome: engine.Cured, Reason: "verified: http"}, explain.TopicEnd, "Cured: verified: http."},
		{engine.RunEnded{Outcome: engine.Restored, Reason: "put back: scale"}, explain.TopicEnd, "Restored as it was before: put back: scale."},
		{
			engine.Escalated{Routes: []engine.Route{{Reporter: "slack", To: "#ops"}, {Reporter: "log"}}, Reason: "not cured"},
			explain.TopicPerson,
			"People are asked through slack #ops, log: not cured.",
		},
		{engine.ScopePaused{Scope: "all", By: "kim", Reason: "deploy"}, explain.TopicPerson, "kim paused all: deploy."},
		{engine.ScopeResumed{Scope: "all"}, explain.TopicPerson, "Somebody resumed all."},
		{
			engine.CommandRefused{Command: engine.Command{Verb: engine.Approve, By: "kim"}, Reason: "it has ended"},
			explain.TopicPerson,
			"The command approve by kim changed nothing: it has ended.",
		},
		{engine.RulesLoaded{Digest: "d", Sources: []engine.Source{{}}}, explain.TopicSystem, "Rule set d is in force, from 1 file."},
		{engine.Pruned{Before: at}, explain.TopicSystem, "What ended before Mar 4 05:06:07 UTC is no longer kept in memory."},
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for _, s := range sayings() {
		if got := explain.Sentence(s.event); got != s.sentence {
			t.Errorf("%s:\nsays  %q\nwants %q", s.event.Kind(), got, s.sentence)
		}
		if got := explain.Topic(s.event); got != s.topic {
			t.Errorf("%s is about %q, want %q", s.event.Kind(), got, s.topic)
		}
	}
}

// engineSource visits everything that the engine's source declares.
func engineSource(t *testing.T, visit func(ast.Node) bool) {
	t.Helper()
	files, err := filepath.Glob("../engine/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source of the engine: %v", err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, visit)
	}
}

func literal(t *testing.T, e ast.Expr) string {
	t.Helper()
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		t.Fatalf("%T is no literal", e)
	}
	s, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// constantsOf are the values of the engine's constants of a string type.
func constantsOf(t *testing.T, typeName string) []string {
	t.Helper()
	var values []string
	engineSource(t, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typeName && len(spec.Values) == 1 {
				values = append(values, literal(t, spec.Values[0]))
			}
		}
		return true
	})
	if len(values) < 3 {
		t.Fatalf("found only %q of type %s", values, typeName)
	}
	return values
}

func TestEveryEventHasASentence(t *testing.T) {
	t.Parallel()
	have := map[string]bool{}
	for _, s := range sayings() {
		have[s.event.Kind()] = true
		if strings.HasPrefix(explain.Sentence(s.event), "Event ") {
			t.Errorf("%s has no sentence of its own", s.event.Kind())
		}
	}
	kinds := 0
	engineSource(t, func(n ast.Node) bool {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Name.Name != "Kind" || f.Recv == nil {
			return true
		}
		kinds++
		ret, ok := f.Body.List[0].(*ast.ReturnStmt)
		if !ok {
			t.Fatalf("a Kind does more than return")
		}
		if kind := literal(t, ret.Results[0]); !have[kind] {
			t.Errorf("event %s has no sentence, or no test of it", kind)
		}
		return true
	})
	if kinds != len(have) {
		t.Errorf("the engine has %d kinds of events, the test %d", kinds, len(have))
	}
}

func TestEveryOutcomeClassAndTaskHasWords(t *testing.T) {
	t.Parallel()
	for typeName, say := range map[string]func(string) string{
		"RunFinal": func(v string) string { return explain.Sentence(engine.RunEnded{Outcome: engine.RunFinal(v)}) },
		"Class": func(v string) string {
			return explain.Sentence(engine.TaskAnswered{Result: engine.Result{Failure: &engine.Failure{Class: engine.Class(v)}}})
		},
		"TaskKind": func(v string) string {
			return explain.Sentence(engine.TaskIssued{Task: engine.Task{Kind: engine.TaskKind(v)}})
		},
	} {
		fallback := say("never-heard-of")
		values := constantsOf(t, typeName)
		var all []string
		for _, v := range values {
			s := say(v)
			all = append(all, s)
			if s == strings.ReplaceAll(fallback, "never-heard-of", v) {
				t.Errorf("%s %q has no words of its own: %q", typeName, v, s)
			}
		}
		slices.Sort(all)
		if len(slices.Compact(all)) != len(values) {
			t.Errorf("two of %s %q are told in the same words", typeName, values)
		}
	}
}

func FuzzASentenceIsOneCleanLine(f *testing.F) {
	f.Add("Service\x1b[2JDown", "am\nfake: cured", "x\u202ey")
	f.Add(strings.Repeat("long ", 1000), "", "\xff\xfe")
	f.Fuzz(func(t *testing.T, name, reason, by string) {
		for _, ev := range []engine.Event{
			engine.AlertOpened{Alert: alert.Alert{Name: name, Source: reason, Severity: by}},
			engine.RunHeld{Guard: name, Reason: reason},
			engine.CommandRefused{Command: engine.Command{Verb: engine.Verb(name), By: by}, Reason: reason},
			engine.RunStarted{Rule: name, Target: engine.Target{System: by, Name: reason}},
		} {
			s := explain.Sentence(ev)
			if len([]rune(s)) > 1002 {
				t.Errorf("%d characters", len([]rune(s)))
			}
			for _, r := range s {
				if !unicode.IsPrint(r) {
					t.Errorf("%q has %U", s, r)
				}
			}
		}
	})
}
