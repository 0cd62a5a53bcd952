package pagerduty_test

import (
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/pagerduty"
)

func decode(body string) (receiver.Decoded, error) {
	return new(pagerduty.Decoder).Decode("pd", http.Header{}, []byte(body), time.Time{})
}

// about is a body with an event of a type, and its data's members.
func about(kind, members string) string {
	return `{"event":{"id":"E1","event_type":"` + kind + `","resource_type":"incident","occurred_at":"2026-03-01T10:00:00.5Z",` +
		`"data":{"type":"incident",` + members + `}}}`
}

const incident = `"id":"PINC001","title":"Down","created_at":"2026-03-01T09:30:00Z","urgency":"low"`

func TestDecodesAWholeBody(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "triggered.good.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(string(body))
	if err != nil {
		t.Fatal(err)
	}
	want := receiver.Decoded{Alerts: []alert.Alert{{
		Source: "pd", Fingerprint: "Q0INCIDENT0001", Name: "Nothing leaves the booking queue", Status: alert.Firing, Severity: "P2",
		Labels: map[string]string{
			"alertname": "Nothing leaves the booking queue", "severity": "P2", "status": "triggered", "urgency": "high",
			"priority": "P2", "service": "Bookings", "service_id": "PSERV01", "escalation_policy": "Bookings first",
			"teams": "Bookings,Web", "incident_type": "incident_default", "incident_key": "queue/bookings",
		},
		Annotations: map[string]string{
			"event_type": "incident.triggered", "event_id": "01EVENT0TRIGGERED", "incident_number": "42", "assignees": "On call",
		},
		StartsAt: time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC),
		At:       time.Date(2026, 3, 1, 9, 30, 1, 250_000_000, time.UTC),
		URL:      "https://tripgen.pagerduty.test/incidents/Q0INCIDENT0001",
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Whatever happens to an incident between its two ends, it fires, as one episode.
func TestResolveFollowsTheIncident(t *testing.T) {
	t.Parallel()
	for _, data := range []string{incident, `"id":"PINC001","title":"as in 2021","priority":null`} {
		first, err := decode(about("incident.triggered", data+`,"status":"triggered"`))
		if err != nil {
			t.Fatal(err)
		}
		episode := first.Alerts[0].Episode()
		for _, c := range []struct {
			kind, status string
			want         alert.Status
		}{
			{"incident.acknowledged", "acknowledged", alert.Firing},
			{"incident.unacknowledged", "triggered", alert.Firing},
			{"incident.escalated", "triggered", alert.Firing},
			{"incident.delegated", "acknowledged", alert.Firing},
			{"incident.reassigned", "triggered", alert.Firing},
			{"incident.priority_updated", "acknowledged", alert.Firing},
			{"incident.reopened", "triggered", alert.Firing},
			{"incident.service_updated", "triggered", alert.Firing},
			{"incident.something_new", "acknowledged", alert.Firing},
			{"incident.resolved", "resolved", alert.Resolved},
			{"incident.reassigned", "resolved", alert.Resolved},
		} {
			got, err := decode(about(c.kind, data+`,"status":"`+c.status+`"`))
			if err != nil {
				t.Errorf("%s: %v", c.kind, err)
				continue
			}
			a := got.Alerts[0]
			if a.Episode() != episode || a.Status != c.want || a.Labels["status"] != c.status {
				t.Errorf("%s: %s %s %v", c.kind, a.Episode(), a.Status, a.Labels)
			}
			if wanted := c.kind == "incident.resolved"; a.EndsAt.IsZero() == wanted {
				t.Errorf("%s: ends at %v", c.kind, a.EndsAt)
			}
			// Only the status of the one that comes late differs from what the event says.
			if late := c.kind != "incident.resolved" && c.status == "resolved"; (len(got.Warnings) > 0) != late {
				t.Errorf("%s: warnings %q", c.kind, got.Warnings)
			}
		}
	}
}

func TestOddities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		check      func(a alert.Alert) bool
		warning    string
	}{
		{
			"no priority", about("incident.triggered", incident+`,"status":"triggered","priority":null`),
			func(a alert.Alert) bool { return a.Severity == "low" && a.Labels["severity"] == "low" }, "",
		},
		{
			"reopened is another firing", about("incident.reopened", incident+`,"status":"triggered","reopened_at":"2026-03-01T11:00:00Z"`),
			func(a alert.Alert) bool { return a.StartsAt.Hour() == 11 }, "",
		},
		{
			"no status", about("incident.resolved", incident),
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.Labels["status"] == "resolved" }, "",
		},
		{
			"no status, firing", about("incident.escalated", incident),
			func(a alert.Alert) bool { return a.Status == alert.Firing && a.Labels["status"] == "triggered" }, "",
		},
		{
			"resolved before this was sent", about("incident.triggered", incident+`,"status":"resolved"`),
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.IsZero() }, "the status counts",
		},
		{
			"opened again before this was sent", about("incident.resolved", incident+`,"status":"triggered"`),
			func(a alert.Alert) bool { return a.Status == alert.Firing && a.EndsAt.IsZero() }, "the status counts",
		},
		{
			"merged", about("incident.resolved", incident+`,"status":"resolved","resolve_reason":{"type": "merge_resolve_reason"}`),
			func(a alert.Alert) bool { return a.Annotations["resolve_reason"] == `{"type":"merge_resolve_reason"}` }, "not cured",
		},
		{
			"data without a type", `{"event":{"event_type":"incident.triggered","data":{"id":"P1","title":"T"}}}`,
			func(a alert.Alert) bool { return a.Fingerprint == "P1" && a.StartsAt.IsZero() }, "",
		},
		{
			"no title", about("incident.triggered", `"id":"P1"`),
			func(a alert.Alert) bool { _, has := a.Labels["alertname"]; return !has }, "title is not given",
		},
		{
			"title a number", about("incident.triggered", `"id":"P1","title":5`),
			func(a alert.Alert) bool { return a.Name == "5" }, "",
		},
		{
			"service a string", about("incident.triggered", incident+`,"service":"s"`),
			func(a alert.Alert) bool { _, has := a.Labels["service"]; return !has }, "data.service is not a reference",
		},
		{
			"teams an object", about("incident.triggered", incident+`,"teams":{}`),
			func(a alert.Alert) bool { _, has := a.Labels["teams"]; return !has }, "data.teams is not a list",
		},
		{
			"endless teams", about("incident.triggered", incident+`,"teams":[{"summary":"`+strings.Repeat("x", 300<<10)+`"}]`),
			func(a alert.Alert) bool { _, has := a.Labels["teams"]; return !has }, "data.teams is not a list",
		},
		{
			"a team a number, one twice", about("incident.triggered", incident+`,"teams":[7,{"summary":"A"},{"summary":"A"},null]`),
			func(a alert.Alert) bool { return a.Labels["teams"] == "A" }, "data.teams is not a reference",
		},
		{
			"incident type a string", about("incident.triggered", incident+`,"incident_type":"major"`),
			func(a alert.Alert) bool { return a.Labels["incident_type"] == "major" }, "",
		},
		{
			"incident type a list", about("incident.triggered", incident+`,"incident_type":[1]`),
			func(a alert.Alert) bool { return a.Name == "Down" }, "incident_type is not an object",
		},
		{
			"resolved at a nonsense time",
			`{"event":{"event_type":"incident.resolved","occurred_at":"noon","data":{"id":"P1","title":"T"}}}`,
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.IsZero() }, `occurred_at is "noon"`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(c.body)
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got.Alerts[0]) {
				t.Errorf("got %+v", got.Alerts[0])
			}
			if c.warning == "" && len(got.Warnings) > 0 || !strings.Contains(strings.Join(got.Warnings, "\n"), c.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, c.warning)
			}
		})
	}
}

