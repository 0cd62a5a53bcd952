package cloudevents_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/cloudevents"
)

// The receiver asks for this interface.
var _ receiver.Handshaker = new(cloudevents.Decoder)

func TestHandshakes(t *testing.T) {
	t.Parallel()
	const validation = `[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","subject":"",` +
		`"data":{"validationCode":"CODE","validationUrl":"http://127.0.0.1:1/never"}}]`
	asks := []string{"Aeg-Event-Type", "SubscriptionValidation"}
	allow := func(rate string) map[string]string {
		return map[string]string{"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": "eventgrid.azure.net", "WebHook-Allowed-Rate": rate}
	}
	jsonAnswer := map[string]string{"Content-Type": "application/json"}
	origin := []string{"WebHook-Request-Origin", "eventgrid.azure.net"}
	for _, c := range []struct {
		name, method, body string
		headers            []string
		ok                 bool
		answer             string
		header             map[string]string
	}{
		{"validation", "POST", validation, asks, true, `{"validationResponse":"CODE"}`, jsonAnswer},
		{"a code with quotes", "POST", strings.Replace(validation, "CODE", `\"<\u0000`, 1), asks, true, `{"validationResponse":"\"<\u0000"}`, jsonAnswer},
		{"another event's header", "POST", validation, []string{"Aeg-Event-Type", "Notification"}, false, "", nil},
		{"no header", "POST", validation, nil, false, "", nil},
		{"no code", "POST", strings.Replace(validation, "validationCode", "x", 1), asks, false, "", nil},
		{"an empty code", "POST", strings.Replace(validation, "CODE", "", 1), asks, false, "", nil},
		{"an endless code", "POST", strings.Replace(validation, "CODE", strings.Repeat("x", 300), 1), asks, false, "", nil},
		{"two events", "POST", validation[:len(validation)-1] + "," + validation[1:], asks, false, "", nil},
		{"an object", "POST", validation[1 : len(validation)-1], asks, false, "", nil},
		{"two documents", "POST", validation + validation, asks, false, "", nil},
		{"nothing", "POST", "", asks, false, "", nil},
		{"an empty array", "POST", "[ ]", asks, false, "", nil},
		{"another event", "POST", grid(""), asks, false, "", nil},
		{
			"deleted", "POST", `[{"eventType":"Microsoft.EventGrid.SubscriptionDeletedEvent","data":{"eventSubscriptionId":"x"}}]`,
			[]string{"Aeg-Event-Type", "SubscriptionDeletion"},
			true, "", nil,
		},
		{"options", "OPTIONS", "", append([]string{"WebHook-Request-Rate", "120"}, origin...), true, "", allow("120")},
		{"options with a callback", "OPTIONS", "", append([]string{"WebHook-Request-Callback", "http://127.0.0.1:1/never"}, origin...), true, "", allow("*")},
		{"a nonsense rate", "OPTIONS", "", append([]string{"WebHook-Request-Rate", "-1"}, origin...), true, "", allow("*")},
		{"options alone", "OPTIONS", "", nil, false, "", nil},
		{"two origins", "OPTIONS", "", append([]string{"WebHook-Request-Origin", "b.test"}, origin...), false, "", nil},
		{"an origin that is none", "OPTIONS", "", []string{"WebHook-Request-Origin", "a b"}, false, "", nil},
		{"an origin on a delivery", "POST", with(""), origin, false, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, ok := new(cloudevents.Decoder).Handshake(c.method, headers(c.headers...), []byte(c.body))
			if ok != c.ok {
				t.Fatalf("%+v, %t", got, ok)
			}
			if ok && (got.Status != 200 || string(got.Body) != c.answer || !maps.Equal(got.Header, c.header) || got.What == "") {
				t.Errorf("%+v %s", got, got.Body)
			}
		})
	}
}
