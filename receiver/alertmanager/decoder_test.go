package alertmanager_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// decoder is shared, as it is in production: what one body leaves behind must
// not reach the next.
var decoder alertmanager.Decoder

func decode(body string) (receiver.Decoded, error) {
	return decoder.Decode("am", http.Header{}, []byte(body), time.Time{})
}

// oneAlert is a body with one alert, whose members are given.
func oneAlert(members string) string { return `{"version":"4","alerts":[{` + members + `}]}` }

const (
	labels = `"labels":{"alertname":"Down","severity":"page","job":"web"}`
	start  = `"startsAt":"2026-03-01T09:30:00Z"`
)

var labelsHash = alert.Fingerprint(map[string]string{"alertname": "Down", "severity": "page", "job": "web"})

func TestDecodesAWholeBody(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(filepath.Join("testdata", "group.good.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(string(body))
	if err != nil {
		t.Fatal(err)
	}
	want := []alert.Alert{{
		Source: "am", Fingerprint: "8d2b57e1c0a4f931", Name: "QueueStuck", Status: alert.Firing, Severity: "critical",
		Labels:      map[string]string{"alertname": "QueueStuck", "severity": "critical", "queue": "bookings"},
		Annotations: map[string]string{"SUMMARY": "Nothing left the queue for 10 minutes"},
		StartsAt:    time.Date(2026, 3, 1, 9, 30, 0, 123456789, time.UTC),
		URL:         "http://prometheus.test/graph?g0.expr=rate%28out%5B10m%5D%29+%3D%3D+0&g0.tab=1",
	}, {
		Source: "am", Fingerprint: "5f00c1d2e3b4a596", Name: "QueueStuck", Status: alert.Resolved, Severity: "critical",
		Labels:      map[string]string{"alertname": "QueueStuck", "severity": "critical", "queue": "mails"},
		Annotations: map[string]string{},
		StartsAt:    time.Date(2026, 3, 1, 9, 10, 0, 0, time.UTC),
		EndsAt:      time.Date(2026, 3, 1, 9, 31, 0, 0, time.UTC),
	}}
	if !reflect.DeepEqual(got.Alerts, want) {
		t.Errorf("got  %+v\nwant %+v", got.Alerts, want)
	}
	if len(got.Warnings) != 0 {
		t.Errorf("warnings about an ordinary body: %q", got.Warnings)
	}
}

func TestOddities(t *testing.T) {
	t.Parallel()
	firing := `"status":"firing",` + labels + "," + start
	for _, c := range []struct {
		name, body string
		// check looks at the first alert.
		check   func(a alert.Alert) bool
		warning string // a part of the only warning; empty: none
	}{
		{
			"no fingerprint", oneAlert(firing),
			func(a alert.Alert) bool { return a.Fingerprint == labelsHash }, "",
		},
		{
			"empty fingerprint", oneAlert(firing + `,"fingerprint":""`),
			func(a alert.Alert) bool { return a.Fingerprint == labelsHash }, "",
		},
		{
			"null fingerprint", oneAlert(firing + `,"fingerprint":null`),
			func(a alert.Alert) bool { return a.Fingerprint == labelsHash }, "",
		},
		{
			"endless fingerprint", oneAlert(firing + `,"fingerprint":"` + strings.Repeat("f", 200) + `"`),
			func(a alert.Alert) bool { return a.Fingerprint == labelsHash }, "more than 128",
		},
		{
			"version 3, numeric groupKey", `{"version":"3","groupKey":1234567890123456789,"alerts":[{` + firing + `}]}`,
			func(a alert.Alert) bool { return a.Name == "Down" }, "",
		},
		{
			"no version", `{"alerts":[{` + firing + `}]}`,
			func(a alert.Alert) bool { return a.Name == "Down" }, "",
		},
		{
			"Grafana's version", `{"version":"1","alerts":[{` + firing + `,"values":null}]}`,
			func(a alert.Alert) bool { return a.Name == "Down" }, `version "1" is unknown`,
		},
		{
			"the group's status says otherwise", `{"status":"resolved","alerts":[{` + firing + `}]}`,
			func(a alert.Alert) bool { return a.Status == alert.Firing }, "",
		},
		{
			"truncated", `{"status":"resolved","truncatedAlerts":9,"alerts":[{` + firing + `}]}`,
			func(a alert.Alert) bool { return a.Status == alert.Firing }, "truncatedAlerts is 9",
		},
		{
			"status in capitals", oneAlert(`"status":"FIRING",` + labels + "," + start),
			func(a alert.Alert) bool { return a.Status == alert.Firing }, "",
		},
		{
			"real end while firing", oneAlert(firing + `,"endsAt":"2026-03-01T10:00:00Z"`),
			func(a alert.Alert) bool { return a.EndsAt.IsZero() }, "",
		},
		{
			"end in 1970 while firing", oneAlert(firing + `,"endsAt":"1970-01-01T00:00:00Z"`),
			func(a alert.Alert) bool { return a.EndsAt.IsZero() }, "",
		},
		{
			"nonsense as end while firing", oneAlert(firing + `,"endsAt":{"never":true}`),
			func(a alert.Alert) bool { return a.EndsAt.IsZero() }, "",
		},
		{
			"resolved without an end", oneAlert(`"status":"resolved",` + labels + "," + start),
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.IsZero() }, "",
		},
		{
			"resolved at the epoch in Seoul", oneAlert(`"status":"resolved",` + labels + "," + start + `,"endsAt":"1970-01-01T00:00:00+09:00"`),
			func(a alert.Alert) bool { return a.EndsAt.IsZero() }, "",
		},
		{
			"resolved at a nonsense time", oneAlert(`"status":"resolved",` + labels + "," + start + `,"endsAt":"yesterday"`),
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.IsZero() }, `endsAt is "yesterday"`,
		},
		{
			"resolved in the far future", oneAlert(`"status":"resolved",` + labels + "," + start + `,"endsAt":"9999-12-31T23:59:59-01:00"`),
			func(a alert.Alert) bool { return a.EndsAt.IsZero() }, "before the year 2262",
		},
		{
			"no start", oneAlert(`"status":"firing",` + labels),
			func(a alert.Alert) bool { return a.StartsAt.IsZero() }, "startsAt is not given",
		},
		{
			"zero start, elsewhere", oneAlert(`"status":"firing",` + labels + `,"startsAt":"0001-01-01T00:00:00+09:00"`),
			func(a alert.Alert) bool { return a.StartsAt.IsZero() }, "startsAt is not given",
		},
		{
			"labels null, with fingerprint", oneAlert(`"status":"firing","labels":null,"fingerprint":"f",` + start),
			func(a alert.Alert) bool { return a.Fingerprint == "f" && a.Labels != nil }, "no label alertname",
		},
		{
			"no labels, with fingerprint", oneAlert(`"status":"firing","fingerprint":"f",` + start),
			func(a alert.Alert) bool { return a.Labels != nil && a.Annotations != nil }, "no label alertname",
		},
		{
			"annotation that is a number", oneAlert(firing + `,"annotations":{"value":12.50}`),
			func(a alert.Alert) bool { return a.Annotations["value"] == "12.50" }, `"value" is not a string`,
		},
		{
			"annotation that is null", oneAlert(firing + `,"annotations":{"value":null}`),
			func(a alert.Alert) bool { return a.Annotations["value"] == "" }, "",
		},
		{
			"annotations null", oneAlert(firing + `,"annotations":null`),
			func(a alert.Alert) bool { return a.Annotations != nil }, "",
		},
		{
			"generatorURL null", oneAlert(firing + `,"generatorURL":null`),
			func(a alert.Alert) bool { return a.URL == "" }, "",
		},
		{
			"surrogates, escapes, white space", " \r\n{\"alerts\" : [ {" + firing + `,"annotations":{"\u0061":"\ud83d\ude00\u003c\\n"}` + "}\t]}\n\n",
			func(a alert.Alert) bool { return a.Annotations["a"] == "😀<\\n" }, "",
		},
		{
			"huge numbers where nobody looks", `{"x":1e999999,"orgId":123456789012345678901234567890,"alerts":[{` + firing + `}]}`,
			func(a alert.Alert) bool { return a.Name == "Down" }, "",
		},
		{
			"keys of another case are other keys", oneAlert(firing + `,"Status":"resolved","STATUS":5`),
			func(a alert.Alert) bool { return a.Status == alert.Firing }, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(c.body)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Alerts) != 1 || !c.check(got.Alerts[0]) {
				t.Errorf("got %+v", got.Alerts)
			}
			switch {
			case c.warning == "" && len(got.Warnings) > 0:
				t.Errorf("warnings %q, want none", got.Warnings)
			case c.warning != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.warning)):
				t.Errorf("warnings %q, want one with %q", got.Warnings, c.warning)
			}
		})
	}
}

