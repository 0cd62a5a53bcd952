package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity says whether a finding stops a rule set from being used.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Position is a place in a file. Both count from 1, columns in characters
// (Unicode code points; a tab is one).
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Finding is one thing that is wrong, or odd, in a rule file. Line and Column
// are as in [Position], and zero if it is about no particular place.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Severity Severity `json:"severity"`
	// Code is the kind of finding, the same in every version: see [Codes].
	Code    string `json:"code"`
	Message string `json:"message"`
	// Snippet is the source line; empty if it is too long to be shown.
	Snippet string `json:"snippet,omitempty"`
}

// String is the finding in one line: file:line:column: severity: message.
func (f Finding) String() string {
	where := f.File
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	if where == "" {
		return fmt.Sprintf("%s: %s", f.Severity, f.Message)
	}
	return fmt.Sprintf("%s: %s: %s", where, f.Severity, f.Message)
}

// Format is the finding with its source line and a caret below the column.
func (f Finding) Format() string {
	if f.Snippet == "" || f.Column < 1 {
		return f.String() + "\n"
	}
	var pad strings.Builder
	for i, r := range []rune(f.Snippet) {
		if i >= f.Column-1 {
			break
		}
		if r == '\t' {
			pad.WriteByte('\t')
			continue
		}
		pad.WriteByte(' ')
	}
	// A column past the end of the line, as for something missing there.
	for n := utf8.RuneCountInString(f.Snippet); n < f.Column-1; n++ {
		pad.WriteByte(' ')
	}
	return fmt.Sprintf("%s\n  %s\n  %s^\n", f.String(), f.Snippet, pad.String())
}

// Findings are in the order of files and positions.
type Findings []Finding

// Failed reports whether there is an error among them.
func (fs Findings) Failed() bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == SeverityError })
}

// Err joins the errors among them, one line each; nil if there are only
// warnings.
func (fs Findings) Err() error {
	var errs []error
	for _, f := range fs {
		if f.Severity == SeverityError {
			errs = append(errs, errors.New(f.String()))
		}
	}
	return errors.Join(errs...)
}

// Format is every finding with its source line and caret.
func (fs Findings) Format() string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString(f.Format())
	}
	return b.String()
}

func (fs Findings) sort() {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
}
