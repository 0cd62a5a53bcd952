package rules

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
)

// complaints puts CEL's errors into this language's words, with the nearest
// valid name. parsed is nil if the text did not parse.
func (p *place) complaints(parsed *cel.Ast, issues *cel.Issues, text []rune) []complaint {
	var all []complaint
	for _, e := range issues.Errors() {
		offset := 0
		if l := e.Location; l.Line() > 0 {
			offset = offsetOf(text, l.Line(), l.Column())
		}
		message := p.reword(parsed, e)
		if parsed == nil && len(all) > 0 {
			// What follows the first error of syntax follows from it.
			break
		}
		all = append(all, complaint{offset, message})
	}
	return all
}

func (p *place) reword(parsed *cel.Ast, e *cel.Error) string {
	message := e.Message
	if name, ok := quoted(message, "undeclared reference to "); ok {
		if parsed != nil && isCall(parsed, e.ExprID) {
			return fmt.Sprintf("there is no function %s%s", name, near(name, slices.Collect(maps.Keys(p.env.Functions()))))
		}
		return p.undeclared(name)
	}
	if name, ok := quoted(message, "undefined field "); ok && parsed != nil {
		return p.undefinedField(parsed, e.ExprID, name)
	}
	if m := noFields().FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("a %s has no fields", strings.TrimPrefix(m[1], objectTypes))
	}
	if rest, ok := strings.CutPrefix(message, "Syntax error: "); ok {
		// The parser lists every token that could stand there.
		rest, _, _ = strings.Cut(rest, " expecting ")
		if strings.HasSuffix(rest, "'<EOF>'") {
			rest = "it ends too early"
		}
		return "not an expression: " + rest
	}
	if m, ok := literals()[message]; ok {
		return m
	}
	if m := overload().FindStringSubmatch(message); m != nil {
		with := strings.ReplaceAll(m[2], objectTypes, "")
		if of := method().FindStringSubmatch(with); of != nil {
			return fmt.Sprintf("%s of a %s does not take %s", m[1], of[1], of[2])
		}
		op := operator(m[1])
		if one, other, ok := strings.Cut(strings.Trim(with, "()"), ", "); ok && one != other && slices.Contains(comparisons(), op) {
			return fmt.Sprintf("%s compares values of one type, and not %s with %s: string(), int() and double() change a value's type", op, one, other)
		}
		return fmt.Sprintf("%s does not take %s", op, with)
	}
	return strings.ReplaceAll(message, objectTypes, "")
}

// literals rewords what CEL says of constants that it cannot read.
func literals() map[string]string {
	return map[string]string{
		"invalid matches argument":   "this is not a regular expression (RE2)",
		"invalid timestamp argument": "this is not a timestamp: write it as 2026-01-02T15:04:05Z",
		"invalid duration argument":  "this is not a duration: in an expression write it as 1h30m or 90s",
	}
}

// typeName is a type as messages call it.
func typeName(t *cel.Type) string {
	return strings.TrimPrefix(cel.FormatCELType(t), objectTypes)
}

func noFields() *regexp.Regexp {
	return regexp.MustCompile(`^type '(.*)' does not support field selection$`)
}

func overload() *regexp.Regexp {
	return regexp.MustCompile(`^found no matching overload for '(.*)' applied to '(.*)'$`)
}

// method divides what a member function is called on from its arguments.
func method() *regexp.Regexp { return regexp.MustCompile(`^(.+)\.(\(.*\))$`) }

// operator gives CEL's internal name for an operator as it is written.
func operator(function string) string {
	if function == "@in" {
		return "in"
	}
	if function == "_[_]" {
		return "[ ]"
	}
	return strings.Trim(function, "_@")
}

func comparisons() []string { return []string{"==", "!=", "<", "<=", ">", ">="} }

func quoted(message, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(message, prefix+"'")
	if !ok {
		return "", false
	}
	name, _, ok := strings.Cut(rest, "'")
	return name, ok
}

// undeclared explains a name that is not known here: one of another place, or
// nobody's.
func (p *place) undeclared(name string) string {
	known := enumerate(p.names, "and")
	for _, v := range variables() {
		if v.name == name {
			return fmt.Sprintf("%s is not known in %s: there is %s", name, p.what, known)
		}
	}
	if c, ok := nearest(name, p.names); ok {
		return fmt.Sprintf("there is no %s, did you mean %s?", name, c)
	}
	return fmt.Sprintf("there is no %s: in %s there is %s, and texts stand in quotes", name, p.what, known)
}

// undefinedField explains a field that the object before the dot does not have.
func (p *place) undefinedField(parsed *cel.Ast, id int64, field string) string {
	object := ""
	if e := byID(parsed, id); e != nil && e.Kind() == celast.SelectKind && e.AsSelect().Operand().Kind() == celast.IdentKind {
		object = e.AsSelect().Operand().AsIdent()
	}
	v, ok := p.has[object]
	if !ok || v.fields == nil {
		return fmt.Sprintf("there is no field %q", field)
	}
	return fmt.Sprintf("%s has no field %q%s", object, field, hint(field, v.fieldNames()))
}

// byID finds an expression in a tree; nil if it is not there.
func byID(parsed *cel.Ast, id int64) celast.Expr {
	var found celast.Expr
	celast.PostOrderVisit(parsed.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if e.ID() == id {
			found = e
		}
	}))
	return found
}

func isCall(parsed *cel.Ast, id int64) bool {
	e := byID(parsed, id)
	return e != nil && e.Kind() == celast.CallKind
}

// offsetOf is where in text CEL's line (from 1) and column (from 0) are.
func offsetOf(text []rune, line, column int) int {
	offset := 0
	for ; line > 1 && offset < len(text); offset++ {
		if text[offset] == '\n' {
			line--
		}
	}
	return min(offset+max(column, 0), len(text))
}
