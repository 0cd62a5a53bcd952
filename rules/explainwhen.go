package rules

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/tripgen/paramedic/internal/engine"
)

// Verdict is what a condition gave.
type Verdict string

// The verdicts of a condition.
const (
	VerdictTrue  Verdict = "true"
	VerdictFalse Verdict = "false"
	// VerdictError: it has no value for this alert.
	VerdictError Verdict = "error"
)

// Condition is a condition or a part of one, with what it saw.
type Condition struct {
	Text    string  `json:"text"`
	Verdict Verdict `json:"verdict"`
	Error   string  `json:"error,omitempty"`
	// Op says how the parts make the whole: all, any or not. A leaf has none.
	Op    string      `json:"op,omitempty"`
	Parts []Condition `json:"parts,omitempty"`
	// Saw are the values that a leaf was decided by.
	Saw []Seen `json:"saw,omitempty"`
}

// How the parts of a condition make the whole.
const (
	opAll = "all"
	opAny = "any"
	opNot = "not"
)

// Seen is one value that a condition read.
type Seen struct {
	Expression string `json:"expression"`
	// Value is the value in JSON, shortened if it is long.
	Value string `json:"value"`
	// Missing says that there is no such label, which reads as the empty text.
	Missing bool `json:"missing,omitempty"`
}

// maxSeen bounds a value that is shown, in characters.
const maxSeen = 200

// cause is the innermost part that makes a false condition false.
func (c Condition) cause() (Condition, bool) {
	if c.Op == opAll {
		for _, p := range c.Parts {
			if p.Verdict == VerdictFalse {
				return p.cause()
			}
		}
		return Condition{}, false
	}
	return c, true
}

// decomposer takes one condition apart.
type decomposer struct {
	place *place
	scope *engine.Scope
	ast   *celast.AST
}

// decompose takes the condition apart at its &&, || and !, and evaluates every
// part by itself.
func (e *expression) decompose(text string, scope *engine.Scope) Condition {
	d := decomposer{place: e.place, scope: scope}
	whole := d.condition(text)
	// With the calls of macros, has(x) can be written out again.
	env, err := e.place.env.Extend(cel.EnableMacroCallTracking())
	if err != nil {
		return whole
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return whole
	}
	d.ast = parsed.NativeRep()
	parts := d.part(d.ast.Expr())
	parts.Text = whole.Text
	return parts
}

// condition evaluates a text that is one.
func (d decomposer) condition(text string) Condition {
	c := Condition{Text: strings.Join(strings.Fields(text), " ")}
	v, err := d.eval(text)
	switch {
	case err != nil:
		c.Verdict, c.Error = VerdictError, err.Error()
	case v == types.True:
		c.Verdict = VerdictTrue
	default:
		c.Verdict = VerdictFalse
	}
	return c
}

func (d decomposer) eval(text string) (ref.Val, error) {
	compiled := d.place.compile(text)
	if compiled.program == nil {
		return nil, fmt.Errorf("%s cannot be evaluated by itself", text)
	}
	v, _, err := compiled.program.Eval(activation{place: d.place, scope: d.scope})
	if err != nil {
		return nil, err //nolint:wrapcheck // it stands beside the text that it is about
	}
	if types.IsUnknownOrError(v) {
		return nil, fmt.Errorf("it has no value: %v", v)
	}
	return v, nil
}

func (d decomposer) part(e celast.Expr) Condition {
	text := d.text(e)
	c := d.condition(text)
	c.Text = text
	if e.Kind() == celast.CallKind {
		switch e.AsCall().FunctionName() {
		case operators.LogicalAnd:
			c.Op = opAll
		case operators.LogicalOr:
			c.Op = opAny
		case operators.LogicalNot:
			c.Op = opNot
		}
	}
	if c.Op == "" {
		c.Saw = d.seen(e, nil)
		return c
	}
	for _, p := range operands(e, e.AsCall().FunctionName()) {
		c.Parts = append(c.Parts, d.part(p))
	}
	return c
}

