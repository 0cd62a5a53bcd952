package cloudevents_test

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/cloudevents"
	"github.com/tripgen/paramedic/receiver/corpus"
)

// The forms in which the collection says what it expects of an event.
var (
	attributes  = regexp.MustCompile(`^type (\S+), id (\S+), source (\S+)$`)
	changed     = regexp.MustCompile(`^(\w+) \(.*\)/none/(\w+)/(\S+)/start occurredTime (\S+)$`)
	information = regexp.MustCompile(`^informational event on (\S+)/start (\S+)$`)
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.Run(t, realEvent, "cloudevents")
	corpus.Run(t, realHandshake, "eventgrid")
}

func realEvent(t *testing.T, e corpus.Entry, body []byte) {
	t.Helper()
	got, err := decode(string(body), "Content-Type", event)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Alerts) != e.Alerts {
		t.Fatalf("got %d alerts, want %d", len(got.Alerts), e.Alerts)
	}
	a := got.Alerts[0]
	ok := false
	if want := attributes.FindStringSubmatch(e.Expect); want != nil {
		ok = a.Name == want[1] && a.Annotations["id"] == want[2] && a.Labels["source"] == want[3] && a.Labels["subject"] == "" &&
			a.Labels["comexampleothervalue"] == "5" && a.Annotations["data.appinfoA"] == "abc"
	} else if want := changed.FindStringSubmatch(e.Expect); want != nil {
		ok = string(a.Status) == want[1] && a.Severity == "" && strings.HasSuffix(a.Name, "."+want[2]) &&
			strings.HasSuffix(a.Labels["subject"], "/"+want[3]) && a.StartsAt.Format(time.RFC3339Nano) == want[4]
	} else if want := information.FindStringSubmatch(e.Expect); want != nil {
		ok = strings.HasSuffix(a.Labels["subject"], "/"+want[1]) && a.StartsAt.Format(time.RFC3339Nano) == want[2] &&
			a.Annotations["data.resourceInfo.properties.impactType"] == "Informational"
	} else if e.Expect == "data is a string, not JSON" {
		ok = strings.HasPrefix(a.Annotations["data"], "<")
	} else {
		t.Fatalf("the expectation %q has another form than this test knows", e.Expect)
	}
	if !ok || a.Status != alert.Firing {
		t.Errorf("got %+v\nwant %s", a, e.Expect)
	}
}

func realHandshake(t *testing.T, e corpus.Entry, body []byte) {
	t.Helper()
	switch filepath.Base(e.File) {
	case "subscription_validation_request.json":
		answer, ok := new(cloudevents.Decoder).Handshake("POST", headers("Aeg-Event-Type", "SubscriptionValidation"), body)
		if !ok || answer.Status != 200 {
			t.Fatalf("%+v, %t", answer, ok)
		}
		want, _ := corpus.File(t, strings.Replace(e.File, "_request", "_response", 1))
		same(t, answer.Body, want)
	case "subscription_validation_response.json":
		// It is the answer above.
	case "cloudevents_options_handshake.json":
		var sent struct {
			Request struct {
				Method  string            `json:"method"`
				Headers map[string]string `json:"headers"`
			} `json:"request"`
			Response struct {
				Status  int               `json:"status"`
				Headers map[string]string `json:"headers"`
			} `json:"response"`
		}
		if err := json.Unmarshal(body, &sent); err != nil {
			t.Fatal(err)
		}
		var pairs []string
		for name, value := range sent.Request.Headers {
			pairs = append(pairs, name, value)
		}
		answer, ok := new(cloudevents.Decoder).Handshake(sent.Request.Method, headers(pairs...), nil)
		if !ok || answer.Status != sent.Response.Status || !reflect.DeepEqual(answer.Header, sent.Response.Headers) {
			t.Errorf("%+v, %t", answer, ok)
		}
	default:
		t.Fatalf("this test does not know %s", e.File)
	}
}

func same(t *testing.T, got, want []byte) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("got %s, want %s", got, want)
	}
}
