package receiver

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/tripgen/paramedic/internal/alert"
)

// inboxShare is the part of the bus's largest message that one INBOX message
// may fill. The ledger's record of a decision is one message as well, and says
// for each alert of its cause more than the alert itself: events, holds,
// targets, plans. With an eighth there is room for that.
const inboxShare = 8

// minInboxMessage is room for a delivery's frame, its warnings and one alert.
const minInboxMessage = 16 << 10

// alertTooLargeError says that one alert does not fit into any message.
type alertTooLargeError struct{ index, bytes, limit int }

func (e *alertTooLargeError) Error() string {
	return fmt.Sprintf("alerts[%d] is %d bytes when stored; the most that one alert may have is %d",
		e.index, e.bytes, e.limit)
}

// encode renders d as lines of an INBOX message, each of limit bytes at most,
// newline included. A delivery that does not fit into one line becomes several
// parts under its ID, its warnings in the first.
func encode(d alert.Delivery, limit int) ([][]byte, error) {
	line, err := encodeLine(&d)
	if err != nil {
		return nil, err
	}
	if len(line) <= limit {
		return [][]byte{line}, nil
	}
	return encodeParts(d, limit)
}

// deliveryPart is a Delivery whose alerts are encoded already.
type deliveryPart struct {
	alert.Delivery
	// Alerts shadows the field of the same name, being less deep.
	Alerts []jsontext.Value `json:"alerts"`
}

func encodeParts(d alert.Delivery, limit int) ([][]byte, error) {
	alerts := make([]jsontext.Value, len(d.Alerts))
	for i, a := range d.Alerts {
		raw, err := json.Marshal(a, asEncodingJSON())
		if err != nil {
			return nil, fmt.Errorf("encode alerts[%d]: %w", i, err)
		}
		alerts[i] = raw
	}
	// The frame is largest in the first part, which has the warnings, and with
	// as many digits in its numbers as there can be.
	largest := d
	largest.Part, largest.Parts, largest.Alerts = len(alerts), len(alerts), nil
	frame, err := encodeLine(&deliveryPart{Delivery: largest, Alerts: []jsontext.Value{}})
	if err != nil {
		return nil, err
	}
	var parts [][]jsontext.Value
	size := limit + 1
	for i, raw := range alerts {
		if len(frame)+len(raw) > limit {
			return nil, &alertTooLargeError{index: i, bytes: len(raw), limit: limit - len(frame)}
		}
		if size+len(raw)+1 > limit {
			parts, size = append(parts, nil), len(frame)-1
		}
		last := len(parts) - 1
		parts[last] = append(parts[last], raw)
		size += len(raw) + 1
	}
	lines := make([][]byte, len(parts))
	for i, raws := range parts {
		part := d
		part.Alerts, part.Part, part.Parts = nil, i, len(parts)
		if i > 0 {
			part.Warnings = nil
		}
		if lines[i], err = encodeLine(&deliveryPart{Delivery: part, Alerts: raws}); err != nil {
			return nil, err
		}
		if len(lines[i]) > limit {
			return nil, errors.New("a part of a delivery is larger than was reckoned")
		}
	}
	return lines, nil
}

func encodeLine(delivery any) ([]byte, error) {
	// The size of an ordinary single alert; a larger one grows it.
	line := bytes.NewBuffer(make([]byte, 0, 1<<10))
	line.WriteString(`{"delivery":`)
	if err := json.MarshalWrite(line, delivery, asEncodingJSON()); err != nil {
		return nil, fmt.Errorf("encode the delivery: %w", err)
	}
	line.WriteString("}\n")
	return line.Bytes(), nil
}

// asEncodingJSON makes the output what encoding/json reads and would write, but
// for the order of a map's keys. Invalid UTF-8 stays an error. <, > and & are
// left alone: nothing here is pasted into HTML, and generator URLs are full of
// them.
func asEncodingJSON() json.Options { return jsonv1.OmitEmptyWithLegacySemantics(true) }