// operands are those of a chain of one operator: a && b && c has three.
func operands(e celast.Expr, operator string) []celast.Expr {
	var all []celast.Expr
	for _, arg := range e.AsCall().Args() {
		if operator != operators.LogicalNot && arg.Kind() == celast.CallKind && arg.AsCall().FunctionName() == operator {
			all = append(all, operands(arg, operator)...)
			continue
		}
		all = append(all, arg)
	}
	return all
}

func (d decomposer) text(e celast.Expr) string {
	s, err := cel.ExprToString(e, d.ast.SourceInfo())
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(s, "\n", " ")
}

// seen collects what an expression reads of the alert and the time, each once.
// Inside of a macro only what it goes through is collected: its own variables
// have no value outside.
func (d decomposer) seen(e celast.Expr, into []Seen) []Seen {
	switch e.Kind() {
	case celast.IdentKind, celast.SelectKind:
		if d.reads(e) {
			return d.see(e, into)
		}
		if e.Kind() == celast.SelectKind {
			return d.seen(e.AsSelect().Operand(), into)
		}
	case celast.CallKind:
		call := e.AsCall()
		if call.FunctionName() == operators.Index && d.reads(call.Args()[0]) && call.Args()[1].Kind() == celast.LiteralKind {
			return d.see(e, into)
		}
		if call.IsMemberFunction() {
			into = d.seen(call.Target(), into)
		}
		for _, arg := range call.Args() {
			into = d.seen(arg, into)
		}
	case celast.ListKind:
		for _, element := range e.AsList().Elements() {
			into = d.seen(element, into)
		}
	case celast.ComprehensionKind:
		into = d.seen(e.AsComprehension().IterRange(), into)
	case celast.LiteralKind, celast.MapKind, celast.StructKind, celast.UnspecifiedExprKind:
	}
	return into
}

// reads reports whether e is a variable of the place, or fields of one.
func (d decomposer) reads(e celast.Expr) bool {
	for e.Kind() == celast.SelectKind {
		e = e.AsSelect().Operand()
	}
	if e.Kind() != celast.IdentKind {
		return false
	}
	_, known := d.place.has[e.AsIdent()]
	return known
}

func (d decomposer) see(e celast.Expr, into []Seen) []Seen {
	s := Seen{Expression: d.text(e)}
	if e.Kind() == celast.SelectKind {
		if e.AsSelect().IsTestOnly() {
			s.Expression = d.text(e.AsSelect().Operand()) + "." + e.AsSelect().FieldName()
		}
		s.Missing = d.missing(e.AsSelect().Operand(), e.AsSelect().FieldName())
	}
	if e.Kind() == celast.CallKind {
		if name, ok := e.AsCall().Args()[1].AsLiteral().(types.String); ok {
			s.Missing = d.missing(e.AsCall().Args()[0], string(name))
		}
	}
	for _, other := range into {
		if other.Expression == s.Expression {
			return into
		}
	}
	v, err := d.eval(s.Expression)
	if err != nil {
		return into
	}
	s.Value = shown(v)
	return append(into, s)
}

// missing reports whether e is labels or annotations without the name.
func (d decomposer) missing(e celast.Expr, name string) bool {
	if !isLabels(e) {
		return false
	}
	of := d.scope.Alert.Labels
	if e.AsSelect().FieldName() == "annotations" {
		of = d.scope.Alert.Annotations
	}
	_, there := of[name]
	return !there
}

// shown is a value in JSON, shortened if it is long.
func shown(v ref.Val) string {
	j, err := toJSON(v)
	if err != nil {
		return err.Error()
	}
	b, err := json.Marshal(j)
	if err != nil {
		return err.Error()
	}
	if utf8.RuneCount(b) > maxSeen {
		return string([]rune(string(b))[:maxSeen]) + "…"
	}
	return string(b)
}
