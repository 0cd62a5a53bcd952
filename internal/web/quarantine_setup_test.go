package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
	"github.com/tripgen/paramedic/receiver"
)

// wordy decodes lines such as "service-down one firing". A line with a "?" before
// it is refused until the decoder is mended, and one with a "!" always.
type wordy struct{ mended *atomic.Bool }

func (wordy) Traits() receiver.Traits {
	return receiver.Traits{MediaTypes: []string{"text/plain"}, Headers: []string{"Ce-*"}, UndecodableStatus: 400}
}

func (d wordy) Decode(source string, _ http.Header, body []byte, at time.Time) (receiver.Decoded, error) {
	if string(body) == "ping" {
		if d.mended.Load() {
			return receiver.Decoded{Ignored: "a ping"}, nil
		}
		return receiver.Decoded{}, errors.New("what is a ping?")
	}
	var out receiver.Decoded
	for i, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
		later, odd := strings.CutPrefix(line, "?")
		words := strings.Fields(later)
		if strings.HasPrefix(line, "!") || odd && !d.mended.Load() || len(words) != 3 {
			out.Refused = append(out.Refused, receiver.RefusedAlert{Index: i, Reason: fmt.Sprintf("line %d is odd", i)})
			continue
		}
		out.Alerts = append(out.Alerts, alert.Alert{
			Source: source, Name: "ServiceDown", Fingerprint: words[1], Status: alert.Status(words[2]),
			Labels: map[string]string{"rule": words[0], "service": words[1]}, StartsAt: at.Truncate(24 * time.Hour),
		})
	}
	return out, nil
}

// ward is a world with a receiver in front of it, and a quarantine that is filled.
type ward struct {
	*webtest.World
	t      *testing.T
	rx     *receiver.Receiver
	mended atomic.Bool
	// clock is added to the time at which webhooks are received.
	clock atomic.Int64
	// posted counts webhooks; fresh says that the present one has no identifier yet.
	posted int
	fresh  atomic.Bool
}

// admit starts a ward; adapt may change what the API has of it.
func admit(t *testing.T, adapt ...func(*web.Options)) *ward {
	t.Helper()
	w := &ward{t: t}
	w.World = webtest.Start(t, append([]func(*web.Options){w.receive}, adapt...)...)
	return w
}

func (w *ward) receive(o *web.Options) {
	b, ok := o.API.Quarantine.(*bus.Bus)
	if !ok {
		w.t.Fatal("the quarantine is not the bus")
	}
	var others atomic.Int64
	var sources []receiver.Source
	for _, name := range []string{"am", "azure"} {
		sources = append(sources, receiver.Source{
			Name: name, Decoder: wordy{&w.mended}, Auth: []receiver.Authenticator{receiver.Anonymous()},
		})
	}
	rx, err := receiver.New(receiver.Options{
		Sources: sources, Publisher: b, Log: slog.New(slog.DiscardHandler), Metrics: o.Metrics,
		Now: func() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) },
		IDs: func() string {
			if w.fresh.CompareAndSwap(true, false) {
				return "d" + strconv.Itoa(w.posted)
			}
			return "other" + strconv.FormatInt(others.Add(1), 10)
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.rx = rx
	w.t.Cleanup(func() {
		if err := rx.Close(context.WithoutCancel(w.t.Context())); err != nil {
			w.t.Error(err)
		}
	})
	o.API.Replay = w.replay
}

func (w *ward) replay(ctx context.Context, e bus.QuarantineEntry, body []byte, try bool) (api.ReplayedEntry, error) {
	k := receiver.Kept{ID: e.ID, Source: e.Source, Headers: e.Headers, Body: body}
	var got receiver.Replayed
	var err error
	if try {
		got, err = w.rx.Try(k)
	} else {
		got, err = w.rx.Replay(ctx, k)
	}
	out := api.ReplayedEntry{Outcome: api.Replayed, Alerts: got.Alerts}
	if got.Refused != "" {
		out.Outcome, out.Detail = api.Refused, got.Refused
	} else if got.Ignored != "" {
		out.Outcome, out.Detail = api.Ignored, got.Ignored
	}
	return out, err
}

// posts sends a webhook, the first one as delivery d1, and returns the status and the id of what is kept of it.
func (w *ward) posts(source, body string) (int, string) {
	w.t.Helper()
	w.posted++
	w.fresh.Store(true)
	before := w.entries("?limit=500")
	req := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, "/v1/webhooks/"+source, strings.NewReader(body))
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("Ce-Zone", "korea")
	rec := httptest.NewRecorder()
	w.rx.Handler().ServeHTTP(rec, req)
	after := w.entries("?limit=500")
	if len(after) == len(before) {
		return rec.Code, ""
	}
	return rec.Code, after[len(after)-1].ID
}

// keeps sends what must end in quarantine, wholly.
func (w *ward) keeps(source, body string) string {
	w.t.Helper()
	status, id := w.posts(source, body)
	if status != 400 || id == "" {
		w.t.Fatalf("%.100q: %d, kept as %q", body, status, id)
	}
	return id
}

func (w *ward) page(query string) api.QuarantineList {
	w.t.Helper()
	return into[api.QuarantineList](w.t, want(w.t, get(w.t, w.URL+"/api/v1/quarantine"+query), 200))
}

func (w *ward) entries(query string) []api.Quarantined {
	w.t.Helper()
	return w.page(query).Entries
}

// left are the ids of what is in quarantine.
func (w *ward) left() string {
	w.t.Helper()
	var all []string
	for _, e := range w.entries("?limit=500") {
		all = append(all, e.ID)
	}
	return strings.Join(all, " ")
}

func (w *ward) asks(body string) answer {
	w.t.Helper()
	return send(w.t, http.MethodPost, w.URL+"/api/v1/quarantine/replay", body, nil)
}

func (w *ward) drops(body string) answer {
	w.t.Helper()
	return send(w.t, http.MethodPost, w.URL+"/api/v1/quarantine/drop", body, nil)
}

// said is what became of each, as "id outcome".
func said(r api.Replay) string {
	var all []string
	for _, e := range r.Entries {
		all = append(all, e.ID+" "+string(e.Outcome))
	}
	return strings.Join(all, ", ")
}

// delivered are the deliveries in INBOX, in its order.
func (w *ward) delivered() []alert.Delivery {
	w.t.Helper()
	var all []alert.Delivery
	for _, in := range inputs(w.t, want(w.t, get(w.t, w.URL+"/api/v1/inbox"), 200).body) {
		got, err := engine.UnmarshalLine(in.Input)
		if err != nil {
			w.t.Fatal(err)
		}
		if got.Delivery != nil {
			all = append(all, *got.Delivery)
		}
	}
	return all
}
