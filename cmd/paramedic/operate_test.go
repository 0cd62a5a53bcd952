package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

// said is what a command printed.
type said struct {
	out, err string
	failed   error
}

// person is somebody who types commands.
type person struct {
	server string
	// env has more variables; answers is what they type, nil for no terminal.
	env     map[string]string
	answers *string
}

func (p person) runs(t *testing.T, args ...string) said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out, errs bytes.Buffer
	err := p.start(ctx, &out, &errs, args...)
	return said{out.String(), errs.String(), err}
}

func (p person) start(ctx context.Context, out, errs io.Writer, args ...string) error {
	env := environment{
		getenv: func(name string) string {
			if name == "PARAMEDIC_SERVER" {
				return p.server
			}
			return p.env[name]
		},
		terminal: func(io.Reader) bool { return p.answers != nil },
	}
	root := &cobra.Command{Use: "paramedic", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(newRunsCmd(env), newApproveCmd(env), newDenyCmd(env), newPauseCmd(env), newResumeCmd(env), newLedgerCmd(env), newQuarantineCmd(env), newTriggerCmd(env))
	root.SetOut(out)
	root.SetErr(errs)
	root.SetIn(strings.NewReader(""))
	if p.answers != nil {
		root.SetIn(strings.NewReader(*p.answers))
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

func (s said) has(t *testing.T, words ...string) said {
	t.Helper()
	if s.failed != nil {
		t.Errorf("failed: %v", s.failed)
	}
	for _, w := range words {
		if !strings.Contains(s.out+s.err, w) {
			t.Errorf("does not say %q:\n%s%s", w, s.out, s.err)
		}
	}
	return s
}

func (s said) fails(t *testing.T, words ...string) {
	t.Helper()
	if s.failed == nil {
		t.Fatalf("did not fail:\n%s", s.out)
	}
	for _, w := range words {
		if !strings.Contains(s.failed.Error(), w) {
			t.Errorf("fails with %q, which does not say %q", s.failed, w)
		}
	}
}

func cure(w *webtest.World, service string) string {
	run := w.Fire(webtest.Auto, service)
	w.Plan()
	w.Execute()
	w.Resolve(webtest.Auto, service)
	return run
}

func TestRunsListAndShow(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	p.runs(t, "runs", "list").has(t, "No runs.")
	run := cure(w, "one")
	waiting := w.Fire(webtest.Approved, "two")
	plan := w.Plan().Digest()
	p.runs(t, "runs", "list").has(t, run, waiting, "service-down", "http/one", "cured", "awaiting-approval")
	if s := p.runs(t, "runs", "list", "--state", "ended"); strings.Contains(s.out, waiting) {
		t.Errorf("listed a run that goes on:\n%s", s.out)
	}
	p.runs(t, "runs", "list", "--limit", "1").has(t, "and 1 more")
	p.runs(t, "runs", "list", "--outcome", "fixed").fails(t, "outcome")
	var runs api.Runs
	if err := json.Unmarshal([]byte(p.runs(t, "runs", "list", "-o", "json").out), &runs); err != nil || len(runs.Runs) != 2 {
		t.Errorf("%+v, %v", runs, err)
	}
	p.runs(t, "runs", "show", run).has(t,
		"Rule service-down (mode auto) starts on http/one", "restart one", "generation: 1 -> 2", "All guards let attempt 1 act",
		"Done: restarted one", "waits for the alert to resolve", "Cured", "ServiceDown critical from alertmanager")
	p.runs(t, "runs", "show", waiting).has(t, "paramedic approve "+waiting+" --plan "+plan)
	var d api.RunDetail
	if err := json.Unmarshal([]byte(p.runs(t, "runs", "show", run, "--output", "json").out), &d); err != nil || d.Run.Outcome != engine.Cured {
		t.Errorf("%+v, %v", d, err)
	}
	p.runs(t, "runs", "show", "rnever").fails(t, "rnever", "not known")
	p.runs(t, "runs", "list", "--output", "yaml").fails(t, "text or json")
}

func TestRunsWatch(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	run := w.Fire(webtest.Auto, "one")

	// The run goes on while it is watched.
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- p.start(t.Context(), writer, io.Discard, "runs", "watch", run, "--exit")
		_ = writer.Close() // a pipe's end cannot fail
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(reader, first); err != nil {
		t.Fatal(err)
	}
	all := make(chan string, 1)
	go func() {
		b, err := io.ReadAll(reader)
		if err != nil {
			t.Error(err)
		}
		all <- string(b)
	}()
	w.Plan()
	w.Execute()
	w.Resolve(webtest.Auto, "one")
	if err := <-done; err != nil {
		t.Errorf("the run was cured, and watch ended with %v", err)
	}
	if out := <-all; strings.Count(out, "\n") != 11 || !strings.Contains(out, "Cured") {
		t.Errorf("watched:\n%s", out)
	}

	p.runs(t, "runs", "watch", run, "--exit").has(t, "Cured")
	cancelled := w.Fire(webtest.Approved, "two")
	w.Plan()
	p.runs(t, "runs", "cancel", cancelled, "--reason", "enough").has(t, "is cancelled")
	if s := p.runs(t, "runs", "watch", cancelled, "--exit", "-o", "json"); !errors.Is(s.failed, errFindings) {
		t.Errorf("a run that was not cured ended watch with %v", s.failed)
	}
	p.runs(t, "runs", "watch", "--exit").fails(t, "--exit needs a run")
	p.runs(t, "runs", "watch", "rnever").fails(t, "not known")

	// Without --exit it is the interrupt that ends it.
	ctx, interrupt := context.WithCancel(t.Context())
	reader, writer = io.Pipe()
	go func() {
		done <- p.start(ctx, writer, io.Discard, "runs", "watch", "--from", "1")
		_ = writer.Close() // a pipe's end cannot fail
	}()
	if _, err := io.ReadFull(reader, first); err != nil {
		t.Fatal(err)
	}
	interrupt()
	if _, err := io.Copy(io.Discard, reader); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Errorf("interrupted, watch ended with %v", err)
	}
}

func TestApproveAndDeny(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	run := w.Fire(webtest.Approved, "one")
	yes, no, silent := "yes\n", "no\n", ""
	at := func(answer *string) person { return person{server: w.URL, answers: answer} }
	at(&yes).runs(t, "approve", run).fails(t, "does not wait for approval")
	plan := w.Plan().Digest()
	p.runs(t, "approve", run).fails(t, "--plan")
	at(&no).runs(t, "approve", run).fails(t, "nothing was changed")
	at(&silent).runs(t, "approve", run).fails(t, "nothing was changed")
	p.runs(t, "approve", run, "--plan", "other").fails(t, plan)
	at(&yes).runs(t, "approve", run).has(t, "restart one", "generation: 1 -> 2", plan, "is approved: executing")
	w.Execute()

	second := w.Fire(webtest.Approved, "two")
	p.runs(t, "approve", second, "--plan", w.Plan().Digest()).has(t, "is approved")
	w.Execute()

	third := w.Fire(webtest.Approved, "three")
	w.Plan()
	p.runs(t, "deny", third, "--reason", "not now").has(t, "is denied: denied")
	p.runs(t, "runs", "show", third).has(t, "not now")
	p.runs(t, "deny", third).fails(t, "has ended")
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	p.runs(t, "pause", "--list").has(t, "Nothing is paused.")
	p.runs(t, "pause", "--reason", "fire drill").has(t, "all is paused", "Active runs in this scope: 0")
	p.runs(t, "pause", "rule/x", "-o", "json").has(t, `"enforced": true`)
	p.runs(t, "pause", "--list").has(t, "all", "rule/x", "fire drill", "anonymous")
	p.runs(t, "pause", "everything").fails(t, "everything")
	p.runs(t, "resume").has(t, "all is resumed")
	// Until the engine has read it, the ledger says that it is paused, and it is resumed again.
	again := p.runs(t, "resume")
	for again.failed == nil && t.Context().Err() == nil {
		again = p.runs(t, "resume")
	}
	again.fails(t, "not paused")
	if on, err := w.Bus.Pauses().List(t.Context()); err != nil || len(on) != 1 || on["rule/x"] == nil {
		t.Errorf("the workers see %v, %v", on, err)
	}
}

func TestLedgerVerifyAndExport(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	cure(w, "one")
	var first proof
	if err := json.Unmarshal([]byte(p.runs(t, "ledger", "verify", "-o", "json").has(t).out), &first); err != nil || !first.Intact {
		t.Fatalf("%+v, %v", first, err)
	}
	cure(w, "two")
	p.runs(t, "ledger", "verify", "--anchor", first.Head).has(t, "each follows from the one before")
	file := filepath.Join(t.TempDir(), "ledger.ndjson")
	p.runs(t, "ledger", "export", "--file", file).has(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if s := p.runs(t, "ledger", "export").has(t); s.out != string(whole) {
		t.Error("the export to a file is another than the one to standard output")
	}
	last, err := w.Bus.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(whole, []byte("\n")); uint64(n) != last {
		t.Errorf("%d lines of %d records", n, last)
	}
	nobody := person{server: "http://127.0.0.1:1"}
	nobody.runs(t, "ledger", "verify", file).has(t, "each follows")
	answers := string(whole)
	person{server: nobody.server, answers: &answers}.runs(t, "ledger", "verify", "-").has(t, "each follows")
	nobody.runs(t, "ledger", "verify").fails(t, "cannot be reached")
	nobody.runs(t, "ledger", "verify", filepath.Join(t.TempDir(), "none")).fails(t, "none")
}

func TestAnExportThatFailsLeavesNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nobody := person{server: "http://127.0.0.1:1"}
	nobody.runs(t, "ledger", "export", "--file", filepath.Join(dir, "x")).fails(t, "cannot be reached")
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestLedgerVerifyFindsWhatWasChanged(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	cure(w, "one")
	exported := p.runs(t, "ledger", "export").has(t).out
	lines := strings.SplitAfter(strings.TrimSuffix(exported, "\n"), "\n")
	head := ledger.Hash([]byte(lines[len(lines)-1]))
	for name, c := range map[string]struct {
		change func([]string) string
		words  string
	}{
		"a byte": {func(l []string) string {
			return l[0] + strings.Replace(l[1], "critical", "harmless", 1) + strings.Join(l[2:], "")
		}, "BROKEN at record 3"},
		"a record left out": {func(l []string) string { return l[0] + strings.Join(l[2:], "") }, "BROKEN at record 2"},
		"two swapped":       {func(l []string) string { return l[0] + l[2] + l[1] + strings.Join(l[3:], "") }, "BROKEN at record 2"},
		"one twice":         {func(l []string) string { return l[0] + l[1] + l[1] + strings.Join(l[2:], "") }, "BROKEN at record 3"},
		"an empty line":     {func(l []string) string { return l[0] + "\n" + strings.Join(l[1:], "") }, "BROKEN at record 2"},
		"space at the end": {func(l []string) string {
			return l[0] + strings.TrimSuffix(l[1], "\n") + " \n" + strings.Join(l[2:], "")
		}, "BROKEN at record 3"},
		"the beginning gone": {func(l []string) string { return strings.Join(l[1:], "") }, "BROKEN at record 1"},
		"the last one": {func(l []string) string {
			return strings.Join(l[:len(l)-1], "") + strings.Replace(l[len(l)-1], "cured", "cursed", 1)
		}, "no record has the hash"},
		"the end cut off": {func(l []string) string { return strings.Join(l[:len(l)-1], "") }, "no record has the hash"},
		"half a record":   {func(l []string) string { return l[0] + l[1][:len(l[1])/2] }, "BROKEN at record 2"},
	} {
		changed := c.change(lines)
		s := person{server: "http://127.0.0.1:1", answers: &changed}.runs(t, "ledger", "verify", "-", "--anchor", head)
		if !errors.Is(s.failed, errFindings) || !strings.Contains(s.out, c.words) {
			t.Errorf("%s: %v, %s", name, s.failed, s.out)
		}
	}
	empty := ""
	person{answers: &empty}.runs(t, "ledger", "verify", "-").fails(t, "proves nothing")
}

func TestHowTheServerIsFound(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, func(o *web.Options) {
		o.API.Auth = web.Auth{Tokens: []web.Token{{Name: "kim", Role: web.Operator, Secret: func() (string, error) { return "right", nil }}}}
	})
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := person{server: "http://127.0.0.1:1"}
	nowhere.runs(t, "pause", "--server", w.URL, "--token-file", file).has(t, "all is paused")
	person{server: w.URL, env: map[string]string{"PARAMEDIC_TOKEN": "right"}}.runs(t, "runs", "list").has(t, "No runs.")
	person{server: w.URL, env: map[string]string{"PARAMEDIC_TOKEN": "wrong"}}.runs(t, "runs", "list", "--token-file", file).has(t, "No runs.")
	s := person{server: w.URL, env: map[string]string{"PARAMEDIC_TOKEN": "wrong"}}.runs(t, "runs", "list")
	if e, ok := errors.AsType[*client.Error](s.failed); !ok || e.Status != 401 || strings.Contains(s.failed.Error(), "wrong") {
		t.Errorf("with a wrong token: %v", s.failed)
	}
	nowhere.runs(t, "runs", "list").fails(t, "cannot be reached")
	nowhere.runs(t, "runs", "list", "--server", "here").fails(t, "here")
	nowhere.runs(t, "runs", "list", "--token-file", filepath.Join(t.TempDir(), "none")).fails(t, "--token-file")
	if err := os.WriteFile(file, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere.runs(t, "runs", "list", "--token-file", file).fails(t, "empty")
}
