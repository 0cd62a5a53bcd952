package http_test

import (
	"encoding/json"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// counts answers with a JSON document for each path, and only to GET.
func counts(t *testing.T, answers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, ok := answers[r.URL.Path]
		switch {
		case r.Method != nethttp.MethodGet || r.ContentLength > 0:
			t.Errorf("%s %s with %d bytes", r.Method, r.URL, r.ContentLength)
		case r.URL.Path == "/moved":
			w.Header().Set("Location", "/1000")
			w.WriteHeader(nethttp.StatusFound)
		case r.URL.Path == "/private" && r.Header.Get("Authorization") != "Bearer s3cret":
			w.WriteHeader(nethttp.StatusUnauthorized)
		case !ok:
			w.WriteHeader(nethttp.StatusNotFound)
		default:
			w.Header().Set("Content-Type", "application/json")
		}
		answer(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// sides are parameters that compare two paths of a server.
func sides(left, right, more string) string {
	return `{"left": {"url": "URL` + left + `}, "right": {"url": "URL` + right + `}` + more + `}`
}

func TestCompare(t *testing.T) {
	t.Parallel()
	url := counts(t, map[string]string{
		"/1000": `{"data": {"count": 1000, "regions": ["kr", "jp"], "as": "1000", "none": null}}`,
		"/1005": `{"count": 1005, "regions": ["kr", "jp"]}`,
		"/bare": `1000.0`, "/list": `[{"n": 1000}, {"n": -1000}]`, "/0": `0`, "/0.1": `0.1`, "/0.3": `0.3`,
		"/2^53": `9007199254740992`, "/2^53+1": `9007199254740993`, "/huge": `1e999999999`, "/tiny": `1e-999999999`, "/small": `1e-5000`,
		"/page": `<html>`, "/two": `1000 1000`, "/private": `1000`, "/long": `"` + strings.Repeat("x", 70<<10) + `"`,
	})
	const count, other = `/1000", "json": "data.count"`, `/1005", "json": "count"`
	for name, c := range map[string]struct {
		params string
		want   bool
		says   string
	}{
		"equal":                      {sides(count, `/bare"`, ""), true, "both are 1000"},
		"different":                  {sides(count, other, ""), false, "left is 1000, right is 1005"},
		"no tolerance":               {sides(count, other, `, "tolerance": 0`), false, "further apart than 0"},
		"just within":                {sides(count, other, `, "tolerance": 5`), true, "no further apart than 5"},
		"just not":                   {sides(count, other, `, "tolerance": 4.999`), false, "further apart than 4.999"},
		"the other way round":        {sides(other, count, `, "tolerance": 4.999`), false, "left is 1005, right is 1000"},
		"within a share":             {sides(count, other, `, "tolerance": "0.5%"`), true, "no further apart than 0.5%"},
		"a share of the larger":      {sides(other, count, `, "tolerance": "0.498%"`), true, "0.498%"},
		"beyond a share":             {sides(other, count, `, "tolerance": "0.497%"`), false, "further apart than 0.497%"},
		"below zero":                 {sides(`/list", "json": "0.n"`, `/list", "json": "1.n"`, `, "tolerance": "100%"`), false, "right is -1000"},
		"a share of nothing":         {sides(`/0"`, count, `, "tolerance": "99%"`), false, "left is 0"},
		"nothing":                    {sides(`/0"`, `/0"`, `, "tolerance": "1%"`), true, "both are 0"},
		"without rounding":           {sides(`/0.1"`, `/0.3"`, `, "tolerance": 0.2`), true, "0.2"},
		"more than a float64 holds":  {sides(`/2^53"`, `/2^53+1"`, ""), false, "right is 9007199254740993"},
		"too large":                  {sides(`/huge"`, `/huge"`, ""), false, "beyond"},
		"too small":                  {sides(`/tiny"`, `/0"`, ""), false, "beyond"},
		"small":                      {sides(`/small"`, `/0"`, `, "tolerance": 1`), false, "beyond"},
		"lists":                      {sides(`/1000", "json": "data.regions"`, `/1005", "json": "regions"`, ""), true, `both are ["kr","jp"]`},
		"a text is no number":        {sides(count, `/1000", "json": "data.as"`, ""), false, `right is "1000"`},
		"a tolerance of texts":       {sides(`/1000", "json": "data.as"`, `/1000", "json": "data.as"`, `, "tolerance": 1`), false, "a tolerance is of two numbers"},
		"null is equal to nothing":   {sides(`/1000", "json": "data.none"`, `/1000", "json": "data.none"`, ""), false, "the value is null"},
		"both lack it":               {sides(`/bare", "json": "count"`, `/bare", "json": "count"`, ""), false, `the answer has no "count"`},
		"both are not there":         {sides(`/gone"`, `/gone"`, ""), false, "404"},
		"both are pages":             {sides(`/page"`, `/page"`, ""), false, "is not JSON"},
		"more than one value":        {sides(`/two"`, `/two"`, ""), false, "more than one value"},
		"both are too long":          {sides(`/long"`, `/long"`, ""), false, "could not be read whole"},
		"no redirect is followed":    {sides(`/moved"`, count, ""), false, "302"},
		"a header":                   {sides(`/private", "headers": {"Authorization": "Bearer s3cret"}`, count, ""), true, "both are 1000"},
		"a header of the other side": {sides(count+`, "headers": {"Authorization": "Bearer s3cret"}`, `/private"`, ""), false, "401"},
		"one cannot be reached":      {strings.Replace(sides(count, `/bare"`, ""), "URL/bare", "http://127.0.0.1:1", 1), false, "refused"},
	} {
		var p verify.Prober = http.NewCompare(http.NewClient("test", nil))
		check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(strings.ReplaceAll(c.params, "URL", url)))
		if err != nil || check.OK != c.want || check.Kind != "compare" || !strings.Contains(check.Detail, c.says) || strings.Contains(check.Detail, "s3cret") {
			t.Errorf("%s: %+v, %v; want %t with %q", name, check, err, c.want, c.says)
		}
	}
}

// TestCompareAsksAtTheSameTime has each side answer only once the other is asked.
func TestCompareAsksAtTheSameTime(t *testing.T) {
	t.Parallel()
	left, right := make(chan struct{}), make(chan struct{})
	meet := func(mine, other chan struct{}) string {
		s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			close(mine)
			select {
			case <-other:
				answer(w, "1")
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	params := `{"left": {"url": "` + meet(left, right) + `"}, "right": {"url": "` + meet(right, left) + `"}, "timeout": "20s"}`
	if check, err := http.NewCompare(http.NewClient("test", nil)).Probe(t.Context(), engine.Target{}, json.RawMessage(params)); err != nil || !check.OK {
		t.Errorf("%+v, %v", check, err)
	}
}

func TestCompareBounds(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	slow := httptest.NewServer(nethttp.HandlerFunc(func(nethttp.ResponseWriter, *nethttp.Request) { <-free }))
	t.Cleanup(slow.Close)
	defer close(free)
	params := json.RawMessage(strings.ReplaceAll(sides(`"`, `"`, `, "timeout": "100ms"`), "URL", slow.URL))
	begun := time.Now()
	if check, err := http.NewCompare(http.NewClient("test", nil)).Probe(t.Context(), engine.Target{}, params); err != nil || check.OK || time.Since(begun) > 10*time.Second {
		t.Errorf("slow: %+v, %v after %v", check, err, time.Since(begun))
	}
	egress, err := http.ParseEgress([]string{"hooks.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	if check, err := http.NewCompare(http.NewClient("test", nil).Within(egress)).Probe(t.Context(), engine.Target{}, params); err != nil || check.OK || !strings.Contains(check.Detail, "http.allow") {
		t.Errorf("egress: %+v, %v", check, err)
	}
}

func TestCompareRefuses(t *testing.T) {
	t.Parallel()
	p := http.NewCompare(http.NewClient("test", nil))
	schema := remediatortest.Schema(t, p.Spec().Params)
	for params, bySchema := range map[string]bool{
		`{}`: true, `[]`: true, `{"left": {"url": "http://h"}}`: true, `{"urls": ["http://h", "http://h"]}`: true,
		`{"left": {"url": "http://h"}, "right": {}}`:                                                  true,
		`{"left": {"url": "http://h"}, "right": null}`:                                                true,
		`{"left": {"url": "http://h"}, "right": {"url": "http://h", "method": "POST"}}`:               true,
		`{"left": {"url": "http://h"}, "right": {"url": "ftp://h"}}`:                                  false,
		`{"left": {"url": "http://h"}, "right": {"url": "http://h", "headers": {"Connection": "x"}}}`: false,
		`{"left": {"url": "http://h"}, "right": {"url": "http://h"}, "timeout": "0s"}`:                false,
	} {
		if check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(params)); remediators.ClassOf(err) != engine.ClassTerminal || check.OK {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
		if remediatortest.Accepts(t, schema, params) == bySchema {
			t.Errorf("the schema, of %s: %t", params, bySchema)
		}
	}
	for _, tolerance := range []string{`-1`, `"1"`, `"%"`, `"-1%"`, `"101%"`, `"1e1%"`, `"1%%"`, `"1.2.3%"`, `"01%"`, `null`, `true`, `[]`, `{}`} {
		params := sides(`"`, `"`, `, "tolerance": `+tolerance)
		if check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(strings.ReplaceAll(params, "URL", "http://127.0.0.1:1"))); remediators.ClassOf(err) != engine.ClassTerminal || check.OK {
			t.Errorf("tolerance %s: %+v, %v", tolerance, check, err)
		}
		if remediatortest.Accepts(t, schema, params) {
			t.Errorf("the schema accepts tolerance %s", tolerance)
		}
	}
	for _, tolerance := range []string{`0`, `0.5`, `12`, `"0%"`, `"1%"`, `"0.25%"`, `"100%"`} {
		if !remediatortest.Accepts(t, schema, sides(`"`, `"`, `, "tolerance": `+tolerance)) {
			t.Errorf("the schema refuses tolerance %s", tolerance)
		}
	}
}
