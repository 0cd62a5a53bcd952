package rules_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// FuzzParse holds that no text makes the compiler panic, that findings point
// into the file, and that what compiles does so again to the same.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*.yaml"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
		}
	}
	f.Add(wrap(minimal))
	f.Fuzz(func(t *testing.T, text string) {
		set, findings := rules.Parse(source("f.yaml", text), catalog())
		if (set == nil) != findings.Failed() {
			t.Fatalf("a set %v with findings\n%s", set, findings.Format())
		}
		lines := strings.Split(text, "\n")
		for _, finding := range findings {
			if finding.Line == 0 {
				continue
			}
			if finding.Line > len(lines) || finding.Column < 1 || finding.Column > utf8.RuneCountInString(lines[finding.Line-1])+1 {
				t.Errorf("%s points outside of the file", finding)
			}
		}
		if set == nil {
			return
		}
		use(t, set)
		if again, _ := rules.Parse(source("f.yaml", text), catalog()); again == nil || again.Digest() != set.Digest() {
			t.Error("compiled again it is another set")
		}
	})
}

// use calls all that a set can do.
func use(t *testing.T, set *rules.Set) {
	t.Helper()
	a := firing(map[string]string{"alertname": "A", "job": "x"})
	matches := set.Match(a, now)
	for _, trigger := range set.Triggers() {
		raised := firing(map[string]string{"alertname": trigger.Rule})
		raised.Source = trigger.Source()
		matches = append(matches, set.Match(raised, now)...)
		if s := trigger.Schedule; s != nil {
			if next, ok := s.Starts.Next(now); !ok || !next.After(now) {
				t.Errorf("%s: the next start is %s, %v", trigger.Rule, next, ok)
			}
		}
		if p := trigger.Probe; p != nil && (!json.Valid(p.Params) || p.Every <= 0 || p.Failures < 1) {
			t.Errorf("%s: the probe %+v", trigger.Rule, p)
		}
	}
	for _, m := range matches {
		if m.Err == nil && m.Target.Validate() != nil {
			t.Errorf("%s: the target %v", m.Rule.Name, m.Target)
		}
	}
	for _, r := range set.Rules() {
		for _, a := range r.Attempts {
			for _, do := range a.Do {
				if p, err := do.Params(engine.Scope{}); err == nil && !json.Valid(p) {
					t.Errorf("%s: parameters %q", do.Name, p)
				}
			}
			for _, probe := range append(slices.Clone(a.Check), a.Verify.Probes...) {
				if p, err := probe.Params(engine.Scope{}); err == nil && !json.Valid(p) {
					t.Errorf("%s: parameters %q", probe.Kind, p)
				}
			}
		}
		for _, w := range r.Guards.Windows {
			if _, until := w.Open(now); !until.IsZero() && !until.After(now) {
				t.Errorf("window %s changed at %s", w.Name, until)
			}
		}
		for _, i := range r.Unless {
			if i.Alert != nil && i.Alert(a, a) {
				t.Errorf("%s: an alert is held by itself", i.Text)
			}
		}
		for _, route := range append(slices.Clone(r.Report), r.Otherwise...) {
			if route.To == nil {
				continue
			}
			if to, err := route.To(engine.Scope{Alert: a}); err == nil && to == "" {
				t.Errorf("%s: an empty place", route.Reporter)
			}
		}
	}
}
