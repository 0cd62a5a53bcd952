package receiver

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
)

// These functions write the JSON of an [alert.Delivery] by hand: it is most of
// what a request costs here, and half of that by reflection. What they write
// is read by encoding/json as what it would have written itself; a test holds
// that for every field of the types, and for strings of every kind. <, > and &
// are left alone: nothing here is pasted into HTML, and generator URLs are full
// of them. The order of a map's keys is not fixed.

// frameEnd follows a delivery's alerts.
const frameEnd = "]}}\n"

// appendFrame appends the line of a delivery up to its first alert.
func appendFrame(b []byte, d alert.Delivery) (_ []byte, err error) {
	b = appendString(append(b, `{"delivery":{"id":`...), d.ID)
	b = appendString(append(b, `,"source":`...), d.Source)
	if b, err = appendTime(append(b, `,"receivedAt":`...), d.ReceivedAt); err != nil {
		return nil, fmt.Errorf("encode receivedAt: %w", err)
	}
	if d.Part != 0 {
		b = strconv.AppendInt(append(b, `,"part":`...), int64(d.Part), 10)
	}
	if d.Parts != 0 {
		b = strconv.AppendInt(append(b, `,"parts":`...), int64(d.Parts), 10)
	}
	if len(d.Warnings) > 0 {
		b = appendStrings(append(b, `,"warnings":`...), d.Warnings)
	}
	return append(b, `,"alerts":[`...), nil
}

func appendAlert(b []byte, a *alert.Alert) (_ []byte, err error) {
	b = appendString(append(b, `{"source":`...), a.Source)
	b = appendString(append(b, `,"fingerprint":`...), a.Fingerprint)
	b = appendString(append(b, `,"name":`...), a.Name)
	b = appendString(append(b, `,"status":`...), string(a.Status))
	if a.Severity != "" {
		b = appendString(append(b, `,"severity":`...), a.Severity)
	}
	b = appendMap(append(b, `,"labels":`...), a.Labels)
	if len(a.Annotations) > 0 {
		b = appendMap(append(b, `,"annotations":`...), a.Annotations)
	}
	if !a.StartsAt.IsZero() {
		if b, err = appendTime(append(b, `,"startsAt":`...), a.StartsAt); err != nil {
			return nil, fmt.Errorf("startsAt: %w", err)
		}
	}
	if !a.EndsAt.IsZero() {
		if b, err = appendTime(append(b, `,"endsAt":`...), a.EndsAt); err != nil {
			return nil, fmt.Errorf("endsAt: %w", err)
		}
	}
	if !a.At.IsZero() {
		if b, err = appendTime(append(b, `,"at":`...), a.At); err != nil {
			return nil, fmt.Errorf("at: %w", err)
		}
	}
	if a.URL != "" {
		b = appendString(append(b, `,"url":`...), a.URL)
	}
	return append(b, '}'), nil
}

// appendString replaces invalid UTF-8 by U+FFFD, as encoding/json does.
func appendString(b []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(b, '"'), s...), '"')
	}
	// The error says only that something was replaced.
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// isPlain says that s is its own JSON. jsontext would copy it to find out.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func appendMap(b []byte, m map[string]string) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	first := true
	for name, value := range m {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, name), ':')
		b = appendString(b, value)
	}
	return append(b, '}')
}

// appendTime appends RFC 3339; the error is that of a year beyond 9999.
func appendTime(b []byte, t time.Time) ([]byte, error) {
	b, err := t.AppendText(append(b, '"'))
	if err != nil {
		return nil, fmt.Errorf("not a time in RFC 3339: %w", err)
	}
	return append(b, '"'), nil
}
