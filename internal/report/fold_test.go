package report

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

func start() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// ledger makes records of event groups, one second apart.
func ledger(groups ...[]engine.Event) []Record {
	records := make([]Record, len(groups))
	for i, events := range groups {
		records[i] = Record{Seq: uint64(i) + 1, At: start().Add(time.Duration(i) * time.Second), Events: events}
	}
	return records
}

func group(events ...engine.Event) []engine.Event { return events }

func started(run string, routes ...engine.Route) engine.RunStarted {
	return engine.RunStarted{
		Run: run, Rule: "service-down", RuleSet: "d", Mode: engine.ModeAuto, Episode: "am/f/1",
		Target: engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Pod", Name: run + "-7f-x"},
		Alert: alert.Alert{
			Source: "am", Fingerprint: "f", Name: "ServiceDown", Status: alert.Firing, Severity: "critical",
			Labels: map[string]string{"job": run}, Annotations: map[string]string{"summary": run + " does not answer"}, URL: "http://prometheus/graph",
		},
		Report: routes,
	}
}

func planned(run, summary string) engine.TaskAnswered {
	return engine.TaskAnswered{Run: run, Result: engine.Result{Plan: &engine.Plan{
		Target:  engine.Target{System: engine.SystemKubernetes, Cluster: "korea", Namespace: "production", Kind: "Deployment", Name: run},
		Summary: summary,
	}}}
}

func ended(run string, outcome engine.RunFinal, reason string) engine.RunEnded {
	return engine.RunEnded{Run: run, Outcome: outcome, Reason: reason}
}

// life is a ledger with everything in it that gives a notice.
func life() []Record {
	until := start().Add(time.Hour)
	otherwise := []engine.Route{{Reporter: "pagerduty", To: "platform"}}
	groups := [][]engine.Event{
		group(engine.RulesLoaded{Digest: "d"}, engine.AlertOpened{Episode: "am/f/1"}, started("profile", engine.Route{Reporter: "webhook", To: "ops"})),
		group(planned("profile", "restart Deployment profile")),
		group(engine.RunHeld{Run: "profile", Guard: engine.GuardBudget, Reason: "budget fleet is spent", Until: until}),
		group(engine.RunHeld{Run: "profile", Guard: engine.GuardBudget, Reason: "budget fleet is still spent", Until: until}),
		group(engine.RunHeld{Run: "profile", Guard: engine.GuardPaused, Reason: "all is paused by kim: maintenance", Until: until}),
		group(engine.RunAllowed{Run: "profile", Plan: "p1"}, engine.TaskIssued{Run: "profile"}),
		group(engine.AttemptFailed{Run: "profile", Reason: "not cured: rollout:\n 1 of 2 pods"}),
		group(planned("profile", "roll back Deployment profile to revision 4")),
		group(engine.ApprovalAsked{Run: "profile", Plan: "p2", Until: until}),
		group(engine.ApprovalGiven{Run: "profile", Plan: "p2", By: "lee"}, engine.RunAllowed{Run: "profile", Attempt: 1, Plan: "p2"}),
		group(engine.RunParked{Run: "profile", Reason: "it is not known whether kubernetes.rollback was applied", Until: until},
			engine.Escalated{Run: "profile", Routes: otherwise, Reason: "it is not known"}),
		group(ended("profile", engine.Uncured, "nothing helped"), engine.Escalated{Run: "profile", Routes: otherwise, Reason: "nothing helped"}),
		group(engine.Escalated{Run: "profile", Reason: "a run that is over says no more"}),
		group(engine.RuleFailed{Episode: "am/f/2", Rule: "broken", Reason: "no such label"}),
		group(engine.ScopePaused{Scope: "all", By: "kim", Reason: "maintenance"}, engine.ScopeResumed{Scope: "all", By: "kim"}),
		group(started("relapse"), engine.RunContinued{Run: "relapse", After: "profile", Attempt: 1}, engine.Replanned{Run: "relapse"}),
		group(engine.UndoStarted{Run: "relapse", Attempt: 1, Reason: "not cured: http: 503"},
			engine.AttemptFailed{Run: "relapse", Attempt: 1, Reason: "not cured: http: 503; put back: kubernetes.scale"}),
		group(engine.RunAllowed{Run: "relapse", Attempt: 1, Plan: "p3"}, ended("relapse", engine.Cured, "")),
		group(started("twin"), engine.RunMerged{Run: "twin", Into: "relapse"}),
		group(engine.AttemptFailed{Run: "never-seen", Reason: "its start is not in this ledger"}),
	}
	for _, outcome := range []engine.RunFinal{
		engine.Cured, engine.Uncured, engine.SelfResolved, engine.Observed, engine.Shadowed, engine.HeldBack, engine.Denied,
		engine.Unapproved, engine.Undetermined, engine.Merged, engine.Cancelled, "of-a-later-version",
	} {
		name := "run-" + string(outcome)
		groups = append(groups, group(started(name), ended(name, outcome, "the reason")))
	}
	groups = append(groups,
		group(started("night"), engine.RunAllowed{Run: "night", Plan: "p4"}, engine.RunStanding{Run: "night", Reason: "verified: http"}),
		group(engine.RunHeld{Run: "night", Guard: engine.GuardBusy, Reason: "run relapse is at work on it", Until: until}),
		group(engine.UndoStarted{Run: "night", Reason: "the alert resolved", Ends: engine.Restored},
			ended("night", engine.Restored, "the alert resolved; put back: kubernetes.scale")),
		group(started("denied"), engine.UndoStarted{Run: "denied", Reason: "denied by lee", Ends: engine.Denied}, ended("denied", engine.Denied, "denied by lee")),
	)
	return ledger(groups...)
}

