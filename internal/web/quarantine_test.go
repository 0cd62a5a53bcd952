package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func TestTheQuarantineIsListed(t *testing.T) {
	t.Parallel()
	w := admit(t)
	if got := w.page(""); len(got.Entries) != 0 || got.Next != 0 {
		t.Errorf("an empty one has %+v", got)
	}
	before := time.Now().Add(-time.Second)
	for n := range 7 {
		w.keeps([]string{"am", "azure"}[n%2], fmt.Sprintf("?service-down s%d firing", n))
	}
	e := w.entries("?limit=1")[0]
	if e.ID != "d1" || e.Source != "am" || e.Reason != "refused 1 of 1 alerts: line 0 is odd" || e.Bytes != 23 || e.ReceivedAt.Before(before) {
		t.Errorf("%+v", e)
	}
	for query, want := range map[string]string{
		"":                                "d1 d2 d3 d4 d5 d6 d7",
		"?order=oldest":                   "d1 d2 d3 d4 d5 d6 d7",
		"?order=newest&limit=2":           "d7 d6 more",
		"?limit=2":                        "d1 d2 more",
		"?limit=7":                        "d1 d2 d3 d4 d5 d6 d7",
		"?after=5":                        "d6 d7",
		"?after=5&order=newest":           "d4 d3 d2 d1",
		"?source=azure":                   "d2 d4 d6",
		"?source=azure&after=2&limit=1":   "d4 more",
		"?source=none":                    "",
		"?source=azure&order=newest":      "d6 d4 d2",
		"?after=4611686018427387904":      "",
		"?source=am&limit=500&after=1000": "",
	} {
		got := w.page(query)
		var ids []string
		for _, e := range got.Entries {
			ids = append(ids, e.ID)
		}
		if got.Next != 0 {
			if ids = append(ids, "more"); got.Next != got.Entries[len(got.Entries)-1].Sequence {
				t.Errorf("%s: next is %d", query, got.Next)
			}
		}
		if strings.Join(ids, " ") != want {
			t.Errorf("%s: %v, want %s", query, ids, want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=501", "?limit=x", "?order=up", "?source=a.b", "?source=*", "?after=0", "?after=-1", "?all=1", "?source=a&source=b"} {
		want(t, get(t, w.URL+"/api/v1/quarantine"+query), 400).problem(t)
	}
}

func TestABodyInQuarantineIsShown(t *testing.T) {
	t.Parallel()
	w := admit(t)
	text := "?service-down one firing\n<script>alert(1)</script>"
	id := w.keeps("am", text)
	url := w.URL + "/api/v1/quarantine/" + id
	d := into[api.QuarantineDetail](t, want(t, get(t, url), 200))
	if d.ID != id || d.Bytes != len(text) || d.Headers["Ce-Zone"] != "korea" || d.Headers["Content-Type"] != "text/plain" || len(d.Headers) != 2 ||
		d.MissingHeaders != "" || d.Incomplete != "" {
		t.Errorf("%+v", d)
	}
	body := want(t, get(t, url+"/body"), 200)
	if string(body.body) != text || body.header.Get("Content-Type") != "application/octet-stream" ||
		body.header.Get("Content-Disposition") != "attachment" || body.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q with %v", body.body, body.header)
	}
	if got := into[api.ReplayedEntry](t, want(t, get(t, url+"/try"), 200)); got.Outcome != api.Refused || got.ID != id || !strings.Contains(got.Detail, "line 0 is odd") {
		t.Errorf("tried %+v", got)
	}
	fine := w.keeps("am", "?service-down one firing")
	w.mended.Store(true)
	if got := into[api.ReplayedEntry](t, want(t, get(t, w.URL+"/api/v1/quarantine/"+fine+"/try"), 200)); got.Outcome != api.Replayed || got.Alerts != 1 {
		t.Errorf("tried %+v", got)
	}
	if w.left() != id+" "+fine || len(w.delivered()) != 0 {
		t.Errorf("a try changed something: %s, %v", w.left(), w.delivered())
	}
	for _, path := range []string{"/none", "/none/body", "/none/try", "/" + id + "0"} {
		want(t, get(t, w.URL+"/api/v1/quarantine"+path), 404).problem(t)
	}
	want(t, get(t, url+"?body=1"), 400).problem(t)
}

func TestDroppingFromQuarantine(t *testing.T) {
	t.Parallel()
	var log lines
	w := admit(t, func(o *web.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for n := range 4 {
		w.keeps("am", fmt.Sprintf("!service-down s%d firing", n))
	}
	for _, body := range []string{
		`{}`, `{"reason":"x"}`, `{"ids":[],"reason":"x"}`, `{"ids":null,"reason":"x"}`, `{"ids":["d1"]}`, `{"ids":["d1"],"reason":""}`,
		`{"ids":["d1","d1"],"reason":"x"}`, `{"ids":[""],"reason":"x"}`, `{"all":true,"reason":"x"}`, `{"ids":["*"],"reason":"x"} {}`,
		`{"ids":["d1"],"reason":"` + strings.Repeat("x", 1001) + `"}`, `{"ids":["` + strings.Repeat(`x","`, 100) + `y"],"reason":"x"}`,
	} {
		want(t, w.drops(body), 400).problem(t)
	}
	if w.left() != "d1 d2 d3 d4" {
		t.Fatalf("left %s", w.left())
	}
	got := into[api.Dropped](t, want(t, w.drops(`{"ids":["d3","d9","d1","d"],"reason":"a test of ours"}`), 200))
	if len(got.Dropped) != 2 || got.Dropped[0].ID != "d1" || got.Dropped[1].ID != "d3" || strings.Join(got.Absent, " ") != "d9 d" || w.left() != "d2 d4" {
		t.Errorf("%+v, left %s", got, w.left())
	}
	for _, words := range []string{"delivery=d1", "delivery=d3", "by=anonymous", `reason="a test of ours"`, "line 0 is odd"} {
		if !strings.Contains(log.String(), words) {
			t.Errorf("the log does not say %s: %s", words, log.String())
		}
	}
	if got := counted(t, w, "paramedic_quarantine_dropped_total"); got != 2 {
		t.Errorf("counted %v", got)
	}
}

func TestWhoMayDoWhatInQuarantine(t *testing.T) {
	t.Parallel()
	w := admit(t, tokens)
	const id = "0123456789"
	if _, err := w.Bus.PublishQuarantine(t.Context(), "am", id, nil, []byte("!")); err != nil {
		t.Fatal(err)
	}
	for _, r := range []struct {
		method, path, body string
		viewer, operator   int
	}{
		{"GET", "", "", 200, 200},
		{"GET", "/" + id, "", 200, 200},
		{"GET", "/" + id + "/body", "", 403, 200},
		{"GET", "/" + id + "/try", "", 403, 200},
		{"GET", "/none/body", "", 403, 404},
		{"POST", "/replay", `{"all":true}`, 403, 200},
		{"POST", "/replay", `{}`, 403, 400},
		{"POST", "/drop", `{"ids":["none"],"reason":"x"}`, 403, 200},
		{"DELETE", "/" + id, "", 404, 404},
	} {
		for who, expect := range map[string]int{
			"": 401, "Bearer x": 401, "Bearer v-token": r.viewer, "Bearer o-token": r.operator, "Bearer a-token": r.operator, "Bearer a-token-twice": r.viewer,
		} {
			if a := send(t, r.method, w.URL+"/api/v1/quarantine"+r.path, r.body, bearing(who)); a.status != expect {
				t.Errorf("%s %s with %q: %d, want %d: %s", r.method, r.path, who, a.status, expect, a.body)
			}
		}
	}
}

// broken is a quarantine whose bus does not answer.
type broken struct{ web.Quarantine }

var errBroken = errors.New("nats: timeout at secret-host")

func (broken) QuarantineList(context.Context, bus.QuarantineFilter) ([]bus.QuarantineEntry, error) {
	return nil, errBroken
}

func (broken) QuarantineFind(context.Context, ...string) ([]bus.QuarantineEntry, error) {
	return nil, errBroken
}

func TestAQuarantineThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := admit(t, func(o *web.Options) { o.API.Quarantine = broken{o.API.Quarantine} })
	url := w.URL + "/api/v1/quarantine"
	for _, a := range []answer{
		get(t, url), get(t, url+"/d1"), get(t, url+"/d1/body"), get(t, url+"/d1/try"),
		w.asks(`{"all":true}`), w.asks(`{"ids":["d1"]}`), w.drops(`{"ids":["d1"],"reason":"x"}`),
	} {
		if p := want(t, a, http.StatusServiceUnavailable).problem(t); a.header.Get("Retry-After") == "" || strings.Contains(p.Detail, "secret") {
			t.Errorf("%+v", p)
		}
	}
	bare := webtest.Start(t)
	none := &ward{World: bare, t: t}
	if _, err := bare.Bus.PublishQuarantine(t.Context(), "am", "d1", nil, []byte("!")); err != nil {
		t.Fatal(err)
	}
	if p := want(t, none.asks(`{"all":true}`), http.StatusConflict).problem(t); !strings.Contains(p.Detail, "without sources") {
		t.Errorf("without sources: %+v", p)
	}
	want(t, get(t, bare.URL+"/api/v1/quarantine/d1/try"), http.StatusConflict).problem(t)
}
