package rules

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// trace parses a text and traces all scalars in it.
func trace(text string) (map[string]scalar, bool) {
	var found Findings
	f := newFile("f.yaml", text, &found)
	root, ok := f.root()
	if !ok {
		return nil, false
	}
	all := map[string]scalar{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			all[n.Value] = f.scalar(n)
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(root)
	return all, true
}

// Each text has an @, whose place in the file must be found.
func TestScalarsAreTracedInEveryStyle(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"a: x@y\n",
		"a: é한@y\n",
		"a: one\n  two\n\n\n  three@\n",
		"a: 'it''s\n\n  so@'\n",
		"a: \"tab\\t \\u00e9\\x41\\U0001F600 \\\"q\\\" x@\"\n",
		"a: \"joined \\\n    line@\"\n",
		"a: \"one \n\n   two@\"\n",
		"a: |\n  one\n   two\n\n  x@\n",
		"a: |-\n\n\n  one\n  x@\n\n",
		"a: |+\n  one\n  x@\n\n\n",
		"a: >\n  one\n  two\n\n  three\n    more\n    x@\n  y\n",
		"a: > # comment\n  one\n  x@\n",
		"a: >-\n  one\n\n\n  x@",
		"a:\n  - b:\n      - |\n        x@\n",
		"a: {b: [x@, 'y']}\n",
		"a:\n  x@\n",
		"a: |\r\n  one\r\n  x@\r\n",
	} {
		all, ok := trace(text)
		if !ok {
			t.Errorf("%q does not parse", text)
			continue
		}
		lines := strings.Split(text, "\n")
		traced := false
		for value, s := range all {
			i := strings.IndexRune(value, '@')
			if i < 0 {
				continue
			}
			traced = true
			p := s.position(len([]rune(value[:i])))
			if s.at == nil || []rune(lines[p.Line-1])[p.Column-1] != '@' {
				t.Errorf("%q: the @ is taken to stand at %v (traced: %v)", text, p, s.at != nil)
			}
		}
		if !traced {
			t.Errorf("%q: no scalar with an @", text)
		}
	}
}

// FuzzScalar holds that a traced character stands where it is said to, unless
// it is written in another way there (escaped, or folded white space).
func FuzzScalar(f *testing.F) {
	for _, s := range []string{
		"a: >\n  b\n  c\n   d\n\n  e\n", "a: \"b\\\n  c\\x41\"\n", "a: 'b''\n\n c'\n", "a: |+\n\n  b\n\n", "- b\n  c\n\n  d\n", "? |\n  a\n: >-\n  b\n",
		"on: {schedule: {cron: \"0 2 * * *\", labels: {a: 'b''c'}}}\n", "groupBy:\n  - \"${a}\\\n    b\"\n  - >+\n   c\n\n   d\n\n", "a: |2-\n   b\n  c\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, ok := trace(text)
		if !ok {
			return
		}
		lines := strings.Split(text, "\n")
		for value, s := range all {
			for i := range s.at {
				p := s.at[i]
				if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > len([]rune(lines[p.Line-1]))+1 {
					t.Fatalf("%q: character %d of %q is outside, at %v", text, i, value, p)
				}
				if i > 0 && (p.Line < s.at[i-1].Line || p.Line == s.at[i-1].Line && p.Column < s.at[i-1].Column) {
					t.Fatalf("%q: character %d of %q goes back to %v", text, i, value, p)
				}
				if i == len(s.value) || strings.ContainsRune(" \n", s.value[i]) || s.node.Style&yaml.DoubleQuotedStyle != 0 {
					continue
				}
				if got := []rune(lines[p.Line-1])[p.Column-1]; got != s.value[i] {
					t.Fatalf("%q: character %d of %q is %q at %v", text, i, value, got, p)
				}
			}
		}
	})
}

func TestHints(t *testing.T) {
	t.Parallel()
	names := []string{"cooldown", "limit", "freshness"}
	for slip, want := range map[string]string{
		"cooldwon": `, did you mean "cooldown"?`, "Limit": `, did you mean "limit"?`, "limits": `, did you mean "limit"?`,
		"x": ": there is cooldown, freshness and limit", "windows": ": there is cooldown, freshness and limit", strings.Repeat("x", 1000): ": there is cooldown, freshness and limit",
	} {
		if got := hint(slip, names); got != want {
			t.Errorf("%.20s: %s, want %s", slip, got, want)
		}
	}
	if got := hint("b", []string{"a"}); got != ": there is a" {
		t.Errorf("one letter is said to be a slip of another: %s", got)
	}
}
