package rules

import (
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// conforms reports what is wrong with parameters whose expressions stand in as
// samples. What depends on a sample's value is left to rendering.
func (f *file) conforms(to callee, v *param, sample any) bool {
	err := to.schema.Validate(sample)
	if err == nil {
		return true
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		f.errorf(v.node, "%s: %s", to.what, err)
		return false
	}
	before := len(*f.found)
	known := slips{unknown: map[*param][]string{}, typed: map[*param]bool{}}
	known.collect(v, invalid)
	f.invalid(to, v, invalid, known)
	return len(*f.found) == before
}

// slips are what is wrong with the names and types of fields, by the object that
// has them: other complaints may only follow from it.
type slips struct {
	unknown map[*param][]string
	typed   map[*param]bool
}

func (s slips) collect(v *param, e *jsonschema.ValidationError) {
	where := v.find(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains:
		return
	case *kind.AdditionalProperties:
		s.unknown[where] = append(s.unknown[where], k.Properties...)
	case *kind.Type:
		if in := len(e.InstanceLocation) - 1; in >= 0 && where.known() {
			s.typed[v.find(e.InstanceLocation[:in])] = true
		}
	}
	for _, c := range e.Causes {
		s.collect(v, c)
	}
}

// explain reports whether fields are missing only because one is misspelt, or
// because a condition of the schema read a value of a wrong type or none.
func (s slips) explain(where *param, e *jsonschema.ValidationError, missing []string) bool {
	if (s.typed[where] || len(s.unknown[where]) > 0) && (strings.Contains(e.SchemaURL, "/then") || strings.Contains(e.SchemaURL, "/else")) {
		return true
	}
	return slices.ContainsFunc(s.unknown[where], func(name string) bool {
		_, ok := nearest(name, missing)
		return ok
	})
}

// known reports whether the value's type is known before it is rendered.
func (v *param) known() bool { return v.template == nil || v.template.sample() != nil }

func (f *file) invalid(to callee, v *param, e *jsonschema.ValidationError, known slips) {
	where := v.find(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf, *kind.Not, *kind.Contains:
		if !where.dynamic() {
			f.noneFits(to, where, e, known)
		}
		return
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			f.unknownParam(to, where, name, e)
		}
		return
	case *kind.Required:
		if !known.explain(where, e, k.Missing) {
			f.errorf(where.node, "%s needs %s", prefix(to, e), enumerate(quote(k.Missing), "and"))
		}
		return
	case *kind.DependentRequired:
		if !known.explain(where, e, k.Missing) {
			f.errorf(where.node, "%s's %s needs %s beside it", prefix(to, e), k.Prop, enumerate(quote(k.Missing), "and"))
		}
		return
	case *kind.Type:
		if where.known() {
			got := inWords(k.Got)[0]
			if k.Got == "number" && slices.Contains(k.Want, "integer") {
				got += " with a fraction"
			}
			f.errorf(where.node, "%s is %s, not %s", prefix(to, e), enumerate(inWords(k.Want...), "or"), got)
		}
		return
	}
	f.invalidValue(to, v, where, e, known)
}

// noneFits reports a value that fits none of a schema's choices, or too many.
func (f *file) noneFits(to callee, where *param, e *jsonschema.ValidationError, known slips) {
	if one, ok := e.ErrorKind.(*kind.OneOf); ok && len(one.Subschemas) > 1 {
		f.errorf(where.node, "%s has more than one of what excludes each other: leave all but one out", prefix(to, e))
		return
	}
	var missing, texts []string
	for _, c := range e.Causes {
		k, ok := c.ErrorKind.(*kind.Required)
		if !ok || !slices.Equal(c.InstanceLocation, e.InstanceLocation) {
			f.errorf(where.node, "%s: %s", to.what, strings.Join(leaves(e), "; or "))
			return
		}
		missing, texts = append(missing, k.Missing...), append(texts, enumerate(quote(k.Missing), "and"))
	}
	switch {
	case known.explain(where, e, missing):
	case len(missing) == 0:
		f.errorf(where.node, "%s: %s", prefix(to, e), schemaComplaint(e))
	default:
		f.errorf(where.node, "%s needs %s", prefix(to, e), enumerate(texts, "or"))
	}
}

// inWords are JSON's types as messages call them.
func inWords(types ...string) []string {
	names := map[string]string{
		"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
		"array": "a list", "object": "a mapping", "null": "nothing",
	}
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = names[t]
	}
	return out
}

func (f *file) invalidValue(to callee, v, where *param, e *jsonschema.ValidationError, known slips) {
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			f.invalid(to, v, c, known)
		}
		return
	}
	if !where.dynamic() {
		f.errorf(where.node, "%s: %s", prefix(to, e), schemaComplaint(e))
	}
}

// unknownParam points at a parameter's name. The valid names are those that the
// schema has where it refused this one.
func (f *file) unknownParam(to callee, in *param, name string, e *jsonschema.ValidationError) {
	at := in.node
	for _, field := range in.fields {
		if field.name == name {
			at = field.key
		}
	}
	var valid []string
	if s := subschema(to.schema, e.InstanceLocation); s != nil {
		for n := range s.Properties {
			valid = append(valid, n)
		}
	}
	f.errorf(at, "%s takes no %q%s", prefix(to, e), name, hint(name, valid))
}

// subschema follows properties only: it is for hints.
func subschema(s *jsonschema.Schema, location []string) *jsonschema.Schema {
	for _, step := range location {
		for s != nil && s.Ref != nil {
			s = s.Ref
		}
		if s == nil {
			return nil
		}
		s = s.Properties[step]
	}
	return s
}

func prefix(to callee, e *jsonschema.ValidationError) string {
	if len(e.InstanceLocation) == 0 {
		return to.what
	}
	return to.what + "'s " + strings.Join(e.InstanceLocation, ".")
}

func quote(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = `"` + n + `"`
	}
	return out
}
