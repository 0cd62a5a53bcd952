package pagerduty_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/alert"
)

// FuzzDecode: whatever the body, the decoder does not panic, and what it
// returns is whole: a valid alert that survives being stored and read again, or
// why there is none; and the body is one JSON object to Go's own package too.
func FuzzDecode(f *testing.F) {
	seed, err := os.ReadFile(filepath.Join("testdata", "triggered.good.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	f.Add(about("incident.resolved", incident+`,"status":"resolved","teams":[1,{"id":2}],"number":1e400,"incident_key":{"a":"\u0000"}`))
	f.Add(`{"event":{"event_type":"pagey.ping","data":{"type":"ping"}}}`)
	f.Add(`{"event":{"event_type":"incident.annotated","data":{"type":"incident_note","incident":{"id":"P"}}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decode(body)
		if err != nil {
			if len(got.Alerts) > 0 || got.Ignored != "" {
				t.Errorf("%+v beside an error: %v", got, err)
			}
			return
		}
		var reference map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &reference); err != nil {
			t.Errorf("accepted what encoding/json refuses: %v", err)
		}
		if (got.Ignored == "") != (len(got.Alerts) == 1) || len(got.Refused) > 0 || !utf8.ValidString(got.Ignored) || len(got.Ignored) > 1000 {
			t.Errorf("neither one alert nor ignored: %+v", got)
		}
		for _, a := range got.Alerts {
			if err := a.Validate(); err != nil {
				t.Error(err)
			}
			stored, err := json.Marshal(a)
			if err != nil {
				t.Fatalf("it cannot be stored: %v", err)
			}
			var back alert.Alert
			if err := json.Unmarshal(stored, &back); err != nil {
				t.Fatalf("it cannot be read again: %v", err)
			}
			if !reflect.DeepEqual(back, a) || back.Episode() != a.Episode() {
				t.Errorf("it was %+v, is %+v", a, back)
			}
		}
		for _, w := range got.Warnings {
			if !utf8.ValidString(w) || len(w) > 1000 {
				t.Errorf("warning %q", w)
			}
		}
	})
}
