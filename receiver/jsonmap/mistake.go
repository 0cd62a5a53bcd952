package jsonmap

import (
	"fmt"
	"strings"
)

// Mistake is one thing that is wrong with a mapping.
type Mistake struct {
	// Field is the field it is about, such as labels.host; empty if it is about
	// the mapping as a whole.
	Field string
	// Line and Column are a place in the field's expression. They count from 1,
	// columns in characters.
	Line, Column int
	Message      string
}

// Error is "FIELD, line 1, column 1: MESSAGE".
func (m Mistake) Error() string {
	if m.Field == "" {
		return m.Message
	}
	return fmt.Sprintf("%s, line %d, column %d: %s", m.Field, m.Line, m.Column, m.Message)
}

// Mistakes are all that is wrong with a mapping: the error of [New].
type Mistakes []Mistake

// Error is a line for each.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, one := range m {
		lines[i] = "mapping: " + one.Error()
	}
	return strings.Join(lines, "\n")
}
