package receiver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/cloudevents"
)

func TestHandshakes(t *testing.T) {
	t.Parallel()
	const validation = `[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"c-1"}}]`
	grid := []string{"Aeg-Event-Type", "SubscriptionValidation"}
	options := []string{"WebHook-Request-Origin", "eventgrid.azure.net", "WebHook-Request-Rate", "120", "Content-Type", ""}
	for _, c := range []struct {
		name, source, method, body string
		header                     []string
		status                     int
		answer, problem            string
	}{
		{"Event Grid", "ce", "POST", validation, grid, 200, `{"validationResponse":"c-1"}`, ""},
		{"CloudEvents", "ce", "OPTIONS", "", options, 200, "", ""},
		{"options alone", "ce", "OPTIONS", "", nil, 400, "", "unknown-handshake"},
		{"Event Grid without a token", "ce", "POST", validation, append([]string{"Authorization", ""}, grid...), 401, "", "unauthenticated"},
		{"CloudEvents without a token", "ce", "OPTIONS", "", append([]string{"Authorization", ""}, options...), 401, "", "unauthenticated"},
		{"options to a source without", "am", "OPTIONS", "", options, 405, "", "method-not-allowed"},
		{"Event Grid to a source without", "am", "POST", validation, grid, 400, "", "undecodable"},
		{"a delivery", "ce", "POST", `{"specversion":"1.0","id":"1","type":"t","source":"/s"}`, nil, 202, "", ""},
		{"a validation with too little", "ce", "POST", `[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent"}]`, grid, 400, "", "undecodable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			r := start(t, s, func(o *receiver.Options) {
				o.Sources = append(o.Sources, receiver.Source{
					Name: "ce", Decoder: new(cloudevents.Decoder), Auth: []receiver.Authenticator{receiver.Bearer(secret(token))},
				})
			})
			got := r.send(t, c.method, "/v1/webhooks/"+c.source, strings.NewReader(c.body), c.header...)
			if got.status != c.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, c.status)
			}
			if c.problem != "" && got.problem(t)["type"] != "https://paramedic.dev/problems/"+c.problem {
				t.Errorf("%s, want %s", got.body, c.problem)
			}
			if stored := len(s.deliveries(t)); (stored == 1) != (c.status == http.StatusAccepted) {
				t.Errorf("%d deliveries stored", stored)
			}
			if c.status != http.StatusOK {
				return
			}
			if got.body != c.answer || c.method == "OPTIONS" && got.header.Get("Webhook-Allowed-Rate") != "120" {
				t.Errorf("%v %q, want %q", got.header, got.body, c.answer)
			}
			if len(s.quarantine) > 0 || !strings.Contains(r.log.String(), "webhook handshake answered") {
				t.Errorf("quarantine %v, log %s", s.quarantine, r.log.String())
			}
			if err := testutil.GatherAndCompare(r.registry, strings.NewReader(`
# HELP paramedic_receiver_refused_total Webhook requests that were not accepted, by reason.
# TYPE paramedic_receiver_refused_total counter
`), "paramedic_receiver_refused_total"); err != nil {
				t.Error(err)
			}
		})
	}
}
