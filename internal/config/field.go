package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder walks the document and notes every problem, so that they are all told at once.
type decoder struct {
	file     string
	folder   string
	env      Env
	lines    []string // of the file
	problems Problems
}

// line is the line of this number, from 1; empty where the file has none.
func (d *decoder) line(number int) string {
	if number < 1 || number > len(d.lines) {
		return ""
	}
	return d.lines[number-1]
}

// field is one value of the document and the way that leads to it.
type field struct {
	node *yaml.Node
	path string
	d    *decoder
}

func (f field) place() place {
	return place{file: f.d.file, line: f.node.Line, column: f.node.Column, field: f.path}
}

// bad notes a problem that does not need, or must not show, the value.
func (f field) bad(format string, args ...any) {
	f.d.problems = append(f.d.problems, f.place().problem(format, args...))
}

// badValue notes a problem with the value that is written.
func (f field) badValue(value, format string, args ...any) {
	f.bad("value %q: %s", value, fmt.Sprintf(format, args...))
}

// fields says what becomes of each key of a mapping. A key of later versions has a nil function.
type fields map[string]func(field)

// mapping hands each key to its function. It reports false if f is no mapping or has a key that it should not have:
// then what is missing is not worth telling.
func (f field) mapping(known fields) bool {
	entries, whole := f.entries()
	for _, e := range entries {
		name := e.key.Value
		take, ok := known[name]
		switch {
		case ok && take == nil:
			e.value.at(e.key).bad("this version does not have %s yet: remove it", name)
			whole = false
		case ok:
			take(e.value)
		default:
			whole = false
			e.value.at(e.key).bad("there is no such field here: %s", f.instead(name, known))
		}
	}
	return whole
}

// instead says what to write for an unknown name.
func (f field) instead(name string, known fields) string {
	var has []string
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if known[k] != nil {
			has = append(has, k)
		}
	}
	if near := nearest(name, has); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "known here: " + strings.Join(has, ", ")
}

// entry is one key of a mapping with its value.
type entry struct {
	key   *yaml.Node
	value field
}

// entries are those of a mapping, without the ones that cannot be taken, which are noted.
func (f field) entries() ([]entry, bool) {
	if !f.plain() {
		return nil, false
	}
	if f.node.Kind != yaml.MappingNode {
		f.bad("%s: write a mapping, key: value", f.isA())
		return nil, false
	}
	var list []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key, value := f.node.Content[i], f.node.Content[i+1]
		at := field{node: key, path: f.path, d: f.d}
		if !at.plain() {
			continue
		}
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			at.bad("this key is not a text: write a name, in quotes if need be")
			continue
		}
		e := entry{key: key, value: field{node: value, path: f.sub(key.Value), d: f.d}}
		if line, twice := seen[key.Value]; twice {
			e.value.at(key).bad("it is written twice, first in line %d: remove one", line)
			continue
		}
		seen[key.Value] = key.Line
		list = append(list, e)
	}
	return list, true
}

func (f field) sub(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "." + name
}

// at is the same field, placed at another node: the key instead of the value.
func (f field) at(n *yaml.Node) field { return field{node: n, path: f.path, d: f.d} }

// list are the elements of a sequence.
func (f field) list() []field {
	if !f.plain() {
		return nil
	}
	if f.node.Kind != yaml.SequenceNode {
		f.bad("%s: write a list", f.isA())
		return nil
	}
	return f.elements()
}

// oneOrMore are the elements of a sequence, or the one value that stands in its place.
func (f field) oneOrMore() []field {
	switch {
	case !f.plain():
		return nil
	case f.node.Kind != yaml.SequenceNode:
		return []field{f}
	case len(f.node.Content) == 0:
		f.bad("the list is empty: write at least one, or remove the field")
	}
	return f.elements()
}

func (f field) elements() []field {
	list := make([]field, len(f.node.Content))
	for i, n := range f.node.Content {
		list[i] = field{node: n, path: fmt.Sprintf("%s[%d]", f.path, i), d: f.d}
	}
	return list
}

// plain refuses aliases and tags of the author's own. An alias may stand for a value that has others in it, so a short
// file could mean a huge one; and what they save is not worth it here.
func (f field) plain() bool {
	switch n := f.node; {
	case n.Kind == yaml.AliasNode, n.Tag == "!!merge":
		f.bad("YAML aliases are not read here: write the value out")
		return false
	case !strings.HasPrefix(n.ShortTag(), "!!"):
		f.bad("the YAML tag %s means nothing here: remove it", n.Tag)
		return false
	}
	return true
}

// isA names what is there in place of what should be.
func (f field) isA() string {
	switch {
	case f.node.Kind == yaml.MappingNode:
		return "this is a mapping"
	case f.node.Kind == yaml.SequenceNode:
		return "this is a list"
	case f.isNull():
		return "there is no value"
	default:
		return "this is a single value"
	}
}

func (f field) isScalar() bool { return f.node.Kind == yaml.ScalarNode }

func (f field) isMapping() bool { return f.node.Kind == yaml.MappingNode }

// has reports whether the field is a mapping with this key.
func (f field) has(key string) bool {
	for i := 0; f.isMapping() && i+1 < len(f.node.Content); i += 2 {
		if f.node.Content[i].Value == key {
			return true
		}
	}
	return false
}

// lacks reports whether a mapping has not all of these keys.
func (f field) lacks(keys ...string) bool {
	return slices.ContainsFunc(keys, func(key string) bool { return !f.has(key) })
}

// only reports whether a mapping has this key, and no other.
func (f field) only(key string) bool { return f.has(key) && len(f.node.Content) == 2 }

func (f field) isNull() bool { return f.node.Kind == yaml.ScalarNode && f.node.ShortTag() == "!!null" }

// text is a string that is not empty. Numbers and other scalars are not taken for text: 1e3 and yes are not what they
// look like.
func (f field) text() (string, bool) {
	switch {
	case !f.plain():
		return "", false
	case f.node.Kind != yaml.ScalarNode || f.isNull():
		f.bad("%s: write a text", f.isA())
		return "", false
	case f.node.ShortTag() != "!!str":
		f.bad("YAML reads this as %s: write a text, in quotes", f.kind())
		return "", false
	case strings.TrimSpace(f.node.Value) == "":
		f.bad("the text is empty: write it, or remove the field")
		return "", false
	}
	return f.node.Value, true
}

// kind names the type that YAML gives a scalar.
func (f field) kind() string {
	switch tag := f.node.ShortTag(); tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	default:
		return strings.TrimPrefix(tag, "!!")
	}
}

// filePath is a path, made relative to the file's folder.
func (f field) filePath() string {
	path, ok := f.text()
	if !ok || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(f.d.folder, path)
}
