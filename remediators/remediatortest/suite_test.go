package remediatortest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// store is a target with versions: PUT with If-Match, and the task's id in the
// body. It remembers all tasks.
type store struct {
	mu    sync.Mutex
	lamps map[string]*lamp
}

type lamp struct {
	Version int      `json:"version"`
	Tasks   []string `json:"tasks"`
	// Others counts changes that were no task's.
	Others int `json:"others"`
}

// undoneBy is what an undo of a task is remembered as.
func undoneBy(task string) string { return "undo of " + task }

// on is the lamp's state: a task switches it, and so does whoever undoes it.
func (l *lamp) on() bool { return (len(l.Tasks)+l.Others)%2 == 1 }

func (l *lamp) has(task string) bool { return slices.Contains(l.Tasks, task) }

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.lamps[r.URL.Path]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if r.Method == http.MethodPut {
		task, err := io.ReadAll(r.Body)
		if match := r.Header.Get("If-Match"); err != nil || match != "" && match != strconv.Itoa(l.Version) {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		l.Version++
		l.Tasks = append(l.Tasks, string(task))
	}
	if err := json.NewEncoder(w).Encode(l); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// switcher is a sound remediator of a store, unless a flaw is named.
type switcher struct {
	url, flaw string
	client    *http.Client
	// told is what the flaw "remembers" goes by instead of the target.
	told *sync.Map
}

const password = "hunter2"

func (s switcher) Spec() remediators.Spec {
	schema := `{"type": "object", "additionalProperties": false}`
	if s.flaw == "loose schema" {
		schema = `{"type": "object"}`
	}
	return remediators.Spec{Name: "lamp.switch", System: "lamp", Summary: "Switches a lamp.", Params: json.RawMessage(schema), Fenced: true}
}

func (s switcher) ask(ctx context.Context, method, name, match, body string) (lamp, int, error) {
	var l lamp
	req, err := http.NewRequestWithContext(ctx, method, s.url+"/"+name, strings.NewReader(body))
	if err != nil {
		return l, 0, fmt.Errorf("request: %w", err)
	}
	req.GetBody = nil // or net/http may send it again
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return l, 0, fmt.Errorf("%s: %w", method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&l); err != nil {
			return l, 0, fmt.Errorf("answer: %w", err)
		}
	}
	return l, resp.StatusCode, nil
}

func (s switcher) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	if t.Target.System != "lamp" || len(t.Params) > 0 && string(t.Params) != "{}" {
		return engine.Plan{}, remediators.Terminal("task %s is none of a lamp", t.ID)
	}
	l, status, err := s.ask(ctx, http.MethodGet, t.Target.Name, "", "")
	switch {
	case err != nil:
		return engine.Plan{}, remediators.Retryable(0, "plan: %w", err)
	case status != http.StatusOK && s.flaw == "missing is retryable":
		return engine.Plan{}, remediators.Retryable(0, "plan: %d", status)
	case status != http.StatusOK:
		return engine.Plan{}, remediators.Terminal("plan: %d", status)
	}
	p := engine.Plan{Target: t.Target, Summary: fmt.Sprintf("switch it, after %d others", l.Others), Precondition: fmt.Appendf(nil, "%d", l.Version)}
	switch s.flaw {
	case "plan changes":
		_, _, err = s.ask(ctx, http.MethodPut, t.Target.Name, "", t.ID)
	case "plan differs":
		p.Summary += " for " + t.ID
	case "tells secrets":
		p.Summary += " with " + password
	}
	return p, err
}

func (s switcher) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	match := string(p.Precondition)
	if s.flaw == "no fence" {
		match = ""
	}
	if ctx.Err() != nil {
		return engine.Outcome{}, remediators.Retryable(0, "not sent: %w", ctx.Err())
	}
	l, status, err := s.ask(ctx, http.MethodPut, p.Target.Name, match, t.ID)
	if s.flaw == "sends again" && err != nil {
		l, status, err = s.ask(ctx, http.MethodPut, p.Target.Name, "", t.ID)
	}
	switch {
	case err != nil && strings.Contains(err.Error(), "connection refused"):
		return engine.Outcome{}, remediators.Retryable(0, "not sent: %w", err)
	case err != nil && s.flaw == "doubt is terminal":
		return engine.Outcome{}, remediators.Terminal("sent: %w", err)
	case err != nil && s.flaw == "unclassified":
		return engine.Outcome{}, errors.New("sent")
	case err != nil:
		return engine.Outcome{}, remediators.UnknownOutcome("sent: %w", err)
	case status == http.StatusOK && (len(l.Tasks) > 0 || s.flaw == "believes anybody"):
		s.told.Store(t.ID, true)
		return engine.Outcome{Summary: "switched"}, s.warmUp(ctx, t)
	case status == http.StatusPreconditionFailed:
		if effect, err := s.Observe(ctx, t, p); effect == engine.Applied && err == nil {
			return engine.Outcome{Summary: "switched"}, nil
		}
		return engine.Outcome{}, remediators.PlanChanged("it was switched")
	case status == http.StatusTooManyRequests:
		return engine.Outcome{}, remediators.Retryable(7e9, "later")
	case status >= 400 && status < 500:
		return engine.Outcome{}, remediators.Terminal("refused: %d", status)
	}
	return engine.Outcome{}, remediators.UnknownOutcome("answered %d", status)
}

// warmUp is what a lamp takes its time for after it was switched.
func (s switcher) warmUp(ctx context.Context, t engine.Task) error {
	kept := strconv.Quote(t.ID)
	if s.flaw == "keeps secrets" {
		kept = strconv.Quote(password)
	}
	if err := remediators.Checkpoint(ctx, json.RawMessage(kept)); err != nil && !errors.Is(err, remediators.ErrNotKept) {
		return remediators.UnknownOutcome("checkpoint: %w", err)
	}
	if ctx.Err() != nil && s.flaw != "does not wait" {
		return remediators.UnknownOutcome("it is getting warm: %w", ctx.Err())
	}
	return nil
}

