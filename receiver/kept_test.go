package receiver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/cloudevents"
)

// mended is a decoder with a mistake, until it is mended.
type mended struct {
	receiver.Decoder
	done *atomic.Bool
}

func (d mended) Decode(source string, h http.Header, body []byte, at time.Time) (receiver.Decoded, error) {
	if !d.done.Load() {
		return receiver.Decoded{}, errors.New("a field that nobody has heard of")
	}
	return d.Decoder.Decode(source, h, body, at)
}

// quarantined is what the shelf has, as it is given to a replay.
func (s *shelf) quarantined() []receiver.Kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]receiver.Kept, len(s.quarantine))
	for i, q := range s.quarantine {
		all[i] = receiver.Kept{ID: q.id, Source: q.source, Headers: q.headers, Body: q.data}
	}
	return all
}

// idle checks that nothing holds memory any more.
func (r *rig) idle(t *testing.T) {
	t.Helper()
	if n, err := testutil.GatherAndCount(r.registry, "paramedic_receiver_in_flight_bytes"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(`
# HELP paramedic_receiver_in_flight_bytes Memory reckoned for the requests being handled.
# TYPE paramedic_receiver_in_flight_bytes gauge
paramedic_receiver_in_flight_bytes 0
`), "paramedic_receiver_in_flight_bytes"); err != nil {
		t.Error(err)
	}
}

