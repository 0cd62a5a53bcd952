package receiver

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/internal/alert"
)

// The text about refused alerts has reasons up to maxReasons bytes, then only
// places up to maxPlaces, then how many more there are; printable must not cut
// that off.
const (
	maxReasons = maxDetail * 6 / 10
	maxPlaces  = maxDetail * 9 / 10
)

// sift holds a decoder to its contract: what it calls usable must pass
// [alert.Alert.Validate], and what is refused is in the body's order.
func sift(d Decoded) Decoded {
	slices.SortStableFunc(d.Refused, func(a, b RefusedAlert) int { return cmp.Compare(a.Index, b.Index) })
	var bad []RefusedAlert
	for i, a := range d.Alerts {
		if err := a.Validate(); err != nil {
			bad = append(bad, RefusedAlert{Index: i, Reason: fmt.Sprintf("alerts[%d]: %v", d.Place(i), err)})
		}
	}
	return d.without(bad)
}

// without moves alerts to the refused ones. The Index of bad is that in Alerts,
// ascending.
func (d Decoded) without(bad []RefusedAlert) Decoded {
	if len(bad) == 0 {
		return d
	}
	left := Decoded{
		Alerts:   make([]alert.Alert, 0, len(d.Alerts)-len(bad)),
		Refused:  slices.Clone(d.Refused),
		Warnings: d.Warnings,
	}
	next := 0
	for i, a := range d.Alerts {
		if next < len(bad) && bad[next].Index == i {
			left.Refused = append(left.Refused, RefusedAlert{Index: d.Place(i), Reason: bad[next].Reason})
			next++
			continue
		}
		left.Alerts = append(left.Alerts, a)
	}
	slices.SortStableFunc(left.Refused, func(a, b RefusedAlert) int { return cmp.Compare(a.Index, b.Index) })
	return left
}

// ignored reports whether there is nothing to do.
func (d Decoded) ignored() bool {
	return d.Ignored != "" && len(d.Alerts) == 0 && len(d.Refused) == 0
}

// refusals says which alerts are refused, and why, as long as there is room: it
// goes into a header of the quarantine, to the sender and into the ledger.
func (d Decoded) refusals() string {
	var b strings.Builder
	fmt.Fprintf(&b, "refused %d of %d alerts", len(d.Refused), len(d.Refused)+len(d.Alerts))
	separator := ": "
	for i, r := range d.Refused {
		text := r.Reason
		if text == "" || b.Len()+len(text) > maxReasons {
			text = "alerts[" + strconv.Itoa(r.Index) + "]"
		}
		if b.Len()+len(text) > maxPlaces {
			fmt.Fprintf(&b, "; and %d more", len(d.Refused)-i)
			break
		}
		b.WriteString(separator)
		b.WriteString(text)
		separator = "; "
	}
	return printable(b.String())
}

// warnings are those for a person who looks at the delivery: first what it lacks.
func (d Decoded) warnings() []string {
	if len(d.Refused) == 0 {
		return d.Warnings
	}
	return append([]string{d.refusals() + "; the body is in quarantine"}, d.Warnings...)
}

// unstorableError says that no alert fits into a message.
type unstorableError struct{ text string }

func (e *unstorableError) Error() string { return e.text }

// render fills d and encodes it. Alerts that do not fit into any message join
// the refused ones, unless they are all that is left.
func (rx *Receiver) render(d *alert.Delivery, decoded Decoded, size int) ([][]byte, Decoded, error) {
	for {
		d.Alerts, d.Warnings = decoded.Alerts, decoded.warnings()
		lines, err := encode(*d, size, rx.inboxMessage)
		large, ok := errors.AsType[*tooLargeError](err)
		if !ok {
			return lines, decoded, err
		}
		bad := make([]RefusedAlert, len(large.alerts))
		for i, a := range large.alerts {
			bad[i] = RefusedAlert{Index: a.index, Reason: fmt.Sprintf(
				"alerts[%d] is %d bytes when stored; the most that one alert may have is %d",
				decoded.Place(a.index), a.bytes, large.limit)}
		}
		decoded = decoded.without(bad)
		if len(decoded.Alerts) == 0 {
			return nil, decoded, &unstorableError{decoded.refusals()}
		}
		// Once more with a longer warning, for which there may be too little room
		// again: but each time there is an alert less, and each of those is larger
		// than a message.
	}
}

// keepRefused puts the body of a delivery that is accepted in part into
// quarantine. That comes before the delivery is stored: a crash in between
// leaves a body more in quarantine and a sender without an answer, who comes
// again; the other way round would lose the refused alerts.
func (rx *Receiver) keepRefused(r *http.Request, src *source, d alert.Delivery, body []byte, refused Decoded) *refusal {
	if err := rx.quarantine(r, src, d, body, refused.refusals()); err != nil {
		return doubt(reasonNotDurable, err, "a part of the body cannot be used, and could not be kept; send again")
	}
	src.metrics.quarantined.Inc()
	return nil
}
