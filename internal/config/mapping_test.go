package config

import (
	"strings"
	"testing"
)

// TestAProblemOfAnExpressionHasItsPlaceInTheFile looks the place up by the letter that stands there.
func TestAProblemOfAnExpressionHasItsPlaceInTheFile(t *testing.T) {
	t.Parallel()
	const text = `sources:
  - name: a
    type: json
    auth: {bearer: {env: A}}
    mapping:
      name: aaa.Xaa
      status: 'aaa.Xaa'
      severity: "가 + Xaa"
      fingerprint: 'it''s X'
      startsAt: |
        aaa +
          Xaa
      url: >-
        aaa
        + Xaa
      alerts: aaa
        + Xaa
      labels: {host: aaa.Xaa, "a.b": "\u0061 X"}
`
	m := mappingOf(t, text)
	lines := strings.Split(text, "\n")
	for _, c := range []struct {
		field        string
		line, column int
		exact        bool
	}{
		{"name", 1, 5, true},
		{"status", 1, 5, true},
		{"severity", 1, 5, true},
		{"startsAt", 2, 3, true},
		{"labels.host", 1, 5, true},
		// What YAML has changed is told by where it begins, and by the place within.
		{"fingerprint", 1, 6, false},
		{"url", 1, 7, false},
		{"alerts", 1, 7, false},
		{"labels.a.b", 1, 3, false},
		{"name", 7, 1, false},
	} {
		p := m.Problem(c.field, c.line, c.column, "wrong")
		if p.File != "c.yaml" || p.Field != "sources[0].mapping."+c.field || !strings.HasSuffix(p.Message, "wrong") {
			t.Errorf("%s: %v", c.field, p)
		}
		at := []rune(lines[p.Line-1])[p.Column-1]
		if exact := p.Message == "wrong"; exact != c.exact || (at == 'X') != c.exact {
			t.Errorf("%s: %v, where there is %q", c.field, p, at)
		}
		if !c.exact && !strings.HasPrefix(p.Message, "in line ") {
			t.Errorf("%s: %v does not say where in the expression", c.field, p)
		}
	}
	for _, absent := range []string{"labels", "labels.gone", "annotations.x", "name and status must be given"} {
		if p := m.Problem(absent, 1, 1, "wrong"); p.Line != 6 || p.Message != absent+": wrong" {
			t.Errorf("%s: %v", absent, p)
		}
	}
}

func TestExpressionsOfAFileFromWindows(t *testing.T) {
	t.Parallel()
	m := mappingOf(t, strings.ReplaceAll(`sources:
  - name: a
    type: json
    auth: {bearer: {env: A}}
    mapping:
      status: aaa
      name: |
        aaa +
          Xaa
`, "\n", "\r\n"))
	if p := m.Problem("name", 2, 3, "wrong"); p.Line != 9 || p.Column != 11 {
		t.Errorf("%v", p)
	}
}

func mappingOf(t *testing.T, text string) *Mapping {
	t.Helper()
	env := ProcessEnv()
	env.ReadFile = func(string) ([]byte, error) { return []byte(text), nil }
	c, err := Load("c.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	return c.Sources[0].Mapping
}
