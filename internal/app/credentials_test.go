package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
)

// attempt is one request to a source of a configuration, and what it is answered.
type attempt struct {
	source string
	query  string
	header []string // in pairs
	want   int
}

// TestEveryCredentialOpensItsSource configures the running program with each kind that needs no other server, and with
// two of each where they may be replaced.
func TestEveryCredentialOpensItsSource(t *testing.T) {
	t.Parallel()
	const body = `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Known"},"startsAt":"2026-03-01T09:29:00Z"}]}`
	const event = `{"event":{"id":"1","event_type":"pagey.ping","data":{"type":"ping"}}}`
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	late := strconv.FormatInt(time.Now().Add(-2*time.Minute).Unix(), 10)
	sum256 := func(text string) []byte {
		mac := hmac.New(sha256.New, []byte(token))
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	sum512 := func(text string) []byte {
		mac := hmac.New(sha512.New, []byte(token))
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	own := base64.StdEncoding.EncodeToString(sum512("v0:" + stamp + ":" + body))
	a, _ := start(t, folder(t, `  - {name: bearer, type: alertmanager, auth: {bearer: [{file: rules.yaml}, {file: token}]}}
  - {name: url, type: alertmanager, auth: {urlToken: {file: token}}}
  - {name: url-named, type: alertmanager, auth: {urlToken: [{token: {file: token}, parameter: key}, {file: token}]}}
  - {name: grafana, type: grafana, auth: {hmac: {preset: grafana, secret: {file: token}}}}
  - {name: grafana-timed, type: grafana, auth: {hmac: {preset: grafana, secret: {file: token}, timestampHeader: X-Time, tolerance: 1m}}}
  - {name: pagerduty, type: pagerduty, auth: {hmac: {preset: pagerduty, secret: {file: token}}}}
  - name: own
    type: alertmanager
    auth:
      hmac:
        {header: X-Own, prefix: "own=", encoding: base64, algorithm: sha512, secret: {file: token}, timestampHeader: X-Time, signed: "v0:{timestamp}:{body}"}
  - {name: near, type: alertmanager, auth: {bearer: {file: token}}, allow: [192.0.2.0/24, "2001:db8::/32"]}
trustedProxies: [127.0.0.1]
`))
	bearer := []string{"Authorization", "Bearer " + token}
	from := func(address string) []string { return append([]string{"X-Forwarded-For", address}, bearer...) }
	query := func(name string) string { return "?" + name + "=" + strings.ReplaceAll(token, " ", "%20") }
	for _, c := range []attempt{
		// The other bearer token has several lines, so it cannot be one: nobody is let in by it, and nobody kept out.
		{"bearer", "", bearer, http.StatusAccepted},
		{"bearer", "", []string{"Authorization", "Bearer guess"}, http.StatusServiceUnavailable},
		{"url", query("token"), nil, http.StatusAccepted},
		{"url", query("key"), nil, http.StatusUnauthorized},
		{"url", "?token=guess", nil, http.StatusUnauthorized},
		{"url", "", bearer, http.StatusUnauthorized},
		{"url-named", query("key"), nil, http.StatusAccepted},
		{"url-named", query("token"), nil, http.StatusAccepted},
		{"grafana", "", []string{"X-Grafana-Alerting-Signature", hex.EncodeToString(sum256(body))}, http.StatusAccepted},
		{"grafana", "", []string{"X-Grafana-Alerting-Signature", hex.EncodeToString(sum256(body + " "))}, http.StatusUnauthorized},
		{"grafana-timed", "", []string{"X-Grafana-Alerting-Signature", hex.EncodeToString(sum256(stamp + ":" + body)), "X-Time", stamp}, http.StatusAccepted},
		{"grafana-timed", "", []string{"X-Grafana-Alerting-Signature", hex.EncodeToString(sum256(late + ":" + body)), "X-Time", late}, http.StatusUnauthorized},
		{"grafana-timed", "", []string{"X-Grafana-Alerting-Signature", hex.EncodeToString(sum256(body))}, http.StatusUnauthorized},
		{"pagerduty", "", []string{"X-PagerDuty-Signature", "v1=00, v1=" + hex.EncodeToString(sum256(event))}, http.StatusAccepted},
		{"pagerduty", "", []string{"X-PagerDuty-Signature", "v0=" + hex.EncodeToString(sum256(event))}, http.StatusUnauthorized},
		{"own", "", []string{"X-Own", "own=" + own, "X-Time", stamp}, http.StatusAccepted},
		{"own", "", []string{"X-Own", "own=" + own, "X-Time", stamp}, http.StatusUnauthorized}, // again
		{"own", "", []string{"X-Own", own, "X-Time", stamp}, http.StatusUnauthorized},
		{"near", "", from("192.0.2.7"), http.StatusAccepted},
		{"near", "", from("2001:db8::7"), http.StatusAccepted},
		{"near", "", from("192.0.2.7, 203.0.113.9"), http.StatusForbidden},
		{"near", "", bearer, http.StatusForbidden},
		{"near", "", []string{"X-Forwarded-For", "192.0.2.7"}, http.StatusUnauthorized},
	} {
		text := body
		if c.source == "pagerduty" {
			text = event
		}
		if got := c.post(t, a, text); got != c.want {
			t.Errorf("%s%s with %q: %d, want %d", c.source, c.query, c.header, got, c.want)
		}
	}
}

func (c attempt) post(t *testing.T, a *app.App, body string) int {
	t.Helper()
	url := fmt.Sprintf("http://%s/v1/webhooks/%s%s", a.Addr(), c.source, c.query)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(c.header); i += 2 {
		req.Header.Set(c.header[i], c.header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Error(err)
	}
	return resp.StatusCode
}
