package explain

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/tripgen/paramedic/internal/alert"
)

const (
	// mostRunes bounds a sentence, shortRunes each text from outside in it, so
	// that no such text drives the rest out.
	mostRunes  = 1000
	shortRunes = 300
)

// Clean makes a text from outside one line that is safe on a terminal: white
// space becomes one space, and what is not printable, such as an escape or a
// change of writing direction, a replacement character.
func Clean(s string) string { return clean(s, mostRunes) }

func clean(s string, most int) string {
	var out strings.Builder
	n, space := 0, false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = n > 0
			continue
		}
		if n >= most {
			out.WriteRune('…')
			break
		}
		if space {
			out.WriteByte(' ')
			n++
			space = false
		}
		if !unicode.IsPrint(r) {
			r = unicode.ReplacementChar
		}
		out.WriteRune(r)
		n++
	}
	return out.String()
}

func short(s string) string { return clean(s, shortRunes) }

// because joins what happened and why, if that is known.
func because(what, why string) string {
	if why = short(why); why == "" {
		return what
	}
	return what + ": " + why
}

func clock(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	return t.UTC().Format("Jan 2 15:04:05 UTC")
}

func named(a alert.Alert) string {
	s := short(a.Name)
	if s == "" {
		s = "without a name"
	}
	if a.Severity != "" {
		s += " (" + short(a.Severity) + ")"
	}
	return fmt.Sprintf("alert %s from %s", s, short(a.Source))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// list joins what say says of each.
func list[T any](all []T, say func(T) string) string {
	words := make([]string, len(all))
	for i, v := range all {
		words[i] = say(v)
	}
	return strings.Join(words, ", ")
}
