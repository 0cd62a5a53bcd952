package rules

import (
	"fmt"
	"reflect"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/tripgen/paramedic/internal/engine"
)

// variable is one name that an expression may use: an object with fields, or a
// plain value.
type variable struct {
	name   string
	fields []member
	// typ and get are of a plain value.
	typ *cel.Type
	get func(*engine.Scope) any
}

// member is one field of an object.
type member struct {
	name string
	typ  *cel.Type
	get  func(*engine.Scope) any
}

// variables are all names that expressions know, each with its fields. Which of
// them a place has is the place's matter.
func variables() []variable {
	labels := cel.MapType(cel.StringType, cel.StringType)
	return []variable{
		{name: "alert", fields: []member{
			{"source", cel.StringType, func(s *engine.Scope) any { return s.Alert.Source }},
			{"name", cel.StringType, func(s *engine.Scope) any { return s.Alert.Name }},
			{"status", cel.StringType, func(s *engine.Scope) any { return string(s.Alert.Status) }},
			{"severity", cel.StringType, func(s *engine.Scope) any { return s.Alert.Severity }},
			{"fingerprint", cel.StringType, func(s *engine.Scope) any { return s.Alert.Fingerprint }},
			{"labels", labels, func(s *engine.Scope) any { return labelMap(s.Alert.Labels) }},
			{"annotations", labels, func(s *engine.Scope) any { return labelMap(s.Alert.Annotations) }},
			{"startsAt", cel.TimestampType, func(s *engine.Scope) any { return s.Alert.StartsAt }},
			{"url", cel.StringType, func(s *engine.Scope) any { return s.Alert.URL }},
		}},
		{name: "target", fields: []member{
			{"system", cel.StringType, func(s *engine.Scope) any { return s.Target.System }},
			{"cluster", cel.StringType, func(s *engine.Scope) any { return s.Target.Cluster }},
			{"account", cel.StringType, func(s *engine.Scope) any { return s.Target.Account }},
			{"namespace", cel.StringType, func(s *engine.Scope) any { return s.Target.Namespace }},
			{"kind", cel.StringType, func(s *engine.Scope) any { return s.Target.Kind }},
			{"name", cel.StringType, func(s *engine.Scope) any { return s.Target.Name }},
		}},
		{name: "run", fields: []member{
			{"id", cel.StringType, func(s *engine.Scope) any { return s.Run.ID }},
			{"rule", cel.StringType, func(s *engine.Scope) any { return s.Run.Rule }},
			{"startedAt", cel.TimestampType, func(s *engine.Scope) any { return s.Run.StartedAt }},
		}},
		{name: "attempt", fields: []member{
			{"name", cel.StringType, func(s *engine.Scope) any { return s.Attempt.Name }},
			{"number", cel.IntType, func(s *engine.Scope) any { return int64(s.Attempt.Number) }},
		}},
		{name: "now", typ: cel.TimestampType, get: func(s *engine.Scope) any { return s.Now }},
	}
}

// objectTypes begins the names of the objects' types. CEL takes a type's name
// for an identifier, so that it must not be that of a variable: a place that
// does not have the variable would have the type.
const objectTypes = "paramedic."

func (v variable) celType() *cel.Type {
	if v.fields != nil {
		return cel.ObjectType(objectTypes + v.name)
	}
	return v.typ
}

func (v variable) fieldNames() []string {
	names := make([]string, len(v.fields))
	for i, m := range v.fields {
		names[i] = m.name
	}
	return names
}

// scopeObject is a variable with fields, as CEL sees it: a view of a scope.
type scopeObject struct {
	typ   *cel.Type
	scope *engine.Scope
}

// ConvertToNative implements ref.Val.
func (o scopeObject) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s is an object: it has no form as %s", o.typ.TypeName(), to)
}

// ConvertToType implements ref.Val.
func (o scopeObject) ConvertToType(to ref.Type) ref.Val {
	if to == types.TypeType {
		return o.typ
	}
	return types.NewErr("%s is an object: it has no form as %s", o.typ.TypeName(), to.TypeName())
}

// Equal implements ref.Val: in one evaluation there is one of each.
func (o scopeObject) Equal(other ref.Val) ref.Val {
	p, ok := other.(scopeObject)
	return types.Bool(ok && p.typ == o.typ && p.scope == o.scope)
}

// Type implements ref.Val.
func (o scopeObject) Type() ref.Type { return o.typ }

// Value implements ref.Val.
func (o scopeObject) Value() any { return o }

// provider tells CEL the objects' fields, over the types that CEL has itself.
type provider struct {
	*types.Registry
	objects map[string]variable
}

// FindStructType implements types.Provider.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if v, ok := p.objects[name]; ok {
		return types.NewTypeTypeWithParam(v.celType()), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	if v, ok := p.objects[name]; ok {
		return v.fieldNames(), true
	}
	return p.Registry.FindStructFieldNames(name)
}

// FindStructFieldType implements types.Provider.
func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	v, ok := p.objects[name]
	if !ok {
		return p.Registry.FindStructFieldType(name, field)
	}
	for _, m := range v.fields {
		if m.name != field {
			continue
		}
		return &types.FieldType{
			Type:  m.typ,
			IsSet: func(any) bool { return true },
			GetFrom: func(from any) (any, error) {
				o, ok := from.(scopeObject)
				if !ok {
					return nil, fmt.Errorf("%s.%s is read from a %T", name, field, from)
				}
				return m.get(o.scope), nil
			},
		}, true
	}
	return nil, false
}

// activation gives an evaluation its variables.
type activation struct {
	place *place
	scope *engine.Scope
}

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) {
	v, ok := a.place.has[name]
	switch {
	case !ok:
		return nil, false
	case v.fields != nil:
		return scopeObject{typ: v.object, scope: a.scope}, true
	default:
		return v.get(a.scope), true
	}
}

// Parent implements cel.Activation.
func (activation) Parent() cel.Activation { return nil }
