package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/manual"
)

func TestWorkerPrintsWhatOneBeginsFrom(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{"task": manual.TaskSchema, "result": manual.ResultSchema} {
		if out, code := called(t, "", "worker", "schema", kind); code != 0 || out != want {
			t.Errorf("schema %s ends with %d:\n%s", kind, code, out)
		}
	}
	dir := filepath.Join(t.TempDir(), "new")
	out, code := called(t, "", "worker", "example", "python", "--out", dir)
	if code != 0 || !strings.Contains(out, filepath.Join(dir, "worker.py")) {
		t.Errorf("example ends with %d:\n%s", code, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "nats.py"))
	if err != nil || len(text) == 0 {
		t.Error(err)
	}
	if out, code := called(t, "", "worker", "example", "python", "--out", dir); code != exitFailure || !strings.Contains(out, "exists") {
		t.Errorf("a second time it ends with %d:\n%s", code, out)
	}
	if out, code := called(t, "", "worker", "example", "cobol"); code != exitFailure {
		t.Errorf("an example in cobol ends with %d:\n%s", code, out)
	}
}

func TestWorkerConformance(t *testing.T) {
	t.Parallel()
	out, code := called(t, "", "worker", "conformance", "--action", "a.b", "--", "sh", "-c", "echo no worker; exit 1")
	if code != exitFindings || !strings.Contains(out, "FAILED") || !strings.Contains(out, "no worker") {
		t.Errorf("ends with %d:\n%s", code, out)
	}
	for want, args := range map[string][]string{
		"--target": {"--action", "a.b", "--target", "shop", "--", "sh"},
		"no JSON":  {"--action", "a.b", "--params", "{", "--", "sh"},
		"action":   {"--", "sh"},
	} {
		out, code := called(t, "", append([]string{"worker", "conformance"}, args...)...)
		if code != exitFailure || !strings.Contains(out, want) {
			t.Errorf("%v ends with %d:\n%s", args, code, out)
		}
	}
}
