package backtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
	"github.com/tripgen/paramedic/rules/backtest"
)

// month is a month of a busy installation, made up as it is read: every minute
// a delivery about some of its alerting series.
type month struct {
	samples, series int
}

func (month) About() backtest.About { return backtest.About{From: "a month that is made up"} }

func (m month) Each(_ context.Context, take func(backtest.Recorded) error) error {
	const minutes = 30 * 24 * 60
	rng := rand.New(rand.NewPCG(1, 2))
	names := []string{"ServiceDown", "HighErrorRate", "SlowResponse", "HighMemoryUsage", "PodCrashLooping", "VolumeFull"}
	starts := make([]time.Time, m.series)
	sent := 0
	for minute := range minutes {
		at := after(time.Duration(minute) * time.Minute)
		d := &alert.Delivery{ID: fmt.Sprint("d", minute), Source: "am", ReceivedAt: at}
		for sent < m.samples*(minute+1)/minutes {
			sent++
			n := rng.IntN(m.series)
			a := alert.Alert{
				Source: "am", Name: names[n%len(names)], Fingerprint: fmt.Sprintf("%016x", n), Status: alert.Firing, Severity: "critical",
				Labels: map[string]string{
					"alertname": names[n%len(names)], "severity": "critical", "namespace": "production", "job": fmt.Sprint("service-", n),
				},
				Annotations: map[string]string{},
			}
			switch {
			case starts[n].IsZero():
				starts[n] = at
				a.StartsAt = at
			case rng.IntN(5) == 0:
				a.Status, a.StartsAt, a.EndsAt = alert.Resolved, starts[n], at
				starts[n] = time.Time{}
			default:
				a.StartsAt = starts[n]
			}
			d.Alerts = append(d.Alerts, a)
		}
		if len(d.Alerts) == 0 {
			continue
		}
		if err := take(backtest.Recorded{At: at, Input: engine.Input{Delivery: d}}); err != nil {
			return err
		}
	}
	return nil
}

const monthRules = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: month}
spec:
  budgets: [{name: fleet, limit: 20/10m}]
  rules:
    - name: service-down
      on: {alerts: ['alertname="ServiceDown"']}
      target: {cluster: korea, namespace: "${alert.labels.namespace}", deployment: "${alert.labels.job}"}
      mode: auto
      guards: {breaker: off}
      try: [{name: restart, do: [{test.restart: {}}], verify: [{alert: resolved}], within: 5m}]
    - name: errors
      on: {alerts: ['alertname=~"HighErrorRate|SlowResponse"']}
      when: alert.severity == "critical"
      target: {cluster: korea, namespace: "${alert.labels.namespace}", deployment: "${alert.labels.job}"}
      mode: shadow
      try: [{name: restart, do: [{test.restart: {}}], verify: [{alert: resolved}], within: 5m}]
`

func monthSet(tb testing.TB) *rules.Set {
	tb.Helper()
	set, findings := rules.Parse([]engine.Source{{Name: "month.yaml", Text: monthRules}}, rules.Catalog{
		Actions: map[string]rules.ActionSpec{"test.restart": {Schema: json.RawMessage(`{"type":"object"}`), Undoable: true, Health: true}},
		Probes:  map[string]rules.ProbeSpec{},
	})
	if findings.Failed() {
		tb.Fatal(findings.Format())
	}
	return set
}

func TestAMonthOfAMillionSamples(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a million samples take seconds")
	}
	set := monthSet(t)
	report := run(t, backtest.Options{
		Source: month{samples: 1_000_000, series: 200}, Rules: backtest.Candidate{Name: "month.yaml", Set: set},
	})
	if report.Read.Samples != 1_000_000 || report.All.Runs < 10_000 || report.All.Acts < 10_000 {
		t.Errorf("%+v, %d runs, %d acts", report.Read, report.All.Runs, report.All.Acts)
	}
	if n := len(report.All.Timeline); n > 240 {
		t.Errorf("a timeline of %d parts", n)
	}
	var page bytes.Buffer
	if err := backtest.WriteHTML(&page, report); err != nil || page.Len() > 2<<20 {
		t.Errorf("a page of %d bytes: %v", page.Len(), err)
	}
	if err := backtest.WriteJSON(io.Discard, report); err != nil {
		t.Error(err)
	}
}

// BenchmarkMonth plays a month of a million samples, made up in memory.
func BenchmarkMonth(b *testing.B) {
	set := monthSet(b)
	src := month{samples: 1_000_000, series: 2000}
	for b.Loop() {
		if _, err := backtest.Run(b.Context(), backtest.Options{Source: src, Rules: backtest.Candidate{Set: set}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(src.samples)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}

// BenchmarkMonthFile reads the month from JSON lines.
func BenchmarkMonthFile(b *testing.B) {
	set := monthSet(b)
	src := month{samples: 1_000_000, series: 2000}
	name := filepath.Join(b.TempDir(), "month.jsonl")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	if err := src.Each(b.Context(), backtest.NewWriter(f).Write); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := backtest.Run(b.Context(), backtest.Options{Source: backtest.File{Name: name}, Rules: backtest.Candidate{Set: set}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(src.samples)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}
