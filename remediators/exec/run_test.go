package exec_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/exec"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func allowed(t *testing.T, c exec.Command) exec.Commands {
	t.Helper()
	commands, err := exec.NewCommands(map[string]exec.Command{"c": c})
	if err != nil {
		t.Fatal(err)
	}
	return commands
}

func task(params string) engine.Task {
	return engine.Task{ID: "run-1", Action: "exec.run", Target: engine.Target{System: "http", Name: "s"}, Params: json.RawMessage(params)}
}

// executed runs a command and gives what it printed.
func executed(ctx context.Context, t *testing.T, c exec.Command, params string) (string, error) {
	t.Helper()
	run, run1 := exec.NewRun(allowed(t, c)), task(params)
	o, err := run.Execute(ctx, run1, engine.Plan{Target: run1.Target})
	var before struct {
		Stdout string `json:"stdout"`
	}
	if err == nil {
		if err := json.Unmarshal(o.Before, &before); err != nil {
			t.Fatal(err)
		}
	}
	return before.Stdout, err
}

// TestSurroundings holds what a command sees: its arguments as they are, and nothing
// of the worker's.
func TestSurroundings(t *testing.T) {
	t.Parallel()
	look := helping("look", nil)
	look.Args, look.Stdin = []string{"own"}, true
	got, err := executed(t.Context(), t, look, `{"command": "c", "args": ["$(id) ; | * \"'\\", "--x"], "stdin": "in\n"}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `args ["own" "$(id) ; | * \"'\\" "--x"]` + "\n" +
		`env ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "HELPER=look" "TOKEN=[secret]" ` +
		`"PARAMEDIC_STEP=run" "PARAMEDIC_TARGET=http/s" "PARAMEDIC_TASK=run-1"]` + "\n" +
		`files ["0 pipe:" "1 pipe:" "2 pipe:"] <nil>, stdin "in\n" <nil>, folder / <nil>, leader true` + "\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	c := helping("exit", nil)
	c.Exits = map[int]engine.Class{75: engine.ClassRetryable, 64: engine.ClassTerminal, 66: engine.ClassPlanChanged}
	for _, idempotent := range []bool{false, true} {
		c.Idempotent = idempotent
		doubt := engine.ClassUnknown
		if idempotent {
			doubt = engine.ClassRetryable
		}
		for status, want := range map[string]engine.Class{
			"0": "", "1": doubt, "255": doubt, "75": engine.ClassRetryable, "64": engine.ClassTerminal, "66": engine.ClassPlanChanged,
		} {
			_, err := executed(t.Context(), t, c, fmt.Sprintf(`{"command": "c", "args": [%q]}`, status))
			switch {
			case want == "" && err != nil, want != "" && remediators.ClassOf(err) != want:
				t.Errorf("status %s: %v, want %q", status, err, want)
			case want != "" && (!strings.Contains(err.Error(), "exit status "+status) || !strings.Contains(err.Error(), "token [secret]")):
				t.Errorf("status %s: %v", status, err)
			}
			if run := exec.NewRun(allowed(t, c)); run.IdempotentFor(task(`{"command": "c", "args": ["1"]}`)) != idempotent {
				t.Errorf("idempotent is %t", !idempotent)
			}
		}
	}
	if _, err := executed(t.Context(), t, helping("kill", nil), `{"command": "c"}`); remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "it was killed") {
		t.Errorf("killed: %v", err)
	}
}

func TestNotStarted(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no such file")
	for name, c := range map[string]struct {
		exec.Command
		plan, execute engine.Class
	}{
		"missing":   {exec.Command{Path: "/does/not/exist"}, engine.ClassTerminal, engine.ClassTerminal},
		"no file":   {exec.Command{Path: "/"}, engine.ClassTerminal, engine.ClassTerminal},
		"not to be": {exec.Command{Path: plain}, engine.ClassTerminal, engine.ClassTerminal},
		"no folder": {exec.Command{Path: "/bin/true", Dir: "/does/not/exist"}, "", engine.ClassTerminal},
		"no secret": {
			exec.Command{Path: "/bin/true", Env: map[string]exec.Variable{"A": {Read: func() (string, error) { return "", broken }, Secret: true}}},
			"", engine.ClassRetryable,
		},
	} {
		run, t1 := exec.NewRun(allowed(t, c.Command)), task(`{"command": "c"}`)
		if _, err := run.Plan(t.Context(), t1); (err == nil) != (c.plan == "") || err != nil && remediators.ClassOf(err) != c.plan {
			t.Errorf("%s: plan: %v", name, err)
		}
		if _, err := run.Execute(t.Context(), t1, engine.Plan{}); remediators.ClassOf(err) != c.execute {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// held reports whether a process still has the lock that the helper takes.
func held(t *testing.T, lock string) bool {
	t.Helper()
	f, err := os.Open(lock)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

// released waits for the kernel to take a killed process down.
func released(t *testing.T, lock string) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for held(t, lock) {
		select {
		case <-deadline:
			t.Fatal("a process of the command lives on")
		case <-tick.C:
		}
	}
}

// TestTimeIsBounded has commands that do not end, and some that do not want to.
func TestTimeIsBounded(t *testing.T) {
	t.Parallel()
	for name, args := range map[string]string{"sleeps": `[]`, "ignores SIGTERM": `["x"]`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock := filepath.Join(t.TempDir(), "lock")
			c := helping("hang", map[string]string{"LOCK": lock})
			c.Timeout = time.Second
			begun := time.Now()
			_, err := executed(t.Context(), t, c, `{"command": "c", "args": `+args+`}`)
			if remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "took too long") {
				t.Errorf("got %v", err)
			}
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("it took %v", took)
			}
			released(t, lock)
		})
	}
	t.Run("longer than the call", func(t *testing.T) {
		t.Parallel()
		lock := filepath.Join(t.TempDir(), "lock")
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := executed(ctx, t, helping("hang", map[string]string{"LOCK": lock}), `{"command": "c", "args": ["x"]}`)
		if remediators.ClassOf(err) != engine.ClassUnknown || ctx.Err() != nil {
			t.Errorf("got %v, by the end of the call: %v", err, ctx.Err())
		}
		released(t, lock)
	})
}

func TestOutputIsBounded(t *testing.T) {
	t.Parallel()
	c := helping("spam", nil)
	c.Timeout = time.Second
	_, err := executed(t.Context(), t, c, `{"command": "c"}`)
	if err == nil || len(err.Error()) > 4<<10 || !strings.Contains(err.Error(), "xxx") || strings.Contains(err.Error(), token) {
		t.Errorf("got %.300v", err)
	}
}

// TestNothingIsLeftInTheGroup has a command end before its child.
func TestNothingIsLeftInTheGroup(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"inside", "outside"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			lock := filepath.Join(t.TempDir(), "lock")
			begun := time.Now()
			got, err := executed(t.Context(), t, helping("leave", map[string]string{"LOCK": lock}), fmt.Sprintf(`{"command": "c", "args": [%q]}`, where))
			var child int
			if _, scanErr := fmt.Sscanf(got, "left %d", &child); err != nil || scanErr != nil {
				t.Fatalf("%q: %v, %v", got, err, scanErr)
			}
			if took := time.Since(begun); took > 8*time.Second {
				t.Errorf("waited %v for a child that holds the output", took)
			}
			if where == "outside" { // which the documentation admits
				if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
					t.Errorf("the child outside the group: %v", err)
				}
			}
			released(t, lock)
		})
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	c := helping("exit", nil)
	c.Probe = true
	deaf := c
	deaf.Probe = false
	commands, err := exec.NewCommands(map[string]exec.Command{"c": c, "deaf": deaf})
	if err != nil {
		t.Fatal(err)
	}
	p, target := exec.NewProbe(commands), engine.Target{System: "http", Name: "s"}
	for params, want := range map[string]bool{`{"command": "c", "args": ["0"]}`: true, `{"command": "c", "args": ["3"]}`: false} {
		check, err := p.Probe(t.Context(), target, json.RawMessage(params))
		if err != nil || check.OK != want || check.Kind != "exec" || !strings.Contains(check.Detail, "token [secret]") {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
	}
	for _, params := range []string{`{"command": "deaf", "args": ["0"]}`, `{"command": "x"}`, `{"command": "c", "stdin": "x"}`, ``, `{"command": "c", "args": ["1", "2", "3"]}`} {
		if check, err := p.Probe(t.Context(), target, json.RawMessage(params)); err == nil || check.OK {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
	}
	schema := remediatortest.Schema(t, p.Spec().Params)
	if !remediatortest.Accepts(t, schema, `{"command": "c", "args": []}`) || remediatortest.Accepts(t, schema, `{"command": "c", "stdin": "x"}`) {
		t.Error("the schema of the probe's parameters")
	}
}
