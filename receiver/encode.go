package receiver

import (
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/alert"
)

// inboxShare is the part of the bus's largest message that one INBOX message
// may fill. The ledger's record of a decision is one message as well, and says
// for each alert of its cause more than the alert itself: events, holds,
// targets, plans. With an eighth there is room for that.
const inboxShare = 8

// minInboxMessage is room for a delivery's frame, its warnings and one alert.
const minInboxMessage = 16 << 10

// tooLargeError says which alerts do not fit into any message.
type tooLargeError struct {
	alerts []largeAlert
	// limit is the most bytes that one alert may have.
	limit int
}

// largeAlert is an alert's index in the delivery and its size when stored.
type largeAlert struct{ index, bytes int }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("%d alerts are larger than %d bytes when stored", len(e.alerts), e.limit)
}

// encode renders d, which has an alert at least, as lines of an INBOX message,
// each of limit bytes at most, newline included. A delivery that does not fit
// into one line becomes several parts under its ID, its warnings in the first.
// If alerts do not fit into any line, the error is a [tooLargeError] with all
// of them. size is a guess at what is to be written.
func encode(d alert.Delivery, size, limit int) ([][]byte, error) {
	line, err := appendFrame(make([]byte, 0, size), d)
	if err != nil {
		return nil, err
	}
	start := len(line)
	ends := make([]int, len(d.Alerts))
	for i := range d.Alerts {
		if i > 0 {
			line = append(line, ',')
		}
		if line, err = appendAlert(line, &d.Alerts[i]); err != nil {
			return nil, fmt.Errorf("encode alerts[%d]: %w", i, err)
		}
		ends[i] = len(line)
	}
	line = append(line, frameEnd...)
	if len(line) <= limit {
		return [][]byte{line}, nil
	}
	alerts := make([][]byte, len(ends))
	for i, end := range ends {
		alerts[i] = line[start:end]
		start = end + 1
	}
	return encodeParts(d, alerts, limit)
}

// encodeParts does it for a delivery of more than one line, whose alerts are
// encoded already.
func encodeParts(d alert.Delivery, alerts [][]byte, limit int) ([][]byte, error) {
	// The frame is largest in the first part, which has the warnings, and with
	// as many digits in its numbers as there can be.
	largest := d
	largest.Part, largest.Parts = len(alerts), len(alerts)
	frame, err := appendFrame(nil, largest)
	if err != nil {
		return nil, err
	}
	room := limit - len(frame) - len(frameEnd)
	tooLarge := &tooLargeError{limit: room}
	var ends []int // of each part, in alerts
	size := room + 1
	for i, raw := range alerts {
		switch {
		case len(raw) > room:
			tooLarge.alerts = append(tooLarge.alerts, largeAlert{index: i, bytes: len(raw)})
		case size+1+len(raw) > room:
			ends, size = append(ends, i+1), len(raw)
		default:
			ends[len(ends)-1], size = i+1, size+1+len(raw)
		}
	}
	if len(tooLarge.alerts) > 0 {
		return nil, tooLarge
	}
	lines := make([][]byte, len(ends))
	begin := 0
	for i, end := range ends {
		d.Part, d.Parts = i, len(ends)
		if i > 0 {
			d.Warnings = nil
		}
		if lines[i], err = encodePart(d, alerts[begin:end]); err != nil {
			return nil, err
		}
		if len(lines[i]) > limit {
			return nil, errors.New("a part of a delivery is larger than was reckoned")
		}
		begin = end
	}
	return lines, nil
}

func encodePart(d alert.Delivery, alerts [][]byte) ([]byte, error) {
	frame, err := appendFrame(nil, d)
	if err != nil {
		return nil, err
	}
	size := len(frame) + len(alerts) + len(frameEnd)
	for _, raw := range alerts {
		size += len(raw)
	}
	line := append(make([]byte, 0, size), frame...)
	for i, raw := range alerts {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(line, raw...)
	}
	return append(line, frameEnd...), nil
}
