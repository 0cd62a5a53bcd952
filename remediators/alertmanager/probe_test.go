package alertmanager_test

import (
	"encoding/json"
	"errors"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/alertmanager"
	"github.com/tripgen/paramedic/remediators/remediatortest"
	"github.com/tripgen/paramedic/remediators/webapi"
)

func probe(t *testing.T, c webapi.Config) *alertmanager.Probe {
	t.Helper()
	c.Version = "test"
	s, err := alertmanager.NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	return alertmanager.NewProbe(alertmanager.Servers{"default": s})
}

// The route ends nowhere, and one alert inhibits another.
const lone = `
route: {receiver: nobody}
receivers: [{name: nobody}]
inhibit_rules:
- source_matchers: [alertname="ServiceDown"]
  target_matchers: [alertname="Slow"]
  equal: [job]
`

// silence is made as by its API. Source: postableSilence of
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
func silence(t *testing.T, running *lab.Alertmanager, job string) {
	t.Helper()
	now := time.Now()
	body := fmt.Sprintf(`{"matchers": [{"name": "job", "value": %q, "isRegex": false, "isEqual": true}],
		"startsAt": %q, "endsAt": %q, "createdBy": "test", "comment": "test"}`, job, now.Format(time.RFC3339Nano), now.Add(time.Hour).Format(time.RFC3339Nano))
	req, err := nethttp.NewRequestWithContext(t.Context(), nethttp.MethodPost, running.URL()+"/api/v2/silences", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := nethttp.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != nethttp.StatusOK {
		t.Fatalf("silence: %s, %v", resp.Status, err)
	}
}

func TestRealAlertmanager(t *testing.T) {
	t.Parallel()
	running := lab.RunAlertmanager(t, lone)
	named := func(name, job string, ends time.Time) lab.Alert {
		return lab.Alert{Labels: map[string]string{"alertname": name, "job": job}, StartsAt: time.Now().Add(-time.Minute), EndsAt: ends}
	}
	silence(t, running, "quiet")
	if err := running.Post(t.Context(),
		named("ServiceDown", "profile", time.Time{}), named("Slow", "profile", time.Time{}), named("ServiceDown", "quiet", time.Time{}),
		named("ServiceDown", "well", time.Now()), named("Full", "a", time.Time{}), named("Full", "b", time.Time{}), named("Full", "c", time.Time{}), named("Full", "d", time.Time{}),
	); err != nil {
		t.Fatal(err)
	}
	var p verify.Prober = probe(t, webapi.Config{URL: running.URL() + "/"})
	for name, c := range map[string]struct {
		params string
		want   bool
		says   string
		class  engine.Class // of the error; empty for none
	}{
		"firing":               {params: `"matchers": ["alertname=\"ServiceDown\"", "job=\"profile\""]`, says: `1 firing with alertname="ServiceDown", job="profile": {alertname="ServiceDown", job="profile"}`},
		"a regular expression": {params: `"matchers": ["job=~\"pro.*\""], "timeout": "5s"`, says: "1 firing"},
		"silenced":             {params: `"matchers": ["job=\"quiet\""]`, want: true, says: `no alert fires with job="quiet"`},
		"inhibited":            {params: `"matchers": ["alertname=\"Slow\""]`, want: true, says: "no alert fires"},
		"resolved":             {params: `"matchers": ["job=\"well\""]`, want: true, says: "no alert fires"},
		"never there":          {params: `"matchers": ["alertname=\"Other\""]`, want: true, says: "no alert fires"},
		"not all agree":        {params: `"matchers": ["alertname=\"Full\"", "job=\"profile\""]`, want: true, says: "no alert fires"},
		"too many to show":     {params: `"matchers": ["alertname=\"Full\""]`, says: "; and 1 more"},
		"any":                  {params: `"matchers": ["alertname!=\"\""]`, says: "5 firing"},
		"no matcher":           {params: `"matchers": ["alertname"]`, class: engine.ClassTerminal, says: "400 Bad Request: bad matcher format"},
		"another server":       {params: `"matchers": ["a=b"], "server": "other"`, class: engine.ClassTerminal, says: `"other" is not configured under alertmanagers; known are: default`},
		"no matchers":          {params: `"matchers": []`, class: engine.ClassTerminal, says: "matchers: there are none"},
	} {
		check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage("{"+c.params+"}"))
		said := check.Detail
		if err != nil {
			said = err.Error()
		}
		if (err != nil) != (c.class != "") || err != nil && remediators.ClassOf(err) != c.class || check.OK != c.want || check.Kind != "alertmanager" || !strings.Contains(said, c.says) {
			t.Errorf("%s: %+v, %v; want %t, %q with %q", name, check, err, c.want, c.class, c.says)
		}
	}
	if err := running.Stop(); err != nil {
		t.Fatal(err)
	}
	if check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"matchers": ["job=\"well\""]}`)); check.OK || remediators.ClassOf(err) != engine.ClassRetryable {
		t.Errorf("stopped: %+v, %v", check, err)
	}
}

// TestOtherAnswers are those that a real Alertmanager does not give, or not at will.
func TestOtherAnswers(t *testing.T) {
	t.Parallel()
	const one = `{"labels": {"alertname": "A"}, "fingerprint": "f", "status": {"state": "active", "later": 1}, "receivers": []}`
	elsewhere := httptest.NewServer(nethttp.HandlerFunc(func(_ nethttp.ResponseWriter, r *nethttp.Request) {
		t.Errorf("a redirect was followed, with Authorization %q", r.Header.Get("Authorization"))
	}))
	t.Cleanup(elsewhere.Close)
	for name, c := range map[string]struct {
		status int
		body   string
		want   bool
		says   string
		class  engine.Class
	}{
		"none":               {200, `[]`, true, "no alert fires", ""},
		"one":                {200, `[` + one + `]`, false, `1 firing`, ""},
		"muted by time":      {200, `[` + strings.Replace(one, "active", "suppressed", 1) + `]`, false, `1 firing`, ""},
		"a long label":       {200, `[` + strings.Replace(one, `"A"`, `"`+strings.Repeat("ä", 1000)+`"`, 1) + `]`, false, `ä...`, ""},
		"null":               {200, `null`, false, "null", engine.ClassTerminal},
		"nothing":            {200, ``, false, "no list", engine.ClassTerminal},
		"no list":            {200, `{"status": "success", "data": []}`, false, "no list", engine.ClassTerminal},
		"a page":             {200, `<html>`, false, "is this the API", engine.ClassTerminal},
		"more than a list":   {200, `[] []`, false, "no list", engine.ClassTerminal},
		"no alert":           {200, `[{}]`, false, "number 1", engine.ClassTerminal},
		"no fingerprint":     {200, `[` + strings.Replace(one, `"f"`, `""`, 1) + `]`, false, "number 1", engine.ClassTerminal},
		"an alert of null":   {200, `[` + one + `, null]`, false, "number 2", engine.ClassTerminal},
		"another state":      {200, `[` + strings.Replace(one, "active", "resolved", 1) + `]`, false, "a state", engine.ClassTerminal},
		"half an answer":     {200, `[` + one[:20], false, "no list", engine.ClassTerminal},
		"too long":           {200, `[` + strings.Repeat(" ", 5<<20) + `]`, false, "longer than 4 MB", engine.ClassTerminal},
		"another success":    {204, ``, false, "204", engine.ClassTerminal},
		"a bad request":      {400, `"` + strings.Repeat("ä", 1000) + `"`, false, "400 Bad Request: ä", engine.ClassTerminal},
		"not allowed":        {401, `"Bearer s3cret"`, false, "401", engine.ClassTerminal},
		"forbidden":          {403, `[]`, false, "403", engine.ClassTerminal},
		"no such page":       {404, `[]`, false, "404", engine.ClassTerminal},
		"too often":          {429, `[]`, false, "429", engine.ClassRetryable},
		"broken":             {500, `[]`, false, "500", engine.ClassRetryable},
		"away":               {503, `[]`, false, "503", engine.ClassRetryable},
		"a redirect":         {302, ``, false, "302", engine.ClassTerminal},
		"a redirect, strict": {307, `[]`, false, "307", engine.ClassTerminal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
				if r.Method != nethttp.MethodGet || r.URL.Path != "/prefix/api/v2/alerts" || r.URL.RawQuery != "active=true&filter=a%3D%22x%22&filter=b%21%3Dy&inhibited=false&silenced=false" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				if r.Header.Get("Authorization") != "Bearer s3cret" || r.UserAgent() != "paramedic/test" {
					t.Errorf("asked with %v", r.Header)
				}
				if c.status/100 == 3 {
					w.Header().Set("Location", elsewhere.URL)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			t.Cleanup(s.Close)
			p := probe(t, webapi.Config{URL: s.URL + "/prefix", Bearer: func() (string, error) { return "s3cret", nil }})
			check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"matchers": ["a=\"x\"", "b!=y"]}`))
			said := check.Detail
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != (c.class != "") || err != nil && remediators.ClassOf(err) != c.class || check.OK != c.want || !strings.Contains(said, c.says) || strings.Contains(said, "s3cret") || len(said) > 800 {
				t.Errorf("%+v, %v; want %t, %q with %q", check, err, c.want, c.class, c.says)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	slow := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { <-free }))
	t.Cleanup(slow.Close)
	defer close(free)
	for name, c := range map[string]webapi.Config{
		"slow":           {URL: slow.URL},
		"nobody listens": {URL: "http://127.0.0.1:1"},
		"no secret":      {URL: slow.URL, Bearer: func() (string, error) { return "", errors.New("the file is gone") }},
	} {
		begun := time.Now()
		check, err := probe(t, c).Probe(t.Context(), engine.Target{}, json.RawMessage(`{"matchers": ["a=b"], "timeout": "100ms"}`))
		if check.OK || remediators.ClassOf(err) != engine.ClassRetryable || time.Since(begun) > 20*time.Second {
			t.Errorf("%s: %+v, %v after %v", name, check, err, time.Since(begun))
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	p := probe(t, webapi.Config{URL: "http://127.0.0.1:1"})
	schema := remediatortest.Schema(t, p.Spec().Params)
	for params, says := range map[string]string{
		`{"matchers": ["a=b"], "server": "default", "timeout": "1m"}`: "refused",
		``:                                       "there are none",
		`{}`:                                     "matchers: there are none",
		`{"matchers": null}`:                     "matchers: there are none",
		`{"matchers": "a=b"}`:                    "matchers",
		`{"matchers": ["a=b", " "]}`:             "number 2 is empty",
		`{"matchers": ["a=b"], "x": 1}`:          `"x"`,
		`{"matchers": ["a=b"]} {}`:               "more than one",
		`{"matchers": ["a=b"], "server": 1}`:     "server",
		`{"matchers": ["a=b"], "timeout": "1h"}`: "no duration",
		`{"matchers": [` + strings.Repeat(`"a=b",`, 32) + `"a=b"]}`: "33 are too many",
	} {
		check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(params))
		if err == nil || check.OK || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %+v, %v; want %q", params, check, err, says)
		}
		// What a duration is, a schema does not say.
		if json.Valid([]byte(params)) && says != "no duration" && remediatortest.Accepts(t, schema, params) != (says == "refused") {
			t.Errorf("the schema, of %s: not as %v", params, err)
		}
	}
	if _, err := alertmanager.NewServer(webapi.Config{URL: "http://u:s3cret@a:9093"}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("credentials in the URL: %v", err)
	}
}
