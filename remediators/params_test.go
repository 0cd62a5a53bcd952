package remediators_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/remediators"
)

func TestDecodeParams(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		``: "there are none", ` `: "there are none", `{"a": 1} {"a": 2}`: "more than one", `{"a": 1}}`: "more than one",
		`{"b": 1}`: `unknown field "b"`, `{"a": "x"}`: "cannot unmarshal", `{"a": `: "unexpected", `{"a": 1}`: "", " {\"a\": 1}\n": "",
	} {
		var v struct{ A int }
		err := remediators.DecodeParams(json.RawMessage(raw), &v)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || err == nil && v.A != 1 {
			t.Errorf("%q: %+v, %v; want %q", raw, v, err, want)
		}
	}
}
