package pagerduty

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
)

// Decoder decodes PagerDuty's webhooks. The zero value is ready.
type Decoder struct{}

// Traits implements [receiver.Decoder].
func (*Decoder) Traits() receiver.Traits {
	return receiver.Traits{
		MediaTypes:        []string{"application/json"},
		Headers:           []string{"X-Webhook-Id", "X-Webhook-Subscription"},
		UndecodableStatus: http.StatusAccepted,
	}
}

// event is what every body has. Its data depends on the type.
type event struct {
	ID         jsontext.Value `json:"id"`
	Type       string         `json:"event_type"`
	OccurredAt jsontext.Value `json:"occurred_at"`
	Data       jsontext.Value `json:"data"`
}

// Decode implements [receiver.Decoder]. It refuses a body that is not exactly
// one JSON object in valid UTF-8, has a key twice in one object, has no event
// with a type, or an incident that cannot be identified or has no known status.
func (*Decoder) Decode(source string, _ http.Header, body []byte, _ time.Time) (receiver.Decoded, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return receiver.Decoded{}, errors.New(`the body is empty; it must be a JSON object with "event"`)
	}
	var sent struct {
		Event *event `json:"event"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return receiver.Decoded{}, fmt.Errorf("the body: %w", err)
	}
	e := sent.Event
	switch {
	case e == nil:
		return receiver.Decoded{}, errors.New(`the body has no "event"; webhooks of version 3 have one`)
	case e.Type == "":
		return receiver.Decoded{}, errors.New("event.event_type is not given")
	}
	var data struct {
		Type jsontext.Value `json:"type"`
	}
	if e.Data.Kind() == '{' {
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return receiver.Decoded{}, fmt.Errorf("event.data: %w", err)
		}
	}
	switch kind := string(data.Type); {
	case kind == `"incident"`, e.reports() && (kind == "" || kind == "null"):
	case e.reports():
		return receiver.Decoded{}, fmt.Errorf("event.data.type is %.64s; an event %s has an incident", kind, e.Type)
	default:
		return receiver.Decoded{Ignored: fmt.Sprintf("%.64q changes no incident's state", e.Type)}, nil
	}
	a, warnings, err := e.incident()
	if err != nil {
		return receiver.Decoded{}, err
	}
	a.Source = source
	return receiver.Decoded{Alerts: []alert.Alert{a}, Warnings: warnings}, nil
}

// reports says whether the type is one of those that carry the incident.
func (e *event) reports() bool {
	switch e.Type {
	case "incident.triggered", "incident.acknowledged", "incident.unacknowledged", "incident.escalated",
		"incident.delegated", "incident.reassigned", "incident.priority_updated", "incident.reopened",
		resolved:
		return true
	default:
		return false
	}
}

const resolved = "incident.resolved"
