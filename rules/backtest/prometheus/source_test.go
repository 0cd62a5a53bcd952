package prometheus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/rules/backtest"
	"github.com/tripgen/paramedic/rules/backtest/prometheus"
)

func down(from, until time.Duration, more ...string) was {
	labels := map[string]string{"alertname": "Down", "severity": "critical"}
	for pair := range slices.Chunk(more, 2) {
		labels[pair[0]] = pair[1]
	}
	return was{labels: labels, active: after(from - time.Minute), from: after(from), until: after(until)}
}

func options(s *server) prometheus.Options {
	return prometheus.Options{
		URL: s.start(), Since: epoch(), Until: after(24 * time.Hour),
		Pause: func(context.Context, time.Duration) error { return nil },
	}
}

// read gives what was notified, a text each, and the source's notes.
func read(t *testing.T, o prometheus.Options) (notified []string, notes string, alerts []alert.Alert) {
	t.Helper()
	src, err := prometheus.New(o)
	if err != nil {
		t.Fatal(err)
	}
	last := time.Time{}
	err = src.Each(t.Context(), func(r backtest.Recorded) error {
		if r.At.Before(last) {
			t.Errorf("%s comes after %s", r.At, last)
		}
		last = r.At
		for _, a := range r.Input.Delivery.Alerts {
			if err := a.Validate(); err != nil {
				t.Error(err)
			}
			notified = append(notified, fmt.Sprintf("%s %s %s since %s", r.At.Sub(epoch()), a.Name, a.Status, a.StartsAt.Sub(epoch())))
			alerts = append(alerts, a)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return notified, strings.Join(src.About().Notes, "\n"), alerts
}

func same(t *testing.T, have []string, want ...string) {
	t.Helper()
	if !slices.Equal(have, want) {
		t.Errorf("have\n  %s\nwant\n  %s", strings.Join(have, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestFiringsBecomeNotifications(t *testing.T) {
	t.Parallel()
	s := &server{t: t, alerts: []was{
		down(10*time.Minute, 15*time.Minute, "job", "api"),
		down(time.Hour, 10*time.Hour, "job", "long"),
		down(2*time.Hour, 2*time.Hour+20*time.Second, "job", "short"),
	}}
	o := options(s)
	o.Labels = map[string]string{"cluster": "korea", "job": "hidden"}
	have, notes, alerts := read(t, o)
	same(t, have,
		"10m30s Down firing since 10m0s", "15m0s Down resolved since 10m0s",
		"1h0m30s Down firing since 1h0m0s", "5h0m30s Down firing since 1h0m0s", "9h0m30s Down firing since 1h0m0s",
		"10h0m0s Down resolved since 1h0m0s",
	)
	for _, want := range []string{"uncertain by 1m0s", "1 firings were gone"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes lack %q:\n%s", want, notes)
		}
	}
	a := alerts[0]
	if a.Severity != "critical" || a.Labels["cluster"] != "korea" || a.Labels["job"] != "api" || a.Labels["alertstate"] != "" || a.Source != "prometheus" {
		t.Errorf("%+v", a)
	}
	if alerts[0].Episode() != alerts[1].Episode() || alerts[0].Episode() == alerts[2].Episode() {
		t.Error("episodes are not one a firing")
	}
}

func TestAFingerprintIsAlertmanagers(t *testing.T) {
	t.Parallel()
	s := &server{t: t, alerts: []was{{labels: map[string]string{"alertname": "HighLatency"}, active: epoch(), from: after(time.Minute), until: after(time.Hour)}}}
	_, _, alerts := read(t, options(s))
	// FNV-1a over name, 0xff, value, 0xff, as model.LabelSet has it.
	h := uint64(14695981039346656037)
	for _, b := range []byte("alertname\xffHighLatency\xff") {
		h = (h ^ uint64(b)) * 1099511628211
	}
	if want := fmt.Sprintf("%016x", h); alerts[0].Fingerprint != want {
		t.Errorf("fingerprint %s, want %s", alerts[0].Fingerprint, want)
	}
}

func TestStateTellsFiringsApart(t *testing.T) {
	t.Parallel()
	// Two firings without a look between them, and one over a time without data.
	s := &server{t: t, down: [][2]time.Time{{after(5 * time.Hour), after(6 * time.Hour)}}, alerts: []was{
		down(time.Hour, 70*time.Minute), down(70*time.Minute, 80*time.Minute),
		{labels: map[string]string{"alertname": "Over"}, active: after(4 * time.Hour), from: after(4*time.Hour + time.Minute), until: after(7 * time.Hour)},
		{labels: map[string]string{"alertname": "Gone"}, active: after(4 * time.Hour), from: after(4*time.Hour + time.Minute), until: after(330 * time.Minute)},
	}}
	have, notes, _ := read(t, options(s))
	same(t, have,
		"1h0m30s Down firing since 1h0m0s", "1h10m0s Down resolved since 1h0m0s",
		"1h10m30s Down firing since 1h10m0s", "1h20m0s Down resolved since 1h10m0s",
		"4h1m30s Over firing since 4h1m0s", "4h1m30s Gone firing since 4h1m0s",
		"6h0m0s Gone resolved since 4h1m0s", "7h0m0s Over resolved since 4h1m0s",
	)
	if !strings.Contains(notes, "has nothing from 2026-03-01T17:00:00Z to 2026-03-01T17:59:00Z") {
		t.Errorf("the gap is not told:\n%s", notes)
	}
}

func TestAnAlertThatFiredBeforeBeganWhenItsExpressionDid(t *testing.T) {
	t.Parallel()
	s := &server{t: t, noUp: true, alerts: []was{down(-3*time.Hour, time.Hour)}}
	have, notes, _ := read(t, options(s))
	same(t, have, "30s Down firing since -3h1m0s", "1h0m0s Down resolved since -3h1m0s")
	if !strings.Contains(notes, "no series up") {
		t.Errorf("%s", notes)
	}
}

func TestTooMuchIsAskedForInParts(t *testing.T) {
	t.Parallel()
	s := &server{t: t, samples: 100}
	for i := range 7 {
		s.alerts = append(s.alerts, down(time.Hour, 5*time.Hour, "job", strconv.Itoa(i)))
	}
	o := options(s)
	o.Chunk = 24 * time.Hour
	parts, _, _ := read(t, o)
	if s.refused == 0 {
		t.Fatal("nothing was too much")
	}
	s = &server{t: t, alerts: s.alerts}
	whole, _, _ := read(t, options(s))
	same(t, parts, whole...)
	// A span with more points than Prometheus answers is never asked for.
	s = &server{t: t, alerts: s.alerts}
	o = options(s)
	o.Chunk, o.Step, o.Repeat = 24*time.Hour, 5*time.Second, time.Hour
	if _, _, alerts := read(t, o); len(alerts) == 0 || s.refused != 0 {
		t.Errorf("%d alerts, %d refusals", len(alerts), s.refused)
	}
}

func TestWhatFailsInPassingIsAskedForAgain(t *testing.T) {
	t.Parallel()
	s := &server{t: t, alerts: []was{down(time.Hour, 2*time.Hour)}, fail: []int{503, 429, 500}}
	have, _, _ := read(t, options(s))
	if len(have) != 2 {
		t.Errorf("%v", have)
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server *server
		change func(*prometheus.Options)
		want   string
	}{
		"credentials": {&server{token: "right"}, func(o *prometheus.Options) { o.Token = "wrong" }, "401"},
		"outage":      {&server{fail: slices.Repeat([]int{503}, 100)}, nil, "503"},
		"one point":   {&server{samples: 1, alerts: []was{down(0, time.Hour, "a", "1"), down(0, time.Hour, "a", "2")}}, nil, "too many samples"},
	} {
		test.server.t = t
		o := options(test.server)
		if test.change != nil {
			test.change(&o)
		}
		src, err := prometheus.New(o)
		if err != nil {
			t.Fatal(err)
		}
		err = src.Each(t.Context(), func(backtest.Recorded) error { return nil })
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "query ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for want, o := range map[string]prometheus.Options{
		"want http": {URL: "ftp://ann:secret@x", Since: epoch(), Until: after(1)}, "nothing lies": {URL: "http://x", Since: epoch(), Until: epoch()},
		"step": {URL: "http://x", Since: epoch(), Until: after(1), Step: 1}, "less than": {URL: "http://x", Since: epoch(), Until: after(1), Repeat: time.Second},
	} {
		if _, err := prometheus.New(o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestTheReadersErrorEndsIt(t *testing.T) {
	t.Parallel()
	s := &server{t: t, alerts: []was{down(time.Hour, 2*time.Hour)}}
	src, err := prometheus.New(options(s))
	if err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	if err := src.Each(t.Context(), func(backtest.Recorded) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}
