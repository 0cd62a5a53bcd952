package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
	"github.com/tripgen/paramedic/rules/ruletest"
)

// TestTheReferenceIsGood compiles every rule set that the language's reference shows.
func TestTheReferenceIsGood(t *testing.T) {
	t.Parallel()
	tools, err := app.NewTools(app.Systems{}, time.Now, "test")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(rules.Reference, -1)
	if len(blocks) == 0 {
		t.Error("the reference shows no rule set")
	}
	for _, b := range blocks {
		if _, findings := rules.Parse([]engine.Source{{Name: "reference.md", Text: b[1]}}, tools.Catalog(app.ReporterNames())); len(findings) > 0 {
			t.Errorf("the reference's rules have findings:\n%s", findings.Format())
		}
	}
}

// TestTheExamplesOfTheREADMEAreGood reads every YAML block as the program would.
func TestTheExamplesOfTheREADMEAreGood(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	tools, err := app.NewTools(app.Systems{}, time.Now, "test")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	sets, tests, configs := 0, 0, 0
	for _, b := range blocks {
		if strings.Contains(b[1], "kind: RuleTest\n") {
			tests++
			// It is beside the rules that the README shows before it.
			write(t, filepath.Join(dir, "tripgen_test.yaml"), b[1])
			report, err := ruletest.Run(t.Context(), []string{filepath.Join(dir, "tripgen_test.yaml")}, ruletest.Options{
				Catalog: tools.Catalog(app.ReporterNames()), Now: time.Now,
			})
			if passed, _, _ := report.Count(); err != nil || passed != 1 {
				t.Errorf("the README's rule test: %v\n%s", err, report.Text(ruletest.TextOptions{}))
			}
			continue
		}
		if strings.HasPrefix(b[1], "apiVersion:") {
			sets++
			name := regexp.MustCompile(`metadata: \{name: ([a-z]+)\}`).FindStringSubmatch(b[1])
			write(t, filepath.Join(dir, name[1]+".yaml"), b[1])
			_, findings := rules.Parse([]engine.Source{{Name: "README.md", Text: b[1]}}, tools.Catalog(app.ReporterNames()))
			if len(findings) > 0 {
				t.Errorf("the README's rules have findings:\n%s", findings.Format())
			}
			continue
		}
		configs++
		file := filepath.Join(dir, "paramedic.yaml")
		write(t, file, b[1])
		if _, err := config.Load(file, config.ProcessEnv()); err != nil {
			t.Errorf("the README's configuration: %v", err)
		}
	}
	if sets == 0 || tests == 0 || configs == 0 {
		t.Errorf("the README shows %d rule sets, %d rule tests and %d configurations, want one of each at least", sets, tests, configs)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
