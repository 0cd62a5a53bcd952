package jsonmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

// What values weigh together is bounded, by a weight for any body and by half the
// body's bytes: tiny ones take far more memory decoded than as text, objects the
// most. A weight of 1 is some 30 bytes.
const (
	anyWeight    = 50_000
	weightOf     = 1
	weightArray  = 4
	weightObject = 8
)

// maxDepth bounds nesting: reading goes down by recursion.
const maxDepth = 200

// parse reads exactly one JSON document.
func parse(body []byte) (ref.Val, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("the body is empty; it must be one JSON document")
	}
	p := parser{json: jsontext.NewDecoder(bytes.NewBuffer(body)), adapter: types.DefaultTypeAdapter, room: anyWeight + len(body)/2}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	switch _, err := p.json.ReadToken(); {
	case err == nil:
		return nil, errors.New("the body goes on after the JSON document's end; one document is expected")
	case !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("after the JSON document's end: %w", err)
	}
	return v, nil
}

type parser struct {
	json    *jsontext.Decoder
	adapter types.Adapter
	// room is what more values may weigh.
	room int
}

func (p *parser) value(depth int) (ref.Val, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: the body is nested more than %d deep", receiver.ErrTooLarge, maxDepth)
	}
	token, err := p.json.ReadToken()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	kind := token.Kind()
	switch kind {
	case '{':
		p.room -= weightObject
	case '[':
		p.room -= weightArray
	default:
		p.room -= weightOf
	}
	if p.room < 0 {
		return nil, fmt.Errorf("%w: the body has far too many values for its size", receiver.ErrTooLarge)
	}
	switch kind {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		return types.String(token.String()), nil
	case '0':
		return number(token.String())
	case 't', 'f':
		return types.Bool(token.Bool()), nil
	default:
		return types.NullValue, nil
	}
}

func number(s string) (ref.Val, error) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return types.Int(i), nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s is too large", remark.Clip(s))
	}
	return types.Double(f), nil
}

func (p *parser) array(depth int) (ref.Val, error) {
	var all []ref.Val
	for p.json.PeekKind() != ']' {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if _, err := p.json.ReadToken(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return types.NewRefValList(p.adapter, all), nil
}

func (p *parser) object(depth int) (ref.Val, error) {
	all := make(map[string]any)
	var names []string
	for p.json.PeekKind() != '}' {
		token, err := p.json.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		name := token.String()
		if all[name], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if _, err := p.json.ReadToken(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	return object{
		Mapper: types.NewStringInterfaceMap(p.adapter, all),
		names:  types.NewStringList(p.adapter, names),
	}, nil
}

// object is a map that is gone through in the order in which it was written:
// the same body must always become the same alerts.
type object struct {
	traits.Mapper
	names traits.Lister
}

// Iterator implements traits.Iterable.
func (o object) Iterator() traits.Iterator { return o.names.Iterator() }
