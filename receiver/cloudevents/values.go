package cloudevents

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver/remark"
)

// unusableError is what is wrong with one event, in a body that is sound JSON:
// the event is refused, and reading goes on behind it.
type unusableError string

func (e unusableError) Error() string { return string(e) }

func unusable(format string, args ...any) error {
	return unusableError(fmt.Sprintf(format, args...))
}

// maxReasons bounds the reasons kept: a body may have very many tiny events.
const maxReasons = 20

// member is a name and its value in an object. Both alias the object's text.
type member struct {
	name  string
	value jsontext.Value
}

// members are those of raw, which is known to be sound JSON.
func members(raw jsontext.Value) ([]member, error) {
	if kind := raw.Kind(); kind != '{' {
		return nil, unusable("it is a JSON %s; it must be an object", remark.KindName(kind))
	}
	// A Buffer is read in place. Repeated names were refused with the body.
	in := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true))
	if _, err := in.ReadToken(); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	var all []member
	for in.PeekKind() != '}' {
		name, err := in.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		m := member{name: name.String()}
		value, err := in.ReadValue()
		if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		// By its place, as the decoder's own slice is good only until it reads on.
		end := in.InputOffset()
		m.value = raw[end-int64(len(value)) : end]
		all = append(all, m)
	}
	return all, nil
}

// hasMember reports whether raw is an object with this name.
func hasMember(raw jsontext.Value, name string) bool {
	all, err := members(raw)
	if err != nil {
		return false
	}
	_, ok := lookup(all, name)
	return ok
}

func lookup(all []member, name string) (jsontext.Value, bool) {
	for _, m := range all {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// dig follows names into nested objects to a string.
func dig(raw jsontext.Value, names ...string) (string, bool) {
	for _, name := range names {
		all, err := members(raw)
		if err != nil {
			return "", false
		}
		var ok bool
		if raw, ok = lookup(all, name); !ok {
			return "", false
		}
	}
	return text(raw)
}

// text is the string that raw is.
func text(raw jsontext.Value) (string, bool) {
	if raw.Kind() != '"' {
		return "", false
	}
	plain, err := jsontext.AppendUnquote(nil, raw)
	return string(plain), err == nil
}

// instant judges a time. No event is older than 1970-01-02: what is earlier is
// some zero value and means that the time is not known.
func instant(t time.Time) (time.Time, error) {
	t = t.UTC()
	switch {
	case t.Before(time.Unix(24*60*60, 0)):
		return time.Time{}, nil
	case t.Year() > 2261:
		// Nanoseconds since 1970 are the episode's identity and end in 2262.
		return time.Time{}, unusable("the time is in the year %d; it must be before 2262", t.Year())
	}
	return t, nil
}

func parseInstant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, unusable("the time is %q; it must be an RFC 3339 time", remark.Clip(s))
	}
	return instant(t)
}
