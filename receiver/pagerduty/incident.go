package pagerduty

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// maxID bounds what is taken for an incident's id: PagerDuty's have 7 or 14
// characters. It becomes part of keys.
const maxID = 128

// incident is the data of an event that carries one. What only describes it may
// be any JSON.
type incident struct {
	ID         string `json:"id"`
	Status     string `json:"status"`
	CreatedAt  string `json:"created_at"`
	ReopenedAt string `json:"reopened_at"`

	Title         jsontext.Value `json:"title"`
	URL           jsontext.Value `json:"html_url"`
	Number        jsontext.Value `json:"number"`
	Key           jsontext.Value `json:"incident_key"`
	Urgency       jsontext.Value `json:"urgency"`
	Priority      jsontext.Value `json:"priority"`
	Service       jsontext.Value `json:"service"`
	Policy        jsontext.Value `json:"escalation_policy"`
	Teams         jsontext.Value `json:"teams"`
	Assignees     jsontext.Value `json:"assignees"`
	Type          jsontext.Value `json:"incident_type"`
	ResolveReason jsontext.Value `json:"resolve_reason"`
}

// incident normalises the event's data.
func (e *event) incident() (a alert.Alert, warnings []string, err error) {
	if e.Data.Kind() != '{' {
		return a, nil, fmt.Errorf("event.data is not an object; an event %s has an incident", e.Type)
	}
	var in incident
	if err := json.Unmarshal(e.Data, &in); err != nil {
		return a, nil, fmt.Errorf("event.data: %w", err)
	}
	d := describing{warnings: &warnings}
	if a, err = in.identity(); err != nil {
		return a, nil, err
	}
	if a.Status, err = in.status(e.Type, d); err != nil {
		return a, nil, err
	}
	in.describe(&a, d)
	d.annotate(&a, "event_type", e.Type)
	d.annotate(&a, "event_id", alertmanager.Text(e.ID))
	a.At = d.occurred(e)
	if a.Status == alert.Resolved && e.Type == resolved {
		a.EndsAt = a.At
	}
	return a, warnings, nil
}

// identity is the incident and which of its lives this is.
func (in incident) identity() (alert.Alert, error) {
	a := alert.Alert{Fingerprint: in.ID, Labels: map[string]string{}, Annotations: map[string]string{}}
	switch {
	case in.ID == "":
		return a, fmt.Errorf("event.data.id is not given, so nothing identifies the incident")
	case len(in.ID) > maxID:
		return a, fmt.Errorf("event.data.id has %d characters; at most %d are taken", len(in.ID), maxID)
	}
	created, err := alertmanager.Instant(in.CreatedAt)
	if err != nil {
		return a, fmt.Errorf("event.data.created_at %w", err)
	}
	reopened, err := alertmanager.Instant(in.ReopenedAt)
	if err != nil {
		return a, fmt.Errorf("event.data.reopened_at %w", err)
	}
	if a.StartsAt = created; reopened.After(created) {
		a.StartsAt = reopened
	}
	return a, nil
}

// status is that of the incident, or, if it does not say, of the event.
func (in incident) status(event string, d describing) (alert.Status, error) {
	var of alert.Status
	switch in.Status {
	case "resolved":
		of = alert.Resolved
	case "triggered", "acknowledged":
		of = alert.Firing
	case "":
		if event == resolved {
			return alert.Resolved, nil
		}
		return alert.Firing, nil
	default:
		return "", fmt.Errorf("event.data.status is %.64q; it must be triggered, acknowledged or resolved", in.Status)
	}
	if (event == resolved) != (of == alert.Resolved) {
		d.warn("event.data.status is %q in an event %.64s; the status counts", in.Status, event)
	}
	return of, nil
}

