package exec_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/exec"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// lamps is a service that the helper works on. Each lamp remembers who switched it.
type lamps struct {
	mu   sync.Mutex
	each map[string][]string
}

func (l *lamps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender is gone
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	name, undo := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/undo")
	by := l.each[name]
	back := "undo of " + string(body)
	switch task := r.URL.Query().Get("task"); {
	case task != "" && !slices.Contains(by, task):
		w.WriteHeader(http.StatusNotFound)
	case r.Method != http.MethodPost, undo && slices.Contains(by, back):
	case !undo:
		l.each[name] = append(by, string(body))
	case len(by) == 0 || by[len(by)-1] != string(body):
		w.WriteHeader(http.StatusConflict)
	default:
		l.each[name] = append(by, back)
	}
}

func (l *lamps) switched(name string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.each[name])
}

func (l *lamps) scene() remediatortest.Scene {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := fmt.Sprintf("lamp-%d", len(l.each))
	l.each[name] = nil
	return remediatortest.Scene{
		Task: engine.Task{
			Target: engine.Target{System: engine.SystemHTTP, Name: name},
			Params: json.RawMessage(fmt.Sprintf(`{"command": "switch", "args": [%q]}`, name)),
		},
		Effects: func(*testing.T) int {
			return len(slices.DeleteFunc(l.switched(name), func(by string) bool { return by == "somebody" }))
		},
		Change: func(*testing.T) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.each[name] = append(l.each[name], "somebody")
		},
		State: func(*testing.T) string { return fmt.Sprintf("on is %t", len(l.switched(name))%2 == 1) },
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	exits := map[int]engine.Class{exTempFail: engine.ClassRetryable, exUsage: engine.ClassTerminal, exChanged: engine.ClassPlanChanged}
	answers := []remediatortest.Answer{
		{Status: http.StatusForbidden, Want: engine.ClassTerminal},
		{Status: http.StatusTooManyRequests, Want: engine.ClassRetryable},
		{Status: http.StatusConflict, Want: engine.ClassPlanChanged},
		{Status: http.StatusInternalServerError, Want: engine.ClassUnknown},
		{Status: http.StatusFound, Header: http.Header{"Location": {"/elsewhere"}}, Want: engine.ClassUnknown},
	}
	for name, spoil := range map[string]func(c *exec.Command){
		"one that plans and observes": func(c *exec.Command) { c.Plan, c.Observe = []string{}, []string{} },
		"one that is blind":           func(*exec.Command) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := &lamps{each: map[string][]string{}}
			server := httptest.NewServer(service)
			t.Cleanup(server.Close)
			open := func(t *testing.T, end remediatortest.End) remediatortest.Bench {
				lamp := helping("lamp", map[string]string{"URL": end.URL})
				lamp.Accepts, lamp.Exits, lamp.Undo = []string{"lamp-[0-9]+"}, exits, "back"
				back := lamp
				spoil(&lamp)
				back.Idempotent, back.Stdin, back.Undo = true, true, ""
				commands, err := exec.NewCommands(map[string]exec.Command{"switch": lamp, "back": back})
				if err != nil {
					t.Fatal(err)
				}
				return remediatortest.Bench{
					Remediator: exec.NewRun(commands),
					Fresh:      func(*testing.T) remediatortest.Scene { return service.scene() },
					Missing: engine.Task{
						Target: engine.Target{System: engine.SystemHTTP, Name: "lamp"},
						Params: json.RawMessage(`{"command": "shutdown"}`),
					},
				}
			}
			remediatortest.Run(t, remediatortest.Subject{
				Target: server.URL, Protocol: remediatortest.HTTP1, Answers: answers, Open: open, Secrets: []string{token},
			})
		})
	}
}
