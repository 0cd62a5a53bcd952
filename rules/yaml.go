package rules

import (
	"errors"
	"io"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile bounds one file, in bytes.
	maxFile = 8 << 20
	// maxDepth bounds the nesting of YAML, far above what rules need.
	maxDepth = 64
)

// root parses the file into the node of its one document, and refuses what
// would make it mean something else than it looks like.
func (f *file) root() (*yaml.Node, bool) {
	if !f.characters() {
		return nil, false
	}
	decoder := yaml.NewDecoder(strings.NewReader(f.source))
	var doc yaml.Node
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && (len(doc.Content) == 0 || isNull(doc.Content[0])):
		f.errorAt(Position{1, 1}, "the file is empty: a rule file holds one RuleSet")
		return nil, false
	case err != nil:
		f.syntax(err)
		return nil, false
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		f.errorf(&second, "a second document begins here: write each RuleSet into a file of its own")
		return nil, false
	case !errors.Is(err, io.EOF):
		f.syntax(err)
		return nil, false
	}
	n := doc.Content[0]
	return n, f.traps(n, 0)
}

// characters refuses what would put lines and columns elsewhere than an editor
// shows them.
func (f *file) characters() bool {
	if len(f.source) > maxFile {
		f.errorAt(Position{}, "the file has %d bytes, more than the %d that are read: divide it", len(f.source), maxFile)
		return false
	}
	for i, line := range f.lines {
		column := 0
		for at, r := range line {
			column++
			p := Position{i + 1, column}
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(line[at:], "\uFFFD"):
				f.errorAt(p, "this is not UTF-8: save the file as UTF-8")
			case r == '\uFEFF':
				f.errorAt(p, "there is a byte order mark here: save the file as UTF-8 without one")
			case r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029':
				f.errorAt(p, "the character %U ends a line for some programs and not for others: end lines with a line feed", r)
			case r < ' ' && r != '\t' || r == 0x7F:
				f.errorAt(p, "the control character %U cannot stand in YAML", r)
			default:
				continue
			}
			return false
		}
	}
	return true
}

// traps walks all nodes and reports what rule files may not use: all of it would
// make one place in the file stand for several, or hide what a value is.
func (f *file) traps(n *yaml.Node, depth int) bool {
	if depth > maxDepth {
		f.errorf(n, "nested deeper than %d levels", maxDepth)
		return false
	}
	switch {
	case n.Kind == yaml.AliasNode:
		f.errorf(n, "aliases (*%s) are not read: write the value out, or put what many rules share into defaults", n.Value)
		return false
	case n.Anchor != "":
		f.errorf(n, "anchors (&%s) are not read: write the value out, or put what many rules share into defaults", n.Anchor)
		return false
	case n.Style&yaml.TaggedStyle != 0:
		f.errorf(n, "tags (%s) are not read: quote a text, leave a number or a boolean bare", n.Tag)
		return false
	}
	ok := true
	if n.Kind == yaml.MappingNode {
		ok = f.keys(n)
	}
	for _, c := range n.Content {
		ok = f.traps(c, depth+1) && ok
	}
	return ok
}

// keys holds that a mapping's keys are texts and different.
func (f *file) keys(n *yaml.Node) bool {
	ok := true
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		first, twice := seen[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode:
			if key.Kind == yaml.AliasNode {
				continue
			}
			f.errorf(key, "a field's name must be a text")
			ok = false
		case key.ShortTag() == "!!merge":
			f.errorf(key, "merge keys (<<) are not read: write the fields out, or put what many rules share into defaults")
			ok = false
		case key.ShortTag() != "!!str" && key.ShortTag() != "!!timestamp":
			f.errorf(key, "the field's name %s is not a text: put it in quotes", key.Value)
			ok = false
		case twice:
			f.errorf(key, "%q is written twice: it is already in line %d", key.Value, first.Line)
			ok = false
		default:
			seen[key.Value] = key
		}
	}
	return ok
}

// syntax reports what the YAML parser says. Its line numbers are those of the
// construct that it was in, or none, so the line is found by asking which is
// the shortest beginning of the file that gives the same error.
func (f *file) syntax(err error) {
	message := syntaxMessage(err)
	ends := lineEnds(f.source)
	n := sort.Search(len(ends), func(i int) bool {
		var doc yaml.Node
		err := decodeAll(f.source[:ends[i]], &doc)
		return err != nil && syntaxMessage(err) == message
	})
	line := min(n, len(f.lines)-1)
	text := f.lines[line]
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	if tab := strings.IndexByte(indent, '\t'); tab >= 0 {
		f.errorAt(Position{line + 1, tab + 1}, "a tab indents this line: YAML indents with spaces")
		return
	}
	if strings.HasPrefix(message, "mapping values") {
		message += " (a text with a colon and a space in it must be in quotes)"
	}
	f.errorAt(Position{line + 1, len(indent) + 1}, "not YAML: %s", message)
}

func syntaxMessage(err error) string {
	return regexp.MustCompile(`^yaml: (line \d+: )?`).ReplaceAllString(err.Error(), "")
}

func decodeAll(text string, doc *yaml.Node) error {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	for {
		if err := decoder.Decode(doc); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// lineEnds are the offsets behind each line of the text.
func lineEnds(text string) []int {
	var ends []int
	for at := 0; at < len(text); {
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return append(ends, len(text))
		}
		at += n + 1
		ends = append(ends, at)
	}
	return ends
}