func TestFingerprintsWithinOneBody(t *testing.T) {
	t.Parallel()
	element := func(job, fingerprint string) string {
		return fmt.Sprintf(`{"status":"firing","labels":{"alertname":"Down","job":%q},%s,"fingerprint":%q}`, job, start, fingerprint)
	}
	hash := func(job string) string { return alert.Fingerprint(map[string]string{"alertname": "Down", "job": job}) }
	for _, c := range []struct {
		name   string
		alerts []string
		want   []string
	}{
		{"one for two sets of labels", []string{element("a", "x"), element("b", "x"), element("c", "y")}, []string{hash("a"), hash("b"), "y"}},
		{"one for three, the first two alike", []string{element("a", "x"), element("a", "x"), element("b", "x")}, []string{hash("a"), hash("a"), hash("b")}},
		{"the same alert twice", []string{element("a", "x"), element("a", "x")}, []string{"x", "x"}},
		{"two for the same labels", []string{element("a", "x"), element("a", "y")}, []string{"x", "y"}},
	} {
		got, err := decode(`{"alerts":[` + strings.Join(c.alerts, ",") + `]}`)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var have []string
		for _, a := range got.Alerts {
			have = append(have, a.Fingerprint)
		}
		if !reflect.DeepEqual(have, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, have, c.want)
		}
	}
}

