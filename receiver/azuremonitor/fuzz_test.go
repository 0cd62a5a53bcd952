package azuremonitor_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/alert"
)

// FuzzDecode: whatever the body, the decoder does not panic nor change it, and
// what it returns is whole: one valid alert that survives being stored and read
// again, of a body that Go's own JSON package takes for one JSON object too.
func FuzzDecode(f *testing.F) {
	seeds, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(seeds) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range seeds {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(body))
	}
	f.Add(`{"schemaId":"AIP Budget Notification","data":{"BudgetName":"b","SubscriptionId":"/providers//","ResourceGroup":" "}}`)
	f.Add(`{"status":"resolved","context":{"name":"n","timestamp":"1/2/2026 3:04:05 AM","resourceId":"/providers/a/b","condition":{"allOf":[{"dimensions":[{"name":1e400}]}]}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decode(body)
		if err != nil {
			if len(got.Alerts) > 0 || !utf8.ValidString(err.Error()) || len(err.Error()) > 1000 {
				t.Errorf("%d alerts beside an error: %q", len(got.Alerts), err)
			}
			return
		}
		if len(got.Alerts) != 1 || len(got.Refused) != 0 {
			t.Fatalf("%d alerts, %d refused", len(got.Alerts), len(got.Refused))
		}
		var reference map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &reference); err != nil {
			t.Errorf("accepted what encoding/json refuses: %v", err)
		}
		a := got.Alerts[0]
		if err := a.Validate(); err != nil {
			t.Error(err)
		}
		if len(a.Fingerprint) > 128 {
			t.Errorf("a fingerprint of %d characters", len(a.Fingerprint))
		}
		if again, err := decode(body); err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("another time it is %+v: %v", again, err)
		}
		stored, err := json.Marshal(a)
		if err != nil {
			t.Fatalf("it cannot be stored: %v", err)
		}
		var back alert.Alert
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatalf("it cannot be read again: %v", err)
		}
		if len(back.Annotations) == 0 {
			back.Annotations = map[string]string{}
		}
		if !reflect.DeepEqual(back, a) || back.Episode() != a.Episode() {
			t.Errorf("it was %+v, is %+v", a, back)
		}
		for _, w := range got.Warnings {
			if !utf8.ValidString(w) || len(w) > 1000 {
				t.Errorf("warning %q", w)
			}
		}
	})
}
