package app_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/reload/reloadtest"
	"github.com/tripgen/paramedic/internal/web/api"
)

// pickUp is how long a change may take to be in force: two looks at the files and
// a decision, on a machine that is busy.
const pickUp = 15 * time.Second

// until waits for ok, and says how long it took.
func until(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	begun := time.Now()
	deadline := time.NewTimer(pickUp)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited for %s in vain", what)
		}
	}
	return time.Since(begun)
}

func inForce(a *app.App) (digest string) {
	a.Responder().View(func(st *engine.State) { digest = st.RuleSet })
	return digest
}

// ready is /readyz, which must be 200.
func ready(t *testing.T, a *app.App) api.Ready {
	t.Helper()
	var r api.Ready
	if err := json.Unmarshal([]byte(fetch(t, a, "/readyz")), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func fetch(t *testing.T, a *app.App, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Addr().String()+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d, %v: %s", path, resp.StatusCode, err, body)
	}
	return string(body)
}

// startedUnder reads from the ledger under which rules each run began, and in
// which order rules came into force.
func startedUnder(t *testing.T, a *app.App) (runs map[string]string, loaded []string) {
	t.Helper()
	last, err := a.Bus().LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := a.Bus().Ledger(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	fold, runs := ledger.NewFold(), map[string]string{}
	for fold.Seq < last {
		m, err := reader.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rec, err := fold.Take(m.Seq, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range rec.Events {
			switch e := ev.(type) {
			case engine.RulesLoaded:
				loaded = append(loaded, e.Digest)
			case engine.RunStarted:
				runs[e.Target.Name] = e.RuleSet
			}
		}
	}
	return runs, loaded
}

// TestRulesAreReloadedInTheMiddleOfARun has the rules in a ConfigMap's volume: new
// ones come into force while a run goes on under its own, bad ones do not, and the
// ledger names the rules of every run.
func TestRulesAreReloadedInTheMiddleOfARun(t *testing.T) {
	t.Parallel()
	url, restarts := target(t)
	dir := folder(t, "")
	volume := &reloadtest.ConfigMap{Folder: filepath.Join(dir, "volume")}
	if err := os.Mkdir(volume.Folder, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "rules.yaml")); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(dir, "paramedic.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	reloadtest.Replace(t, filepath.Join(dir, "paramedic.yaml"), strings.Replace(string(written), "[rules.yaml]", "[volume/*.yaml]", 1))
	volume.Write(t, map[string]string{"a.yaml": ruleFile})

	a, _ := start(t, dir)
	first := inForce(a)
	post(t, a, "firing", url)
	await(t, a, "the verification", phase(engine.PhaseVerifying))

	// A new file of rules, and the old rule only watches.
	more := strings.NewReplacer("restart\n      on", "more\n      on", "ServiceDown", "Other").Replace(ruleFile)
	volume.Write(t, map[string]string{"a.yaml": strings.Replace(ruleFile, "mode: auto", "mode: observe", 1), "b.yaml": more})
	t.Logf("a swapped ConfigMap was in force after %v", until(t, "the new rules", func() bool { return inForce(a) != first }))
	second := inForce(a)

	bad := strings.Replace(ruleFile, "mode: auto", "mode: careless", 1)
	volume.Write(t, map[string]string{"a.yaml": bad, "b.yaml": more})
	warning := func() string { return ready(t, a).Components["rules"].Warning }
	t.Logf("a bad file was told of after %v", until(t, "the warning", func() bool { return warning() != "" }))
	if said := warning(); !strings.Contains(said, "volume/a.yaml:9:") || !strings.Contains(said, "careless") || !strings.Contains(said, second) {
		t.Errorf("/readyz says %q", said)
	}
	if metrics := fetch(t, a, "/metrics"); !strings.Contains(metrics, "paramedic_rules_reload_success 0") ||
		!strings.Contains(metrics, `paramedic_rules_info{digest="`+second+`"} 1`) {
		t.Error("the metrics do not say so")
	}

	// The old rule would restart this one too.
	postOf(t, a, "seoul", "firing", url)
	post(t, a, "resolved", url)
	await(t, a, "the cure under the old rules", func(runs []engine.Run) bool {
		ended := 0
		for _, r := range runs {
			if r.Phase == engine.PhaseEnded {
				ended++
			}
		}
		return len(runs) == 2 && ended == 2
	})
	if n := restarts.Load(); n != 1 {
		t.Errorf("%d restarts, want that of the run which had begun", n)
	}

	volume.Write(t, map[string]string{"a.yaml": ruleFile})
	t.Logf("a mended file was in force after %v", until(t, "the first rules again", func() bool { return inForce(a) == first }))
	until(t, "no warning", func() bool { return warning() == "" })
	runs, loaded := startedUnder(t, a)
	if runs["place"] != first || runs["seoul"] != second {
		t.Errorf("the ledger says that the runs began under %v; want %s and %s", runs, first, second)
	}
	if got, want := strings.Join(loaded, " "), strings.Join([]string{first, second, first}, " "); got != want {
		t.Errorf("the ledger has the rules\n%s\nwant\n%s", got, want)
	}
}

// TestSIGHUP has the rules looked at before their time.
func TestSIGHUP(t *testing.T) {
	t.Parallel()
	dir := folder(t, "")
	hangup := make(chan os.Signal, 1)
	a, _ := startWith(t, dir, hangup)
	first := inForce(a)
	reloadtest.Replace(t, filepath.Join(dir, "rules.yaml"), strings.Replace(ruleFile, "within: 1m", "within: 2m", 1))
	hangup <- syscall.SIGHUP
	t.Logf("in force after %v", until(t, "the new rules", func() bool { return inForce(a) != first }))
}
