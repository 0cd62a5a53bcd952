package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxSnippet bounds, in characters, the source lines that findings carry.
const maxSnippet = 200

// file is one source with its lines, and collects what is found in it.
type file struct {
	path   string
	source string
	lines  []string
	found  *Findings
	// doc is the file's one document, once it is parsed.
	doc *yaml.Node
}

func newFile(path, source string, found *Findings) *file {
	lines := strings.Split(source, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return &file{path: path, source: source, lines: lines, found: found}
}

func (f *file) report(s Severity, p Position, format string, args ...any) {
	// Something missing at the end stands behind it, for the YAML parser.
	if last := len(f.lines); p.Line > last {
		p = Position{last, utf8.RuneCountInString(f.lines[last-1]) + 1}
	}
	finding := Finding{File: f.path, Line: p.Line, Column: p.Column, Severity: s, Message: fmt.Sprintf(format, args...)}
	finding.Code = codeOf(s, format, finding.Message)
	if p.Line >= 1 && p.Line <= len(f.lines) {
		if l := f.lines[p.Line-1]; utf8.RuneCountInString(l) <= maxSnippet {
			finding.Snippet = l
		}
	}
	*f.found = append(*f.found, finding)
}

func (f *file) errorAt(p Position, format string, args ...any) {
	f.report(SeverityError, p, format, args...)
}

func (f *file) errorf(n *yaml.Node, format string, args ...any) {
	f.report(SeverityError, at(n), format, args...)
}

func (f *file) warnf(n *yaml.Node, format string, args ...any) {
	f.report(SeverityWarning, at(n), format, args...)
}

func at(n *yaml.Node) Position { return Position{Line: n.Line, Column: n.Column} }
