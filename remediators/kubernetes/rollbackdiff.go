package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// maxChanges bounds how many fields a plan names.
const maxChanges = 30

// compareRevisions works out what becomes of a template.
func compareRevisions(w *workload, from, to revision) (rolledBack, []engine.Change, error) {
	done := rolledBack{From: from.uid, To: to.uid, FromRevision: from.number, ToRevision: to.number}
	for _, side := range []struct {
		of       revision
		template *string
	}{{from, &done.FromTemplate}, {to, &done.ToTemplate}} {
		pods, err := side.of.pods()
		if err != nil {
			return done, nil, err
		}
		if *side.template, err = templateOf(pods); err != nil {
			return done, nil, err
		}
	}
	d := diff{from: fmt.Sprintf("as in revision %d", from.number), to: fmt.Sprintf("as in revision %d", to.number)}
	before, errFrom := from.plain()
	after, errTo := to.plain()
	if errFrom != nil || errTo != nil {
		return done, nil, remediators.Terminal("%s: revisions %s and %s: pod templates do not decode", w, from.name, to.name)
	}
	d.walk("spec.template", before, after)
	if n := len(d.changes) - maxChanges; n > 0 {
		d.changes = append(d.changes[:maxChanges], engine.Change{Field: fmt.Sprintf("and %d more", n), From: d.from, To: d.to})
	}
	number := engine.Change{Field: "revision", From: strconv.FormatInt(from.number, 10), To: strconv.FormatInt(to.number, 10)}
	return done, append([]engine.Change{number}, d.changes...), nil
}

// plain is the template as JSON has it, without the controller's label.
func (r revision) plain() (map[string]any, error) {
	var raw map[string]any
	if err := json.Unmarshal(r.template, &raw); err != nil {
		return nil, err
	}
	withoutHash(raw)
	delete(raw, "$patch")
	return raw, nil
}

// withoutHash takes off the label that is the controller's.
func withoutHash(template map[string]any) {
	if meta, ok := template["metadata"].(map[string]any); ok {
		if labels, ok := meta["labels"].(map[string]any); ok {
			delete(labels, appsv1.DefaultDeploymentUniqueLabelKey)
		}
	}
}

// diff lists the fields that two templates differ in. It shows no values but those
// of images, as others may be secrets.
type diff struct {
	from, to string
	changes  []engine.Change
}

func (d *diff) walk(path string, from, to any) {
	// An absent field and one that is null are the same.
	if reflect.DeepEqual(from, to) {
		return
	}
	a, aOK := object(from)
	b, bOK := object(to)
	if !aOK || !bOK || len(a)+len(b) == 0 {
		d.add(path, from, to)
		return
	}
	keys := map[string]any{}
	maps.Copy(keys, a)
	maps.Copy(keys, b)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if isList(from) || isList(to) {
			d.walk(path+"["+key+"]", a[key], b[key])
		} else {
			d.walk(path+"."+key, a[key], b[key])
		}
	}
}

func (d *diff) add(path string, from, to any) {
	c := engine.Change{Field: path, From: d.from, To: d.to}
	if strings.HasSuffix(path, "].image") {
		c.From, c.To = fmt.Sprint(orNothing(from)), fmt.Sprint(orNothing(to))
	}
	d.changes = append(d.changes, c)
}

func orNothing(v any) any {
	if v == nil {
		return ""
	}
	return v
}

func isList(v any) bool {
	_, ok := v.([]any)
	return ok
}

// object gives what can be told apart by name: an object's fields, or a list's
// elements if each has a name of its own, as containers have. Nothing is an object
// without fields.
func object(v any) (map[string]any, bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case map[string]any:
		return v, true
	case []any:
		all := map[string]any{}
		for _, e := range v {
			fields, ok := e.(map[string]any)
			name, named := fields["name"].(string)
			if !ok || !named || all[name] != nil {
				return nil, false
			}
			all[name] = fields
		}
		return all, true
	default:
		return nil, false
	}
}