func fold(f *Fold, records []Record) []Notice {
	var all []Notice
	for _, rec := range records {
		all = append(all, f.Apply(rec)...)
	}
	return all
}

func TestNoticesOfALifeAreTheGolden(t *testing.T) {
	var got bytes.Buffer
	encoder := json.NewEncoder(&got)
	encoder.SetEscapeHTML(false)
	for _, n := range fold(NewFold(), life()) {
		if err := encoder.Encode(n); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join("testdata", "life.jsonl")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

func TestAFoldFromTheOldestNeededRecordSaysTheSame(t *testing.T) {
	records := life()
	whole := NewFold()
	for cut := range records {
		whole.Apply(records[cut])
		seq := records[cut].Seq
		oldest := whole.Oldest(seq)
		if oldest > seq+1 {
			t.Fatalf("oldest is %d after record %d", oldest, seq)
		}
		// As after a restart: the records from the oldest are read again, and reported only behind seq.
		again := NewFold()
		fold(again, records[oldest-1:cut+1])
		all := NewFold()
		fold(all, records[:cut+1])
		if got, want := fold(again, records[cut+1:]), fold(all, records[cut+1:]); !reflect.DeepEqual(got, want) {
			t.Fatalf("from record %d after %d: got %v, want %v", oldest, seq, got, want)
		}
	}
	if len(whole.runs) != 0 {
		t.Errorf("%d runs are remembered for ever", len(whole.runs))
	}
}

func TestIDsAreUniqueAndTextsAreOneSentence(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range fold(NewFold(), life()) {
		if seen[n.ID] {
			t.Errorf("id %s is there twice", n.ID)
		}
		seen[n.ID] = true
		if strings.Contains(n.Text, "\n") || !strings.HasSuffix(n.Text, ".") || n.Kind == "" || n.At.IsZero() {
			t.Errorf("got %+v", n)
		}
	}
}

func TestALongSummaryIsCut(t *testing.T) {
	a := alertOf(alert.Alert{Annotations: map[string]string{"description": strings.Repeat("é", 1000)}})
	if n := len([]rune(a.Summary)); n != maxSummary {
		t.Errorf("got %d characters", n)
	}
}
