package rules

import (
	"fmt"
	"math"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// toJSON gives a CEL value as encoding/json and a JSON Schema take it.
func toJSON(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.String:
		return string(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return int64(v), nil
	case types.Uint:
		return uint64(v), nil
	case types.Double:
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("the expression gave %v, which JSON has no number for", v)
		}
		return float64(v), nil
	case types.Null:
		return nil, nil // JSON's null is a value
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), nil
	case types.Duration:
		return v.String(), nil
	case labelMap:
		object := make(map[string]any, len(v))
		for name, value := range v {
			object[name] = value
		}
		return object, nil
	case traits.Mapper:
		return mapToJSON(v)
	case traits.Lister:
		list := []any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			e, err := toJSON(it.Next())
			if err != nil {
				return nil, err
			}
			list = append(list, e)
		}
		return list, nil
	default:
		return nil, fmt.Errorf("the expression gave a %s, which JSON has no form for", v.Type().TypeName())
	}
}

func mapToJSON(m traits.Mapper) (any, error) {
	object := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("the expression gave a map with a key of type %s, and JSON has only texts for keys", key.Type().TypeName())
		}
		value, err := toJSON(m.Get(key))
		if err != nil {
			return nil, err
		}
		object[string(name)] = value
	}
	return object, nil
}
