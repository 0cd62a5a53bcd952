package alertmanager

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Dialect is what another sender of the same shape says differently. The zero
// value is Alertmanager itself.
type Dialect struct {
	// Versions are the body's versions that are known, as JSON, in place of
	// Alertmanager's own.
	Versions []string
	// Annotations says which further members of an alert become an annotation,
	// and of what name: a string as it is, anything else as compact JSON, and
	// null or "" not at all. An annotation that was sent under the name stays.
	Annotations map[string]string
}

// knows reports whether version, as JSON, is one of the dialect.
func (x Dialect) knows(version string) bool {
	if len(x.Versions) == 0 {
		switch version {
		case `"4"`, `"3"`, `4`, `3`, `""`, `null`:
			return true
		}
		return false
	}
	return slices.Contains(x.Versions, version)
}

// extra reads a member that the dialect makes an annotation.
func (d *decoding) extra(s *sent, annotation string) error {
	value, err := d.json.ReadValue()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	text := Text(value)
	if text == "" {
		return nil
	}
	if s.extra == nil {
		s.extra = make(map[string]string)
	}
	s.extra[annotation] = text
	return nil
}

// Text is a value as a person reads it: a string as it is, anything else as
// compact JSON, null and an absent value as "". It keeps nothing of value, which
// must be sound JSON.
func Text(value jsontext.Value) string {
	switch value.Kind() {
	case 'n', 0:
		return ""
	case '"':
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return string(value)
		}
		return string(text)
	default:
		compact := value.Clone()
		if err := compact.Compact(); err != nil {
			return string(value)
		}
		return string(compact)
	}
}
