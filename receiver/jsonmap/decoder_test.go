package jsonmap_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/jsonmap"
)

// simple is a mapping that a test changes.
func simple(change func(*jsonmap.Mapping)) jsonmap.Mapping {
	m := jsonmap.Mapping{Name: "item.name", Status: "'firing'"}
	if change != nil {
		change(&m)
	}
	return m
}

func compiled(t testing.TB, m jsonmap.Mapping) *jsonmap.Decoder {
	t.Helper()
	d, err := jsonmap.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func decode(t testing.TB, m jsonmap.Mapping, body string) (receiver.Decoded, error) {
	t.Helper()
	return compiled(t, m).Decode("j", http.Header{}, []byte(body), time.Time{})
}

func TestDecodesByTheMapping(t *testing.T) {
	t.Parallel()
	m := jsonmap.Mapping{
		Alerts:      "body.checks.filter(c, c.state != 'unknown')",
		Name:        "item.check.title",
		Status:      "item.state == 'ok' ? 'resolved' : 'FIRING'",
		Severity:    "item.?level.orValue('low')",
		Fingerprint: "string(item.check.id)",
		StartsAt:    "item.since",
		Labels:      map[string]string{"host": "item.host.lowerAscii()", "site": "body.site", "port": "item.?port", "up": "item.state == 'ok'"},
		Annotations: map[string]string{"text": "item.text", "load": "item.load", "first": "item.tags.map(k, k)[0]"},
		URL:         "'https://checks.test/' + string(item.check.id)",
	}
	got, err := decode(t, m, `{"site":"seoul","checks":[
		{"state":"bad","level":"high","host":"DB-1","port":5432,"since":"2026-03-01T18:30:00+09:00","check":{"id":9007199254740993,"title":"Disk"},
		 "text":"full","load":0.5,"tags":{"z":1,"a":2}},
		{"state":"unknown"},
		{"state":"ok","host":"db-2","since":1772357400,"check":{"id":2,"title":"Disk"},"text":null,"load":1e2,"tags":{"b":1}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	want := []alert.Alert{{
		Source: "j", Fingerprint: "9007199254740993", Name: "Disk", Status: alert.Firing, Severity: "high",
		Labels:      map[string]string{"alertname": "Disk", "severity": "high", "host": "db-1", "site": "seoul", "port": "5432", "up": "false"},
		Annotations: map[string]string{"text": "full", "load": "0.5", "first": "z"},
		StartsAt:    at, URL: "https://checks.test/9007199254740993",
	}, {
		Source: "j", Fingerprint: "2", Name: "Disk", Status: alert.Resolved, Severity: "low",
		Labels:      map[string]string{"alertname": "Disk", "severity": "low", "host": "db-2", "site": "seoul", "up": "true"},
		Annotations: map[string]string{"load": "100", "first": "b"},
		StartsAt:    at, URL: "https://checks.test/2",
	}}
	if !reflect.DeepEqual(got.Alerts, want) || len(got.Warnings) > 0 || len(got.Refused) > 0 {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestElementsAreTheBodysUnlessSaid(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int{`{"name":"a"}`: 1, `[{"name":"a"},{"name":"b"}]`: 2} {
		if got, err := decode(t, simple(nil), body); err != nil || len(got.Alerts) != want || got.Alerts[0].Name != "a" {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

func TestOneAlert(t *testing.T) {
	t.Parallel()
	starts := func(expression string) func(*jsonmap.Mapping) {
		return func(m *jsonmap.Mapping) { m.StartsAt = expression }
	}
	startIs := func(want string) func(alert.Alert) bool {
		return func(a alert.Alert) bool { return a.StartsAt.Format(time.RFC3339Nano) == want }
	}
	note := func(expression string) func(*jsonmap.Mapping) {
		return func(m *jsonmap.Mapping) { m.Annotations = map[string]string{"n": expression} }
	}
	const unknown = "0001-01-01T00:00:00Z"
	for _, c := range []struct {
		name    string
		change  func(*jsonmap.Mapping)
		body    string
		check   func(alert.Alert) bool
		warning string
	}{
		{"labels' hash", nil, `{}`, func(a alert.Alert) bool {
			return a.Fingerprint == alert.Fingerprint(map[string]string{"alertname": "n"})
		}, ""},
		{
			"an endless fingerprint", func(m *jsonmap.Mapping) { m.Fingerprint = "item.f" }, `{"f":"` + strings.Repeat("x", 200) + `"}`,
			func(a alert.Alert) bool {
				return len(a.Fingerprint) == 16 && a.Fingerprint != alert.Fingerprint(a.Labels)
			}, "",
		},
		{
			"a null fingerprint", func(m *jsonmap.Mapping) { m.Fingerprint = "item.f" }, `{"f":null}`,
			func(a alert.Alert) bool { return a.Fingerprint == alert.Fingerprint(a.Labels) }, "",
		},
		{
			"a null label", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"x": "item.x"} }, `{"x":null}`,
			func(a alert.Alert) bool { return len(a.Labels) == 1 }, "",
		},
		{"seconds", starts("item.t"), `{"t":1772357400}`, startIs("2026-03-01T09:30:00Z"), ""},
		{"seconds with a fraction", starts("item.t"), `{"t":1772357400.5}`, startIs("2026-03-01T09:30:00.5Z"), ""},
		{"milliseconds", starts("item.t / 1000"), `{"t":1772357400999}`, startIs("2026-03-01T09:30:00Z"), ""},
		{"a timestamp", starts("timestamp(item.t)"), `{"t":"2026-03-01T09:30:00Z"}`, startIs("2026-03-01T09:30:00Z"), ""},
		{"no start", starts("item.?t"), `{}`, startIs(unknown), "startsAt is not given"},
		{"the year one", starts("item.t"), `{"t":"0001-01-01T00:00:00Z"}`, startIs(unknown), "startsAt is not given"},
		{"a missing annotation", note("item.gone"), `{}`, func(a alert.Alert) bool { return len(a.Annotations) == 0 }, "annotations.n: no such key: gone"},
		{"a list as annotation", note("item.l"), `{"l":[]}`, func(a alert.Alert) bool { return len(a.Annotations) == 0 }, "gave a CEL list"},
		{"a long annotation", note("item.l"), `{"l":"` + strings.Repeat("가", 9000) + `"}`, func(a alert.Alert) bool { return len(a.Annotations["n"]) < 17000 }, "cut to 16384"},
		{"a missing URL", func(m *jsonmap.Mapping) { m.URL = "item.u" }, `{}`, func(a alert.Alert) bool { return a.URL == "" }, "url: no such key: u"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(t, simple(func(m *jsonmap.Mapping) {
				m.Name = "'n'"
				if c.change != nil {
					c.change(m)
				}
			}), c.body)
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

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*jsonmap.Mapping)
		body   string
		says   string
		large  bool
	}{
		{"nothing", nil, " ", "empty", false},
		{"two documents", nil, `{"name":"a"}{}`, "goes on", false},
		{"a repeated key", nil, `{"name":"a","name":"b"}`, "duplicate", false},
		{"not UTF-8", nil, "{\"name\":\"\xff\"}", "UTF-8", false},
		{"cut short", nil, `{"name":"a"`, "EOF", false},
		{"a huge number", nil, `{"name":"a","n":1e400}`, "too large", false},
		{"too deep", nil, strings.Repeat(`[`, 100_000), "nested", true},
		{"too many values", nil, "[" + strings.Repeat("{},", 20_000) + "1]", "too many values for its size", true},
		{"many tiny values", nil, "[" + strings.Repeat("1,", 200_000) + "1]", "200001 alerts", true},
		{"too many alerts", nil, "[" + strings.Repeat("{},", 5000) + "{}]", "5001 alerts", true},
		{"no alerts", nil, `[]`, "no alerts", false},
		{"no list", func(m *jsonmap.Mapping) { m.Alerts = "body.list" }, `{}`, "alerts: no such key: list", false},
		{"not a list", func(m *jsonmap.Mapping) { m.Alerts = "body.list" }, `{"list":{}}`, "must give a list", false},
		{"no name", nil, `[{}]`, "alerts[0].name: no such key: name", false},
		{"an empty name", nil, `{"name":""}`, "alerts[0].name is empty", false},
		{"a list as name", nil, `{"name":[1]}`, "alerts[0].name: the expression gave a CEL list", false},
		{"a text as element", nil, `"x"`, "alerts[0].name", false},
		{"another status", func(m *jsonmap.Mapping) { m.Status = "item.s" }, `{"name":"a","s":"ok"}`, `alerts[0].status is "ok"`, false},
		{"a missing label", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"x": "item.y"} }, `{"name":"a"}`, "alerts[0].labels.x: no such key: y", false},
		{"an endless label", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"x": "item.y"} }, `{"name":"a","y":"` + strings.Repeat("y", 5000) + `"}`, "at most 4096", false},
		{"nonsense as start", func(m *jsonmap.Mapping) { m.StartsAt = "item.t" }, `{"name":"a","t":"noon"}`, "alerts[0].startsAt", false},
		{"milliseconds as start", func(m *jsonmap.Mapping) { m.StartsAt = "item.t" }, `{"name":"a","t":1772357400000}`, "divide milliseconds", false},
		{"an endless start", func(m *jsonmap.Mapping) { m.StartsAt = "item.t" }, `{"name":"a","t":1e300}`, "divide milliseconds", false},
		{"a start beyond all", func(m *jsonmap.Mapping) { m.StartsAt = "item.t" }, `{"name":"a","t":9223372036854775807}`, "divide milliseconds", false},
		{"a start that is no number", func(m *jsonmap.Mapping) { m.StartsAt = "double(item.t)" }, `{"name":"a","t":"NaN"}`, "not a number", false},
		{"an object as start", func(m *jsonmap.Mapping) { m.StartsAt = "item.t" }, `{"name":"a","t":{}}`, "startsAt: it is a CEL map", false},
		{
			"one text in very many alerts",
			func(m *jsonmap.Mapping) {
				m.Alerts, m.Name, m.Annotations = "body.l", "'n'", map[string]string{"x": "body.t"}
			},
			`{"t":"` + strings.Repeat("t", 10_000) + `","l":[` + strings.Repeat("1,", 999) + `1]}`, "more text than the body", true,
		},
		{
			"dear expressions in very many alerts",
			func(m *jsonmap.Mapping) {
				m.Alerts, m.Name = "body.l", "body.k.exists(x, x == 'none') ? 'a' : 'b'"
			},
			`{"k":[` + strings.Repeat("1,", 199) + `1],"l":[` + strings.Repeat("1,", 4999) + `1]}`, "more than 2000000 steps", true,
		},
		{
			"one expression that is too dear", func(m *jsonmap.Mapping) { m.Name = "body.l.exists(x, x == 'none') ? 'a' : 'b'"; m.Alerts = "[1]" },
			`{"l":[` + strings.Repeat("1,", 100_000) + `1]}`, "cost limit", false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(t, simple(c.change), c.body)
			if err == nil || !strings.Contains(err.Error(), c.says) || len(got.Alerts) > 0 {
				t.Fatalf("%+v, %v; want an error about %q", got, err, c.says)
			}
			if errors.Is(err, receiver.ErrTooLarge) != c.large {
				t.Errorf("%v is too large: %t", err, !c.large)
			}
		})
	}
}

func TestOneBadAlertDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	got, err := decode(t, simple(nil), `[{"name":"a"},{},{"name":"b"}]`)
	if err != nil || len(got.Alerts) != 2 || len(got.Refused) != 1 || got.Refused[0].Index != 1 ||
		got.Refused[0].Reason != "alerts[1].name: no such key: name" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBadMappings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*jsonmap.Mapping)
		says   string
	}{
		{"no name", func(m *jsonmap.Mapping) { m.Name = "" }, "name and status must be given"},
		{"syntax", func(m *jsonmap.Mapping) { m.Severity = "item.a +" }, "severity, line 1, column 9: "},
		{"an unknown variable", func(m *jsonmap.Mapping) { m.URL = "'a' +\n itme.b" }, "url, line 2, column 2: undeclared reference to 'itme'"},
		{"item in the list", func(m *jsonmap.Mapping) { m.Alerts = "item.list" }, "alerts, line 1, column 1: undeclared"},
		{"a list as name", func(m *jsonmap.Mapping) { m.Name = "[1]" }, "name, line 1, column 1: the expression gives list(int)"},
		{"a number as status", func(m *jsonmap.Mapping) { m.Status = "1" }, "status, line 1, column 1: the expression gives int"},
		{"a boolean as start", func(m *jsonmap.Mapping) { m.StartsAt = "item.a == 1" }, "startsAt, line 1, column 1"},
		{"a text as list", func(m *jsonmap.Mapping) { m.Alerts = "'a'" }, "alerts, line 1, column 1: the expression gives string"},
		{"a bad label", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"a": "item.", "b": "item.b"} }, "labels.a, line 1"},
		{"an empty label", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"a": ""} }, "labels.a, line 1, column 1: the expression is empty"},
		{"a label without a name", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"": "'a'"} }, "labels, line 1, column 1: an entry has no name"},
		{"the label alertname", func(m *jsonmap.Mapping) { m.Labels = map[string]string{"alertname": "'a'"} }, "labels.alertname, line 1, column 1: this label is set"},
		{"too long", func(m *jsonmap.Mapping) { m.Name = "'" + strings.Repeat("a", 5000) + "'" }, "name, line 1, column 1"},
		{"too deep", func(m *jsonmap.Mapping) { m.Name = strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100) }, "name, line"},
		{"a bad pattern", func(m *jsonmap.Mapping) { m.Status = "item.a.matches('(') ? 'firing' : 'resolved'" }, "status, line 1, column 16"},
		{"three loops", func(m *jsonmap.Mapping) {
			m.Name = "item.a.map(x, item.b.map(y, item.c.map(z, x + y + z)[0])[0])[0]"
		}, "name, line 1"},
		{"too dear", func(m *jsonmap.Mapping) {
			m.Name = "item.a.all(x, item.b.all(y, (x + y).matches('a.*b.*c') || (y + x).matches('d.*e.*f.*g.*h'))) ? 'a' : 'b'"
		}, "steps, more than the 10000 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := jsonmap.New(simple(c.change))
			if mistakes, ok := errors.AsType[jsonmap.Mistakes](err); !ok || !strings.Contains(mistakes.Error(), c.says) {
				t.Errorf("%v; want mistakes, with %q", err, c.says)
			}
		})
	}
	_, err := jsonmap.New(jsonmap.Mapping{Name: "a", Status: "b", URL: "c"})
	if err == nil || strings.Count(err.Error(), "undeclared") != 3 {
		t.Errorf("not all that is wrong is said: %v", err)
	}
}
