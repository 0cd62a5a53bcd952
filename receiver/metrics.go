package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests    *prometheus.CounterVec
	alerts      *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	ignored     *prometheus.CounterVec
	refused     *prometheus.CounterVec
	quarantined *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	group       prometheus.Histogram
}

// newMetrics registers the series; inFlight is asked when they are collected.
func newMetrics(to prometheus.Registerer, inFlight func() float64) (*metrics, error) {
	const namespace, subsystem = "paramedic", "receiver"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: subsystem, Name: name, Help: help,
		}, labels)
	}
	m := &metrics{
		requests: counter("requests_total",
			"Webhook requests, by status code. An unknown source counts as the empty one.", "source", "code"),
		alerts: counter("alerts_accepted_total",
			"Alerts answered with 202, duplicates included.", "source"),
		dropped: counter("alerts_quarantined_total",
			"Alerts that could not be used, of bodies whose other alerts were accepted.", "source"),
		ignored: counter("ignored_total",
			"Webhook requests answered with 202 that left nothing to do: pings, tests, notes.", "source"),
		refused: counter("refused_total",
			"Webhook requests that were not accepted, by reason.", "source", "reason"),
		quarantined: counter("quarantined_total",
			"Bodies kept because they could not be handled, or not wholly.", "source"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "request_duration_seconds",
			Help:    "From the request's headers to its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"source"}),
		group: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "group_deliveries",
			Help:    "Deliveries stored together by one group commit.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 11),
		}),
	}
	reserved := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "in_flight_bytes",
		Help: "Memory reckoned for the requests being handled.",
	}, inFlight)
	var errs []error
	for _, c := range []prometheus.Collector{
		m.requests, m.alerts, m.dropped, m.ignored, m.refused, m.quarantined, m.duration, m.group, reserved,
	} {
		errs = append(errs, to.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register the receiver's metrics: %w", err)
	}
	return m, nil
}

// sourceMetrics are the series of one source, looked up once. They exist from
// the start, so that a rate over the first failure is not lost.
type sourceMetrics struct {
	all         *metrics
	name        string
	accepted    prometheus.Counter
	alerts      prometheus.Counter
	dropped     prometheus.Counter
	ignored     prometheus.Counter
	quarantined prometheus.Counter
	duration    prometheus.Observer
}

func (m *metrics) of(source string) sourceMetrics {
	return sourceMetrics{
		all:         m,
		name:        source,
		accepted:    m.requests.WithLabelValues(source, strconv.Itoa(http.StatusAccepted)),
		alerts:      m.alerts.WithLabelValues(source),
		dropped:     m.dropped.WithLabelValues(source),
		ignored:     m.ignored.WithLabelValues(source),
		quarantined: m.quarantined.WithLabelValues(source),
		duration:    m.duration.WithLabelValues(source),
	}
}

func (s sourceMetrics) accept(got receipt, took time.Duration) {
	s.accepted.Inc()
	s.alerts.Add(float64(got.alerts))
	if got.alerts > 0 {
		s.dropped.Add(float64(got.quarantined))
	}
	if got.ignored != "" {
		s.ignored.Inc()
	}
	s.duration.Observe(took.Seconds())
}

func (s sourceMetrics) handshake(status int, took time.Duration) {
	s.all.requests.WithLabelValues(s.name, strconv.Itoa(status)).Inc()
	s.duration.Observe(took.Seconds())
}

func (s sourceMetrics) refuse(f *refusal, took time.Duration) {
	s.all.requests.WithLabelValues(s.name, strconv.Itoa(f.status)).Inc()
	s.all.refused.WithLabelValues(s.name, string(f.why())).Inc()
	s.duration.Observe(took.Seconds())
}
