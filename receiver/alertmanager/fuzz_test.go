package alertmanager_test

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
// returns is whole: valid alerts that survive being stored and read again, and
// the body is what Go's own JSON package takes for one JSON object too.
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
	f.Add(oneAlert(`"status":"resolved",` + labels + `,"endsAt":"0000-01-01T00:00:00+23:59"`))
	f.Add(oneAlert(`"status":"FIRING","labels":null,"fingerprint":"f","annotations":{"a":[1e400,{"b":"\u0000"}]}`))
	f.Add(`{"alerts":[7,{"status":1,"x":[{}]},{"status":"firing","fingerprint":"f"},{"labels":{"a":[]}}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		got, err := decode(body)
		if err != nil {
			if len(got.Alerts) > 0 {
				t.Errorf("alerts beside an error: %v", err)
			}
			return
		}
		if len(got.Alerts) == 0 {
			t.Error("neither alerts nor an error")
		}
		var reference map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &reference); err != nil {
			t.Errorf("accepted what encoding/json refuses: %v", err)
		}
		var elements []json.RawMessage
		if err := json.Unmarshal(reference["alerts"], &elements); err != nil || len(elements) != len(got.Alerts)+len(got.Refused) {
			t.Errorf("%d alerts and %d refused of %d elements: %v", len(got.Alerts), len(got.Refused), len(elements), err)
		}
		for i, r := range got.Refused {
			if r.Index < 0 || r.Index >= len(elements) || i > 0 && r.Index <= got.Refused[i-1].Index || !utf8.ValidString(r.Reason) {
				t.Errorf("refused %+v", got.Refused)
			}
		}
		for i, a := range got.Alerts {
			if err := a.Validate(); err != nil {
				t.Errorf("alerts[%d]: %v", i, err)
			}
			if a.Labels == nil || a.Annotations == nil {
				t.Errorf("alerts[%d]: nil labels or annotations", i)
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
