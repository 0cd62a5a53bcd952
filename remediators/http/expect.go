package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// expectation is what an answer must be. The zero value wants any 2xx.
type expectation struct {
	Status   statuses                   `json:"status"`
	JSON     map[string]json.RawMessage `json:"json"`
	Contains string                     `json:"contains"`
}

// expectProperties is the part of a JSON Schema that describes an expectation.
const expectProperties = `
  "status": {
    "description": "The statuses that are fine; any 2xx if it is not given.",
    "oneOf": [{"$ref": "#/$defs/status"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/status"}}]
  },
  "json": {"type": "object", "minProperties": 1, "description": "Values that the answer, a JSON document, must have: by key, or by path with dots, such as components.db.status or items.0.name."},
  "contains": {"type": "string", "minLength": 1, "description": "Text that the answer's body must contain."}`

const expectDefs = `"$defs": {"status": {"type": "integer", "minimum": 200, "maximum": 599}}`

// statuses is one status or several.
type statuses []int

// UnmarshalJSON implements [json.Unmarshaler].
func (s *statuses) UnmarshalJSON(b []byte) error {
	var one int
	if err := json.Unmarshal(b, &one); err == nil {
		*s = statuses{one}
	} else if err := json.Unmarshal(b, (*[]int)(s)); err != nil {
		return errors.New("status: want a number or a list of numbers")
	}
	if len(*s) == 0 {
		return errors.New("status: the list is empty, so no answer would do")
	}
	for _, code := range *s {
		if code < 200 || code > 599 {
			return fmt.Errorf("status: %d is none, want 200 to 599", code)
		}
	}
	return nil
}

func (e expectation) status(code int) bool {
	if len(e.Status) == 0 {
		return code >= 200 && code < 300
	}
	return slices.Contains(e.Status, code)
}

// body says what is wrong with an answer's body; nil if nothing is.
func (e expectation) body(a answer) error {
	if e.Contains == "" && len(e.JSON) == 0 {
		return nil
	}
	// What is searched for may stand in a body that was cut, JSON cannot.
	if e.Contains != "" && !bytes.Contains(a.body, []byte(e.Contains)) {
		return errors.Join(fmt.Errorf("the answer does not contain %q", e.Contains), a.cut)
	}
	if len(e.JSON) == 0 {
		return nil
	}
	if a.cut != nil {
		return fmt.Errorf("the answer could not be read whole: %w", a.cut)
	}
	got, err := decodeJSON(a.body)
	if err != nil {
		return fmt.Errorf("the answer (%s) is not JSON: %w", contentType(a.header), err)
	}
	for _, path := range slices.Sorted(maps.Keys(e.JSON)) {
		want, err := decodeJSON(e.JSON[path])
		if err != nil {
			return fmt.Errorf("expected value of %q: %w", path, err)
		}
		value, ok := lookUp(got, path)
		if !ok {
			return fmt.Errorf("the answer has no %q", path)
		}
		if !equal(value, want) {
			return fmt.Errorf("%q is %s, want %s", path, brief(value), brief(want))
		}
	}
	return nil
}

func contentType(h http.Header) string {
	if t := h.Get("Content-Type"); t != "" {
		return t
	}
	return "of no type"
}

func decodeJSON(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err = d.Decode(&v); err == nil && d.More() {
		err = errors.New("more than one value")
	}
	return v, err
}

// lookUp finds a value by its key, or else by a path of keys and indexes.
func lookUp(v any, path string) (any, bool) {
	if m, ok := v.(map[string]any); ok {
		if value, ok := m[path]; ok {
			return value, true
		}
	}
	head, rest, deeper := strings.Cut(path, ".")
	var child any
	switch v := v.(type) {
	case map[string]any:
		value, ok := v[head]
		if !ok {
			return nil, false
		}
		child = value
	case []any:
		i, err := strconv.Atoi(head)
		if err != nil || i < 0 || i >= len(v) {
			return nil, false
		}
		child = v[i]
	default:
		return nil, false
	}
	if !deeper {
		return child, true
	}
	return lookUp(child, rest)
}

// equal compares decoded JSON; 1 and 1.0 are equal.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok || a == b {
			return ok
		}
		x, errX := a.Float64()
		y, errY := b.Float64()
		return errX == nil && errY == nil && x == y
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	default:
		return a == b
	}
}

// brief shows a value, but not all of a large one.
func brief(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "a value that does not encode"
	}
	const most = 120
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "…"
	}
	return string(b)
}
