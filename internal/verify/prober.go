package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/tripgen/paramedic/internal/engine"
)

// Prober answers whether something holds of a target now. It changes nothing
// and is safe for concurrent use.
type Prober interface {
	Spec() Spec
	// Probe answers at once or when ctx ends. Where the target can be asked but
	// is not well, that is a Check that is not OK, and its Detail says what is
	// missing; an error means that it could not be asked. Neither says a secret.
	Probe(ctx context.Context, target engine.Target, params json.RawMessage) (engine.Check, error)
}

// Spec describes a prober.
type Spec struct {
	// Kind is as written in a rule: rollout, http.
	Kind string
	// System is the only engine.Target.System that it can look at; empty if any.
	System string
	// Summary is one sentence for the documentation.
	Summary string
	// Params is a JSON Schema (draft 2020-12) of the parameters.
	Params json.RawMessage
}

// Registry is the closed list of probers that a process has.
type Registry struct{ byKind map[string]Prober }

// NewRegistry collects probers. Two of one kind are refused.
func NewRegistry(all ...Prober) (*Registry, error) {
	r := &Registry{byKind: make(map[string]Prober, len(all))}
	for _, p := range all {
		kind := p.Spec().Kind
		if kind == "" {
			return nil, fmt.Errorf("prober %T has no kind", p)
		}
		if other, taken := r.byKind[kind]; taken {
			return nil, fmt.Errorf("prober %q is registered twice: %T and %T", kind, other, p)
		}
		r.byKind[kind] = p
	}
	return r, nil
}

// Get returns the prober of that kind.
func (r *Registry) Get(kind string) (Prober, bool) {
	p, ok := r.byKind[kind]
	return p, ok
}

// Kinds are sorted.
func (r *Registry) Kinds() []string { return slices.Sorted(maps.Keys(r.byKind)) }

// Specs are sorted by kind.
func (r *Registry) Specs() []Spec {
	specs := make([]Spec, 0, len(r.byKind))
	for _, k := range r.Kinds() {
		specs = append(specs, r.byKind[k].Spec())
	}
	return specs
}
