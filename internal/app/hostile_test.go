package app

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/jsonmap"
)

// decoders are those of every type of source; of mapped JSON with a mapping of the
// kind that people write.
func decoders(t *testing.T) map[string]receiver.Decoder {
	t.Helper()
	all := map[string]receiver.Decoder{}
	for _, kind := range config.SourceTypes() {
		if kind == "json" {
			d, err := jsonmap.New(jsonmap.Mapping{Alerts: "body.alerts", Name: "item.name", Status: `"firing"`})
			if err != nil {
				t.Fatal(err)
			}
			all[kind] = d
			continue
		}
		d, err := decoderOf(config.Source{Name: "s", Type: kind})
		if err != nil {
			t.Fatal(err)
		}
		all[kind] = d
	}
	return all
}

// TestNoDecoderIsOverwhelmed gives every decoder what is meant to exhaust it or to
// be read in two ways. None may panic, take a body that is not exactly one document
// of unique keys, or use far more memory than the body has. It is not parallel: others
// would allocate beside it.
func TestNoDecoderIsOverwhelmed(t *testing.T) {
	const many = 5000
	element := `{"name":"a","status":"firing","startsAt":"2026-03-01T00:00:00Z","labels":{"alertname":"a"},` +
		`"specversion":"1.0","id":"%d","source":"/s","type":"t","time":"2026-03-01T00:00:00Z"}`
	list := make([]string, many)
	for i := range list {
		list[i] = fmt.Sprintf(element, i)
	}
	events := strings.Join(list, ",")
	for name, c := range map[string]struct {
		body string
		// taken says whether any decoder may find alerts in it.
		taken bool
	}{
		"nothing":                    {"", false},
		"white space":                {" \n\t", false},
		"null":                       {"null", false},
		"a number":                   {"1e400", false},
		"a number of many digits":    {`{"alerts":` + strings.Repeat("9", 1<<20) + `}`, false},
		"a huge exponent":            {`{"alerts":[{"name":1e999999999}]}`, false},
		"arrays in arrays":           {strings.Repeat("[", 1<<20), false},
		"objects in objects":         {strings.Repeat(`{"alerts":`, 1<<17) + "1" + strings.Repeat("}", 1<<17), false},
		"deep data of an event":      {strings.Replace(fmt.Sprintf(element, 1), `"name":"a"`, `"data":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000), 1), false},
		"a key twice":                {`{"alerts":[],"alerts":[` + fmt.Sprintf(element, 1) + `]}`, false},
		"a key twice, once escaped":  {`{"alerts":[],"\u0061lerts":[` + fmt.Sprintf(element, 1) + `]}`, false},
		"a second document":          {`{"alerts":[` + fmt.Sprintf(element, 1) + `]}{"alerts":[]}`, false},
		"a second event":             {fmt.Sprintf(element, 1) + fmt.Sprintf(element, 2), false},
		"a byte order mark":          {"\ufeff" + `{"alerts":[` + fmt.Sprintf(element, 1) + `]}`, false},
		"bytes that are no text":     {`{"alerts":[{"name":"` + "\xff\xfe" + `"}]}`, false},
		"half a surrogate":           {`{"alerts":[{"name":"\ud800"}]}`, false},
		"a comment":                  {`{"alerts":[] /* , */ }`, false},
		"cut off":                    {`{"alerts":[` + fmt.Sprintf(element, 1), false},
		"very many alerts":           {`{"version":"4","alerts":[` + events + `]}`, true},
		"very many events":           {`[` + events + `]`, true},
		"very many keys":             {`{` + manyKeys(many) + `}`, false},
		"a key of a megabyte":        {`{"` + strings.Repeat("k", 1<<20) + `":1}`, false},
		"a text of eight megabytes":  {`{"alerts":[{"name":"` + strings.Repeat("x", 8<<20) + `"}]}`, false},
		"nothing but empty elements": {`{"alerts":[` + strings.TrimSuffix(strings.Repeat("{},", 1<<18), ",") + `]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, d := range decoders(t) {
				for _, media := range append([]string{""}, d.Traits().MediaTypes...) {
					h := http.Header{}
					if media != "" {
						h.Set("Content-Type", media)
					}
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					got, err := d.Decode("s", h, []byte(c.body), time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
					runtime.ReadMemStats(&after)
					if err == nil && len(got.Alerts) > 0 && !c.taken {
						t.Errorf("%s, %q: took %d alerts", kind, media, len(got.Alerts))
					}
					if used, most := after.TotalAlloc-before.TotalAlloc, uint64(64*len(c.body)+4<<20); used > most {
						t.Errorf("%s, %q: %d bytes were allocated for a body of %d", kind, media, used, len(c.body))
					}
				}
			}
		})
	}
}

func manyKeys(n int) string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"key %d":{"value":%d}`, i, i)
	}
	return strings.Join(keys, ",")
}
