package receiver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/alert"
)

func TestAcceptsAndStores(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := start(t, s, nil)
	got := r.post(t, "am", body(2, "it is down"))
	if got.status != http.StatusAccepted || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", got.status, got.header)
	}
	stored := s.deliveries(t)
	if len(stored) != 1 {
		t.Fatalf("stored %+v", stored)
	}
	d := stored[0]
	if want := `{"delivery":"` + d.ID + `","alerts":2}` + "\n"; got.body != want {
		t.Errorf("answered %q, want %q", got.body, want)
	}
	if d.Source != "am" || !d.ReceivedAt.Equal(startOfTime) || d.Parts != 0 || len(d.Alerts) != 2 {
		t.Errorf("stored %+v", d)
	}
	if a := d.Alerts[1]; a.Source != "am" || a.Status != alert.Firing || a.Labels["instance"] != "host-00001" {
		t.Errorf("stored alert %+v", a)
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	good := body(1, "")
	for _, c := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		problem                  string // the end of the problem's type
		detail                   string
		kept                     bool
	}{
		{name: "no charset", body: good, status: 202},
		{name: "utf-8", body: good, header: []string{"Content-Type", "Application/JSON; charset=UTF-8"}, status: 202},
		{name: "no content type", body: good, header: []string{"Content-Type", ""}, status: 202},
		{name: "identity", body: good, header: []string{"Content-Encoding", "identity"}, status: 202},
		{
			name: "latin", body: good, header: []string{"Content-Type", "application/json; charset=latin1"},
			status: 415, problem: "unsupported-media-type", detail: "latin1",
		},
		{
			name: "form", body: good, header: []string{"Content-Type", "application/x-www-form-urlencoded"},
			status: 415, problem: "unsupported-media-type", detail: "application/json",
		},
		{
			name: "nonsense type", body: good, header: []string{"Content-Type", ";;"},
			status: 415, problem: "unsupported-media-type",
		},
		{
			name: "gzip", body: good, header: []string{"Content-Encoding", "gzip"},
			status: 415, problem: "unsupported-content-encoding", detail: "gzip",
		},
		{name: "unknown source", path: "/v1/webhooks/nobody", body: good, status: 404, problem: "not-found"},
		{name: "no source", path: "/v1/webhooks/", body: good, status: 404, problem: "about:blank"},
		{name: "source with a slash", path: "/v1/webhooks/am%2Fx", body: good, status: 404, problem: "not-found"},
		{name: "below a source", path: "/v1/webhooks/am/x", body: good, status: 404, problem: "not-found"},
		{name: "get", method: http.MethodGet, status: 405, problem: "method-not-allowed", detail: "POST"},
		{name: "put", method: http.MethodPut, body: good, status: 405, problem: "method-not-allowed"},
		{name: "unheard-of method", method: "BREW", status: 405, problem: "about:blank"},
		{name: "empty body", status: 400, problem: "undecodable", detail: "empty", kept: true},
		{name: "malformed", body: `{"alerts":[`, status: 400, problem: "undecodable", detail: "EOF", kept: true},
		{name: "wrong types", body: `{"alerts":[{"status":1}]}`, status: 400, problem: "undecodable", detail: "alerts[0].status", kept: true},
		{name: "empty alerts", body: `{"alerts":[]}`, status: 400, problem: "undecodable", detail: "no alerts", kept: true},
		{name: "two documents", body: good + good, status: 400, problem: "undecodable", kept: true},
		{name: "deep", body: strings.Repeat(`{"a":`, 1<<18), status: 400, problem: "undecodable", kept: true},
		{name: "invalid UTF-8", body: strings.Replace(good, "Down", "D\xff", 1), status: 400, problem: "undecodable", detail: "UTF-8", kept: true},
		{name: "control characters", body: "{\"\x00\r\nX: y\"", status: 400, problem: "undecodable", kept: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			r := start(t, s, nil)
			if c.method == "" {
				c.method = http.MethodPost
			}
			if c.path == "" {
				c.path = "/v1/webhooks/am"
			}
			got := r.send(t, c.method, c.path, strings.NewReader(c.body), c.header...)
			if got.status != c.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, c.status)
			}
			stored := len(s.deliveries(t))
			if c.status == 202 {
				if stored != 1 {
					t.Error("answered 202 with nothing stored")
				}
				return
			}
			if stored != 0 {
				t.Error("stored what was refused")
			}
			p := got.problem(t)
			if kind, _ := p["type"].(string); !strings.HasSuffix(kind, c.problem) {
				t.Errorf("problem type %v, want %s", p["type"], c.problem)
			}
			if detail, _ := p["detail"].(string); !strings.Contains(detail, c.detail) {
				t.Errorf("detail %q does not say %q", detail, c.detail)
			}
			if c.kept != (len(s.quarantine) == 1) {
				t.Fatalf("%d bodies in quarantine", len(s.quarantine))
			}
			if c.kept {
				q := s.quarantine[0]
				if q.source != "am" || string(q.data) != c.body || q.id != p["quarantine"] ||
					q.headers["Paramedic-Received-At"] != "2026-03-01T09:30:00Z" || q.headers["Content-Type"] != "application/json" {
					t.Errorf("kept %s %s %v, told %v", q.source, q.id, q.headers, p["quarantine"])
				}
				for name, value := range q.headers {
					if strings.ContainsAny(value, "\r\n\x00") || strings.Contains(value, token) {
						t.Errorf("header %s: %q", name, value)
					}
				}
			}
		})
	}
}

