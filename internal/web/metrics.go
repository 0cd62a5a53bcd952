package web

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/web/api"
)

type metrics struct {
	requests *prometheus.CounterVec
	streams  prometheus.Gauge
	replays  *prometheus.CounterVec
	drops    *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_api_requests_total",
			Help: "Requests to the API that were answered, by route and status.",
		}, []string{"route", "status"}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paramedic_api_streams",
			Help: "Live event streams that are open.",
		}),
		replays: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_quarantine_replays_total",
			Help: "Bodies in quarantine that were to be replayed, by what became of them.",
		}, []string{"source", "outcome"}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_quarantine_dropped_total",
			Help: "Bodies in quarantine that somebody dropped.",
		}, []string{"source"}),
	}
	for _, c := range []prometheus.Collector{m.requests, m.streams, m.replays, m.drops} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("web metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) answered(route string, status int) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}

func (m *metrics) replayed(source string, outcome api.ReplayOutcome) {
	m.replays.WithLabelValues(source, string(outcome)).Inc()
}

func (m *metrics) dropped(source string) { m.drops.WithLabelValues(source).Inc() }
