package rules

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
)

// The bounds of an expression. Cost is in CEL's units, about one for each
// operation and each ten characters compared.
const (
	maxExpression = 4096
	maxNesting    = 50
	maxPattern    = 1000
	maxCost       = 100_000
)

// place is somewhere in a rule that an expression may stand, and the variables
// that are known there.
type place struct {
	// what names it in messages: "when".
	what string
	has  map[string]placed
	// names are those of has, in the order in which they are documented.
	names []string
	env   *cel.Env
	// compiled keeps programs by their text: many rules share a few.
	compiled map[string]compiledText
}

type placed struct {
	variable
	object *cel.Type
}

// places are all places of a rule set.
type places struct {
	when, target, group, budget, attempt, report *place
}

func newPlaces() (places, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return places{}, fmt.Errorf("CEL types: %w", err)
	}
	all := make(map[string]variable)
	for _, v := range variables() {
		all[v.name] = v
	}
	declared := provider{Registry: registry, objects: make(map[string]variable)}
	for name, v := range all {
		if v.fields != nil {
			declared.objects[objectTypes+name] = v
		}
	}
	base, err := cel.NewEnv(
		cel.CustomTypeAdapter(registry),
		cel.CustomTypeProvider(declared),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.RegexProgramSizeLimit(maxPattern),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(), cel.ValidateComprehensionNestingLimit(2),
		),
		ext.Strings(),
		labelGet(),
	)
	if err != nil {
		return places{}, fmt.Errorf("CEL environment: %w", err)
	}
	var ps places
	for _, p := range []struct {
		into **place
		what string
		has  []string
	}{
		{&ps.when, "when", []string{"alert", "now"}},
		{&ps.target, "a target", []string{"alert", "now"}},
		{&ps.group, "groupBy", []string{"alert"}},
		{&ps.budget, "a budget's by", []string{"alert", "target", "run"}},
		{&ps.attempt, "an attempt", []string{"alert", "target", "run", "attempt", "now"}},
		{&ps.report, "report and otherwise", []string{"alert", "target", "run", "now"}},
	} {
		if *p.into, err = newPlace(base, all, p.what, p.has); err != nil {
			return places{}, err
		}
	}
	return ps, nil
}

func newPlace(base *cel.Env, all map[string]variable, what string, names []string) (*place, error) {
	p := &place{what: what, names: names, has: make(map[string]placed), compiled: make(map[string]compiledText)}
	options := make([]cel.EnvOption, 0, len(names))
	for _, name := range names {
		v := all[name]
		typ := v.celType()
		p.has[name] = placed{variable: v, object: typ}
		options = append(options, cel.Variable(name, typ))
	}
	env, err := base.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("CEL environment of %s: %w", what, err)
	}
	p.env = env
	return p, nil
}
