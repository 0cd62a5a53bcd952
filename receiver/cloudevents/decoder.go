package cloudevents

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

// maxEvents bounds the events of one body: Event Grid's batches have 5,000 at
// most, and tiny events take far more memory decoded than as text.
const maxEvents = 5000

const (
	mediaEvent = "application/cloudevents+json"
	mediaBatch = "application/cloudevents-batch+json"
	mediaJSON  = "application/json"
)

// Decoder decodes CloudEvents and Event Grid events. The zero value is ready.
type Decoder struct{}

// Traits implements [receiver.Decoder]. Event Grid puts an event that was
// answered with 400 to the dead letters at once, which is right: the same body
// would be refused again.
func (*Decoder) Traits() receiver.Traits {
	return receiver.Traits{
		// For the handshake alone.
		Methods: []string{http.MethodOptions},
		// In binary mode the Content-Type is that of the data.
		MediaTypes: []string{
			mediaJSON, mediaEvent, mediaBatch, "text/json", "text/plain", "text/xml", "application/xml",
			"application/octet-stream",
		},
		Headers: []string{
			"Ce-Specversion", "Ce-Id", "Ce-Type", "Ce-Source", "Ce-Subject", "Ce-Time", "Ce-Dataschema", "Ce-Severity",
			headerEventType, "Ce-*",
		},
		UndecodableStatus: http.StatusBadRequest,
	}
}

// Decode implements [receiver.Decoder]. It refuses a body that is not exactly
// one JSON value in valid UTF-8, has a key twice in one object, or has no usable
// event; and single events that cannot be identified.
func (*Decoder) Decode(source string, h http.Header, body []byte, _ time.Time) (receiver.Decoded, error) {
	d := decoding{source: source}
	if err := d.body(h, body); err != nil {
		return receiver.Decoded{}, err
	}
	if len(d.alerts) == 0 {
		return receiver.Decoded{}, d.nothing()
	}
	return receiver.Decoded{Alerts: d.alerts, Refused: d.refused, Warnings: d.warnings.All()}, nil
}

// decoding is one body being decoded.
type decoding struct {
	source   string
	alerts   []alert.Alert
	refused  []receiver.RefusedAlert
	warnings remark.Warnings
}

// body finds the mode.
func (d *decoding) body(h http.Header, body []byte) error {
	media := ""
	if given := h.Get("Content-Type"); given != "" {
		var err error
		if media, _, err = mime.ParseMediaType(given); err != nil {
			return fmt.Errorf("the Content-Type %q: %w", remark.Clip(given), err)
		}
	}
	if media != mediaEvent && media != mediaBatch && len(h.Values("Ce-Specversion")) > 0 {
		return d.one("the event", func() (occurrence, error) { return binary(h, body) })
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return errors.New("the body is empty, and no header ce-specversion says that it is an event without data")
	}
	kind := jsontext.Value(body).Kind()
	switch {
	case media == mediaEvent && kind != '{':
		return errors.New("the body is not a JSON object, as one CloudEvent must be")
	case media == mediaBatch && kind != '[':
		return errors.New("the body is not a JSON array, as a batch of CloudEvents must be")
	case media != "" && media != mediaJSON && media != mediaEvent && media != mediaBatch:
		return fmt.Errorf("the Content-Type is %q, and no header ce-specversion says that this is an event in binary mode", remark.Clip(media))
	case kind == '{':
		raw, err := only(body)
		if err != nil {
			return err
		}
		return d.one("the event", func() (occurrence, error) { return structured(raw) })
	case kind == '[':
		return d.batch(body, media == mediaBatch)
	default:
		return errors.New("the body is neither a JSON object nor an array: one event or several are expected")
	}
}

// only is the JSON value that the body is, without anything behind it.
func only(body []byte) (jsontext.Value, error) {
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	raw, err := in.ReadValue()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	raw = raw.Clone()
	return raw, atEnd(in)
}

func atEnd(in *jsontext.Decoder) error {
	switch _, err := in.ReadToken(); {
	case err == nil:
		return errors.New("the body goes on after the JSON value's end; one value is expected")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("after the JSON value's end: %w", err)
	}
	return nil
}

// batch reads an array of events.
func (d *decoding) batch(body []byte, declared bool) error {
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	if _, err := in.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	for i := 0; in.PeekKind() != ']'; i++ {
		if i == maxEvents {
			return fmt.Errorf("%w: the body has more than %d events; send smaller batches", receiver.ErrTooLarge, maxEvents)
		}
		raw, err := in.ReadValue()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		read := func() (occurrence, error) {
			if !declared && !hasMember(raw, "specversion") {
				return eventGrid(raw)
			}
			return structured(raw)
		}
		if err := d.element(i, read); err != nil {
			return err
		}
	}
	if _, err := in.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return atEnd(in)
}

func (d *decoding) element(i int, read func() (occurrence, error)) error {
	where := fmt.Sprintf("events[%d]", i)
	err := d.one(where, read)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[unusableError](err); !ok {
		return err
	}
	reason := ""
	if len(d.refused) < maxReasons {
		reason = err.Error()
	}
	d.refused = append(d.refused, receiver.RefusedAlert{Index: i, Reason: reason})
	return nil
}

// one reads an event and adds its alert.
func (d *decoding) one(where string, read func() (occurrence, error)) error {
	o, err := read()
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	d.alerts = append(d.alerts, d.alert(where, o))
	return nil
}

// nothing is the error of a body without a usable event.
func (d *decoding) nothing() error {
	switch len(d.refused) {
	case 0:
		return errors.New("the body has no events; a batch must have at least one")
	case 1:
		return errors.New(d.refused[0].Reason)
	default:
		return fmt.Errorf("none of %d events can be used; the first: %s", len(d.refused), d.refused[0].Reason)
	}
}
