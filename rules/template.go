package rules

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/common/types"

	"github.com/tripgen/paramedic/internal/engine"
)

// template is a text with expressions in it: "http://${target.name}/health".
// $${ stands for the two characters ${.
type template struct {
	parts []part
}

// part is either a literal text or an expression.
type part struct {
	text string
	code *expression
}

// hasExpression reports whether a text is more than a constant.
func hasExpression(text string) bool { return strings.Contains(text, "${") }

// template compiles a scalar's text.
func (p *place) template(s scalar) (*template, bool) {
	t := &template{}
	ok := true
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			t.parts = append(t.parts, part{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(s.value); {
		switch {
		case startsWith(s.value[i:], "$${"):
			literal.WriteString("${")
			i += 3
		case startsWith(s.value[i:], "${"):
			end, found := expressionEnd(s.value, i+2)
			if !found {
				s.file.errorAt(s.position(i), "this ${ has no }: close it, or write $${ for the characters themselves")
				return nil, false
			}
			if strings.TrimSpace(string(s.value[i+2:end])) == "" {
				s.file.errorAt(s.position(i), "there is no expression in ${}")
				return nil, false
			}
			code, compiled := p.expression(s, i+2, end)
			ok = ok && compiled
			flush()
			t.parts = append(t.parts, part{code: code})
			i = end + 1
		default:
			literal.WriteRune(s.value[i])
			i++
		}
	}
	flush()
	return t, ok && p.embedded(s, t)
}

// embedded holds that every expression has a form in text; a whole one may be
// anything that JSON can say.
func (p *place) embedded(s scalar, t *template) bool {
	ok := true
	for _, part := range t.parts {
		if part.code == nil {
			continue
		}
		switch kind := part.code.out.Kind(); {
		case kind == types.StructKind:
			s.file.errorf(s.node, "%s is a whole object: name one of its fields", typeName(part.code.out))
			ok = false
		case kind == types.TypeKind || kind == types.BytesKind || kind == types.ErrorKind:
			s.file.errorf(s.node, "an expression cannot give a %s here", typeName(part.code.out))
			ok = false
		case len(t.parts) > 1 && (kind == types.ListKind || kind == types.MapKind || kind == types.NullTypeKind):
			s.file.errorf(s.node, "a %s has no form inside a text", typeName(part.code.out))
			ok = false
		}
	}
	return ok
}

// whole is the template's only expression, if there is nothing around it.
func (t *template) whole() *expression {
	if len(t.parts) == 1 {
		return t.parts[0].code
	}
	return nil
}

// text renders the template into a text.
func (t *template) text(scope *engine.Scope) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.code == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.code.eval(scope)
		if err != nil {
			return "", err
		}
		s, ok := v.ConvertToType(types.StringType).(types.String)
		if !ok {
			return "", fmt.Errorf("%s: a %s has no form inside a text", p.code.where, v.Type().TypeName())
		}
		b.WriteString(string(s))
	}
	return b.String(), nil
}

// value renders the template into what JSON can say: a whole expression keeps
// its type.
func (t *template) value(scope *engine.Scope) (any, error) {
	code := t.whole()
	if code == nil {
		return t.text(scope)
	}
	v, err := code.eval(scope)
	if err != nil {
		return nil, err
	}
	j, err := toJSON(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", code.where, err)
	}
	return j, nil
}

func startsWith(text []rune, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// expressionEnd finds the } that ends the expression which begins at from: the
// first outside of CEL's strings, comments and braces. Source: the CEL language
// definition, "Syntax".
func expressionEnd(text []rune, from int) (int, bool) {
	depth := 0
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth == 0 {
				return i, true
			}
			depth--
		case '"', '\'':
			raw := i > from && (text[i-1] == 'r' || text[i-1] == 'R')
			end, ok := stringEnd(text, i, raw)
			if !ok {
				return 0, false
			}
			i = end
		case '/':
			if startsWith(text[i:], "//") {
				for i < len(text) && text[i] != '\n' {
					i++
				}
			}
		}
	}
	return 0, false
}

// stringEnd finds the last quote of the CEL string whose first is at from.
func stringEnd(text []rune, from int, raw bool) (int, bool) {
	quote := string(text[from])
	if startsWith(text[from:], strings.Repeat(quote, 3)) {
		quote = strings.Repeat(quote, 3)
	}
	for i := from + len(quote); i < len(text); i++ {
		switch {
		case text[i] == '\\' && !raw:
			i++
		case startsWith(text[i:], quote):
			return i + len(quote) - 1, true
		}
	}
	return 0, false
}