func (s switcher) Undo(ctx context.Context, t engine.Task, _ engine.Outcome) error {
	l, status, err := s.ask(ctx, http.MethodGet, t.Target.Name, "", "")
	mark := undoneBy(t.Undoes)
	switch {
	case err != nil || status != http.StatusOK:
		return remediators.Retryable(0, "undo: %d, %w", status, err)
	case l.has(mark) && s.flaw != "undoes again":
		return nil
	case l.Others > 0 && s.flaw != "undoes anything":
		return remediators.PlanChanged("it was switched since")
	}
	match := strconv.Itoa(l.Version)
	if s.flaw == "undoes without a fence" {
		match = ""
	}
	l, status, err = s.ask(ctx, http.MethodPut, t.Target.Name, match, mark)
	switch {
	case err != nil && s.flaw == "doubtful undo is terminal":
		return remediators.Terminal("sent: %w", err)
	case err != nil:
		return remediators.UnknownOutcome("sent: %w", err)
	case status != http.StatusOK || !l.has(mark):
		return remediators.UnknownOutcome("answered %d", status)
	}
	return nil
}

func (s switcher) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	if s.flaw == "remembers" {
		if _, ok := s.told.Load(t.ID); ok {
			return engine.Applied, nil
		}
		return engine.NotApplied, nil
	}
	l, status, err := s.ask(ctx, http.MethodGet, p.Target.Name, "", "")
	if err != nil || status != http.StatusOK {
		return engine.Unknown, remediators.Retryable(0, "observe: %d, %w", status, err)
	}
	for _, task := range l.Tasks {
		if task == t.ID || s.flaw == "sees others" {
			return engine.Applied, nil
		}
	}
	return engine.NotApplied, nil
}

func subject(t *testing.T, flaw string) remediatortest.Subject {
	t.Helper()
	target := &store{lamps: map[string]*lamp{}}
	server := httptest.NewServer(target)
	t.Cleanup(server.Close)
	return remediatortest.Subject{
		Target: server.URL, Protocol: remediatortest.HTTP1, Secrets: []string{password},
		Open: func(_ *testing.T, end remediatortest.End) remediatortest.Bench {
			client := &http.Client{
				Transport:     &http.Transport{DisableKeepAlives: true},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			return remediatortest.Bench{
				Remediator: switcher{url: end.URL, flaw: flaw, client: client, told: &sync.Map{}},
				Fresh:      func(*testing.T) remediatortest.Scene { return target.scene() },
				Missing:    engine.Task{Target: engine.Target{System: "lamp", Name: "nobody"}},
			}
		},
	}
}

func (s *store) scene() remediatortest.Scene {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, l := fmt.Sprintf("lamp-%d", len(s.lamps)), &lamp{Tasks: []string{}}
	s.lamps["/"+name] = l
	return remediatortest.Scene{
		Task: engine.Task{Target: engine.Target{System: "lamp", Name: name}},
		Effects: func(*testing.T) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(l.Tasks)
		},
		Change: func(*testing.T) {
			s.mu.Lock()
			defer s.mu.Unlock()
			l.Version++
			l.Others++
		},
		State: func(*testing.T) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return fmt.Sprintf("on is %t", l.on())
		},
	}
}

// flawVariable has this test's own binary run the suite on a flawed remediator.
const flawVariable = "REMEDIATORTEST_FLAW"

func TestSoundRemediatorPasses(t *testing.T) {
	t.Parallel()
	remediatortest.Run(t, subject(t, os.Getenv(flawVariable)))
}

// TestFlawsAreCaught holds that the suite finds each flaw, and which of its tests
// does.
func TestFlawsAreCaught(t *testing.T) {
	t.Parallel()
	for flaw, test := range map[string]string{
		"loose schema":         "unknown_parameters_are_refused",
		"missing is retryable": "a_missing_target_is_terminal",
		"plan changes":         "plan_changes_nothing_and_is_repeatable",
		"plan differs":         "plan_changes_nothing_and_is_repeatable",
		"tells secrets":        "plan_changes_nothing_and_is_repeatable",
		"no fence":             "a_late_call_is_refused",
		"sends again":          "a_lost_answer",
		"doubt is terminal":    "a_lost_answer",
		"unclassified":         "a_lost_request",
		"believes anybody":     "a_stranger's_success_is_doubted",
		"remembers":            "a_lost_answer",
		"sees others":          "a_task_is_told_from_others",
		"does not wait":        "killed_while_the_target_makes_the_change",
		"keeps secrets":        "killed_while_the_target_makes_the_change",

		"undoes again":              "undo_puts_back",
		"undoes anything":           "undo_refuses_what_was_changed_since",
		"undoes without a fence":    "a_late_undo_is_refused",
		"doubtful undo is terminal": "a_lost_undo",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSoundRemediatorPasses$")
			again.Env = append(os.Environ(), flawVariable+"="+flaw)
			out, err := again.CombinedOutput()
			if _, failed := errors.AsType[*exec.ExitError](err); !failed {
				t.Fatalf("the suite passes it: %v\n%s", err, out)
			}
			if want := "--- FAIL: TestSoundRemediatorPasses/" + test + " "; !strings.Contains(string(out), want) {
				t.Errorf("caught, but not by %s:\n%s", test, out)
			}
			if strings.Contains(string(out), "panic:") {
				t.Errorf("the suite panics:\n%s", out)
			}
		})
	}
}
