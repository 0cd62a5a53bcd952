package report

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	delivered *prometheus.CounterVec
	retries   *prometheus.CounterVec
	dead      *prometheus.CounterVec
	unrouted  *prometheus.CounterVec
	broken    *prometheus.CounterVec
	position  *prometheus.GaugeVec
	lag       *prometheus.HistogramVec
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	const prefix = "paramedic_report_"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	m := &metrics{
		delivered: counter("delivered_total", "Notices that arrived.", "reporter", "kind"),
		retries:   counter("retries_total", "Deliveries that failed and are tried again.", "reporter"),
		dead:      counter("dead_total", "Notices given up: refused by the receiver, or exhausted after all tries.", "reporter", "reason"),
		unrouted:  counter("unrouted_total", "Routes of notices that name a reporter that is not configured.", "route"),
		broken:    counter("broken_total", "Times that the ledger could not be followed or the progress not be saved.", "reporter"),
		position: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: prefix + "position", Help: "The last ledger record all of whose notices are delivered or dead.",
		}, []string{"reporter"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: prefix + "lag_seconds", Help: "From the ledger's time of a notice to its delivery.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 900, 3600},
		}, []string{"reporter"}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.delivered, m.retries, m.dead, m.unrouted, m.broken, m.position, m.lag} {
		errs = append(errs, to.Register(c))
	}
	return m, errors.Join(errs...)
}
