package backtest_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules/backtest"
)

// story is a short history with something of everything.
func story() history {
	return history{
		firing(0, "Down", "api"),
		firing(10*time.Second, "Slow", "api"),
		firing(30*time.Second, "<script>alert(1)</script>\x1b[31m", "x"),
		resolved(3*time.Minute, "Down", "api", 0),
		resolved(4*time.Minute, "Slow", "api", 10*time.Second),
		firing(10*time.Minute, "Down", "db"),
		firing(20*time.Minute, "Down", ""),
		firing(30*time.Minute, "Down", "api"),
		firing(31*time.Minute, "Down", "web"),
		resolved(31*time.Minute+500*time.Millisecond, "Down", "web", 31*time.Minute),
		{At: after(40 * time.Minute), Input: engine.Input{Command: &engine.Command{Verb: engine.Pause, Scope: "all", By: "ann", Reason: "maintenance"}}},
		firing(41*time.Minute, "Down", "pay"),
		{At: after(50 * time.Minute), Input: engine.Input{Command: &engine.Command{Verb: engine.Resume, Scope: "all", By: "ann"}}},
		resolved(70*time.Minute, "Down", "db", 10*time.Minute),
		firing(3*time.Hour, "Nobody", "x"),
	}
}

func storyRules(mode engine.Mode) *ruleSet {
	shadow := down(engine.ModeShadow)
	shadow.Name, shadow.alerts = "slow", []string{"Slow"}
	acts := down(mode, mend("restart"), mend("rollback"))
	acts.Guards.Cooldown = 40 * time.Minute
	s := set(shadow, acts, &namedRule{alerts: []string{"Never"}, Rule: engine.Rule{Name: "idle", Mode: engine.ModeObserve}})
	s.budgets = []engine.Budget{
		{Name: "fleet", Rate: engine.Rate{Count: 2, Per: time.Hour}},
		{Name: "each", Key: func(s engine.Scope) (string, error) { return s.Target.Name, nil }, Concurrent: 1},
	}
	return s
}

func update() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func golden(t *testing.T, name string, have []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if update() {
		if err := os.WriteFile(path, have, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, have) {
		t.Errorf("%s differs (go test -update writes it anew):\n%s", path, have)
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write golden files anew")
	os.Exit(m.Run())
}

func TestReports(t *testing.T) {
	t.Parallel()
	report := run(t, backtest.Options{
		Source: story(), Rules: backtest.Candidate{Name: "new.yaml", Set: storyRules(engine.ModeAuto)},
		Against: &backtest.Candidate{Name: "old.yaml", Set: storyRules(engine.ModeApprove)},
	})
	for name, write := range map[string]func(io.Writer, *backtest.Report) error{
		"report.txt": backtest.WriteText, "report.json": backtest.WriteJSON, "report.html": backtest.WriteHTML,
	} {
		var out bytes.Buffer
		if err := write(&out, report); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
}

func TestAPageNeedsNothingElseAndEscapes(t *testing.T) {
	t.Parallel()
	report := run(t, backtest.Options{Source: story(), Rules: backtest.Candidate{Name: "</title><b>", Set: storyRules(engine.ModeAuto)}})
	var page, text bytes.Buffer
	if err := errors.Join(backtest.WriteHTML(&page, report), backtest.WriteText(&text, report)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script>alert", "</title><b>", "http:", "https:", "src=", "href=", "url("} {
		if bytes.Contains(page.Bytes(), []byte(bad)) {
			t.Errorf("the page has %s", bad)
		}
	}
	if bytes.ContainsRune(text.Bytes(), '\x1b') {
		t.Error("the text lets an alert write to the terminal")
	}
}
