package rules

import "strings"

// blank is a run of line breaks that may or may not become part of the text.
type blank []Position

// block reads a literal (|) or folded (>) scalar. One with an indentation
// indicator is left untraced.
func (w *tracer) block(folded bool) {
	header, _, _ := strings.Cut(string(w.rest()), "#")
	if strings.ContainsAny(header, "123456789") {
		w.failed = true
		return
	}
	w.move(w.line+1, 0)
	indent := w.blockIndent()
	var last, breaks blank
	breaks = w.blockBreaks(indent)
	wasBlank := false
	for w.line < len(w.lines) && len(w.text) > indent && leadingSpaces(w.text) >= indent && indent > 0 {
		w.col = indent
		isBlank := w.text[indent] == ' ' || w.text[indent] == '\t'
		if folded && len(last) > 0 && !wasBlank && !isBlank {
			// Lines at the block's own indentation flow together.
			if len(breaks) == 0 {
				w.emit(' ', last[0])
			}
		} else {
			w.emitBreaks(last)
		}
		w.emitBreaks(breaks)
		wasBlank = isBlank
		for _, r := range w.rest() {
			w.emit(r, w.here())
			w.col++
		}
		last = nil
		if w.line+1 < len(w.lines) {
			last = blank{w.here()}
		}
		w.move(w.line+1, 0)
		breaks = w.blockBreaks(indent)
	}
	w.chomp(header, last, breaks)
}

func (w *tracer) chomp(header string, last, breaks blank) {
	if strings.Contains(header, "-") {
		return
	}
	w.emitBreaks(last)
	if strings.Contains(header, "+") {
		w.emitBreaks(breaks)
	}
}

func (w *tracer) emitBreaks(b blank) {
	for _, p := range b {
		w.emit('\n', p)
	}
}

// blockIndent is the indentation of the first line that is not blank.
func (w *tracer) blockIndent() int {
	for _, l := range w.lines[min(w.line, len(w.lines)):] {
		if trimmed := strings.TrimLeft(l, " "); trimmed != "" {
			return len(l) - len(trimmed)
		}
	}
	return 0
}

// blockBreaks skips lines that have nothing beyond the indentation.
func (w *tracer) blockBreaks(indent int) blank {
	var b blank
	for w.line+1 < len(w.lines) && len(w.text) <= indent && leadingSpaces(w.text) == len(w.text) {
		w.col = len(w.text)
		b = append(b, w.here())
		w.move(w.line+1, 0)
	}
	return b
}

func leadingSpaces(text []rune) int {
	for i, r := range text {
		if r != ' ' {
			return i
		}
	}
	return len(text)
}