// A decoder that is mended makes of what was kept exactly what it would have made
// of it at once: same delivery, same time, same alerts, in the order of the replay.
func TestAMendedDecoderReplays(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var done atomic.Bool
	var hours atomic.Int64
	r := start(t, s, func(o *receiver.Options) {
		o.Sources[0].Decoder = mended{o.Sources[0].Decoder, &done}
		o.Now = func() time.Time { return startOfTime.Add(time.Duration(hours.Load()) * time.Hour) }
	})
	var at []time.Time
	for n := range 5 {
		hours.Store(int64(n))
		at = append(at, startOfTime.Add(time.Duration(n)*time.Hour))
		if got := r.post(t, "am", body(n+1, "")); got.status != 400 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	hours.Store(100)
	kept := s.quarantined()
	for _, k := range kept {
		for _, f := range []func() (receiver.Replayed, error){
			func() (receiver.Replayed, error) { return r.Replay(t.Context(), k) },
			func() (receiver.Replayed, error) { return r.Try(k) },
		} {
			if got, err := f(); err != nil || got.Alerts != 0 || !strings.Contains(got.Refused, "nobody has heard of") {
				t.Errorf("before it is mended: %+v, %v", got, err)
			}
		}
	}
	done.Store(true)
	for n, k := range kept {
		if got, err := r.Try(k); err != nil || !reflect.DeepEqual(got, receiver.Replayed{Alerts: n + 1}) {
			t.Errorf("tried: %+v, %v", got, err)
		}
	}
	if n := len(s.deliveries(t)); n != 0 {
		t.Fatalf("%d stored by what stores nothing", n)
	}
	for n, k := range kept {
		if got, err := r.Replay(t.Context(), k); err != nil || !reflect.DeepEqual(got, receiver.Replayed{Alerts: n + 1}) {
			t.Errorf("replayed: %+v, %v", got, err)
		}
	}
	stored := s.deliveries(t)
	if len(stored) != 5 {
		t.Fatalf("%d stored", len(stored))
	}
	for n, d := range stored {
		fresh := start(t, newShelf(), nil)
		want, err := fresh.Try(receiver.Kept{ID: kept[n].ID, Source: "am", Headers: kept[n].Headers, Body: kept[n].Body})
		if err != nil || want.Alerts != len(d.Alerts) || d.ID != kept[n].ID || d.Source != "am" || !d.ReceivedAt.Equal(at[n]) {
			t.Errorf("delivery %d: %s of %s at %s, %d alerts", n, d.ID, d.Source, d.ReceivedAt, len(d.Alerts))
		}
		if len(d.Warnings) != 1 || d.Warnings[0] != "replayed from quarantine" {
			t.Errorf("delivery %d does not say that it was replayed: %q", n, d.Warnings)
		}
	}
	r.idle(t)
}

// What is not wholly usable is not stored in part, and says why.
func TestWhatStillCannotBeReplayed(t *testing.T) {
	t.Parallel()
	good := alert.Alert{Source: "am", Fingerprint: "f", Status: alert.Firing}
	large := alert.Alert{Source: "am", Fingerprint: "l", Status: alert.Firing, Annotations: map[string]string{"d": strings.Repeat("x", 1<<20)}}
	now := startOfTime.Format(time.RFC3339Nano)
	for name, c := range map[string]struct {
		found   receiver.Decoded
		source  string
		at      string
		refused string
		ignored string
	}{
		"one of two":              {receiver.Decoded{Alerts: []alert.Alert{good}, Refused: []receiver.RefusedAlert{{Index: 0, Reason: "is odd"}}}, "am", now, "refused 1 of 2 alerts: is odd", ""},
		"one that is not valid":   {receiver.Decoded{Alerts: []alert.Alert{good, {Name: "Bad"}}}, "am", now, `alerts[1]: alert "Bad": no source`, ""},
		"none":                    {receiver.Decoded{}, "am", now, "no alerts", ""},
		"one too large of two":    {receiver.Decoded{Alerts: []alert.Alert{good, large}}, "am", now, "alerts[1] is 1", ""},
		"one too large":           {receiver.Decoded{Alerts: []alert.Alert{large}}, "am", now, "alerts[0] is 1", ""},
		"a source that is gone":   {receiver.Decoded{Alerts: []alert.Alert{good}}, "zabbix", now, `no source "zabbix" is configured`, ""},
		"no time":                 {receiver.Decoded{Alerts: []alert.Alert{good}}, "am", "", "how old its alerts", ""},
		"a time that is none":     {receiver.Decoded{Alerts: []alert.Alert{good}}, "am", "yesterday", `"yesterday"`, ""},
		"a ping":                  {receiver.Decoded{Ignored: "a ping\nof theirs"}, "am", now, "", "a ping of theirs"},
		"a ping beside an absurd": {receiver.Decoded{Ignored: "a ping", Refused: []receiver.RefusedAlert{{Reason: "is odd"}}}, "am", now, "is odd", ""},
	} {
		s := newShelf()
		s.max = 1 << 20
		r := start(t, s, func(o *receiver.Options) { o.Sources[0].Decoder = fixed{panicking{400}, c.found} })
		k := receiver.Kept{ID: "q-1", Source: c.source, Headers: map[string]string{receiver.HeaderReceivedAt: c.at}, Body: []byte("x")}
		got, err := r.Replay(t.Context(), k)
		if err != nil || got.Alerts != 0 || !strings.Contains(got.Refused, c.refused) || (c.refused == "") != (got.Refused == "") || got.Ignored != c.ignored {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if tried, err := r.Try(k); err != nil || !reflect.DeepEqual(tried, got) {
			t.Errorf("%s: tried %+v, %v; replayed %+v", name, tried, err, got)
		}
		if stored := s.deliveries(t); len(stored) != 0 || len(s.quarantine) != 0 {
			t.Errorf("%s: stored %+v, kept %d", name, stored, len(s.quarantine))
		}
		r.idle(t)
	}
}

// A decoder that fails is as little trusted as at a request.
func TestADecoderThatPanicsAtAReplay(t *testing.T) {
	t.Parallel()
	r := start(t, newShelf(), func(o *receiver.Options) { o.Sources[0].Decoder = panicking{400} })
	k := receiver.Kept{ID: "q-1", Source: "am", Headers: map[string]string{receiver.HeaderReceivedAt: startOfTime.Format(time.RFC3339)}, Body: []byte("panic")}
	if got, err := r.Replay(t.Context(), k); err != nil || !strings.Contains(got.Refused, "bug") {
		t.Errorf("%+v, %v", got, err)
	}
	r.idle(t)
}

// While it is not certain that the alerts are on disk, that is an error; the same
// replay may be done again, and is the same delivery.
func TestAReplayThatIsInDoubt(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var failing atomic.Bool
	s.fault = func(context.Context) error {
		if failing.Load() {
			return errors.New("not now")
		}
		return nil
	}
	r := start(t, s, nil)
	k := receiver.Kept{
		ID: "q-1", Source: "am", Body: []byte(body(3, "")),
		Headers: map[string]string{receiver.HeaderReceivedAt: startOfTime.Format(time.RFC3339), "Content-Type": "application/json"},
	}
	failing.Store(true)
	if got, err := r.Replay(t.Context(), k); err == nil || !strings.Contains(err.Error(), "q-1") || got.Alerts != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	failing.Store(false)
	for range 2 {
		if got, err := r.Replay(t.Context(), k); err != nil || got.Alerts != 3 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if stored := s.deliveries(t); len(stored) != 2 || !reflect.DeepEqual(stored[0], stored[1]) {
		t.Errorf("two replays are not the same: %+v", stored)
	}
	r.idle(t)
	if err := r.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := r.Replay(t.Context(), k); err == nil {
		t.Errorf("after Close: %+v", got)
	}
	r.idle(t)
	crowded := start(t, newShelf(), func(o *receiver.Options) { o.MaxBody, o.MaxInFlight = 1<<10, 64<<10 })
	k.Body = make([]byte, 1<<20)
	if got, err := crowded.Replay(t.Context(), k); err == nil || !strings.Contains(err.Error(), "too much") {
		t.Errorf("with too little memory: %+v, %v", got, err)
	}
	crowded.idle(t)
}

// A body of several lines is stored as one delivery again.
func TestALargeBodyReplays(t *testing.T) {
	t.Parallel()
	b := openBus(t)
	var done atomic.Bool
	r := start(t, b, func(o *receiver.Options) { o.Sources[0].Decoder = mended{o.Sources[0].Decoder, &done} })
	const n = 10_000
	text := body(n, strings.Repeat("z", 700))
	got := r.post(t, "am", text)
	if got.status != 400 || len(text) < b.MaxMessage() {
		t.Fatalf("%d %.200s", got.status, got.body)
	}
	e := findKept(t, b, fmt.Sprint(got.problem(t)["quarantine"]))
	done.Store(true)
	if got, err := r.Replay(t.Context(), e); err != nil || got.Alerts != n {
		t.Fatalf("%+v, %v", got, err)
	}
	seen := 0
	for _, d := range inboxOf(t, b) {
		if d.ID != e.ID || d.Parts < 2 {
			t.Errorf("%s, part %d of %d", d.ID, d.Part, d.Parts)
		}
		seen += len(d.Alerts)
	}
	if seen != n {
		t.Errorf("%d alerts of %d", seen, n)
	}
}

// An event in binary mode has its attributes in headers: a replay finds them all.
func TestABinaryEventReplays(t *testing.T) {
	t.Parallel()
	s := newShelf()
	var done atomic.Bool
	r := start(t, s, func(o *receiver.Options) { o.Sources[0].Decoder = mended{&cloudevents.Decoder{}, &done} })
	send := func() answer {
		return r.post(t, "am", `{"severity":"critical"}`,
			"Ce-Specversion", "1.0", "Ce-Id", "1", "Ce-Type", "dev.example.down", "Ce-Source", "/hosts/7", "Ce-Subject", "disk%20full",
			"Ce-Time", "2026-03-01T09:29:00Z", "Ce-Zone", "korea", "Ce-Partitionkey", "p1", "Ce-Rack", "%ED%95%9C")
	}
	if got := send(); got.status != 400 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	done.Store(true)
	if got := send(); got.status != 202 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got, err := r.Replay(t.Context(), s.quarantined()[0]); err != nil || got.Alerts != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	stored := s.deliveries(t)
	if len(stored) != 2 || !reflect.DeepEqual(stored[0].Alerts, stored[1].Alerts) {
		t.Errorf("the replay differs: %+v", stored)
	}
	if labels := fmt.Sprint(stored[1].Alerts[0].Labels); !strings.Contains(labels, "korea") || !strings.Contains(labels, "한") {
		t.Errorf("labels %s", labels)
	}
}
