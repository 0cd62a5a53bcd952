package web

import (
	"fmt"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	requests *prometheus.CounterVec
	streams  prometheus.Gauge
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
	}
	for _, c := range []prometheus.Collector{m.requests, m.streams} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("web metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) answered(route string, status int) {
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
}
