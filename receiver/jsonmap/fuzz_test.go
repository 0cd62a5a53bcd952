package jsonmap_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/jsonmap"
)

// FuzzDecode: whatever the body, the decoder does not panic, gives the same
// twice, and what it returns is whole: valid alerts that survive being stored
// and read again.
func FuzzDecode(f *testing.F) {
	d := compiled(f, jsonmap.Mapping{
		Alerts: "has(body.list) ? body.list : [body]", Name: "item.name", Status: "item.?status.orValue('firing')",
		Severity: "item.?severity", Fingerprint: "item.?id", StartsAt: "item.?at",
		Labels: map[string]string{"keys": "item.map(k, k).join(',')", "x": "item.?x"}, Annotations: map[string]string{"y": "item.y"}, URL: "item.?url",
	})
	f.Add(`{"name":"a","status":"resolved","at":1.5e9,"x":[1],"y":{}}`)
	f.Add(`{"list":[{"name":"a","z":1,"b":2,"at":"2026-03-01T09:30:00Z","id":12345678901234567890},7,{}]}`)
	f.Add(`{"list":null}`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := d.Decode("j", http.Header{}, []byte(body), time.Time{})
		again, err2 := d.Decode("j", http.Header{}, []byte(body), time.Time{})
		if !reflect.DeepEqual(got, again) || (err == nil) != (err2 == nil) {
			t.Errorf("%+v, %v, then %+v, %v", got, err, again, err2)
		}
		if (err == nil) != (len(got.Alerts) > 0) {
			t.Errorf("%d alerts, %v", len(got.Alerts), err)
		}
		if err == nil && !json.Valid([]byte(body)) {
			t.Error("accepted what encoding/json refuses")
		}
		for _, r := range got.Refused {
			if !utf8.ValidString(r.Reason) {
				t.Errorf("refused %+v", r)
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
	})
}
