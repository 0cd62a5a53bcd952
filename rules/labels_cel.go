package rules

import (
	"maps"
	"reflect"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/decls"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// labelMap is a map of labels or annotations as expressions see it. As in
// Prometheus, one that is missing reads as the empty text; has() and in tell
// whether it is there. Its keys come in the order of their names, so that an
// expression gives the same every time.
//
// It deliberately is no traits.Mapper: CEL asks one function of a mapper both
// for values and for has(), and could not tell missing from empty.
type labelMap map[string]string

var (
	_ traits.Indexer     = labelMap{}
	_ traits.FieldTester = labelMap{}
	_ traits.Container   = labelMap{}
	_ traits.Sizer       = labelMap{}
	_ traits.Iterable    = labelMap{}
)

// ConvertToNative implements ref.Val.
func (m labelMap) ConvertToNative(to reflect.Type) (any, error) { return m.cel().ConvertToNative(to) }

// ConvertToType implements ref.Val.
func (m labelMap) ConvertToType(to ref.Type) ref.Val { return m.cel().ConvertToType(to) }

// Equal implements ref.Val.
func (m labelMap) Equal(other ref.Val) ref.Val {
	o, ok := other.(labelMap)
	return types.Bool(ok && maps.Equal(m, o))
}

// Type implements ref.Val.
func (m labelMap) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (m labelMap) Value() any { return map[string]string(m) }

// Get implements traits.Indexer.
func (m labelMap) Get(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key)
	}
	return types.String(m[string(name)])
}

// IsSet implements traits.FieldTester.
func (m labelMap) IsSet(key ref.Val) ref.Val { return m.Contains(key) }

// Contains implements traits.Container.
func (m labelMap) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key)
	}
	_, there := m[string(name)]
	return types.Bool(there)
}

// Size implements traits.Sizer.
func (m labelMap) Size() ref.Val { return types.Int(len(m)) }

// Iterator implements traits.Iterable.
func (m labelMap) Iterator() traits.Iterator {
	names := slices.Sorted(maps.Keys(m))
	return types.NewStringList(types.DefaultTypeAdapter, names).Iterator()
}

// labelGet is the function get of maps of texts, so of labels and annotations:
// the value under a name, or a text in place of one that is missing or empty.
func labelGet() cel.EnvOption {
	labels := cel.MapType(cel.StringType, cel.StringType)
	return cel.Function("get",
		// The guards would take a labelMap for a traits.Mapper.
		decls.DisableTypeGuards(true),
		cel.MemberOverload("labels_get", []*cel.Type{labels, cel.StringType, cel.StringType}, cel.StringType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val {
				m, isMap := args[0].(traits.Indexer)
				there, isContainer := args[0].(traits.Container)
				if _, isText := args[1].(types.String); !isMap || !isContainer || !isText {
					return types.MaybeNoSuchOverloadErr(args[0])
				}
				if there.Contains(args[1]) == types.True {
					if v := m.Get(args[1]); v != types.String("") {
						return v
					}
				}
				return args[2]
			}),
		),
	)
}

func (m labelMap) cel() traits.Mapper {
	return types.NewStringStringMap(types.DefaultTypeAdapter, m)
}
