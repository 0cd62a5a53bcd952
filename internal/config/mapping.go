package config

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Mapping is what type json makes alerts of: each field is a CEL expression, which this package does not read. Its
// fields are those of jsonmap.Mapping.
type Mapping struct {
	Alerts, Name, Status, Severity, Fingerprint, StartsAt, URL Expression
	Labels, Annotations                                        map[string]Expression

	at place
}

// Expression is a text in CEL that knows where it is written. The zero value is none.
type Expression struct {
	Text string

	at place
	// lines are the places of the text's lines in the file, as far as they could be found: zero else.
	lines []place
}

func (f field) alertMapping() *Mapping {
	m := Mapping{at: f.place()}
	into := func(e *Expression) func(field) { return func(f field) { *e = f.expression() } }
	if f.mapping(fields{
		"alerts":      into(&m.Alerts),
		"name":        into(&m.Name),
		"status":      into(&m.Status),
		"severity":    into(&m.Severity),
		"fingerprint": into(&m.Fingerprint),
		"startsAt":    into(&m.StartsAt),
		"url":         into(&m.URL),
		"labels":      func(f field) { m.Labels = f.expressions() },
		"annotations": func(f field) { m.Annotations = f.expressions() },
	}) && f.lacks("name", "status") {
		f.bad("name and status must both be given; a sender that never says that an alert has ended is written status: \"'firing'\"")
	}
	return &m
}

func (f field) expressions() map[string]Expression {
	entries, _ := f.entries()
	list := make(map[string]Expression, len(entries))
	for _, e := range entries {
		list[e.key.Value] = e.value.expression()
	}
	return list
}

// expression keeps the text; what it says in CEL is judged elsewhere, and told at the place where it is written.
func (f field) expression() Expression {
	text, _ := f.text()
	e := Expression{Text: text, at: f.place()}
	for i, line := range strings.Split(text, "\n") {
		e.lines = append(e.lines, f.find(i, line))
	}
	return e
}

// find is the place in the file of the line of this number, from 0, of the field's text. It is zero where the file does
// not have the line as it is: where YAML folds lines, or escapes characters.
func (f field) find(number int, line string) place {
	at := f.place()
	if f.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		at.line += 1 + number
		before, ok := strings.CutSuffix(f.d.line(at.line), line)
		if !ok {
			return place{}
		}
		at.column = 1 + utf8.RuneCountInString(before)
		return at
	}
	if f.node.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		at.column++
	}
	written := []rune(f.d.line(at.line))
	if number > 0 || !strings.HasPrefix(string(written[min(at.column-1, len(written)):]), line) {
		return place{}
	}
	return at
}

// Problem is one with the field of this name, such as labels.host, at a line and a column of its expression, both from
// 1. It is told at its place in the file; one with a field that is not written, at that of the mapping.
func (m *Mapping) Problem(name string, line, column int, message string) Problem {
	e, ok := m.expression(name)
	if !ok {
		return m.at.problem("%s: %s", name, message)
	}
	if line < 1 || line > len(e.lines) || e.lines[line-1].line == 0 {
		return e.at.problem("in line %d, column %d of the expression: %s", line, column, message)
	}
	at := e.lines[line-1]
	at.column += column - 1
	return at.problem("%s", message)
}

func (m *Mapping) expression(name string) (Expression, bool) {
	one, all := Expression{}, map[string]Expression(nil)
	group, entry, grouped := strings.Cut(name, ".")
	switch group {
	case "alerts":
		one = m.Alerts
	case "name":
		one = m.Name
	case "status":
		one = m.Status
	case "severity":
		one = m.Severity
	case "fingerprint":
		one = m.Fingerprint
	case "startsAt":
		one = m.StartsAt
	case "url":
		one = m.URL
	case "labels":
		all = m.Labels
	case "annotations":
		all = m.Annotations
	}
	if grouped {
		one = all[entry]
	}
	return one, one.at.line > 0
}