func TestIgnores(t *testing.T) {
	t.Parallel()
	reference := `"incident":{"id":"PINC001","type":"incident_reference","summary":"Down"}`
	for kind, data := range map[string]string{
		"pagey.ping":                           `{"message":"Hello","type":"ping"}`,
		"incident.annotated":                   `{` + reference + `,"id":"PNOTE01","content":"looking","type":"incident_note"}`,
		"incident.status_update_published":     `{` + reference + `,"id":"PUPD001","message":"soon","type":"incident_status_update"}`,
		"incident.responder.added":             `{` + reference + `,"state":"pending","type":"incident_responder"}`,
		"incident.responder.replied":           `{` + reference + `,"state":"accepted","type":"incident_responder"}`,
		"incident.workflow.started":            `{` + reference + `,"type":"incident_workflow_instance"}`,
		"incident.workflow.completed":          `{` + reference + `,"type":"incident_workflow_instance"}`,
		"incident.conference_bridge.updated":   `{` + reference + `,"type":"incident_conference_bridge"}`,
		"incident.custom_field_values.updated": `{` + reference + `,"type":"incident_field_values"}`,
		"service.created":                      `{"id":"PSERV01","type":"service","summary":"Bookings"}`,
		"service.updated":                      `{"id":"PSERV01","type":"service","summary":"Bookings"}`,
		"service.deleted":                      `{"id":"PSERV01","type":"service","summary":"Bookings"}`,
		"something.new":                        `null`,
	} {
		got, err := decode(`{"event":{"event_type":"` + kind + `","data":` + data + `}}`)
		if err != nil || len(got.Alerts) > 0 || !strings.Contains(got.Ignored, kind) {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	whole := about("incident.triggered", incident)
	for _, c := range []struct{ name, body, want string }{
		{"empty", " \n", "the body is empty"},
		{"not JSON", `incident`, "invalid character"},
		{"an array", `[` + whole + `]`, "array"},
		{"cut off", whole[:len(whole)-3], "unexpected EOF"},
		{"a second body", whole + whole, "after top-level value"},
		{"a key twice", `{"event":{"event_type":"pagey.ping","event_type":"x"}}`, "duplicate"},
		{"a key twice in what is not used", `{"event":{"event_type":"pagey.ping","agent":{"a":1,"a":2}}}`, "duplicate"},
		{"not UTF-8", `{"event":{"event_type":"pagey.ping` + "\xff" + `"}}`, "UTF-8"},
		{"version 2", `{"messages":[{"event":"incident.trigger"}]}`, `no "event"`},
		{"event null", `{"event":null}`, `no "event"`},
		{"event a list", `{"event":[]}`, "/event"},
		{"no type", `{"event":{"data":{}}}`, "event_type is not given"},
		{"type a number", `{"event":{"event_type":1}}`, "/event/event_type"},
		{"no data", `{"event":{"event_type":"incident.triggered"}}`, "event.data is not an object"},
		{"data of another type", `{"event":{"event_type":"incident.triggered","data":{"id":"P","type":"incident_note"}}}`, "incident_note"},
		{"no id", about("incident.triggered", `"title":"T"`), "event.data.id is not given"},
		{"id a number", about("incident.triggered", `"id":7`), "/id"},
		{"endless id", about("incident.triggered", `"id":"`+strings.Repeat("P", 200)+`"`), "200 characters"},
		{"start not a time", about("incident.triggered", `"id":"P","created_at":"now"`), `created_at is "now"`},
		{"reopened not a time", about("incident.triggered", `"id":"P","reopened_at":"now"`), `reopened_at is "now"`},
		{"unknown status", about("incident.triggered", `"id":"P","status":"snoozed"`), `status is "snoozed"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(c.body)
			if err == nil {
				t.Fatalf("accepted: %+v", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want %q", err, c.want)
			}
		})
	}
}

// Three answers of 4xx in a row disable a subscription.
func TestTraits(t *testing.T) {
	t.Parallel()
	if got := new(pagerduty.Decoder).Traits(); got.UndecodableStatus != http.StatusAccepted || len(got.Methods) != 0 {
		t.Errorf("%+v", got)
	}
}
