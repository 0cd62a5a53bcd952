package azuremonitor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver/remark"
)

// maxMembers bounds the members of an object and the elements of a list that
// are looked at. Azure's have a few dozen.
const maxMembers = 1000

// object is one JSON object of the body. Its methods note the first thing that
// is wrong in d and go on with an empty value, as the alert is not used then.
type object struct {
	d       *decoding
	path    string
	members map[string]jsontext.Value
}

// sound reports what is wrong with body, if it is not exactly one JSON object.
func sound(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return errors.New("the body is empty; it must be a JSON object")
	}
	in := jsontext.NewDecoder(bytes.NewReader(body))
	if kind := in.PeekKind(); kind != '{' && kind != 0 {
		return fmt.Errorf("the body is a JSON %s; it must be an object", remark.KindName(kind))
	}
	if err := in.SkipValue(); err != nil {
		return notJSON(err)
	}
	switch _, err := in.ReadToken(); {
	case err == nil:
		return errors.New("the body goes on after the JSON object's end; one object is expected")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("after the JSON object's end: %w", notJSON(err))
	}
	return nil
}

// notJSON keeps the message short: a pointer may be as long as the body.
func notJSON(err error) error {
	return fmt.Errorf("not JSON: %s", remark.ClipTo(err.Error(), 300))
}

// open reads the members of value, which is sound and an object.
func (d *decoding) open(path string, value jsontext.Value) object {
	o := object{d: d, path: path, members: map[string]jsontext.Value{}}
	d.each(path, value, func(name string, member jsontext.Value) { o.members[name] = member })
	return o
}

// each calls member for each member or element of value, which is sound. The
// values are parts of value itself. Elements have no name.
func (d *decoding) each(path string, value jsontext.Value, member func(name string, value jsontext.Value)) {
	in := jsontext.NewDecoder(bytes.NewReader(value))
	open, err := in.ReadToken()
	if err != nil {
		d.fail("%s: %w", place(path), err)
		return
	}
	for n := 0; ; n++ {
		if kind := in.PeekKind(); kind == '}' || kind == ']' {
			return
		}
		if n == maxMembers {
			d.fail("%s has more than %d members", place(path), maxMembers)
			return
		}
		name := ""
		if open.Kind() == '{' {
			token, err := in.ReadToken()
			if err != nil {
				d.fail("%s: %w", place(path), err)
				return
			}
			name = token.String()
		}
		read, err := in.ReadValue()
		if err != nil {
			d.fail("%s: %w", place(path), err)
			return
		}
		end := in.InputOffset()
		member(name, value[end-int64(len(read)):end])
	}
}

// at is the path of a member.
func (o object) at(name string) string {
	name = strings.Trim(fmt.Sprintf("%q", remark.Clip(name)), `"`)
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// has reports whether o has a member that is not null.
func (o object) has(name string) bool {
	value, ok := o.members[name]
	return ok && value.Kind() != 'n'
}

// text is a string; absent and null are the empty one.
func (o object) text(name string) string {
	switch value := o.members[name]; {
	case !o.has(name):
		return ""
	case value.Kind() != '"':
		o.d.fail("%s is a JSON %s; it must be a string", o.at(name), remark.KindName(value.Kind()))
		return ""
	default:
		return unquote(value)
	}
}

// loose is a string, or any other value as its JSON text; null is empty.
func (o object) loose(names ...string) string {
	for _, name := range names {
		if o.has(name) {
			return looseText(o.members[name])
		}
	}
	return ""
}

// object is a member that is an object; absent and null are one without members.
func (o object) object(name string) object {
	switch value := o.members[name]; {
	case !o.has(name):
		return object{d: o.d, path: o.at(name)}
	case value.Kind() != '{':
		o.d.fail("%s is a JSON %s; it must be an object", o.at(name), remark.KindName(value.Kind()))
		return object{d: o.d, path: o.at(name)}
	default:
		return o.d.open(o.at(name), value)
	}
}

// list calls element with each element and its path; absent and null have none.
func (o object) list(name string, element func(path string, value jsontext.Value)) {
	switch value := o.members[name]; {
	case !o.has(name):
	case value.Kind() != '[':
		o.d.fail("%s is a JSON %s; it must be an array", o.at(name), remark.KindName(value.Kind()))
	default:
		i := 0
		o.d.each(o.at(name), value, func(_ string, value jsontext.Value) {
			element(fmt.Sprintf("%s[%d]", o.at(name), i), value)
			i++
		})
	}
}

// objects is a list of objects.
func (o object) objects(name string) []object {
	var all []object
	o.list(name, func(path string, value jsontext.Value) {
		if value.Kind() != '{' {
			o.d.fail("%s is a JSON %s; it must be an object", path, remark.KindName(value.Kind()))
			return
		}
		all = append(all, o.d.open(path, value))
	})
	return all
}

// texts is a list of strings, without the empty ones.
func (o object) texts(name string) []string {
	var all []string
	o.list(name, func(path string, value jsontext.Value) {
		switch value.Kind() {
		case '"':
			if s := strings.TrimSpace(unquote(value)); s != "" {
				all = append(all, s)
			}
		case 'n':
		default:
			o.d.fail("%s is a JSON %s; it must be a string", path, remark.KindName(value.Kind()))
		}
	})
	return all
}

func looseText(value jsontext.Value) string {
	switch value.Kind() {
	case '"':
		return unquote(value)
	case 'n':
		return ""
	case '{', '[':
		// The body is not ours to change.
		if own := value.Clone(); own.Compact() == nil {
			return string(own)
		}
	default:
	}
	return string(value)
}

// unquote is the text of a sound JSON string.
func unquote(value jsontext.Value) string {
	text, err := jsontext.AppendUnquote(nil, value)
	if err != nil {
		return string(value)
	}
	return string(text)
}

func place(path string) string {
	if path == "" {
		return "the body"
	}
	return path
}
