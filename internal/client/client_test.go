package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func connect(t *testing.T, url, token string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{Server: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCalls(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	c, ctx := connect(t, w.URL, ""), t.Context()
	run := w.Fire(webtest.Approved, "one")
	plan := w.Plan().Digest()
	runs, err := c.Runs(ctx, client.Filter{State: "active", Rule: webtest.Approved, Limit: 1})
	if err != nil || len(runs.Runs) != 1 || runs.Runs[0].ID != run || runs.Runs[0].Plan != plan {
		t.Fatalf("%+v, %v", runs, err)
	}
	d, err := c.Run(ctx, run)
	if err != nil || d.Run.ID != run || len(d.Timeline) == 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	if s, err := c.Pause(ctx, "cluster/none", "why"); err != nil || !s.Paused || !s.Enforced {
		t.Errorf("%+v, %v", s, err)
	}
	if p, err := c.Pauses(ctx); err != nil || len(p.Pauses) != 1 || p.Pauses[0].Reason != "why" {
		t.Errorf("%+v, %v", p, err)
	}
	if s, err := c.Resume(ctx, "cluster/none"); err != nil || s.Paused {
		t.Errorf("%+v, %v", s, err)
	}
	if a, err := c.Approve(ctx, run, plan); err != nil || !a.Decided {
		t.Errorf("%+v, %v", a, err)
	}
	w.Execute()
	if a, err := c.Cancel(ctx, run, "enough"); err != nil || a.Run.Outcome != engine.Cancelled {
		t.Errorf("%+v, %v", a, err)
	}
	other := w.Fire(webtest.Approved, "two")
	w.Plan()
	if a, err := c.Deny(ctx, other, "no"); err != nil || a.Run.Outcome != engine.Denied {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = c.Deny(ctx, other, "no")
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusConflict || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("a refusal came as %v", err)
	}
	if _, err = c.Run(ctx, "no/such?run"); err == nil || !strings.Contains(err.Error(), "not known") {
		t.Errorf("a run that is not there came as %v", err)
	}
}

func TestATokenIsSent(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, func(o *web.Options) {
		o.API.Auth = web.Auth{Tokens: []web.Token{{Name: "eye", Role: web.Viewer, Secret: func() (string, error) { return "right", nil }}}}
	})
	if _, err := connect(t, w.URL, "right").Runs(t.Context(), client.Filter{}); err != nil {
		t.Error(err)
	}
	for _, token := range []string{"", "wrong"} {
		_, err := connect(t, w.URL, token).Runs(t.Context(), client.Filter{})
		if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusUnauthorized {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

func TestServersThatAreNone(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost:8080", "ftp://x", "http://", "http://user:secret@x", "http://x?y", "http://%"} {
		if _, err := client.New(client.Options{Server: url}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := client.New(client.Options{Server: "http://x", Token: "a\nb"}); err == nil || strings.Contains(err.Error(), "a\nb") {
		t.Errorf("a token of two lines: %v", err)
	}
	stolen := make(chan string, 1)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen <- r.Header.Get("Authorization") }))
	t.Cleanup(thief.Close)
	for name, h := range map[string]http.HandlerFunc{
		"no problem body": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"a redirect":      func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, http.StatusFound) },
		"another program": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") },
	} {
		s := httptest.NewServer(h)
		if _, err := connect(t, s.URL, "token").Runs(t.Context(), client.Filter{}); err == nil {
			t.Errorf("%s: no error", name)
		}
		s.Close()
	}
	if len(stolen) != 0 {
		t.Errorf("the token went elsewhere: %q", <-stolen)
	}
}