func TestSaysWhatIsAllowed(t *testing.T) {
	t.Parallel()
	r := start(t, newShelf(), nil)
	if got := r.send(t, http.MethodDelete, "/v1/webhooks/am", nil); got.header.Get("Allow") != "POST" {
		t.Errorf("405 without Allow: %v", got.header)
	}
	if got := r.post(t, "am", "{}", "Content-Encoding", "br"); got.header.Get("Accept-Encoding") != "identity" {
		t.Errorf("415 without Accept-Encoding: %v", got.header)
	}
	if got := r.post(t, "am", "{}", "Content-Type", "text/xml"); got.header.Get("Accept-Post") != "application/json" {
		t.Errorf("415 without Accept-Post: %v", got.header)
	}
}

func TestCountsAndLogs(t *testing.T) {
	t.Parallel()
	r := start(t, newShelf(), nil)
	r.post(t, "am", body(3, ""))
	r.post(t, "am", "rubbish", "User-Agent", "curl\tx")
	r.post(t, "am", body(1, ""), "Authorization", "Bearer hunter2")
	for _, name := range []string{"nobody", "somebody", "am'; drop table"} {
		r.post(t, strings.ReplaceAll(name, " ", "%20"), body(1, ""))
	}
	want := `
# HELP paramedic_receiver_alerts_accepted_total Alerts answered with 202, duplicates included.
# TYPE paramedic_receiver_alerts_accepted_total counter
paramedic_receiver_alerts_accepted_total{source=""} 0
paramedic_receiver_alerts_accepted_total{source="am"} 3
paramedic_receiver_alerts_accepted_total{source="open"} 0
# HELP paramedic_receiver_quarantined_total Bodies kept because they could not be handled, or not wholly.
# TYPE paramedic_receiver_quarantined_total counter
paramedic_receiver_quarantined_total{source=""} 0
paramedic_receiver_quarantined_total{source="am"} 1
paramedic_receiver_quarantined_total{source="open"} 0
# HELP paramedic_receiver_refused_total Webhook requests that were not accepted, by reason.
# TYPE paramedic_receiver_refused_total counter
paramedic_receiver_refused_total{reason="not-found",source=""} 3
paramedic_receiver_refused_total{reason="unauthenticated",source="am"} 1
paramedic_receiver_refused_total{reason="undecodable",source="am"} 1
# HELP paramedic_receiver_requests_total Webhook requests, by status code. An unknown source counts as the empty one.
# TYPE paramedic_receiver_requests_total counter
paramedic_receiver_requests_total{code="202",source=""} 0
paramedic_receiver_requests_total{code="202",source="am"} 1
paramedic_receiver_requests_total{code="202",source="open"} 0
paramedic_receiver_requests_total{code="400",source="am"} 1
paramedic_receiver_requests_total{code="401",source="am"} 1
paramedic_receiver_requests_total{code="404",source=""} 3
# HELP paramedic_receiver_in_flight_bytes Memory reckoned for the requests being handled.
# TYPE paramedic_receiver_in_flight_bytes gauge
paramedic_receiver_in_flight_bytes 0
`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want),
		"paramedic_receiver_requests_total", "paramedic_receiver_alerts_accepted_total", "paramedic_receiver_refused_total",
		"paramedic_receiver_quarantined_total", "paramedic_receiver_in_flight_bytes"); err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(r.registry, "paramedic_receiver_request_duration_seconds"); n != 3 {
		t.Errorf("%d series of durations", n)
	}
	log := r.log.String()
	if n := strings.Count(log, `"webhook refused"`); n != 5 {
		t.Errorf("%d refusals logged, want 5:\n%s", n, log)
	}
	if n := strings.Count(log, `"webhook accepted"`); n != 1 {
		t.Errorf("%d acceptances logged, want 1", n)
	}
	for _, never := range []string{token, "hunter2"} {
		if strings.Contains(log, never) {
			t.Errorf("the log shows %q", never)
		}
	}
}
