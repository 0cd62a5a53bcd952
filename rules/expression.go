package rules

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/tripgen/paramedic/internal/engine"
)

// expression is one compiled piece of CEL.
type expression struct {
	place   *place
	program cel.Program
	out     *cel.Type
	// where is file:line:column, for errors of an evaluation.
	where string
}

// compiledText is what compiling a text gave: a program, or complaints with
// their offsets in the text, in characters.
type compiledText struct {
	program    cel.Program
	out        *cel.Type
	complaints []complaint
}

type complaint struct {
	offset  int
	message string
}

// expression compiles the part of a scalar from the character from up to to.
func (p *place) expression(s scalar, from, to int) (*expression, bool) {
	text := string(s.value[from:to])
	if s.at == nil {
		s.file.errorf(s.node, "an expression in a text written this way could not be reported at its place: write the text on one line, or as a block (|) without an indentation indicator")
		return nil, false
	}
	c, known := p.compiled[text]
	if !known {
		c = p.compile(text)
		p.compiled[text] = c
	}
	for _, bad := range c.complaints {
		s.file.errorAt(s.position(from+min(bad.offset, to-from)), "%s", bad.message)
	}
	if c.program == nil {
		return nil, false
	}
	start := s.position(from)
	return &expression{
		place: p, program: c.program, out: c.out,
		where: fmt.Sprintf("%s:%d:%d", s.file.path, start.Line, start.Column),
	}, true
}

func (p *place) compile(text string) compiledText {
	runes := []rune(text)
	parsed, issues := p.env.Parse(text)
	if issues.Err() != nil {
		return compiledText{complaints: p.complaints(nil, issues, runes)}
	}
	checked, issues := p.env.Check(parsed)
	if issues.Err() != nil {
		return compiledText{complaints: p.complaints(parsed, issues, runes)}
	}
	if bad := unordered(checked, runes); bad != nil {
		return compiledText{complaints: bad}
	}
	cost, err := p.env.EstimateCost(checked, sizes{})
	if err != nil {
		return compiledText{complaints: []complaint{{0, fmt.Sprintf("the cost of this expression cannot be bounded: %v", err)}}}
	}
	if cost.Max > maxCost {
		return compiledText{complaints: []complaint{{0, fmt.Sprintf("this expression could cost %d steps for one alert, more than the %d that are allowed: make it simpler, or match with on.alerts first", cost.Max, maxCost)}}}
	}
	program, err := p.env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return compiledText{complaints: []complaint{{0, err.Error()}}}
	}
	return compiledText{program: program, out: checked.OutputType()}
}

// eval evaluates the expression. A failure names the place in the file.
func (e *expression) eval(scope *engine.Scope) (ref.Val, error) {
	v, _, err := e.program.Eval(activation{place: e.place, scope: scope})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.where, err)
	}
	if types.IsUnknownOrError(v) {
		return nil, fmt.Errorf("%s: the expression has no value: %v", e.where, v)
	}
	return v, nil
}

// sizes are what the estimated cost of an expression assumes of an alert: as
// large as usual ones get. A larger one meets the limit when it is evaluated.
type sizes struct{}

// EstimateSize implements checker.CostEstimator.
func (sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	switch element.Type().Kind() {
	case types.MapKind, types.ListKind:
		return &checker.SizeEstimate{Max: 64}
	default:
		return &checker.SizeEstimate{Max: 256}
	}
}

// EstimateCallCost implements checker.CostEstimator.
//
//nolint:gocritic // the pointer is of the interface
func (sizes) EstimateCallCost(_, _ string, _ *checker.AstNode, _ []checker.AstNode) *checker.CallEstimate {
	return nil
}

// unordered refuses what would not give the same every time, or not what it
// says: going through a map other than labels, whose order is not fixed, and
// comparing labels as a whole, in which missing and empty would differ.
func unordered(checked *cel.Ast, text []rune) []complaint {
	a := checked.NativeRep()
	var bad []complaint
	add := func(e celast.Expr, message string) {
		l := a.SourceInfo().GetStartLocation(e.ID())
		bad = append(bad, complaint{offsetOf(text, l.Line(), l.Column()), message})
	}
	visit := func(e celast.Expr) {
		switch e.Kind() {
		case celast.ComprehensionKind:
			over := e.AsComprehension().IterRange()
			k := a.GetType(over.ID()).Kind()
			if k == types.DynKind || k == types.MapKind && !isLabels(over) {
				add(over, "only a list, alert.labels and alert.annotations can be gone through: other maps have no fixed order")
			}
		case celast.CallKind:
			if !isComparison(e.AsCall().FunctionName()) {
				return
			}
			for _, arg := range e.AsCall().Args() {
				if k := a.GetType(arg.ID()).Kind(); k == types.MapKind && isLabels(arg) && !isIn(e, arg) {
					add(arg, "labels cannot be compared as a whole: compare them one by one")
				}
			}
		default:
		}
	}
	celast.PostOrderVisit(a.Expr(), celast.NewExprVisitor(visit))
	return bad
}

func isComparison(function string) bool {
	return function == "_==_" || function == "_!=_" || function == "@in"
}

// isIn reports whether arg is what something is looked up in.
func isIn(call, arg celast.Expr) bool {
	c := call.AsCall()
	return c.FunctionName() == "@in" && len(c.Args()) == 2 && c.Args()[1].ID() == arg.ID()
}

// isLabels reports whether e is alert.labels or alert.annotations.
func isLabels(e celast.Expr) bool {
	if e.Kind() != celast.SelectKind {
		return false
	}
	s := e.AsSelect()
	return !s.IsTestOnly() && s.Operand().Kind() == celast.IdentKind && s.Operand().AsIdent() == "alert" &&
		(s.FieldName() == "labels" || s.FieldName() == "annotations")
}
