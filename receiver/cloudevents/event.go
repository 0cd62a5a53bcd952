package cloudevents

import (
	"encoding/base64"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver/remark"
)

// occurrence is an event of either format.
type occurrence struct {
	kind, source, subject string
	at                    time.Time
	// extensions and notes become labels and annotations.
	extensions, notes map[string]string
	data              payload
}

// structured reads a CloudEvent in the JSON format. Data is not given to the
// SDK: what an alert needs of it is read from the text.
func structured(raw jsontext.Value) (occurrence, error) {
	all, err := members(raw)
	if err != nil {
		return occurrence{}, err
	}
	attributes := []byte{'{'}
	for _, m := range all {
		if m.value.Kind() == 'n' || m.name == "data" || m.name == "data_base64" {
			continue
		}
		if err := checkAttribute(m); err != nil {
			return occurrence{}, err
		}
		if len(attributes) > 1 {
			attributes = append(attributes, ',')
		}
		attributes = append(append(append(attributes, '"'), m.name...), '"', ':')
		attributes = append(attributes, m.value...)
	}
	var e event.Event
	if err := e.UnmarshalJSON(append(attributes, '}')); err != nil {
		return occurrence{}, unusable("%s", remark.Line(err))
	}
	o, err := of(e)
	if err != nil {
		return occurrence{}, err
	}
	o.data, err = structuredData(all, e.DataMediaType())
	return o, err
}

// checkAttribute refuses what the SDK would take without a word for something
// else. Its value is not null.
func checkAttribute(m member) error {
	if !isAttributeName(m.name) {
		return unusable("the name %q is not one of an attribute: small letters and digits", remark.Clip(m.name))
	}
	kind := m.value.Kind()
	switch m.name {
	case "specversion":
		if version, ok := text(m.value); !ok || version != event.CloudEventsVersionV1 {
			return unusable("specversion is %s; it must be %q", remark.Clip(string(m.value)), event.CloudEventsVersionV1)
		}
	case "id", "type", "source", "subject", "time", "datacontenttype", "dataschema":
		if kind != '"' {
			return unusable("%s is a JSON %s; it must be a string", m.name, remark.KindName(kind))
		}
	default:
		switch kind {
		case '"', 't', 'f':
		case '0':
			if _, err := strconv.ParseInt(string(m.value), 10, 32); err != nil {
				return unusable("%s is %s; a number must be a whole one of 32 bits", m.name, remark.Clip(string(m.value)))
			}
		default:
			return unusable("%s is a JSON %s; an extension is a string, a boolean or a whole number", m.name, remark.KindName(kind))
		}
	}
	return nil
}

func isAttributeName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}

// structuredData reads data or data_base64. What the JSON format calls null is
// not there.
func structuredData(all []member, media string) (payload, error) {
	data, _ := lookup(all, "data")
	encoded, _ := lookup(all, "data_base64")
	given, binary := len(data) > 0 && data.Kind() != 'n', len(encoded) > 0 && encoded.Kind() != 'n'
	switch {
	case given && binary:
		return payload{}, unusable("it has both data and data_base64")
	case given:
		return payload{json: data}, nil
	case !binary:
		return payload{}, nil
	}
	s, ok := text(encoded)
	if !ok {
		return payload{}, unusable("data_base64 is a JSON %s; it must be a string", remark.KindName(encoded.Kind()))
	}
	body, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return payload{}, unusable("data_base64: %s", remark.Line(err))
	}
	return bodyData(body, media)
}

// bodyData is data given as bytes.
func bodyData(body []byte, media string) (payload, error) {
	isJSON := media == mediaJSON || media == "text/json" || strings.HasSuffix(media, "+json")
	switch {
	case len(body) == 0:
		return payload{}, nil
	case isJSON:
		raw, err := only(body)
		if err != nil {
			return payload{}, unusable("the data is said to be %s: %s", remark.Clip(media), remark.Line(err))
		}
		return payload{json: raw}, nil
	case utf8.Valid(body):
		return payload{text: string(body)}, nil
	default:
		return payload{bytes: len(body)}, nil
	}
}

// binary reads an event whose attributes are headers. The SDK's own reader of
// headers is not used: it does not decode percent-encoding.
func binary(h http.Header, body []byte) (occurrence, error) {
	e := event.New(event.CloudEventsVersionV1)
	for _, header := range slices.Sorted(maps.Keys(h)) {
		name, ok := strings.CutPrefix(header, "Ce-")
		if !ok {
			continue
		}
		name = strings.ToLower(name)
		if len(h[header]) != 1 {
			return occurrence{}, unusable("the header ce-%s is there %d times", remark.Clip(name), len(h[header]))
		}
		value, err := headerValue(h[header][0])
		if err == nil {
			err = setAttribute(&e, name, value)
		}
		if err != nil {
			return occurrence{}, unusable("the header ce-%s: %s", remark.Clip(name), remark.Line(err))
		}
	}
	media := mediaJSON
	if given := h.Get("Content-Type"); given != "" {
		var err error
		if media, _, err = mime.ParseMediaType(given); err != nil {
			return occurrence{}, unusable("the Content-Type: %s", remark.Line(err))
		}
	}
	o, err := of(e)
	if err != nil {
		return occurrence{}, err
	}
	o.data, err = bodyData(body, media)
	return o, err
}

func setAttribute(e *event.Event, name, value string) error {
	switch name {
	case "specversion":
		if value != event.CloudEventsVersionV1 {
			return unusable("it is %q; it must be %q", remark.Clip(value), event.CloudEventsVersionV1)
		}
		return nil
	case "id":
		return e.Context.SetID(value)
	case "type":
		return e.Context.SetType(value)
	case "source":
		return e.Context.SetSource(value)
	case "subject":
		return e.Context.SetSubject(value)
	case "dataschema":
		return e.Context.SetDataSchema(value)
	case "time":
		at, err := types.ParseTime(value)
		if err != nil {
			return unusable("it is %q; it must be an RFC 3339 time", remark.Clip(value))
		}
		return e.Context.SetTime(at)
	case "data":
		return errors.New("no attribute may have this name")
	default:
		return e.Context.SetExtension(name, value)
	}
}

// headerValue decodes a header as the HTTP binding has it, section 3.1.3.2:
// quotes first, then percent-encoding.
func headerValue(s string) (string, error) {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		var b strings.Builder
		inner := s[1 : len(s)-1]
		for i := 0; i < len(inner); i++ {
			if inner[i] == '\\' && i+1 < len(inner) {
				i++
			}
			b.WriteByte(inner[i])
		}
		s = b.String()
	}
	s, err := url.PathUnescape(s)
	if err != nil {
		return "", unusable("%s", remark.Line(err))
	}
	if !utf8.ValidString(s) {
		return "", unusable("it is not UTF-8")
	}
	return s, nil
}

// of takes the attributes from the SDK's event, if it is a valid one.
func of(e event.Event) (occurrence, error) {
	if err := e.Validate(); err != nil {
		return occurrence{}, unusable("%s", remark.Line(err))
	}
	o := occurrence{
		kind: e.Type(), source: e.Source(), subject: e.Subject(),
		extensions: make(map[string]string, len(e.Extensions())),
		notes:      map[string]string{"id": e.ID()},
	}
	for name, value := range e.Extensions() {
		s, err := types.Format(value)
		if err != nil {
			return occurrence{}, unusable("the extension %q: %s", remark.Clip(name), remark.Line(err))
		}
		o.extensions[name] = s
	}
	if schema := e.DataSchema(); schema != "" {
		o.notes["dataschema"] = schema
	}
	var err error
	o.at, err = instant(e.Time())
	return o, err
}