func TestRefusesWithAReason(t *testing.T) {
	t.Parallel()
	firing := `"status":"firing",` + labels + "," + start
	for _, c := range []struct{ name, body, want string }{
		{"nothing", "", "empty"},
		{"white space", " \n", "empty"},
		{"not JSON", "status=firing", "not JSON"},
		{"cut off", `{"alerts":[{"status":"fir`, "alerts[0].status"},
		{"cut off between", `{"alerts":[{` + firing + `},`, "EOF"},
		{"comma at the end", `{"alerts":[{` + firing + `},]}`, "alerts"},
		{"null", "null", "JSON null"},
		{"an array", "[]", "JSON array"},
		{"a string", `"firing"`, "JSON string"},
		{"no alerts", `{"version":"4"}`, "no alerts"},
		{"empty alerts", `{"alerts":[]}`, "no alerts"},
		{"alerts null", `{"alerts":null}`, "no alerts"},
		{"alerts an object", `{"alerts":{}}`, "alerts is a JSON object"},
		{"an alert that is a number", `{"alerts":[7]}`, "alerts[0] is a JSON number"},
		{"an alert that is null", `{"alerts":[null]}`, "alerts[0] is a JSON null"},
		{"a second document", `{"alerts":[{` + firing + `}]} {}`, "goes on"},
		{"rubbish after the end", `{"alerts":[{` + firing + `}]} x`, "after the JSON object's end"},
		{"a key twice", `{"alerts":[{` + firing + `,"status":"resolved"}]}`, "duplicate"},
		{"a label twice", oneAlert(`"status":"firing",` + start + `,"labels":{"a":"1","a":"2"}`), "duplicate"},
		{"alerts twice", `{"alerts":[{` + firing + `}],"alerts":[]}`, "duplicate"},
		{"a key twice where nobody looks", `{"x":{"a":1,"a":2},"alerts":[{` + firing + `}]}`, "duplicate"},
		{"invalid UTF-8", oneAlert(firing + ",\"annotations\":{\"a\":\"\xff\"}"), "UTF-8"},
		{"invalid UTF-8 where nobody looks", "{\"x\":\"\xc3\x28\",\"alerts\":[{" + firing + "}]}", "UTF-8"},
		{"half a surrogate", oneAlert(firing + `,"annotations":{"a":"\ud800"}`), "surrogate"},
		{"a byte order mark", "\xef\xbb\xbf" + oneAlert(firing), "not JSON"},
		{"too deep", `{"x":` + strings.Repeat("[", 100_000), "depth"},
		{"no status", oneAlert(labels + "," + start), ".status"},
		{"unknown status", oneAlert(`"status":"suppressed",` + labels), `.status is "suppressed"`},
		{"status a boolean", oneAlert(`"status":true,` + labels), ".status: it is a JSON boolean"},
		{"label a number", oneAlert(`"status":"firing","labels":{"port":80}`), `alerts[0].labels: "port": it is a JSON number`},
		{"labels an array", oneAlert(`"status":"firing","labels":[]`), "alerts[0].labels: it is a JSON array"},
		{"annotations a string", oneAlert(firing + `,"annotations":"down"`), "annotations: it is a JSON string"},
		{"fingerprint a number", oneAlert(firing + `,"fingerprint":7`), "fingerprint: it is a JSON number"},
		{"start not a time", oneAlert(`"status":"firing",` + labels + `,"startsAt":"now"`), `startsAt is "now"`},
		{"start a number", oneAlert(`"status":"firing",` + labels + `,"startsAt":1772357400`), "startsAt: it is a JSON number"},
		{"start out of range", oneAlert(`"status":"firing",` + labels + `,"startsAt":"9999-12-31T23:59:59Z"`), "before the year 2262"},
		{"nothing identifies it", oneAlert(`"status":"firing","labels":{}`), "nothing identifies it"},
		{"all are wrong", `{"alerts":[{"status":"firing"},{"status":"firing"},7]}`, "none of 3 alerts can be used; the first: alerts[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(c.body)
			if err == nil {
				t.Fatalf("decoded to %+v", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not say %q: %v", c.want, err)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
		})
	}
}

func TestBoundsAlertsAndWarnings(t *testing.T) {
	t.Parallel()
	many := func(n int) string {
		return `{"alerts":[` + strings.TrimSuffix(strings.Repeat(`{"status":"firing","fingerprint":"f"},`, n), ",") + `]}`
	}
	got, err := decode(many(50_000))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Alerts) != 50_000 || len(got.Warnings) > 21 {
		t.Errorf("got %d alerts, %d warnings", len(got.Alerts), len(got.Warnings))
	}
	if _, err := decode(many(50_001)); !errors.Is(err, receiver.ErrTooLarge) {
		t.Errorf("one alert more: %v", err)
	}
}
