package rules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/rules"
)

// TestCodes: every finding of every fixture has a code that is listed, of its
// severity, and which one is written down.
func TestCodes(t *testing.T) {
	t.Parallel()
	listed := map[string]rules.Severity{}
	for _, c := range rules.Codes() {
		if _, twice := listed[c.ID]; twice || c.Summary == "" {
			t.Errorf("the code %q is listed twice, or says nothing", c.ID)
		}
		listed[c.ID] = c.Severity
	}
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	words := codeWords()
	for _, name := range names {
		_, findings := rules.Parse(source(filepath.Base(name), read(t, name)), catalog())
		for _, f := range findings {
			if severity, ok := listed[f.Code]; !ok || severity != f.Severity {
				t.Errorf("%s has the code %q, which is of %q", f, f.Code, severity)
			}
			for word, code := range words {
				if strings.Contains(f.Message, word) {
					delete(words, word)
					if f.Code != code {
						t.Errorf("%s has the code %q, want %q", f, f.Code, code)
					}
				}
			}
		}
	}
	if len(words) > 0 {
		t.Errorf("no fixture has %v", words)
	}
}

// codeWords are words of findings of the fixtures, and the codes that these have.
func codeWords() map[string]string {
	return map[string]string{
		"not YAML": rules.CodeSyntax, "this is not UTF-8": rules.CodeSyntax, "merge keys": rules.CodeSyntax, "indents": rules.CodeSyntax,
		`no field "whne"`: rules.CodeUnknownField, `neither do nor verify`: rules.CodeMissingField, `"otherwise" has no value`: rules.CodeMissingField,
		`no action "http.requst"`: rules.CodeUnknownName, `no probe "htp"`: rules.CodeUnknownName, `no reporter "lgo"`: rules.CodeUnknownName,
		`"mode" is written twice`: rules.CodeDuplicate, `already a rule "three"`: rules.CodeDuplicate,
		"try is an empty list": rules.CodeType, "report is a mapping": rules.CodeType, "breaker is a whole number": rules.CodeType,
		"10 has no unit": rules.CodeDuration, `not "3 per hour"`: rules.CodeDuration, "can be at most 1w": rules.CodeDuration, "(stable)": rules.CodeDuration,
		`alert has no field "severty"`: rules.CodeExpression, "this ${ has no }": rules.CodeExpression, "there is no critical": rules.CodeExpression,
		"a map(string, string) has no form": rules.CodeExpression, "when must be true or false": rules.CodeExpression,
		"not a matcher": rules.CodeMatcher, "no alert can fit both": rules.CodeMatcher, "also fit an alert": rules.CodeMatcher,
		"the minute cannot be": rules.CodeSchedule, "no time zone": rules.CodeSchedule, "waits for itself": rules.CodeCircle, "is there twice in": rules.CodeDuplicate,
		"cannot be put back: undo leaves": rules.CodeUndo, "equal compares": rules.CodeValue,
		"a target names exactly one": rules.CodeTarget, "works on kubernetes targets": rules.CodeTarget, "needs its cluster": rules.CodeTarget,
		"min: must be at least": rules.CodeParameter, "not a JSON Schema": rules.CodeInternal,
		"freshness is turned off by": rules.CodeValue, "mode is observe, shadow, approve or auto, not": rules.CodeValue,
		"which comes first and acts": rules.CodeShadowed, "whose mode is shadow": rules.CodeUnreachable, "is the third": rules.CodeUnreachable,
		"within what time": rules.CodeNoWithin, "(timeout)": rules.CodeTimeout, "by then nothing may run": rules.CodeFreshness, "never holds": rules.CodeMoot,
		"holds its rules for ever": rules.CodeWindow, "lets everything through": rules.CodeWindow,
	}
}

// TestLintIsQuiet: what every file does that has no reason to be warned of.
func TestLintIsQuiet(t *testing.T) {
	t.Parallel()
	_, findings := rules.Parse(source("lint-quiet.good.yaml", read(t, "testdata/lint-quiet.good.yaml")), catalog())
	if len(findings) > 0 {
		t.Errorf("findings:\n%s", findings.Format())
	}
}

// TestShadowedIsSound: a rule that is said to get no alert gets none, of many
// alerts made of the texts that the rules themselves are made of.
func TestShadowedIsSound(t *testing.T) {
	t.Parallel()
	matchers := []string{
		`job="a"`, `job="b"`, `job=~"a|b"`, `job=~"a|b|"`, `job=~"a.*"`, `job!="a"`, `job!=""`, `job=""`, `job!~"b|c"`, `job=~".+"`, `job=~"[ab]"`,
	}
	values := []string{"", "a", "b", "c", "aa", "ab", "a\nb", "x"}
	claims := 0
	for _, first := range matchers {
		text := []string{"apiVersion: paramedic.dev/v1", "kind: RuleSet", "metadata: {name: test}", "spec:", "  rules:"}
		n := 0
		for _, second := range matchers {
			for _, third := range []string{"", `job!=""`, `job=~"b|c"`, `job!~"a.*"`} {
				if second == `job="a"` && third != "" && third != `job!=""` || second == `job=""` && third != "" && third != `job!~"a.*"` {
					continue // nothing fits both, which is refused
				}
				text = append(text, rule("one", n, first), rule("two", n, second, third))
				n++
			}
		}
		claims += soundAbout(t, strings.Join(text, "\n"), n, values)
	}
	if claims < 50 {
		t.Errorf("only %d rules are said to be shadowed", claims)
	}
}

// soundAbout tries n pairs of rules, and returns how many of the second ones are
// said to be shadowed.
func soundAbout(t *testing.T, text string, n int, values []string) int {
	t.Helper()
	set, findings := rules.Parse(source("r.yaml", text), catalog())
	if set == nil {
		t.Fatal(findings.Format())
	}
	claims := 0
	for _, f := range findings {
		if f.Code != rules.CodeShadowed {
			continue
		}
		claims++
		_, pair, _ := strings.Cut(f.Message, `every alert of rule "two-`)
		pair, _, ok := strings.Cut(pair, `"`)
		if !ok {
			t.Fatal(f)
		}
		for _, v := range values {
			a := alert.Alert{Source: "s", Fingerprint: "f", Status: alert.Firing, Labels: map[string]string{"alertname": "A" + pair, "job": v}}
			if matches := set.Match(a, explainAt()); len(matches) == 1 && matches[0].Rule.Name == "two-"+pair {
				t.Errorf("%q is only for rule two-%s, which is said to be shadowed:\n%s", v, pair, f)
			}
		}
	}
	if claims >= n {
		t.Errorf("every rule is said to be shadowed:\n%s", text)
	}
	return claims
}

func rule(name string, pair int, matchers ...string) string {
	quoted := []string{fmt.Sprintf(`'alertname="A%d"'`, pair)}
	for _, m := range matchers {
		if m != "" {
			quoted = append(quoted, "'"+m+"'")
		}
	}
	return fmt.Sprintf("    - {name: %s-%d, mode: auto, target: {http: x}, on: {alerts: [%s]}, try: [{name: go, do: [{http.request: {path: /}}]}]}", name, pair, strings.Join(quoted, ", "))
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
