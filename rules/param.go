package rules

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// param is a value of an action or probe, at any depth: a constant, a text with
// expressions, a list or an object.
type param struct {
	node     *yaml.Node
	constant any
	template *template
	list     []*param
	fields   []paramField
	isObject bool
	isList   bool
}

type paramField struct {
	name  string
	key   *yaml.Node
	value *param
}

// param reads a YAML value into what JSON can say.
func (f *file) param(p *place, n *yaml.Node) (*param, bool) {
	switch n.Kind {
	case yaml.MappingNode:
		return f.paramObject(p, n)
	case yaml.SequenceNode:
		v, ok := &param{node: n, isList: true}, true
		for _, c := range n.Content {
			e, good := f.param(p, c)
			v.list, ok = append(v.list, e), ok && good
		}
		return v, ok
	default:
		return f.paramScalar(p, n)
	}
}

func (f *file) paramObject(p *place, n *yaml.Node) (*param, bool) {
	v, ok := &param{node: n, isObject: true}, true
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if hasExpression(key.Value) {
			f.errorf(key, "an expression cannot stand in a field's name")
			ok = false
			continue
		}
		e, good := f.param(p, n.Content[i+1])
		v.fields, ok = append(v.fields, paramField{key.Value, key, e}), ok && good
	}
	return v, ok
}

func (f *file) paramScalar(p *place, n *yaml.Node) (*param, bool) {
	v := &param{node: n}
	switch n.ShortTag() {
	case "!!null":
	case "!!bool":
		v.constant = strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		number, ok := jsonNumber(n.Value)
		if !ok {
			f.errorf(n, "the number %s has no form in JSON, or more than one reading: write it as JSON does, or put it in quotes if it is a text", n.Value)
			return nil, false
		}
		v.constant = number
	default:
		if !hasExpression(n.Value) {
			v.constant = n.Value
			break
		}
		t, ok := p.template(f.scalar(n))
		if !ok {
			return nil, false
		}
		if t.constant() {
			v.constant = t.literal()
			break
		}
		v.template = t
	}
	return v, true
}

// jsonNumber accepts what JSON and YAML agree on: no leading zeros, which YAML
// takes for octal, no underscores, no infinity.
func jsonNumber(s string) (json.Number, bool) {
	if len(s) > 40 || !regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d{1,3})?$`).MatchString(s) {
		return "", false
	}
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return "", false
	}
	return json.Number(s), true
}

// dynamic reports whether there is an expression in the value.
func (v *param) dynamic() bool {
	if v.template != nil {
		return true
	}
	for _, e := range v.list {
		if e.dynamic() {
			return true
		}
	}
	for _, f := range v.fields {
		if f.value.dynamic() {
			return true
		}
	}
	return false
}

// build makes the value; leaf gives that of a text with expressions.
func (v *param) build(leaf func(*template) (any, error)) (any, error) {
	switch {
	case v.template != nil:
		return leaf(v.template)
	case v.isList:
		list := make([]any, 0, len(v.list))
		for _, e := range v.list {
			x, err := e.build(leaf)
			if err != nil {
				return nil, err
			}
			list = append(list, x)
		}
		return list, nil
	case v.isObject:
		object := make(map[string]any, len(v.fields))
		for _, f := range v.fields {
			x, err := f.value.build(leaf)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			object[f.name] = x
		}
		return object, nil
	default:
		return v.constant, nil
	}
}

// render makes the value for a scope.
func (v *param) render(scope *engine.Scope) (any, error) {
	return v.build(func(t *template) (any, error) { return t.value(scope) })
}

// find follows a path of field names and list indices.
func (v *param) find(path []string) *param {
	for _, step := range path {
		next := v.child(step)
		if next == nil {
			return v
		}
		v = next
	}
	return v
}

func (v *param) child(step string) *param {
	if v.isList {
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v.list) {
			return v.list[i]
		}
		return nil
	}
	for _, f := range v.fields {
		if f.name == step {
			return f.value
		}
	}
	return nil
}
