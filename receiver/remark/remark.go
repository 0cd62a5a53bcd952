// Package remark is what decoders tell people of a body, kept short: a body is the
// sender's, and what is told of it stands in answers, logs and quarantine.
//
// All of it is pure. Warnings has one owner.
package remark

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	mostQuoted   = 64
	mostLine     = 200
	mostWarnings = 20
)

// Clip keeps a quoted value short enough for a message.
func Clip(s string) string { return ClipTo(s, mostQuoted) }

// ClipTo cuts a text behind so many bytes, never inside a character, and marks
// the cut.
func ClipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// Line makes one short line of another library's message, which may have several.
func Line(err error) string {
	return ClipTo(strings.ToValidUTF8(strings.Join(strings.Fields(err.Error()), " "), "?"), mostLine)
}

// KindName is what JSON calls a value of this kind (RFC 8259, section 1).
func KindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	default:
		return "value"
	}
}

// Warnings are bounded in number; each is bounded in length by its writer. The
// zero value is empty.
type Warnings struct {
	list []string
	more int
}

// Addf adds one, or counts it if there are too many.
func (w *Warnings) Addf(format string, args ...any) {
	if len(w.list) == mostWarnings {
		w.more++
		return
	}
	w.list = append(w.list, fmt.Sprintf(format, args...))
}

// All are those added, and how many more there were.
func (w *Warnings) All() []string {
	if w.more == 0 {
		return w.list
	}
	return append(w.list, fmt.Sprintf("and %d more warnings", w.more))
}
