package rules

import (
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAMLFile reads a file that is as strict as a rule file but holds something
// else, such as rule tests, and collects what is wrong in it. Readers report what
// they cannot read and give ok false, or a zero value; a nil node reads as nothing.
type YAMLFile struct {
	f     *file
	found *Findings
}

// YAMLObject is a mapping, field by field.
type YAMLObject = object

// NewYAMLFile takes a file's text. path names it in findings.
func NewYAMLFile(path, text string) *YAMLFile {
	found := &Findings{}
	return &YAMLFile{f: newFile(path, text, found), found: found}
}

// Findings are what was found so far, in the order of their positions.
func (y *YAMLFile) Findings() Findings {
	found := slices.Clone(*y.found)
	found.sort()
	return found
}

// Root is the file's one document, as an object whose apiVersion and kind are
// checked. holds says in messages what the file holds.
func (y *YAMLFile) Root(holds, kind string) (YAMLObject, bool) {
	if strings.TrimSpace(y.f.source) == "" {
		y.f.errorAt(Position{1, 1}, "the file is empty: %s holds one %s", holds, kind)
		return object{}, false
	}
	root, ok := y.f.root()
	if !ok {
		return object{}, false
	}
	s := fileShape()
	s.what = holds
	o, ok := y.f.object(root, s)
	if !ok {
		return o, false
	}
	_, version := y.f.oneOf(o.get("apiVersion"), "apiVersion", []string{APIVersion})
	_, known := y.f.oneOf(o.get("kind"), "kind", []string{kind})
	if m, ok := y.f.object(o.get("metadata"), metadataShape()); ok {
		y.f.name(m.get("name"), "metadata.name")
	}
	return o, version && known
}

// Object reads a mapping that has no fields but these.
func (y *YAMLFile) Object(n *yaml.Node, what string, fields, required []string) (YAMLObject, bool) {
	return y.f.object(n, shape{what: what, fields: fields, required: required})
}

// Get is the field's value, nil if it is not written.
func (o object) Get(name string) *yaml.Node { return o.get(name) }

// Len is how many fields could be read.
func (o object) Len() int { return len(o.fields) }

// Node is the mapping itself.
func (o object) Node() *yaml.Node { return o.node }

// List reads a list with at least one element.
func (y *YAMLFile) List(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	items, _ := y.f.list(n, what)
	return items
}

// Text reads a text.
func (y *YAMLFile) Text(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	s, _ := y.f.text(n, what)
	return s
}

// OneOf reads a text out of a closed list.
func (y *YAMLFile) OneOf(n *yaml.Node, what string, values []string) string {
	if n == nil {
		return ""
	}
	s, _ := y.f.oneOf(n, what, values)
	return s
}

// Duration reads a duration within bounds.
func (y *YAMLFile) Duration(n *yaml.Node, what string, least, most time.Duration) time.Duration {
	if n == nil {
		return 0
	}
	return y.f.duration(n, what, least, most)
}

// Number reads a whole number within bounds.
func (y *YAMLFile) Number(n *yaml.Node, what string, least, most int) int {
	if n == nil {
		return 0
	}
	return y.f.number(n, what, least, most)
}

// Errorf reports an error at a node, or at the file if that is nil.
func (y *YAMLFile) Errorf(n *yaml.Node, format string, args ...any) {
	if n == nil {
		y.f.errorAt(Position{}, format, args...)
		return
	}
	y.f.errorf(n, format, args...)
}

// Describe names what stands at a node, for messages.
func Describe(n *yaml.Node) string { return describe(n) }

// Hint ends a message about an unknown name: with the nearest of the valid ones,
// or else with all of them.
func Hint(name string, valid []string) string { return hint(name, valid) }
