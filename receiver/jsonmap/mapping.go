package jsonmap

import (
	"fmt"
	"maps"
	"slices"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/ext"
)

// Mapping says, in CEL, what of a document becomes which field of an alert.
// Name and Status must be set.
type Mapping struct {
	// Alerts gives the list of elements; only body is known in it.
	Alerts string
	// Name gives the alert's name, a text that is not empty.
	Name string
	// Status gives firing or resolved, in small or large letters. A sender that
	// never says that an alert has ended is written "'firing'".
	Status string
	// Severity gives a text.
	Severity string
	// Fingerprint gives what identifies the alert's series. Without it, or where
	// it gives nothing, that is a hash of the labels.
	Fingerprint string
	// StartsAt gives a timestamp, a text as of RFC 3339, or a number of seconds
	// since 1970. It must be the same for the firing and its resolve.
	StartsAt string
	// Labels and Annotations give a text each. The labels alertname and severity
	// are set from Name and Severity.
	Labels, Annotations map[string]string
	// URL gives where a person sees more.
	URL string
}

// The bounds of expressions, in CEL's units: about one for each operation and
// each ten characters compared. Length and nesting are those of rules. The cost
// is bounded by less: the time that a loop takes grows with the square of its
// cost, as the counting itself keeps a stack that it searches. The list of
// elements is made once a body, and may cost ten times as much as a field.
const (
	maxExpression = 4096
	maxNesting    = 50
	maxPattern    = 1000
	maxCost       = 10_000
	maxListCost   = 10 * maxCost
)

// maxFields bounds labels, and annotations.
const maxFields = 64

// field is a compiled expression and the name of the field it fills.
type field struct {
	name    string
	program cel.Program
}

// named is a label or annotation.
type named struct {
	name string
	field
}

type compiled struct {
	alerts, status, name, severity, fingerprint, startsAt, url *field
	labels, annotations                                        []named
}

func compile(m Mapping) (*compiled, error) {
	base, err := cel.NewEnv(
		cel.Variable("body", cel.DynType),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxNesting),
		cel.RegexProgramSizeLimit(maxPattern),
		cel.CrossTypeNumericComparisons(true),
		cel.OptionalTypes(),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateRegexLiterals(), cel.ValidateComprehensionNestingLimit(2),
		),
		ext.Strings(),
	)
	if err != nil {
		return nil, fmt.Errorf("CEL environment: %w", err)
	}
	one, err := base.Extend(cel.Variable("item", cel.DynType))
	if err != nil {
		return nil, fmt.Errorf("CEL environment of an element: %w", err)
	}
	c := &compiler{base: base, one: one}
	out := &compiled{
		alerts:      c.field(c.base, "alerts", m.Alerts, maxListCost, types.ListKind),
		name:        c.text("name", m.Name),
		status:      c.field(c.one, "status", m.Status, maxCost, types.StringKind),
		severity:    c.text("severity", m.Severity),
		fingerprint: c.text("fingerprint", m.Fingerprint),
		startsAt: c.field(c.one, "startsAt", m.StartsAt, maxCost,
			types.TimestampKind, types.StringKind, types.IntKind, types.UintKind, types.DoubleKind),
		url:         c.text("url", m.URL),
		labels:      c.all("labels", m.Labels),
		annotations: c.all("annotations", m.Annotations),
	}
	if m.Name == "" || m.Status == "" {
		c.bad("", "name and status must be given")
	}
	for _, name := range []string{"alertname", "severity"} {
		if _, ok := m.Labels[name]; ok {
			c.bad("labels."+name, "this label is set from the alert's name and severity: write it there")
		}
	}
	if len(c.mistakes) > 0 {
		return nil, c.mistakes
	}
	return out, nil
}

// compiler gathers what is wrong, so that all of it is said at once.
type compiler struct {
	base, one *cel.Env
	mistakes  Mistakes
}

// bad notes what is wrong with a field as a whole, or, without one, with the mapping.
func (c *compiler) bad(field, format string, args ...any) {
	c.mistakes = append(c.mistakes, Mistake{Field: field, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

func (c *compiler) all(of string, fields map[string]string) []named {
	if len(fields) > maxFields {
		c.bad(of, "these are %d; at most %d are allowed", len(fields), maxFields)
		return nil
	}
	list := make([]named, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		where := of + "." + name
		switch f := c.text(where, fields[name]); {
		case name == "":
			c.bad(of, "an entry has no name")
		case f != nil:
			list = append(list, named{name: name, field: *f})
		case fields[name] == "":
			c.bad(where, "the expression is empty")
		}
	}
	return list
}

func (c *compiler) text(name, expression string) *field {
	return c.field(c.one, name, expression, maxCost,
		types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.BoolKind, types.TimestampKind)
}

// field compiles one expression, which must give one of kinds. It returns nil
// if there is none, or if it is wrong.
func (c *compiler) field(env *cel.Env, name, expression string, limit uint64, kinds ...types.Kind) *field {
	if expression == "" {
		return nil
	}
	checked, issues := env.Compile(expression)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			// The columns of CEL begin at 0, those of people at 1.
			c.mistakes = append(c.mistakes, Mistake{
				Field: name, Line: max(e.Location.Line(), 1), Column: max(e.Location.Column(), 0) + 1, Message: e.Message,
			})
		}
		return nil
	}
	if out := checked.OutputType(); !gives(out, kinds) {
		c.bad(name, "the expression gives %s, which this field cannot be", out)
		return nil
	}
	cost, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		c.bad(name, "the cost of this expression cannot be bounded: %v", err)
		return nil
	}
	if cost.Max > limit {
		c.bad(name, "this expression could cost %d steps, more than the %d that are allowed: make it simpler", cost.Max, limit)
		return nil
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize, cel.OptTrackCost), cel.CostLimit(limit))
	if err != nil {
		c.bad(name, "%v", err)
		return nil
	}
	return &field{name: name, program: program}
}

// gives reports whether an expression of type out may give one of kinds, or
// nothing.
func gives(out *cel.Type, kinds []types.Kind) bool {
	if out.Kind() == types.OpaqueKind && out.TypeName() == types.OptionalType.TypeName() {
		out = out.Parameters()[0]
	}
	switch k := out.Kind(); k {
	case types.DynKind, types.AnyKind, types.NullTypeKind, types.TypeParamKind:
		return true
	default:
		return slices.Contains(kinds, k)
	}
}
