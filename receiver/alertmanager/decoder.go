package alertmanager

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

// maxAlerts bounds the alerts of one body. Tiny alerts take far more memory
// decoded than as text, so the body's size is no bound by itself. Alertmanager
// sends a group whole unless max_alerts is set; groups of thousands are rare.
const maxAlerts = 50_000

// Decoder decodes Alertmanager's webhooks. The zero value is ready; it must not
// be copied after use.
type Decoder struct {
	// Dialect must not be changed after first use.
	Dialect Dialect
	// readers keeps *jsontext.Decoder: their bookkeeping of names seen is most
	// of the garbage of a small body.
	readers sync.Pool
}

// Traits implements [receiver.Decoder]. Alertmanager comes again with a body
// after any 4xx at its next group_interval, so 400 may be said freely.
func (*Decoder) Traits() receiver.Traits {
	return receiver.Traits{
		MediaTypes:        []string{"application/json"},
		UndecodableStatus: http.StatusBadRequest,
	}
}

// Decode implements [receiver.Decoder]. It refuses a body that is not exactly
// one JSON object in valid UTF-8, has a key twice in one object, or has no
// usable alert; and single alerts that cannot be identified.
func (p *Decoder) Decode(source string, _ http.Header, body []byte, _ time.Time) (receiver.Decoded, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return receiver.Decoded{}, errors.New("the body is empty; it must be a JSON object with \"alerts\"")
	}
	// A Buffer is read in place, without a copy.
	in := bytes.NewBuffer(body)
	reader, ok := p.readers.Get().(*jsontext.Decoder)
	if ok {
		reader.Reset(in)
	} else {
		reader = jsontext.NewDecoder(in)
	}
	defer func() {
		// The pool must not keep the body.
		reader.Reset(strings.NewReader(""))
		p.readers.Put(reader)
	}()
	d := decoding{json: reader, dialect: &p.Dialect, source: source}
	if err := d.body(); err != nil {
		return receiver.Decoded{}, err
	}
	if len(d.alerts) == 0 {
		return receiver.Decoded{}, d.nothing()
	}
	d.identify()
	return receiver.Decoded{Alerts: d.alerts, Refused: d.refused, Warnings: d.warnings.All()}, nil
}

// decoding is one body being decoded.
type decoding struct {
	json     *jsontext.Decoder
	dialect  *Dialect
	source   string
	alerts   []alert.Alert
	refused  []receiver.RefusedAlert
	warnings remark.Warnings
}

func (d *decoding) body() error {
	if kind := d.json.PeekKind(); kind != '{' && kind != 0 {
		return fmt.Errorf("the body is a JSON %s; it must be an object with \"alerts\"", remark.KindName(kind))
	}
	if err := d.object(d.field); err != nil {
		return err
	}
	switch _, err := d.json.ReadToken(); {
	case err == nil:
		return errors.New("the body goes on after the JSON object's end; one object is expected")
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("after the JSON object's end: %w", err)
	}
	return nil
}

// field reads one member of the body.
func (d *decoding) field(name []byte) error {
	switch string(name) {
	case "alerts":
		return d.list()
	case "truncatedAlerts":
		return d.truncated()
	case "version":
		return d.version()
	default:
		// Receiver, group and common labels repeat what the alerts say.
		if err := d.json.SkipValue(); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		return nil
	}
}

func (d *decoding) list() error {
	switch kind := d.json.PeekKind(); kind {
	case 'n', '[':
	case 0:
	default:
		return fmt.Errorf("alerts is a JSON %s; it must be an array", remark.KindName(kind))
	}
	open, err := d.json.ReadToken()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	if open.Kind() == 'n' {
		return nil
	}
	for i := 0; d.json.PeekKind() != ']'; i++ {
		if i == maxAlerts {
			return fmt.Errorf("%w: the body has more than %d alerts; set max_alerts, or group by more labels",
				receiver.ErrTooLarge, maxAlerts)
		}
		if err := d.element(i); err != nil {
			return err
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}

func (d *decoding) truncated() error {
	value, err := d.json.ReadValue()
	if err != nil {
		return fmt.Errorf("truncatedAlerts: %w", err)
	}
	if text := string(value); text != "0" && text != "null" {
		d.warnings.Addf("truncatedAlerts is %s: that many alerts of the group are not in this body, "+
			"and whether they fire is not known from it", remark.Clip(text))
	}
	return nil
}

func (d *decoding) version() error {
	value, err := d.json.ReadValue()
	if err != nil {
		return fmt.Errorf("version: %w", err)
	}
	if !d.dialect.knows(string(value)) {
		d.warnings.Addf("version %s is unknown here; read as version 4", remark.Clip(string(value)))
	}
	return nil
}

// object reads an object's members by calling member after each name, which is
// valid only until member reads on.
func (d *decoding) object(member func(name []byte) error) error {
	if _, err := d.json.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	for d.json.PeekKind() != '}' {
		name, err := d.json.ReadValue()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		if bytes.IndexByte(name, '\\') < 0 {
			name = name[1 : len(name)-1]
		} else if name, err = jsontext.AppendUnquote(nil, name); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		if err := member(name); err != nil {
			return err
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}
