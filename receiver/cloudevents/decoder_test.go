package cloudevents_test

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/cloudevents"
)

const (
	event = "application/cloudevents+json"
	batch = "application/cloudevents-batch+json"
)

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for pair := range slices.Chunk(pairs, 2) {
		h.Add(pair[0], pair[1])
	}
	return h
}

func decode(body string, pairs ...string) (receiver.Decoded, error) {
	return new(cloudevents.Decoder).Decode("ce", headers(pairs...), []byte(body), time.Time{})
}

// with is a CloudEvent with more members.
func with(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"specversion":"1.0","id":"e-1","type":"dev.shop.queue.stuck","source":"/shop/mails"` + members + `}`
}

func grid(members string) string {
	return `[{"id":"g-1","eventType":"Shop.DiskFull","topic":"/subscriptions/S/resourceGroups/R","subject":"disk/1",` +
		`"eventTime":"2026-03-01T09:30:00.1234567Z","dataVersion":"1"` + members + `}]`
}

var (
	at          = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	fingerprint = alert.Fingerprint(map[string]string{"type": "dev.shop.queue.stuck", "source": "/shop/mails", "subject": "q"})
)

func TestTheThreeModesMakeTheSameAlert(t *testing.T) {
	t.Parallel()
	whole := with(`"subject":"q","time":"2026-03-01T18:30:00+09:00","region":"코리아 1","count":5,"late":true,"gone":null,` +
		`"dataschema":"https://shop.test/s","data":{"severity":"critical","queue":{"name":"mails","depth":912},"tags":["a","b"],"none":null}`)
	want := alert.Alert{
		Source: "ce", Fingerprint: fingerprint, Name: "dev.shop.queue.stuck", Status: alert.Firing, Severity: "critical",
		Labels: map[string]string{
			"alertname": "dev.shop.queue.stuck", "type": "dev.shop.queue.stuck", "severity": "critical",
			"source": "/shop/mails", "subject": "q", "region": "코리아 1", "count": "5", "late": "true",
		},
		Annotations: map[string]string{
			"id": "e-1", "dataschema": "https://shop.test/s", "data.severity": "critical",
			"data.queue.name": "mails", "data.queue.depth": "912", "data.tags": `["a","b"]`,
		},
		StartsAt: at, At: at,
	}
	binary := []string{
		"Ce-Specversion", "1.0", "Ce-Id", "e-1", "Ce-Type", "dev.shop.queue.stuck", "Ce-Source", "/shop/mails", "Ce-Subject", "q",
		"Ce-Time", "2026-03-01T18:30:00+09:00", "Ce-Region", "%EC%BD%94%EB%A6%AC%EC%95%84%201", "Ce-Count", "5", "Ce-Late", `"true"`,
		"Ce-Dataschema", "https://shop.test/s", "Content-Type", "application/json; charset=utf-8",
	}
	for name, got := range map[string]func() (receiver.Decoded, error){
		"structured": func() (receiver.Decoded, error) { return decode(whole, "Content-Type", event+"; charset=UTF-8") },
		"batch":      func() (receiver.Decoded, error) { return decode("["+whole+"]", "Content-Type", batch) },
		"object":     func() (receiver.Decoded, error) { return decode(whole, "Content-Type", "application/json") },
		"array":      func() (receiver.Decoded, error) { return decode("[" + whole + "]") },
		"binary": func() (receiver.Decoded, error) {
			return decode(`{"severity":"critical","queue":{"name":"mails","depth":912},"tags":["a","b"]}`, binary...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := got()
			if err != nil {
				t.Fatal(err)
			}
			if len(d.Alerts) != 1 || !reflect.DeepEqual(d.Alerts[0], want) || len(d.Warnings) != 0 {
				t.Errorf("got  %+v\nwant %+v", d, want)
			}
		})
	}
}

func TestOneEvent(t *testing.T) {
	t.Parallel()
	const health = `"topic":"/x","subject":"vm","data":{"resourceInfo":{"properties":{"occurredTime":"2026-03-01T09:30:00Z","availabilityState":"%s"}}}`
	availability := func(state string) string {
		return `[{"eventType":"Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged","eventTime":"2026-03-01T10:00:00Z",` +
			fmt.Sprintf(health, state) + `}]`
	}
	const timed = `"time":"2026-03-01T09:30:00Z"`
	for _, c := range []struct {
		name, body string
		check      func(a alert.Alert) bool
		warning    string
	}{
		{"resolved by its data", with(timed + `,"data":{"status":"Resolved"}`), func(a alert.Alert) bool {
			return a.Status == alert.Resolved && a.StartsAt.Equal(at) && a.EndsAt.Equal(at)
		}, ""},
		{"resolved by its type", strings.Replace(with(timed), "queue.stuck", "queue.stuck.resolved", 1), func(a alert.Alert) bool {
			return a.Status == alert.Resolved && a.Name == "dev.shop.queue.stuck" && a.Labels["type"] == "dev.shop.queue.stuck.resolved" &&
				a.Fingerprint == alert.Fingerprint(map[string]string{"type": "dev.shop.queue.stuck", "source": "/shop/mails", "subject": ""})
		}, ""},
		{
			"the data overrules the type", strings.Replace(with(timed+`,"data":{"status":"firing"}`), "queue.stuck", "queue.resolved", 1),
			func(a alert.Alert) bool { return a.Status == alert.Firing && a.Name == "dev.shop.queue" }, "",
		},
		{"other words are not understood", with(timed + `,"data":{"status":"ok"}`), func(a alert.Alert) bool { return a.Status == alert.Firing }, ""},
		{
			"a type that is only the word", strings.Replace(with(timed), "dev.shop.queue.stuck", "resolved", 1),
			func(a alert.Alert) bool { return a.Name == "resolved" && a.Status == alert.Firing }, "",
		},
		{"no time", with(""), func(a alert.Alert) bool { return a.StartsAt.IsZero() }, "no time"},
		{"the year one", with(`"time":"0001-01-01T00:00:00Z"`), func(a alert.Alert) bool { return a.StartsAt.IsZero() }, "no time"},
		{"severity as an extension", with(timed + `,"severity":"page","data":{"severity":"low"}`), func(a alert.Alert) bool { return a.Severity == "page" }, ""},
		{"an extension alertname", with(timed + `,"alertname":"x"`), func(a alert.Alert) bool { return a.Labels["alertname"] == a.Name }, "alertname is not taken"},
		{"text as data", with(timed + `,"datacontenttype":"application/xml","data":"<much/>"`), func(a alert.Alert) bool { return a.Annotations["data"] == "<much/>" }, ""},
		{"text as base64", with(timed + `,"datacontenttype":"text/plain","data_base64":"aGk\/"`), func(a alert.Alert) bool { return a.Annotations["data"] == "hi?" }, ""},
		{"JSON as base64", with(timed + `,"datacontenttype":"application/json","data_base64":"eyJzdGF0dXMiOiJyZXNvbHZlZCJ9"`), func(a alert.Alert) bool { return a.Status == alert.Resolved }, ""},
		{"bytes", with(timed + `,"data_base64":"/w==","datacontenttype":"image/png"`), func(a alert.Alert) bool { return len(a.Annotations) == 1 }, "1 bytes that are not text"},
		{"a number as data", with(timed + `,"data":1e400`), func(a alert.Alert) bool { return a.Annotations["data"] == "1e400" }, ""},
		{"data after the type", with(`"data":"x",` + timed + `,"datacontenttype":"text/plain"`), func(a alert.Alert) bool { return a.Annotations["data"] == "x" }, ""},
		{"deep data", with(timed + `,"data":` + strings.Repeat(`{"a":`, 500) + "1" + strings.Repeat("}", 500)), func(a alert.Alert) bool {
			return strings.HasPrefix(a.Annotations["data"+strings.Repeat(".a", 8)], `{"a":`)
		}, ""},
		{"wide data", with(timed + `,"data":{` + wide(100) + "}"), func(a alert.Alert) bool { return len(a.Annotations) == 65 }, "36 values are left out"},
		{"long data", with(timed + `,"datacontenttype":"text/plain","data":"` + strings.Repeat("가", 9000) + `"`), func(a alert.Alert) bool { return len(a.Annotations["data"]) < 4100 }, ""},
		{"Event Grid", grid(`,"data":{"disk":"d"},"metadataVersion":"1"`), func(a alert.Alert) bool {
			return a.Name == "Shop.DiskFull" && a.Labels["source"] == "/subscriptions/S/resourceGroups/R" && a.Annotations["data.disk"] == "d" &&
				a.StartsAt.Nanosecond() == 123456700 && a.Annotations["id"] == "g-1" &&
				a.Fingerprint == alert.Fingerprint(map[string]string{"type": "Shop.DiskFull", "source": "/subscriptions/s/resourcegroups/r", "subject": "disk/1"})
		}, ""},
		{"unavailable", availability("Unavailable"), func(a alert.Alert) bool { return a.Status == alert.Firing && a.StartsAt.Equal(at) }, ""},
		{"available again", availability("Available"), func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.Equal(at) }, ""},
		{
			"occurred at nonsense", strings.Replace(availability("x"), "2026-03-01T09:30:00Z", "noon", 1),
			func(a alert.Alert) bool { return a.StartsAt.Hour() == 10 }, "occurredTime",
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
			if all := strings.Join(got.Warnings, "\n"); c.warning == "" && all != "" || !strings.Contains(all, c.warning) {
				t.Errorf("warnings %q, want %q", all, c.warning)
			}
		})
	}
}

func wide(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	return strings.Join(all, ",")
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	ce := []string{"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "t", "Ce-Source", "/s"}
	for _, c := range []struct {
		name, body string
		headers    []string
		says       string
	}{
		{"nothing", " ", nil, "empty"},
		{"a text", `"x"`, nil, "neither a JSON object nor an array"},
		{"no events", `[]`, nil, "no events"},
		{"two documents", with("") + with(""), nil, "goes on"},
		{"two arrays", "[" + with("") + "][]", nil, "goes on"},
		{"cut short", with("")[:40], nil, "not JSON"},
		{"not UTF-8", with("\"x\":\"\xff\""), nil, "UTF-8"},
		{"a repeated key", with(`"id":"2"`), nil, "duplicate"},
		{"a repeated key in the data", with(`"data":{"a":1,"a":2}`), nil, "duplicate"},
		{"too deep", with(`"data":` + strings.Repeat("[", 20000)), nil, "not JSON"},
		{"another version", strings.Replace(with(""), "1.0", "0.3", 1), nil, `must be "1.0"`},
		{"no version", `{"id":"1","type":"t","source":"/s"}`, nil, "specversion"},
		{"no id", `{"specversion":"1.0","type":"t","source":"/s"}`, nil, "id"},
		{"an empty type", `{"specversion":"1.0","id":"1","type":"","source":"/s"}`, nil, "type"},
		{"a number as type", `{"specversion":"1.0","id":"1","type":5,"source":"/s"}`, nil, "type is a JSON number"},
		{"an empty name", with(`"":1,"subject":"hidden"`), nil, `""`},
		{"large letters", with(`"Region":"x"`), nil, "Region"},
		{"a fraction", with(`"n":1.5`), nil, "whole one"},
		{"a huge number", with(`"n":1e400`), nil, "whole one"},
		{"an object as extension", with(`"n":{}`), nil, "n is a JSON object"},
		{"nonsense as time", with(`"time":"noon"`), nil, "RFC3339"},
		{"too late", with(`"time":"2300-01-01T00:00:00Z"`), nil, "2262"},
		{"both kinds of data", with(`"data":1,"data_base64":"aGk="`), nil, "both"},
		{"a number as base64", with(`"data_base64":5`), nil, "data_base64 is a JSON number"},
		{"not base64", with(`"data_base64":"!"`), nil, "base64"},
		{"not the JSON that it says", with(`"datacontenttype":"application/json","data_base64":"aGk="`), nil, "not JSON"},
		{"an array as event", "[" + with("") + "]", []string{"Content-Type", event}, "not a JSON object"},
		{"an object as batch", with(""), []string{"Content-Type", batch}, "not a JSON array"},
		{"another format", "x", []string{"Content-Type", "application/cloudevents+avro"}, "avro"},
		{"a nonsense media type", with(""), []string{"Content-Type", ";"}, "Content-Type"},
		{"an Event Grid event in a batch", grid(""), []string{"Content-Type", batch}, "eventType"},
		{"neither", `[{"a":1}]`, nil, "neither a CloudEvent nor one of Event Grid"},
		{"a number in the array", `[7]`, nil, "must be an object"},
		{"a number as eventType", `[{"eventType":1}]`, nil, "eventType is a JSON number"},
		{"nothing to tell by", `[{"eventType":"t"}]`, nil, "nothing identifies"},
		{"a validation without its header", `[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"c"}}]`, nil, "about the subscription"},
		{"binary, no id", "", []string{"Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Source", "/s"}, "id"},
		{"binary, another version", "", append([]string{"Ce-Specversion", "2.0"}, ce[2:]...), `must be "1.0"`},
		{"binary, a header twice", "", append([]string{"Ce-Subject", "a", "Ce-Subject", "b"}, ce...), "2 times"},
		{"binary, bad percents", "", append([]string{"Ce-Subject", "%zz"}, ce...), "ce-subject"},
		{"binary, percents not UTF-8", "", append([]string{"Ce-Subject", "%ff"}, ce...), "UTF-8"},
		{"binary, time", "", append([]string{"Ce-Time", "noon"}, ce...), "RFC 3339"},
		{"binary, data as a header", "", append([]string{"Ce-Data", "x"}, ce...), "ce-data"},
		{"binary, media type as a header", "", append([]string{"Ce-Datacontenttype", "x"}, ce...), "ce-datacontenttype"},
		{"binary, data not JSON", "{", append([]string{"Content-Type", "application/json"}, ce...), "not JSON"},
		{"binary, data goes on", "{}{}", append([]string{"Content-Type", "application/json"}, ce...), "goes on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(c.body, c.headers...)
			if err == nil || !strings.Contains(err.Error(), c.says) || len(got.Alerts) > 0 {
				t.Errorf("%+v, %v; want an error about %q", got, err, c.says)
			}
		})
	}
}

func TestOneBadEventDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	got, err := decode("["+with(`"n":{}`)+","+with("")+",null,"+with(`"id2":"x"`)+"]", "Content-Type", batch)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Alerts) != 2 || len(got.Refused) != 2 || got.Refused[0].Index != 0 || got.Refused[1].Index != 2 ||
		!strings.HasPrefix(got.Refused[1].Reason, "events[2]: it is a JSON null") {
		t.Errorf("got %+v", got)
	}
}

func TestBatchOfFiveThousand(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return "[" + strings.Repeat(with("")+",", n-1) + with("") + "]" }
	got, err := decode(many(5000), "Content-Type", batch)
	if err != nil || len(got.Alerts) != 5000 || len(got.Warnings) > 21 {
		t.Errorf("%d alerts, %d warnings, %v", len(got.Alerts), len(got.Warnings), err)
	}
	if _, err := decode(many(5001), "Content-Type", batch); !errors.Is(err, receiver.ErrTooLarge) {
		t.Errorf("5,001 events: %v", err)
	}
	if got, err := decode("[" + strings.Repeat("1,", 4999) + with("") + "]"); err != nil || len(got.Refused) != 4999 || got.Refused[100].Reason != "" {
		t.Errorf("%d refused, %v", len(got.Refused), err)
	}
}
