package cloudevents

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
)

const (
	typeHealth       = "Microsoft.ResourceNotifications.HealthResources."
	typeAvailability = typeHealth + "AvailabilityStatusChanged"
)

// alert is what an event becomes; see the package's documentation.
func (d *decoding) alert(where string, o occurrence) alert.Alert {
	a := alert.Alert{
		Source: d.source, Labels: o.extensions, Annotations: o.notes,
		StartsAt: o.at, At: o.at,
	}
	a.Name, a.Status = judge(o)
	if strings.HasPrefix(o.kind, typeHealth) {
		if occurred, ok := dig(o.data.json, "resourceInfo", "properties", "occurredTime"); ok {
			at, err := parseInstant(occurred)
			if err != nil {
				d.warnings.Addf("%s: its occurredTime: %s; the event's time is taken", where, err)
			} else if !at.IsZero() {
				a.StartsAt = at
			}
		}
	}
	if a.StartsAt.IsZero() {
		d.warnings.Addf("%s has no time: its firings cannot be told apart", where)
	}
	if a.Status == alert.Resolved {
		a.EndsAt = a.StartsAt
	}
	a.Fingerprint = alert.Fingerprint(map[string]string{
		"type": a.Name, "source": folded(o.source), "subject": folded(o.subject),
	})
	if a.Severity = o.extensions["severity"]; a.Severity == "" {
		a.Severity, _ = dig(o.data.json, "severity")
	}
	if _, ok := o.extensions["alertname"]; ok {
		d.warnings.Addf("%s: its extension alertname is not taken: the type is the alert's name", where)
	}
	for name, value := range map[string]string{
		"alertname": a.Name, "severity": a.Severity, "type": o.kind, "source": o.source, "subject": o.subject,
	} {
		if value != "" {
			a.Labels[name] = value
		}
	}
	d.describe(where, a.Annotations, o.data)
	return a
}

// judge finds the name and the status.
func judge(o occurrence) (string, alert.Status) {
	name, status := o.kind, alert.Firing
	if i := strings.LastIndexByte(o.kind, '.'); i > 0 {
		if said, ok := statusOf(o.kind[i+1:]); ok {
			name, status = o.kind[:i], said
		}
	}
	if s, ok := dig(o.data.json, "status"); ok {
		if said, ok := statusOf(s); ok {
			status = said
		}
	}
	if o.kind == typeAvailability && available(o.data.json) {
		status = alert.Resolved
	}
	return name, status
}

func statusOf(s string) (alert.Status, bool) {
	status := alert.Status(strings.ToLower(s))
	return status, status.Valid()
}

func available(data jsontext.Value) bool {
	state, _ := dig(data, "resourceInfo", "properties", "availabilityState")
	return strings.EqualFold(state, "Available")
}

// folded makes small letters of the ids of Azure resources, which come in any case.
func folded(s string) string {
	if lower := strings.ToLower(s); strings.HasPrefix(lower, "/subscriptions/") {
		return lower
	}
	return s
}
