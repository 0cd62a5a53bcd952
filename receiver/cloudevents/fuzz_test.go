package cloudevents_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/cloudevents"
)

// FuzzDecode: whatever the body, in any mode, the decoder does not panic, and
// what it returns is whole: valid alerts that survive being stored and read again.
func FuzzDecode(f *testing.F) {
	for _, media := range []string{"", "application/json", event, batch, "text/plain"} {
		f.Add(with(`"data":{"a":[1e400,{"b":"\u0000"}]},"x":5,"time":"2026-03-01T09:30:00Z"`), media, "")
		f.Add("["+with(`"data_base64":"aGk=","datacontenttype":"text/plain"`)+",7]", media, "%41")
		f.Add(grid(`,"data":{"status":"resolved"}`), media, `"\""`)
	}
	f.Fuzz(func(t *testing.T, body, media, subject string) {
		pairs := []string{"Content-Type", media}
		if subject != "" {
			pairs = append(pairs, "Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "t", "Ce-Source", "/s", "Ce-Subject", subject)
		}
		for _, kind := range []string{"SubscriptionValidation", "SubscriptionDeletion"} {
			answer, ok := new(cloudevents.Decoder).Handshake("POST", headers("Aeg-Event-Type", kind), []byte(body))
			if ok && len(answer.Body) > 0 && !json.Valid(answer.Body) {
				t.Errorf("answers %q", answer.Body)
			}
		}
		got, err := decode(body, pairs...)
		if (err == nil) != (len(got.Alerts) > 0) {
			t.Errorf("%d alerts, %v", len(got.Alerts), err)
		}
		for i, r := range got.Refused {
			if i > 0 && r.Index <= got.Refused[i-1].Index || !utf8.ValidString(r.Reason) {
				t.Errorf("refused %+v", got.Refused)
			}
		}
		for i, a := range got.Alerts {
			if err := a.Validate(); err != nil {
				t.Errorf("alerts[%d]: %v", i, err)
			}
			stored, err := json.Marshal(a)
			if err != nil {
				t.Fatalf("alerts[%d] cannot be stored: %v", i, err)
			}
			var back alert.Alert
			if err := json.Unmarshal(stored, &back); err != nil {
				t.Fatalf("alerts[%d] cannot be read again: %v", i, err)
			}
			if len(back.Annotations) == 0 {
				back.Annotations = map[string]string{}
			}
			if !reflect.DeepEqual(back, a) || back.Episode() != a.Episode() {
				t.Errorf("alerts[%d] was %+v, is %+v", i, a, back)
			}
		}
		for _, w := range got.Warnings {
			if !utf8.ValidString(w) || len(w) > 1000 {
				t.Errorf("warning %q", w)
			}
		}
	})
}
