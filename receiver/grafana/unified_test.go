package grafana_test

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
	"github.com/tripgen/paramedic/receiver/grafana"
)

// decoder is shared, as it is in production.
var decoder grafana.Decoder

func decode(body string) (receiver.Decoded, error) {
	return decoder.Decode("gf", http.Header{}, []byte(body), time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
}

func fixture(t testing.TB, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// group is a unified body with a firing alert that has more members, and more
// members of its own.
func group(inAlert, body string) string {
	return `{"version":"1","alerts":[{"status":"firing","labels":{"alertname":"Down"},"startsAt":"2026-03-01T09:30:00Z",` +
		`"fingerprint":"f1"` + inAlert + `}]` + body + `}`
}

func TestDecodesUnified(t *testing.T) {
	t.Parallel()
	got, err := decode(fixture(t, "unified.good.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := receiver.Decoded{Alerts: []alert.Alert{{
		Source: "gf", Fingerprint: "0a1b2c3d4e5f6071", Name: "QueueStuck", Status: alert.Firing, Severity: "critical",
		Labels: map[string]string{"alertname": "QueueStuck", "grafana_folder": "Bookings", "severity": "critical"},
		Annotations: map[string]string{
			"summary":              "Nothing leaves the queue",
			"grafana_values":       `{"B":12.50,"C":1}`,
			"grafana_value_string": "[ var='B' labels={} value=12.5 ]",
			"grafana_image_url":    "https://images.test/q.png",
			"grafana_panel_url":    "https://grafana.test/d/q?viewPanel=2",
			"grafana_silence_url":  "https://grafana.test/alerting/silence/new?alertmanager=grafana",
			"grafana_org_id":       "3",
		},
		StartsAt: time.Date(2026, 3, 1, 9, 30, 0, 500_000_000, time.UTC),
		URL:      "https://grafana.test/alerting/grafana/abc/view?orgId=3",
	}, {
		Source: "gf", Fingerprint: "1122334455667788", Name: "QueueStuck", Status: alert.Resolved,
		Labels:      map[string]string{"alertname": "QueueStuck", "grafana_folder": "Mails"},
		Annotations: map[string]string{"grafana_org_id": "3"},
		StartsAt:    time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC),
		EndsAt:      time.Date(2026, 3, 1, 9, 20, 0, 0, time.UTC),
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestUnifiedOddities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		annotation string
	}{
		{"an alert's own organisation", group(`,"orgId":7`, `,"orgId":1`), "7"},
		{"an annotation of that name", group(`,"annotations":{"grafana_org_id":"mine"}`, `,"orgId":1`), "mine"},
		{"no organisation", group(``, ``), ""},
		{"an endless organisation", group(``, `,"orgId":"`+strings.Repeat("1", 99)+`"`), ""},
		{"legacy members too", group(``, `,"ruleId":1,"orgId":1`), "1"},
	} {
		got, err := decode(c.body)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if a := got.Alerts[0]; a.Fingerprint != "f1" || a.Annotations["grafana_org_id"] != c.annotation || len(got.Warnings) > 0 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// The Test button's labels are anybody's; a group's key begins with a brace.
func TestTestNotifications(t *testing.T) {
	t.Parallel()
	for key, ignored := range map[string]bool{
		"test-57c6d9296de2ad39-1655425971":         true,
		"test-x":                                   true,
		"my hook-0123456789abcdef-1655425971":      true,
		`{}:{alertname=\"TestAlert\"}`:             false,
		`{}/{a=\"test-57c6d9296de2ad39-1\"}:{}`:    false,
		`{a=\"b\"}:{}-57c6d9296de2ad39-1655425971`: false,
		"mytest-1": false,
		"":         false,
		"prefix-57c6d9296de2ad39-1655425971-suffixed": false,
	} {
		got, err := decode(group(``, `,"groupKey":"`+key+`"`))
		if err != nil || (got.Ignored != "") != ignored || (len(got.Alerts) == 0) != ignored {
			t.Errorf("%s: %+v, %v", key, got, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	whole := group(``, ``)
	for _, c := range []struct{ name, body, want string }{
		{"empty", "\n", "the body is empty"},
		{"not JSON", `alert`, "invalid character"},
		{"an array", `[` + whole + `]`, "JSON array"},
		{"cut off", whole[:len(whole)-1], "unexpected EOF"},
		{"a second body", whole + whole, "goes on after"},
		{"a second body behind a test", group(``, `,"groupKey":"test-1"`) + whole, "goes on after"},
		{"a key twice", `{"alerts":[],"alerts":[]}`, "duplicate"},
		{"a key twice in a test", group(``, `,"groupKey":"test-1","x":{"a":1,"a":2}`), "duplicate"},
		{"not UTF-8", `{"alerts":[],"title":"` + "\xff" + `"}`, "UTF-8"},
		{"neither", `{"title":"x","state":"ok"}`, "neither"},
		{"no alerts", `{"alerts":[]}`, "no alerts"},
		{"no usable alert", `{"alerts":[{"status":"firing","labels":{}}]}`, "nothing identifies it"},
		{"legacy, a key twice", `{"ruleId":1,"ruleId":2}`, "duplicate"},
		{"legacy, cut off", `{"ruleId":1`, "unexpected EOF"},
		{"legacy, no rule", `{"ruleName":"R","state":"ok"}`, `ruleId is ""`},
		{"legacy, rule a text", `{"ruleId":"x","state":"ok"}`, `ruleId is "x"`},
		{"legacy, rule a fraction", `{"ruleId":1.5,"state":"ok"}`, `ruleId is "1.5"`},
		{"legacy, organisation a list", `{"ruleId":1,"orgId":[1],"state":"ok"}`, `orgId is "[1]"`},
		{"legacy, organisation in the URL a text", `{"ruleId":1,"ruleUrl":"http://g/?orgId=x","state":"ok"}`, `orgId is "x"`},
		{"legacy, no state", `{"ruleId":1}`, `state is ""`},
		{"legacy, unknown state", `{"ruleId":1,"state":"ALERTING"}`, `state is "ALERTING"`},
		{"legacy, state a number", `{"ruleId":1,"state":1}`, "/state"},
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

func TestTraits(t *testing.T) {
	t.Parallel()
	got := decoder.Traits()
	if !reflect.DeepEqual(got.Methods, []string{http.MethodPut}) || got.UndecodableStatus != http.StatusBadRequest {
		t.Errorf("%+v", got)
	}
}