func (in incident) describe(a *alert.Alert, d describing) {
	a.Name = alertmanager.Text(in.Title)
	a.URL = alertmanager.Text(in.URL)
	priority, urgency := d.name("priority", in.Priority).Summary, alertmanager.Text(in.Urgency)
	if a.Severity = priority; priority == "" {
		a.Severity = urgency
	}
	if a.Name == "" {
		d.warn("event.data.title is not given")
	}
	service := d.name("service", in.Service)
	for name, value := range map[string]string{
		"alertname":         a.Name,
		"severity":          a.Severity,
		"status":            in.Status,
		"urgency":           urgency,
		"priority":          priority,
		"service":           service.Summary,
		"service_id":        service.ID,
		"escalation_policy": d.name("escalation_policy", in.Policy).Summary,
		"teams":             d.names("teams", in.Teams),
		"incident_type":     d.kind(in.Type),
		"incident_key":      alertmanager.Text(in.Key),
	} {
		if value != "" {
			a.Labels[name] = value
		}
	}
	if in.Status == "" {
		a.Labels["status"] = map[alert.Status]string{alert.Firing: "triggered", alert.Resolved: "resolved"}[a.Status]
	}
	d.annotate(a, "incident_number", alertmanager.Text(in.Number))
	d.annotate(a, "assignees", d.names("assignees", in.Assignees))
	reason := alertmanager.Text(in.ResolveReason)
	d.annotate(a, "resolve_reason", reason)
	if a.Status == alert.Resolved && strings.Contains(reason, `"merge_resolve_reason"`) {
		d.warn("the incident was merged into another: it is resolved, but perhaps not cured")
	}
}

// reference is how PagerDuty names another thing.
type reference struct {
	ID      string `json:"id"`
	Summary string `json:"summary"`
}

// describing reads what need not be there.
type describing struct{ warnings *[]string }

const (
	// maxWarnings bounds them: lists may be long.
	maxWarnings = 20
	// maxList bounds a list of references, in bytes of JSON.
	maxList = 256 << 10
)

func (d describing) warn(format string, args ...any) {
	if len(*d.warnings) < maxWarnings {
		*d.warnings = append(*d.warnings, fmt.Sprintf(format, args...))
	}
}

func (describing) annotate(a *alert.Alert, name, text string) {
	if text != "" {
		a.Annotations[name] = text
	}
}

// name reads a reference; null is none.
func (d describing) name(field string, value jsontext.Value) reference {
	var r reference
	if value.Kind() == 'n' || value.Kind() == 0 {
		return r
	}
	if err := json.Unmarshal(value, &r); err != nil {
		d.warn("event.data.%s is not a reference with a summary; left out", field)
		return reference{}
	}
	return r
}

// names reads a list of references.
func (d describing) names(field string, value jsontext.Value) string {
	var list []jsontext.Value
	if value.Kind() == 'n' || value.Kind() == 0 {
		return ""
	}
	// Lists of very many tiny things take far more memory than their text.
	if len(value) > maxList || json.Unmarshal(value, &list) != nil {
		d.warn("event.data.%s is not a list of %d bytes at most; left out", field, maxList)
		return ""
	}
	var all []string
	for _, one := range list {
		if r := d.name(field, one); r.Summary != "" {
			all = append(all, r.Summary)
		}
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}

// kind reads the incident's type, which has a name where others have a summary.
func (d describing) kind(value jsontext.Value) string {
	var t struct {
		Name string `json:"name"`
	}
	if value.Kind() == '"' {
		return alertmanager.Text(value)
	}
	if value.Kind() == 'n' || value.Kind() == 0 {
		return ""
	}
	if err := json.Unmarshal(value, &t); err != nil {
		d.warn("event.data.incident_type is not an object with a name; left out")
		return ""
	}
	return t.Name
}

// occurred is when the event was, which a redelivery of days later says as well.
func (d describing) occurred(e *event) time.Time {
	at, err := alertmanager.Instant(alertmanager.Text(e.OccurredAt))
	if err != nil {
		d.warn("event.occurred_at %s; left out", err)
		return time.Time{}
	}
	return at
}
