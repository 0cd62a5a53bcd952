package cloudevents

import (
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

const (
	headerEventType  = "Aeg-Event-Type"
	typeValidation   = "Microsoft.EventGrid.SubscriptionValidationEvent"
	typeDeleted      = "Microsoft.EventGrid.SubscriptionDeletedEvent"
	headerOrigin     = "Webhook-Request-Origin"
	headerRate       = "Webhook-Request-Rate"
	maxHandshakeText = 256
)

// eventGrid reads an event in Event Grid's own schema.
func eventGrid(raw jsontext.Value) (occurrence, error) {
	all, err := members(raw)
	if err != nil {
		return occurrence{}, err
	}
	o := occurrence{extensions: map[string]string{}, notes: map[string]string{}}
	var id, at string
	for _, m := range all {
		var into *string
		switch m.name {
		case "id":
			into = &id
		case "eventType":
			into = &o.kind
		case "topic":
			into = &o.source
		case "subject":
			into = &o.subject
		case "eventTime":
			into = &at
		case "data":
			if m.value.Kind() != 'n' {
				o.data.json = m.value
			}
			continue
		default:
			continue
		}
		if m.value.Kind() == 'n' {
			continue
		}
		var ok bool
		if *into, ok = text(m.value); !ok {
			return occurrence{}, unusable("%s is a JSON %s; it must be a string", m.name, remark.KindName(m.value.Kind()))
		}
	}
	switch {
	case o.kind == "":
		return occurrence{}, unusable("it has neither specversion nor eventType, so it is neither a CloudEvent nor one of Event Grid")
	case o.kind == typeValidation || o.kind == typeDeleted:
		return occurrence{}, unusable("it is %s, which is about the subscription and not an alert; it is answered when it comes alone, with its header %s",
			o.kind, headerEventType)
	case o.source == "" && o.subject == "":
		return occurrence{}, unusable("it has neither topic nor subject, so nothing identifies it")
	}
	if id != "" {
		o.notes["id"] = id
	}
	o.at, err = parseInstant(at)
	return o, err
}

// Handshake implements [receiver.Handshaker]: Event Grid's validation of a
// subscription and its word that one was deleted, and the abuse protection of
// CloudEvents webhooks. It believes no URL that it is given.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/http-webhook.md
func (*Decoder) Handshake(method string, h http.Header, body []byte) (receiver.Handshake, bool) {
	if method == http.MethodOptions {
		return abuseProtection(h)
	}
	switch given := h.Get(headerEventType); {
	case strings.EqualFold(given, "SubscriptionValidation"):
		return validation(body)
	case strings.EqualFold(given, "SubscriptionDeletion"):
		_, ok := alone(body, typeDeleted)
		return receiver.Handshake{Status: http.StatusOK, What: "Event Grid deleted the subscription"}, ok
	default:
		return receiver.Handshake{}, false
	}
}

// validation returns the code. Event Grid wants 200; it takes 202 for a no.
func validation(body []byte) (receiver.Handshake, bool) {
	data, ok := alone(body, typeValidation)
	if !ok {
		return receiver.Handshake{}, false
	}
	code, ok := dig(data, "validationCode")
	if !ok || code == "" || len(code) > maxHandshakeText {
		return receiver.Handshake{}, false
	}
	quoted, err := jsontext.AppendQuote([]byte(`{"validationResponse":`), code)
	if err != nil {
		return receiver.Handshake{}, false
	}
	return receiver.Handshake{
		Status: http.StatusOK,
		Header: map[string]string{"Content-Type": mediaJSON},
		Body:   append(quoted, '}'),
		What:   "Event Grid validated the subscription",
	}, true
}

// alone is the data of the body's only event, if it is of this type.
func alone(body []byte, kind string) (jsontext.Value, bool) {
	raw, err := only(body)
	if err != nil || raw.Kind() != '[' {
		return nil, false
	}
	// An array of one object is the object in brackets.
	inner := jsontext.Value(strings.TrimSpace(string(raw[1 : len(raw)-1])))
	if !inner.IsValid() {
		return nil, false
	}
	all, err := members(inner)
	if err != nil {
		return nil, false
	}
	given, _ := lookup(all, "eventType")
	if s, ok := text(given); !ok || s != kind {
		return nil, false
	}
	data, ok := lookup(all, "data")
	return data, ok
}

// abuseProtection allows the origin that asks: whoever came here was
// authenticated.
func abuseProtection(h http.Header) (receiver.Handshake, bool) {
	origins := h.Values(headerOrigin)
	if len(origins) != 1 || !isOrigin(origins[0]) {
		return receiver.Handshake{}, false
	}
	// Any rate, unless a number was asked for.
	rate := "*"
	if asked := h.Get(headerRate); isCount(asked) {
		rate = asked
	}
	return receiver.Handshake{
		Status: http.StatusOK,
		Header: map[string]string{
			"Allow":                  "POST, OPTIONS",
			"WebHook-Allowed-Origin": origins[0],
			"WebHook-Allowed-Rate":   rate,
		},
		What: "CloudEvents from " + origins[0] + " allowed",
	}, true
}

// isOrigin reports whether s is a DNS name.
func isOrigin(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) < maxHandshakeText
}

// isCount reports whether s is a whole number above zero.
func isCount(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != "" && s[0] != '0' && len(s) <= 9
}
