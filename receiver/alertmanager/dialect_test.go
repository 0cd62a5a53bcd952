package alertmanager_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver/alertmanager"
)

func TestDialect(t *testing.T) {
	t.Parallel()
	other := alertmanager.Decoder{Dialect: alertmanager.Dialect{
		Versions:    []string{`"9"`},
		Annotations: map[string]string{"chart": "other_chart", "values": "other_values"},
	}}
	for _, c := range []struct {
		name, version, members string
		want                   map[string]string
		warning                string
	}{
		{"none", `"9"`, ``, map[string]string{}, ""},
		{"a string", `"9"`, `,"chart":"http://c"`, map[string]string{"other_chart": "http://c"}, ""},
		{"empty and null", `"9"`, `,"chart":"","values":null`, map[string]string{}, ""},
		{"compacted", `"9"`, `,"values":{ "B" : 1.50,` + "\n" + ` "C": [ null ] }`, map[string]string{"other_values": `{"B":1.50,"C":[null]}`}, ""},
		{
			"one sent stays", `"9"`, `,"chart":"theirs","annotations":{"other_chart":"mine","a":"b"}`,
			map[string]string{"other_chart": "mine", "a": "b"},
			"",
		},
		{"another version", `"4"`, ``, map[string]string{}, `version "4" is unknown`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := `{"version":` + c.version + `,"alerts":[{"status":"firing",` + labels + `,` + start + c.members + `}]}`
			got, err := other.Decode("am", http.Header{}, []byte(body), time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Alerts[0].Annotations, c.want) {
				t.Errorf("annotations %v, want %v", got.Alerts[0].Annotations, c.want)
			}
			if c.warning == "" && len(got.Warnings) > 0 || !strings.Contains(strings.Join(got.Warnings, ""), c.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, c.warning)
			}
		})
	}
	if got, err := other.Decode("am", http.Header{}, []byte(`{"alerts":[{"values":{"a":1,"a":2}}]}`), time.Time{}); err == nil {
		t.Errorf("a key twice in what becomes an annotation: %+v", got)
	}
}
