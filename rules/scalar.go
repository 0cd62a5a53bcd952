package rules

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// scalar is a text of the file, and where each of its characters stands there.
type scalar struct {
	file  *file
	node  *yaml.Node
	value []rune
	// at has one more element than value: where the text ends. It is nil if the
	// characters could not be traced back.
	at []Position
}

// scalar traces a YAML scalar back to the file. It reads the source by itself,
// in the scalar's style, and believes the result only if it is what the YAML
// parser got.
func (f *file) scalar(n *yaml.Node) scalar {
	s := scalar{file: f, node: n, value: []rune(n.Value)}
	if n.Line < 1 || n.Line > len(f.lines) {
		return s
	}
	w := &tracer{lines: f.lines, want: s.value}
	w.move(n.Line-1, n.Column-1)
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		w.block(false)
	case n.Style&yaml.FoldedStyle != 0:
		w.block(true)
	case n.Style&yaml.DoubleQuotedStyle != 0:
		w.col++
		w.flow(w.doubleQuoted)
	case n.Style&yaml.SingleQuotedStyle != 0:
		w.col++
		w.flow(w.singleQuoted)
	default:
		w.flow(w.plain)
	}
	if !w.failed && string(w.got) == n.Value {
		w.at = append(w.at, w.here())
		s.at = w.at
	}
	return s
}

// position is where the character at offset stands, or where the scalar begins
// if that is not known.
func (s scalar) position(offset int) Position {
	if s.at == nil {
		return at(s.node)
	}
	return s.at[max(0, min(offset, len(s.at)-1))]
}

// tracer reads a scalar's source. Its line and col count from 0.
type tracer struct {
	lines     []string
	line, col int
	text      []rune
	want, got []rune
	at        []Position
	failed    bool
}

func (w *tracer) move(line, col int) {
	w.line, w.col, w.text = line, col, nil
	if line < len(w.lines) {
		w.text = []rune(w.lines[line])
	}
}

// here is where the tracer is; at the end of the file if it is past that.
func (w *tracer) here() Position {
	if last := len(w.lines) - 1; w.line > last {
		return Position{last + 1, utf8.RuneCountInString(w.lines[last]) + 1}
	}
	return Position{w.line + 1, w.col + 1}
}

func (w *tracer) emit(r rune, p Position) {
	w.got, w.at = append(w.got, r), append(w.at, p)
}

// rest is what is left of the line.
func (w *tracer) rest() []rune {
	if w.col >= len(w.text) {
		return nil
	}
	return w.text[w.col:]
}

// flow reads a plain or quoted scalar until the wanted text is whole. Line
// breaks and the white space around them fold: one into a space, n+1 into n
// line feeds. one reads any other character.
func (w *tracer) flow(one func()) {
	for len(w.got) < len(w.want) && !w.failed {
		if strings.TrimLeft(string(w.rest()), " \t") != "" {
			one()
			continue
		}
		p, breaks := w.here(), 0
		for strings.TrimLeft(string(w.rest()), " \t") == "" {
			if w.line+1 >= len(w.lines) {
				w.failed = true
				return
			}
			w.move(w.line+1, 0)
			breaks++
		}
		w.skipBlanks()
		if breaks == 1 {
			w.emit(' ', p)
		}
		for range breaks - 1 {
			w.emit('\n', p)
		}
	}
}

func (w *tracer) skipBlanks() {
	for w.col < len(w.text) && (w.text[w.col] == ' ' || w.text[w.col] == '\t') {
		w.col++
	}
}

func (w *tracer) plain() {
	w.emit(w.text[w.col], w.here())
	w.col++
}

func (w *tracer) singleQuoted() {
	r := w.text[w.col]
	w.emit(r, w.here())
	w.col++
	if r == '\'' {
		// Written twice.
		w.col++
	}
}

func (w *tracer) doubleQuoted() {
	if w.text[w.col] != '\\' {
		w.plain()
		return
	}
	p := w.here()
	w.col++
	if len(w.rest()) == 0 {
		// An escaped line break joins the lines.
		w.move(w.line+1, 0)
		w.skipBlanks()
		return
	}
	letter := w.text[w.col]
	w.col++
	if digits, ok := map[rune]int{'x': 2, 'u': 4, 'U': 8}[letter]; ok {
		w.hexadecimal(digits, p)
		return
	}
	r, ok := map[rune]rune{
		'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r',
		'e': 0x1B, ' ': ' ', '"': '"', '/': '/', '\\': '\\', 'N': 0x85, '_': 0xA0, 'L': 0x2028, 'P': 0x2029,
	}[letter]
	if !ok {
		w.failed = true
		return
	}
	w.emit(r, p)
}

func (w *tracer) hexadecimal(digits int, p Position) {
	var r rune
	for range digits {
		if len(w.rest()) == 0 {
			w.failed = true
			return
		}
		d, err := strconv.ParseUint(string(w.text[w.col]), 16, 8)
		if err != nil {
			w.failed = true
			return
		}
		r = r<<4 | rune(d)
		w.col++
	}
	w.emit(r, p)
}
