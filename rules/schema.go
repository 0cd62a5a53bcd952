package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/tripgen/paramedic/internal/engine"
)

// callee is what a rule calls with parameters: an action or a probe.
type callee struct {
	// what names it in messages: "kubernetes.restart".
	what   string
	system string
	schema *jsonschema.Schema
}

// compileSchema compiles a JSON Schema of the catalogue. It loads nothing from
// anywhere.
func compileSchema(what string, text json.RawMessage) (*jsonschema.Schema, error) {
	if len(text) == 0 {
		return nil, fmt.Errorf("%s has no parameter schema, so that nothing is known to be right for it", what)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the parameter schema of %s: %w", what, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(jsonschema.SchemeURLLoader{})
	const url = "urn:paramedic:parameters"
	if err := compiler.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("the parameter schema of %s: %w", what, err)
	}
	schema, err := compiler.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("the parameter schema of %s is not a JSON Schema: %s", what, strings.Join(strings.Fields(err.Error()), " "))
	}
	return schema, nil
}

// renderer validates parameters as far as they are known, and gives the
// function that renders and validates them for a scope.
func (f *file) renderer(to callee, v *param) (func(engine.Scope) (json.RawMessage, error), bool) {
	sample, err := v.build(func(t *template) (any, error) { return t.sample(), nil })
	if err != nil {
		f.errorf(v.node, "%s: %s", to.what, err)
		return nil, false
	}
	if !f.conforms(to, v, sample) {
		return nil, false
	}
	if !v.dynamic() {
		constant, err := json.Marshal(sample)
		if err != nil {
			f.errorf(v.node, "%s: %s", to.what, err)
			return nil, false
		}
		return func(engine.Scope) (json.RawMessage, error) { return bytes.Clone(constant), nil }, true
	}
	return func(scope engine.Scope) (json.RawMessage, error) {
		value, err := v.render(&scope)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", to.what, err)
		}
		if err := to.schema.Validate(value); err != nil {
			return nil, fmt.Errorf("%s (%s:%d): %s", to.what, f.path, v.node.Line, strings.Join(leaves(err), "; "))
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", to.what, err)
		}
		return encoded, nil
	}, true
}

// leaves are the innermost complaints of a validation, sorted: the validator
// goes through objects in no fixed order, and an error becomes part of the ledger.
func leaves(err error) []string {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []string{err.Error()}
	}
	var all []string
	for _, c := range invalid.Causes {
		all = append(all, leaves(c)...)
	}
	if len(invalid.Causes) > 0 {
		slices.Sort(all)
		return all
	}
	return []string{fmt.Sprintf("%s: %s", parameter(invalid.InstanceLocation), schemaComplaint(invalid))}
}

func parameter(location []string) string {
	if len(location) == 0 {
		return "the value"
	}
	return strings.Join(location, ".")
}

func schemaComplaint(invalid *jsonschema.ValidationError) string {
	switch k := invalid.ErrorKind.(type) {
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	}
	if unit := invalid.DetailedOutput(); unit.Error != nil {
		return unit.Error.String()
	}
	return "is not as the schema demands"
}

func number(r *big.Rat) string {
	return strings.TrimSuffix(strings.TrimRight(r.FloatString(6), "0"), ".")
}

// constant reports whether there is no expression in the template after all.
func (t *template) constant() bool {
	for _, p := range t.parts {
		if p.code != nil {
			return false
		}
	}
	return true
}

// literal is the text of a constant template.
func (t *template) literal() string {
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
	}
	return b.String()
}

// sample is a value of the type that the template will have; nil if the type is
// not known before it is rendered.
func (t *template) sample() any {
	code := t.whole()
	if code == nil {
		return ""
	}
	switch code.out.Kind() {
	case types.StringKind, types.TimestampKind, types.DurationKind:
		return ""
	case types.BoolKind:
		return false
	case types.IntKind, types.UintKind:
		return int64(0)
	case types.DoubleKind:
		return 0.5
	case types.ListKind:
		return []any{}
	case types.MapKind:
		return map[string]any{}
	default:
		return nil
	}
}
