package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/lab"
)

const alertmanagerConfig = `
route:
  receiver: paramedic
  group_by: [alertname]
  group_wait: 1ms
  group_interval: %s
receivers:
- name: paramedic
  webhook_configs:
  - url: %s
    send_resolved: true
    http_config:
      authorization: {type: Bearer, credentials: a-secret}
`

// notification is the part of Alertmanager's webhook body that these tests look at.
type notification struct {
	Authorization string
	Status        string `json:"status"`
	Alerts        []struct {
		Labels map[string]string `json:"labels"`
	} `json:"alerts"`
}

// receive is a webhook receiver that hands on what it gets.
func receive(t *testing.T) (address string, received <-chan notification) {
	t.Helper()
	got := make(chan notification, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := notification{Authorization: r.Header.Get("Authorization")}
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Errorf("webhook body: %v", err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		got <- n
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func next(ctx context.Context, t *testing.T, received <-chan notification) notification {
	t.Helper()
	select {
	case n := <-received:
		return n
	case <-ctx.Done():
		t.Fatalf("no webhook: %v", ctx.Err())
		return notification{}
	}
}

func TestAlertmanagerDeliversAndResolves(t *testing.T) {
	t.Parallel()
	address, received := receive(t)
	started := time.Now()
	a := lab.RunAlertmanager(t, fmt.Sprintf(alertmanagerConfig, "500ms", address))
	t.Logf("ready after %v", time.Since(started).Round(time.Millisecond))
	ctx := within(t, 30*time.Second)

	alert := lab.Alert{Labels: map[string]string{"alertname": "ServiceDown", "job": "profile-service"}, StartsAt: time.Now().Add(-time.Minute)}
	if err := a.Post(ctx, alert); err != nil {
		t.Fatal(err)
	}
	firing := next(ctx, t, received)
	if firing.Status != "firing" || len(firing.Alerts) != 1 || firing.Alerts[0].Labels["job"] != "profile-service" || firing.Authorization != "Bearer a-secret" {
		t.Errorf("first webhook %+v", firing)
	}
	alert.EndsAt = time.Now()
	if err := a.Post(ctx, alert); err != nil {
		t.Fatal(err)
	}
	if resolved := next(ctx, t, received); resolved.Status != "resolved" {
		t.Errorf("second webhook %+v, want resolved", resolved)
	}
	if err := a.Post(ctx, lab.Alert{}); err == nil {
		t.Error("an alert without labels was accepted")
	}
}

func TestAlertmanagerPairNotifiesOnce(t *testing.T) {
	t.Parallel()
	address, received := receive(t)
	started := time.Now()
	// A long interval, so that each replica judges the alert once in this test.
	pair := lab.RunAlertmanagerPair(t, fmt.Sprintf(alertmanagerConfig, "5m", address))
	t.Logf("ready after %v", time.Since(started).Round(time.Millisecond))
	ctx := within(t, time.Minute)

	for _, a := range pair {
		if err := a.Post(ctx, lab.Alert{Labels: map[string]string{"alertname": "ServiceDown"}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := next(ctx, t, received); n.Status != "firing" || n.Alerts[0].Labels["alertname"] != "ServiceDown" {
		t.Errorf("first webhook %+v", n)
	}
	// The replica that stands back looks into the log of notifications when its turn comes.
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for _, a := range pair {
		for !metricIs(ctx, t, a, "alertmanager_nflog_queries_total 1") {
			<-look.C
		}
	}
	// What the pair is for: one of them gone, the other notifies.
	if err := pair[0].Stop(); err != nil {
		t.Fatal(err)
	}
	if err := pair[1].Post(ctx, lab.Alert{Labels: map[string]string{"alertname": "Other"}}); err != nil {
		t.Fatal(err)
	}
	if n := next(ctx, t, received); n.Status != "firing" || n.Alerts[0].Labels["alertname"] != "Other" {
		t.Errorf("webhook of the survivor %+v, want the other alert: the replicas do not know each other", n)
	}
}

// metricIs reports whether the line stands among the metrics of Alertmanager. It fails the test if the context ends.
func metricIs(ctx context.Context, t *testing.T, a *lab.Alertmanager, line string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(body), "\n"+line+"\n")
}

func TestAlertmanagerSaysWhyItDidNotStart(t *testing.T) {
	t.Parallel()
	a, err := lab.StartAlertmanager(t.Context(), lab.AlertmanagerOptions{Config: "route: {receiver: nobody}", Folder: t.TempDir()})
	var failed *lab.StartError
	if a != nil || !errors.As(err, &failed) {
		t.Fatalf("started %v, error %v; want a StartError", a, err)
	}
	if failed.Component != "alertmanager" || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("error %v names neither the component nor the fault", err)
	}
}
