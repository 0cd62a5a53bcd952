package prometheus_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/rules/backtest"
	"github.com/tripgen/paramedic/rules/backtest/prometheus"
)

// openMetrics is what a Prometheus would have seen of these firings within so
// long, a sample a minute.
func openMetrics(firings []was, length time.Duration) string {
	series := map[string][]string{}
	add := func(name string, at time.Time, value int64) {
		series[name] = append(series[name], fmt.Sprintf("%s %d %d\n", name, value, at.Unix()))
	}
	for at := epoch(); at.Before(after(length)); at = at.Add(time.Minute) {
		add(`up{job="a"}`, at, 1)
		for _, f := range firings {
			if at.Before(f.from) || !at.Before(f.until) {
				continue
			}
			var labels []string
			for _, name := range slices.Sorted(maps.Keys(f.labels)) {
				labels = append(labels, fmt.Sprintf("%s=%q", name, f.labels[name]))
			}
			text := strings.Join(labels, ",")
			add(`ALERTS{alertstate="firing",`+text+`}`, at, 1)
			add(`ALERTS_FOR_STATE{`+text+`}`, at, f.active.Unix())
		}
	}
	var b strings.Builder
	family := ""
	for _, name := range slices.Sorted(maps.Keys(series)) {
		if of, _, _ := strings.Cut(name, "{"); of != family {
			family = of
			b.WriteString("# TYPE " + family + " gauge\n")
		}
		for _, line := range series[name] {
			b.WriteString(line)
		}
	}
	return b.String() + "# EOF\n"
}

// TestARealPrometheusIsReadLikeTheLocalServer holds the local server of the
// other tests to what a real one answers, also where it refuses.
func TestARealPrometheusIsReadLikeTheLocalServer(t *testing.T) {
	t.Parallel()
	firings := []was{
		down(10*time.Minute, 15*time.Minute, "job", "api"), down(time.Hour, 10*time.Hour, "job", "long"),
		down(3*time.Hour, 190*time.Minute, "job", "twice"), down(190*time.Minute, 200*time.Minute, "job", "twice"),
		down(20*time.Hour, 47*time.Hour, "job", "late", "path", `/a"b\c`),
	}
	actual := lab.Prometheus(t, lab.PrometheusOptions{
		History: openMetrics(firings, 48*time.Hour),
		// A sample counts for its own minute only, since what was filled in has no
		// mark where a series ends.
		Args: []string{"--query.lookback-delta=30s", "--query.max-samples=1000"},
	})
	fake := &server{t: t, alerts: firings}
	o := options(fake)
	o.Until = after(48*time.Hour - time.Minute)
	want, _, _ := read(t, o)
	o.URL, o.Chunk = actual.URL(), 24*time.Hour
	have, notes, _ := read(t, o)
	same(t, have, want...)
	if strings.Contains(notes, "warned") || strings.Contains(notes, "nothing from") {
		t.Error(notes)
	}
	if len(want) < 10 {
		t.Errorf("only %d notifications", len(want))
	}
}

// BenchmarkMonth reads a month of a million samples from a local server, which
// makes its answers on the same processors.
func BenchmarkMonth(b *testing.B) {
	s := &server{t: b}
	for i := range 24 {
		s.alerts = append(s.alerts, down(0, 30*24*time.Hour, "job", fmt.Sprint("service-", i)))
	}
	url := s.start()
	for b.Loop() {
		src, err := prometheus.New(prometheus.Options{URL: url, Since: epoch(), Until: after(30 * 24 * time.Hour)})
		if err != nil {
			b.Fatal(err)
		}
		if err := src.Each(b.Context(), func(backtest.Recorded) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(24*30*24*60*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
