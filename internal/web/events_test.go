package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

// sse is one open stream.
type sse struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

// message is one server-sent event; beat says that it was a comment instead.
type message struct {
	id, event string
	entry     api.Entry
	beat      bool
}

func listen(t *testing.T, url, lastEventID string) *sse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if lastEventID != "" {
		req.Header.Set("Last-Event-ID", lastEventID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() }) // a stream's end says nothing more
	s := &sse{t, resp, bufio.NewScanner(resp.Body)}
	s.lines.Buffer(nil, 1<<20)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: %d, %s", url, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	return s
}

func (s *sse) close() { _ = s.resp.Body.Close() }

// next returns the next message; ok is false at the stream's end.
func (s *sse) next() (m message, ok bool) {
	s.t.Helper()
	data := false
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			data = true
			if err := json.Unmarshal([]byte(value), &m.entry); err != nil {
				s.t.Fatal(err)
			}
		case "":
			if strings.HasPrefix(s.lines.Text(), ":") {
				m.beat = value == "nothing new"
			} else if data || m.beat {
				return m, true
			}
		}
	}
	return m, false
}

// take returns so many events, passing over heartbeats.
func (s *sse) take(n int) []message {
	s.t.Helper()
	var all []message
	for len(all) < n {
		m, ok := s.next()
		if !ok {
			s.t.Fatalf("the stream ended after %d events, %v", len(all), s.lines.Err())
		}
		if !m.beat {
			if want := fmt.Sprintf("%d.%d", m.entry.Seq, m.entry.Index); m.id != want {
				s.t.Errorf("id %q of event %s", m.id, want)
			}
			all = append(all, m)
		}
	}
	return all
}

func entries(all []message) []api.Entry {
	out := make([]api.Entry, len(all))
	for i, m := range all {
		out[i] = m.entry
	}
	return out
}

func TestEventsAreSentLive(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	cure(w, "before")
	s := listen(t, w.URL+"/api/v1/events", "")
	run := cure(w, "one")
	d := show(t, w, run)
	if have := entries(s.take(len(d.Timeline))); !slices.EqualFunc(have, d.Timeline, same) {
		t.Errorf("live %q\nwant %q", kinds(have), kinds(d.Timeline))
	}
}

func same(a, b api.Entry) bool {
	return a.Seq == b.Seq && a.Index == b.Index && a.Sentence == b.Sentence && string(a.Event) == string(b.Event)
}

func TestAStreamGoesOnWhereItWasLost(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	cure(w, "one")
	cure(w, "two")
	all := listen(t, w.URL+"/api/v1/events?from=1", "").take(20)
	for i := range all[:19] {
		rest := listen(t, w.URL+"/api/v1/events?from=1", all[i].id).take(20 - i - 1)
		if !slices.EqualFunc(entries(rest), entries(all[i+1:]), same) {
			t.Errorf("after %s came %q, want %q", all[i].id, kinds(entries(rest)), kinds(entries(all[i+1:])))
		}
	}
}

func TestAStreamOfOneRun(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	other := w.Fire(webtest.Auto, "other")
	w.Plan()
	w.Execute()
	run := cure(w, "one")
	w.Resolve(webtest.Auto, "other")
	for _, id := range []string{run, other} {
		d := show(t, w, id)
		s := listen(t, w.URL+"/api/v1/events?from=1&run="+id, "")
		if have := entries(s.take(len(d.Timeline))); !slices.EqualFunc(have, d.Timeline, same) {
			t.Errorf("run %s: %q, want %q", id, kinds(have), kinds(d.Timeline))
		}
	}
}

func TestASilentStreamSaysThatItLivesAndHowFarItIs(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, func(o *web.Options) { o.API.Heartbeat = 20 * time.Millisecond })
	run := w.Fire(webtest.Auto, "one")
	s := listen(t, w.URL+"/api/v1/events?run="+run, "")
	if m, ok := s.next(); !ok || !m.beat || m.id != "" {
		t.Errorf("first came %+v", m)
	}
	w.Fire(webtest.Auto, "other")
	last, err := w.Bus.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, ok := s.next()
		if !ok || !m.beat {
			t.Fatalf("came %+v", m)
		}
		if strings.HasPrefix(m.id, fmt.Sprintf("%d.", last)) {
			break
		}
	}
}

func TestStreamsEndWithTheServerAndWithTheirTime(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	s := listen(t, w.URL+"/api/v1/events", "")
	w.Web.Close()
	if m, ok := s.next(); ok || s.lines.Err() != nil {
		t.Errorf("came %+v, %v", m, s.lines.Err())
	}
	want(t, get(t, w.URL+"/api/v1/events"), 503).problem(t)

	short := webtest.Start(t, func(o *web.Options) { o.API.StreamFor = 50 * time.Millisecond })
	if m, ok := listen(t, short.URL+"/api/v1/events", "").next(); ok {
		t.Errorf("came %+v", m)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, func(o *web.Options) { o.API.MaxStreams = 2 })
	one := listen(t, w.URL+"/api/v1/events", "")
	listen(t, w.URL+"/api/v1/events", "")
	want(t, get(t, w.URL+"/api/v1/events"), 503).problem(t)
	one.close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL+"/api/v1/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the place of a stream that ended is not given back")
		}
	}
}

func TestAStreamThatCannotBeginIsRefused(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	w.Fire(webtest.Auto, "one")
	for query, status := range map[string]int{
		"?from=0": 400, "?from=x": 400, "?from=9999": 400, "?run=rnever": 404, "?rnu=x": 400, "?from=1&from=2": 400,
	} {
		want(t, get(t, w.URL+"/api/v1/events"+query), status).problem(t)
	}
	for _, id := range []string{"x", "1", "0.1", "1.-1", "1.x", "9999.0", "1.99999999999"} {
		a := send(t, http.MethodGet, w.URL+"/api/v1/events", "", func(r *http.Request) { r.Header.Set("Last-Event-ID", id) })
		want(t, a, 400).problem(t)
	}
}
