package rules

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// shape lists the fields of one kind of YAML object.
type shape struct {
	// what names the object in messages: "a rule".
	what string
	// fields are all that there are, required those that must be there.
	fields, required []string
}

func (s shape) fieldList() string {
	if len(s.fields) == 1 {
		return "field " + s.fields[0]
	}
	return "fields " + enumerate(s.fields, "and")
}

// object is a mapping that was checked against its shape.
type object struct {
	node   *yaml.Node
	fields map[string]*yaml.Node
	keys   map[string]*yaml.Node
}

// get returns the field's value, or nil if it is not written.
func (o object) get(name string) *yaml.Node { return o.fields[name] }

// object reads a mapping. Fields that are unknown, or written without a value,
// are reported and left out; ok is false if there is nothing to read, or
// something that is required is missing.
func (f *file) object(n *yaml.Node, s shape) (object, bool) {
	o := object{node: n, fields: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		f.errorf(n, "%s is a mapping with the %s, not %s", s.what, s.fieldList(), describe(n))
		return o, false
	}
	ok := true
	var meant []string
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case !slices.Contains(s.fields, key.Value):
			f.errorf(key, "there is no field %q in %s%s", key.Value, s.what, hint(key.Value, s.fields))
			if name, near := nearest(key.Value, s.fields); near {
				meant = append(meant, name)
			}
		case isNull(value):
			f.errorf(key, "%q has no value: give it one, or take it out", key.Value)
		default:
			o.fields[key.Value], o.keys[key.Value] = value, key
			continue
		}
		ok = ok && !slices.Contains(s.required, key.Value)
	}
	for _, name := range s.required {
		if hasKey(n, name) {
			continue
		}
		ok = false
		// One that is misspelt was reported so.
		if !slices.Contains(meant, name) {
			f.errorf(n, "%s needs the field %q", s.what, name)
		}
	}
	return o, ok
}

func hasKey(n *yaml.Node, name string) bool {
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// list reads a sequence with at least one element.
func (f *file) list(n *yaml.Node, what string) ([]*yaml.Node, bool) {
	switch {
	case n.Kind != yaml.SequenceNode:
		f.errorf(n, "%s is a list, not %s", what, describe(n))
		return nil, false
	case len(n.Content) == 0:
		f.errorf(n, "%s is an empty list", what)
		return nil, false
	}
	return n.Content, true
}

// call is what an attempt does or asks: the field that names it, and what stands
// beside that.
type call struct {
	key, value *yaml.Node
	beside     map[string]*yaml.Node
}

// call reads a mapping of one field that names what is called, and of some that may
// stand beside it.
func (f *file) call(n *yaml.Node, what string, may ...string) (call, bool) {
	c := call{beside: map[string]*yaml.Node{}}
	named := 0
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if slices.Contains(may, key.Value) {
				c.beside[key.Value] = value
				continue
			}
			c.key, c.value = key, value
			named++
		}
	}
	if named != 1 {
		f.errorf(n, "%s is a mapping with exactly one field that names it, and, if need be, with %s beside that, not %s", what, enumerate(may, "and"), describe(n))
	}
	return c, named == 1
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe names what stands there, for messages.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "an empty list"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode && len(n.Content) == 0:
		return "an empty mapping"
	case n.Kind == yaml.MappingNode:
		return "a mapping of " + count(len(n.Content)/2, "field")
	case isNull(n):
		return "nothing"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	default:
		return "a text"
	}
}
