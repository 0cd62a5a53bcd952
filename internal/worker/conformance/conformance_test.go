package conformance_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/internal/worker/conformance"
)

// workerEnv has this test binary be a worker: see worker_test.go.
const workerEnv = "CONFORMANCE_TEST_WORKER"

func TestMain(m *testing.M) {
	if flaw, is := os.LookupEnv(workerEnv); is {
		if err := runWorker(flaw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// options are those for action flag.set, by which all workers here are tried.
func options(t *testing.T, effects string, command ...string) conformance.Options {
	t.Helper()
	return conformance.Options{
		Command: command, Group: "seoul", Action: "flag.set",
		Target:  engine.Target{System: engine.SystemHTTP, Name: "shop"},
		Params:  []json.RawMessage{json.RawMessage(`{"flag":"beta","on":true}`), json.RawMessage(`{"flag":"beta","on":false}`)},
		Effects: effects, Folder: t.TempDir(), Log: t.Output(), Now: time.Now, NewID: rand.Text,
	}
}

func run(t *testing.T, o conformance.Options) []conformance.Finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	found, err := conformance.Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Logf("%-8s %s: %s", f.Verdict, f.Name, f.Detail)
	}
	return found
}

// passes demands that a worker does everything right.
func passes(t *testing.T, o conformance.Options) {
	t.Helper()
	found := run(t, o)
	if len(found) < 14 {
		t.Errorf("%d tries, want at least 14", len(found))
	}
	for _, f := range found {
		if f.Verdict != conformance.Passed {
			t.Errorf("%s: %s: %s", f.Name, f.Verdict, f.Detail)
		}
	}
}

// write puts an example's files into a folder, as "paramedic worker example" does.
func write(t *testing.T, example string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	files, err := manual.Example(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const didNotRun = "DID NOT RUN: the example needs %s, which is not installed: %v"

// program finds what an example is run with.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf(didNotRun, name, err)
	}
	return path
}

func TestTheExampleInPython(t *testing.T) {
	t.Parallel()
	python := program(t, "python3")
	folder := write(t, "python")
	effects := filepath.Join(folder, "flags.json")
	// -S and -E leave it the standard library only.
	passes(t, options(t, effects, "env", "FLAGS_FILE="+effects, "PYTHONDONTWRITEBYTECODE=1", python, "-S", filepath.Join(folder, "worker.py")))
}

func TestTheExampleInNode(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf(didNotRun, name, err) // make test says so at its end
		}
	}
	node, npm := program(t, "node"), program(t, "npm")
	folder := write(t, "node")
	install := exec.CommandContext(t.Context(), npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("DID NOT RUN: npm could not install the pinned packages: %v\n%s", err, out)
	}
	effects := filepath.Join(folder, "flags")
	passes(t, options(t, effects, "env", "FLAGS_FOLDER="+effects, node, filepath.Join(folder, "worker.js")))
}

func TestOurOwnWorker(t *testing.T) {
	t.Parallel()
	passes(t, own(t, ""))
}

// own is our worker, perhaps with a flaw.
func own(t *testing.T, flaw string) conformance.Options {
	t.Helper()
	effects := filepath.Join(t.TempDir(), "flags.json")
	return options(t, effects, "env", workerEnv+"="+flaw, "FLAGS_FILE="+effects, os.Args[0])
}

// TestAWorkerThatIsNone is given up soon, with its last words.
func TestAWorkerThatIsNone(t *testing.T) {
	t.Parallel()
	found := run(t, options(t, "", "sh", "-c", "echo I am none; exit 1"))
	if len(found) != 1 || found[0].Verdict != conformance.Failed || !strings.Contains(found[0].Detail, "I am none") {
		t.Errorf("found %+v", found)
	}
	o := options(t, "", "sh")
	for _, change := range []func(*conformance.Options){
		func(o *conformance.Options) { o.Command = nil },
		func(o *conformance.Options) { o.Action = "" },
		func(o *conformance.Options) { o.Group = "a.b" },
		func(o *conformance.Options) { o.Params = nil },
		func(o *conformance.Options) { o.Params = []json.RawMessage{json.RawMessage("{")} },
		func(o *conformance.Options) { o.Target = engine.Target{} },
	} {
		bad := o
		change(&bad)
		if found, err := conformance.Run(t.Context(), bad); err == nil {
			t.Errorf("%+v was tried: %v", bad, found)
		}
	}
}

// TestAFlawIsFound: a worker that breaks one promise fails where that is tried.
func TestAFlawIsFound(t *testing.T) {
	t.Parallel()
	for flaw, where := range map[string]string{
		"twice":  "delivered twice",
		"forget": "after the change",
		"guess":  "before the change",
		"late":   "deadline",
		"paused": "kill switch",
		"blind":  "no longer holds",
		"silent": "no JSON",
	} {
		t.Run(flaw, func(t *testing.T) {
			t.Parallel()
			var failed []string
			for _, f := range run(t, own(t, flaw)) {
				if f.Verdict == conformance.Failed {
					failed = append(failed, f.Name)
				}
			}
			if !strings.Contains(strings.Join(failed, "\n"), where) {
				t.Errorf("failed at %q, want at %q", failed, where)
			}
		})
	}
}
