package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/tripgen/paramedic/internal/engine"
)

// annotateParams are those of [Annotate]; annotateSchema says the same to editors and
// the linter.
type annotateParams struct {
	Annotations map[string]json.RawMessage `json:"annotations"`
}

const (
	// qualifiedName is how Kubernetes spells the keys of annotations and labels, though it
	// takes a prefix in capitals, too. Source: IsQualifiedName of k8s.io/apimachinery.
	qualifiedName = `^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`
	// ownedKey are the prefixes whose annotations are somebody's own: the API server's
	// and its controllers', by which one can do anything, and the marks by which an
	// action knows what it did.
	ownedKey = `^([^/]*[.])?(paramedic[.]dev|kubernetes[.]io|k8s[.]io)/`

	maxAnnotations     = 20
	maxQualifiedName   = 253 + 1 + 63
	maxAnnotationValue = 4096
)

const annotateSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["annotations"],
  "properties": {
    "annotations": {
      "type": "object", "minProperties": 1, "maxProperties": 20,
      "description": "What to set, by key; null takes an annotation away. Those of kubernetes.io, k8s.io and paramedic.dev are refused.",
      "propertyNames": {"maxLength": 317, "pattern": "` + qualifiedName + `", "not": {"pattern": "` + ownedKey + `"}},
      "additionalProperties": {"type": ["string", "null"], "maxLength": 4096}
    }
  }
}`

// annotateParamsOf are the wanted values; nil means that the annotation is not to be
// there.
func annotateParamsOf(t engine.Task) (map[string]*string, error) {
	var p annotateParams
	if err := decodeParams(t, &p); err != nil {
		return nil, err
	}
	if n := len(p.Annotations); n < 1 || n > maxAnnotations {
		return nil, badParams(t, "%d annotations; want 1 to %d", n, maxAnnotations)
	}
	spelling, owned := regexp.MustCompile(qualifiedName), regexp.MustCompile(ownedKey)
	wanted := make(map[string]*string, len(p.Annotations))
	for _, key := range slices.Sorted(maps.Keys(p.Annotations)) {
		var value *string
		err := json.Unmarshal(p.Annotations[key], &value)
		switch {
		case len(key) > maxQualifiedName || !spelling.MatchString(key):
			return nil, badParams(t, "%q is no annotation's key; want NAME, or DOMAIN/NAME in small letters", key)
		case owned.MatchString(key):
			return nil, badParams(t, "annotation %s is not to be written: those of kubernetes.io, k8s.io and paramedic.dev belong to these", key)
		case err != nil:
			return nil, badParams(t, "annotation %s: its value is no text and not null: %w", key, err)
		case value != nil && len([]rune(*value)) > maxAnnotationValue:
			return nil, badParams(t, "annotation %s: its value is longer than %d characters", key, maxAnnotationValue)
		}
		wanted[key] = value
	}
	return wanted, nil
}

// maxShown is how much of a value a plan shows.
const maxShown = 200

// shown is a value as a plan shows it: what is left out of a long one, a hash stands
// for, so that who approves the plan approves all of it.
func shown(v *string) string {
	switch {
	case v == nil:
		return "none"
	case len([]rune(*v)) > maxShown:
		return fmt.Sprintf("%q... (%d characters, sha256 %s)", string([]rune(*v)[:maxShown]), len([]rune(*v)), shortHash(*v, 5))
	}
	return fmt.Sprintf("%q", *v)
}
