package jsonmap

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

// What one body may have and cause.
const (
	maxAlerts = 5000
	// maxBodyCost bounds all its expressions together: seconds, not minutes.
	maxBodyCost = 2_000_000
	// maxText is what fields may take, beside twice the body: one text of the body
	// can be in each of thousands of alerts.
	maxText = 1 << 20
)

// Decoder decodes the JSON of one type of sender. It is made by [New].
type Decoder struct{ fields *compiled }

// New compiles a mapping. What is wrong with it is [Mistakes], each with line and
// column in its expression; any other error is no fault of the mapping.
func New(m Mapping) (*Decoder, error) {
	fields, err := compile(m)
	if err != nil {
		return nil, err
	}
	return &Decoder{fields: fields}, nil
}

// Traits implements [receiver.Decoder]. PUT is what some senders use.
func (*Decoder) Traits() receiver.Traits {
	return receiver.Traits{
		Methods:           []string{http.MethodPut},
		MediaTypes:        []string{"application/json", "text/json"},
		UndecodableStatus: http.StatusBadRequest,
	}
}

// Decode implements [receiver.Decoder]. It refuses a body that is not exactly
// one JSON document in valid UTF-8, has a key twice in one object, is not what
// the mapping's list of alerts expects, or has no usable alert; and single
// alerts for which the mapping fails.
func (p *Decoder) Decode(source string, _ http.Header, body []byte, _ time.Time) (receiver.Decoded, error) {
	document, err := parse(body)
	if err != nil {
		return receiver.Decoded{}, err
	}
	d := decoding{source: source, fields: p.fields, body: document, text: maxText + 2*len(body)}
	elements, err := d.elements()
	if err != nil {
		return receiver.Decoded{}, err
	}
	for i, item := range elements {
		if err := d.element(i, item); err != nil {
			return receiver.Decoded{}, err
		}
	}
	if len(d.alerts) == 0 {
		return receiver.Decoded{}, d.nothing()
	}
	return receiver.Decoded{Alerts: d.alerts, Refused: d.refused, Warnings: d.warnings.All()}, nil
}

// decoding is one body being decoded.
type decoding struct {
	source string
	fields *compiled
	body   ref.Val
	// spent is the cost so far, text what more fields may take.
	spent    uint64
	text     int
	alerts   []alert.Alert
	refused  []receiver.RefusedAlert
	warnings remark.Warnings
}

// elements are what the alerts are made of.
func (d *decoding) elements() ([]ref.Val, error) {
	v := d.body
	if d.fields.alerts != nil {
		var err error
		if v, err = d.eval(d.fields.alerts, nil); err != nil {
			return nil, fmt.Errorf("alerts: %w", err)
		}
	}
	list, ok := v.(traits.Lister)
	switch {
	case !ok && d.fields.alerts != nil:
		return nil, fmt.Errorf("alerts: the expression gave %s; it must give a list", v.Type().TypeName())
	case !ok:
		return []ref.Val{v}, nil
	}
	size, _ := list.Size().(types.Int)
	if size > maxAlerts {
		return nil, fmt.Errorf("%w: the body has %d alerts; at most %d are taken", receiver.ErrTooLarge, size, maxAlerts)
	}
	all := make([]ref.Val, 0, size)
	for it := list.Iterator(); it.HasNext() == types.True; {
		all = append(all, it.Next())
	}
	return all, nil
}

func (d *decoding) element(i int, item ref.Val) error {
	a, err := d.alert(i, item)
	if err == nil {
		d.alerts = append(d.alerts, a)
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

// nothing is the error of a body without a usable alert.
func (d *decoding) nothing() error {
	switch len(d.refused) {
	case 0:
		return errors.New("the body has no alerts: the mapping's list is empty")
	case 1:
		return errors.New(d.refused[0].Reason)
	default:
		return fmt.Errorf("none of %d alerts can be used; the first: %s", len(d.refused), d.refused[0].Reason)
	}
}
