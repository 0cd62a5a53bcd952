package grafana_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/internal/alert"
)

// FuzzDecode: whatever the body, the decoder does not panic, and what it
// returns is whole: valid alerts that survive being stored and read again, or
// why there are none; and the body is one JSON object to Go's own package too.
func FuzzDecode(f *testing.F) {
	f.Add(fixture(f, "unified.good.json"))
	f.Add(fixture(f, "legacy.good.json"))
	f.Add(group(`,"values":{"B":1e400},"imageURL":7,"orgId":[null]`, `,"orgId":"\u0000","groupKey":7`))
	f.Add(group(``, `,"groupKey":"test-1"`))
	f.Add(`{"ruleId":7,"ruleUrl":"::","state":"ok","tags":{"a":[1,{}],"b":null},"evalMatches":[{"tags":{"c":1}},{"tags":{"c":1}}]}`)
	f.Add(`{"ruleId":7,"state":"no_data"}`)
	f.Add(`{"ruleId":7,"state":"ok","ruleUrl":"http://%ff.test/"}`)
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
		if (got.Ignored == "") != (len(got.Alerts) > 0) || !utf8.ValidString(got.Ignored) || len(got.Ignored) > 1000 {
			t.Errorf("neither alerts nor ignored: %+v", got)
		}
		for i, a := range got.Alerts {
			if err := a.Validate(); err != nil {
				t.Errorf("alert %d: %v", i, err)
			}
			if a.Annotations == nil {
				t.Errorf("alert %d: nil annotations", i)
			}
			stored, err := json.Marshal(a)
			if err != nil {
				t.Fatalf("alert %d cannot be stored: %v", i, err)
			}
			var back alert.Alert
			if err := json.Unmarshal(stored, &back); err != nil {
				t.Fatalf("alert %d cannot be read again: %v", i, err)
			}
			if len(back.Annotations) == 0 {
				back.Annotations = map[string]string{}
			}
			if !reflect.DeepEqual(back, a) || back.Episode() != a.Episode() {
				t.Errorf("alert %d was %+v, is %+v", i, a, back)
			}
		}
		for _, w := range got.Warnings {
			if !utf8.ValidString(w) || len(w) > 1000 {
				t.Errorf("warning %q", w)
			}
		}
	})
}
