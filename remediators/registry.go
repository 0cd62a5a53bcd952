package remediators

import (
	"fmt"
	"sort"
)

// Registry is the closed list of actions that a process can take. It is built
// once, from an explicit list, and only read afterwards.
type Registry struct {
	byName map[string]Remediator
}

// NewRegistry collects remediators. Two of one name are refused.
func NewRegistry(all ...Remediator) (*Registry, error) {
	r := &Registry{byName: make(map[string]Remediator, len(all))}
	for _, m := range all {
		name := m.Spec().Name
		if name == "" {
			return nil, fmt.Errorf("remediator %T has no name", m)
		}
		if other, taken := r.byName[name]; taken {
			return nil, fmt.Errorf("remediator %q is registered twice: %T and %T", name, other, m)
		}
		r.byName[name] = m
	}
	return r, nil
}

// Get returns the remediator of that name.
func (r *Registry) Get(name string) (Remediator, bool) {
	m, ok := r.byName[name]
	return m, ok
}

// Names are sorted.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for n := range r.byName {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Specs are sorted by name.
func (r *Registry) Specs() []Spec {
	specs := make([]Spec, 0, len(r.byName))
	for _, n := range r.Names() {
		specs = append(specs, r.byName[n].Spec())
	}
	return specs
}
