package backtest_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules/backtest"
)

func file(t *testing.T, name, text string) backtest.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	content := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		content = b.Bytes()
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return backtest.File{Name: path}
}

func TestLinesAreInputsOrDeliveries(t *testing.T) {
	t.Parallel()
	text := `{"at":"2026-03-01T12:00:00Z","input":{"tick":{}}}

{"sequence":7,"at":"2026-03-01T12:00:01Z","input":{"result":{"task":"t1","worker":"w","at":"2026-03-01T12:00:01Z"}}}
{"id":"d","source":"am","receivedAt":"2026-03-01T12:00:00.5Z","alerts":[{"fingerprint":"f","status":"firing","labels":{}}]}
`
	for _, name := range []string{"a.jsonl", "a.jsonl.gz"} {
		f := file(t, name, text)
		var got []backtest.Recorded
		if err := f.Each(t.Context(), func(r backtest.Recorded) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[0].Input.Tick == nil || got[1].Input.Result.Task != "t1" || got[2].Input.Delivery.Alerts[0].Source != "am" {
			t.Errorf("%s: %+v", name, got)
		}
		if !got[2].At.Equal(got[1].At) {
			t.Errorf("what is a little late came at %s", got[2].At)
		}
		survey, err := f.Survey(t.Context())
		if _, ok := survey.Answered["t1"]; err != nil || !ok || !survey.Ticks {
			t.Errorf("%s: %+v, %v", name, survey, err)
		}
	}
}

func TestLinesThatCannotBeReadNameTheirPlace(t *testing.T) {
	t.Parallel()
	good := `{"at":"2026-03-01T12:00:00Z","input":{"tick":{}}}` + "\n"
	for line, want := range map[string]string{
		`{`:                          "not a recorded input",
		`{}`:                         "neither",
		`{"input":{"tick":{}}}`:      `"at" is missing`,
		`{"alerts":[{}]}`:            "receivedAt",
		`{"input":{},"alerts":[{}]}`: "both",
		`{"at":"2026-03-01T12:00:00Z","input":{}}`:          "exactly one",
		`{"at":"2026-03-01T11:00:00Z","input":{"tick":{}}}`: "sort the lines",
	} {
		f := file(t, "x.jsonl", good+"\n"+line)
		err := f.Each(t.Context(), func(backtest.Recorded) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "x.jsonl:3: ") {
			t.Errorf("%s: %v", line, err)
		}
	}
	for name, f := range map[string]backtest.File{"missing": {Name: "nowhere.jsonl"}, "gzip": file(t, "y.jsonl", good)} {
		if name == "gzip" {
			if err := os.Rename(f.Name, f.Name+".gz"); err != nil {
				t.Fatal(err)
			}
			f.Name += ".gz"
		}
		if err := f.Each(t.Context(), func(backtest.Recorded) error { return nil }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestARecordIsReadAsItWasPlayed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	rules := candidate(set(down(engine.ModeAuto)))
	h := history{firing(0, "Down", "api"), resolved(3*time.Minute, "Down", "api", 0)}
	first := run(t, backtest.Options{Source: backtest.Record{Source: h, To: backtest.NewWriter(&out)}, Rules: rules})
	again := run(t, backtest.Options{Source: file(t, "r.jsonl", out.String()), Rules: rules})
	same(t, acts(again), acts(first)...)
}