// flaky breaks a connection off after some bytes, so often.
type flaky struct {
	http.RoundTripper
	after  int64
	breaks atomic.Int64
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f.RoundTripper.RoundTrip(r)
	if err == nil && f.breaks.Add(-1) >= 0 {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, f.after), broken{}), resp.Body}
	}
	return resp, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestEventsComeOnceEachOverBrokenConnections(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	for n := range 3 {
		w.Fire(webtest.Auto, fmt.Sprintf("s%d", n))
		w.Plan()
		w.Execute()
	}
	transport := &flaky{RoundTripper: http.DefaultTransport, after: 3000}
	transport.breaks.Store(2)
	c, err := client.New(client.Options{Server: w.URL, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	last, err := w.Bus.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	var all []api.Entry
	err = c.Events(t.Context(), client.Follow{From: 1, Lost: func(error) { lost++ }}, func(e api.Entry) error {
		all = append(all, e)
		if e.Seq == last && e.Kind == "verify.waiting" {
			return client.ErrStop
		}
		return nil
	})
	if err != nil || lost != 2 {
		t.Errorf("lost the connection %d times, %v", lost, err)
	}
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if next := a.Seq == b.Seq && b.Index == a.Index+1 || b.Seq == a.Seq+1 && b.Index == 0; !next {
			t.Errorf("after %d.%d came %d.%d", a.Seq, a.Index, b.Seq, b.Index)
		}
	}
	if len(all) == 0 || all[0].Seq != 1 {
		t.Errorf("begins with %+v", all)
	}
}

func TestEventsEndForGoodReasonsOnly(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	run := w.Fire(webtest.Auto, "one")
	c := connect(t, w.URL, "")
	mine := errors.New("mine")
	if err := c.Events(t.Context(), client.Follow{From: 1}, func(api.Entry) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("the taker's error came as %v", err)
	}
	err := c.Events(t.Context(), client.Follow{Run: "rnever"}, func(api.Entry) error { return nil })
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != http.StatusNotFound {
		t.Errorf("a run that is not there: %v", err)
	}
	if err := connect(t, "http://127.0.0.1:1", "").Events(t.Context(), client.Follow{}, nil); err == nil {
		t.Error("a server that is not there: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = c.Events(ctx, client.Follow{Run: run, From: 1}, func(api.Entry) error {
		cancel()
		return nil
	})
	if err != nil {
		t.Errorf("the caller's end came as %v", err)
	}
}

func TestTheLedgerComesWholeOrWithAnError(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	w.Fire(webtest.Auto, "one")
	w.Plan()
	w.Execute()
	last, err := w.Bus.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fold := ledger.NewFold()
	err = connect(t, w.URL, "").Ledger(t.Context(), 1, func(seq uint64, data []byte) error {
		_, err := fold.Take(seq, data)
		return err
	})
	if err != nil || fold.Seq != last {
		t.Errorf("%d records of %d, %v", fold.Seq, last, err)
	}
	none := func(uint64, []byte) error { return nil }
	transport := &flaky{RoundTripper: http.DefaultTransport, after: 1000}
	transport.breaks.Store(1)
	c, err := client.New(client.Options{Server: w.URL, HTTP: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ledger(t.Context(), 1, none); err == nil {
		t.Error("a ledger that breaks off was taken for whole")
	}
	for name, h := range map[string]map[string]string{
		"fewer than announced": {api.HeaderLedgerFirst: "1", api.HeaderLedgerLast: "3"},
		"another beginning":    {api.HeaderLedgerFirst: "2", api.HeaderLedgerLast: "3"},
		"nothing announced":    {},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range h {
				w.Header().Set(k, v)
			}
			_, _ = io.WriteString(w, "{}\n{}\n")
		}))
		if err := connect(t, s.URL, "").Ledger(t.Context(), 1, none); err == nil {
			t.Errorf("%s: no error", name)
		}
		s.Close()
	}
}

func TestRecordsAreCutAtLineFeedsOnly(t *testing.T) {
	t.Parallel()
	var got []string
	next, err := client.Records(bytes.NewReader([]byte("a\r\n\n b \nlast")), 7, func(seq uint64, data []byte) error {
		got = append(got, fmt.Sprintf("%d:%s", seq, data))
		return nil
	})
	if want := []string{"7:a\r", "8:", "9: b ", "10:last"}; err != nil || next != 11 || !slices.Equal(got, want) {
		t.Errorf("%q, next %d, %v", got, next, err)
	}
}
