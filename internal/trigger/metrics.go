package trigger

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/rules"
)

// Metrics count what triggers do.
type Metrics struct {
	alerts  *prometheus.CounterVec
	looks   *prometheus.CounterVec
	errors  *prometheus.CounterVec
	missed  *prometheus.CounterVec
	running *prometheus.GaugeVec
}

// NewMetrics registers them.
func NewMetrics(to prometheus.Registerer) (*Metrics, error) {
	const namespace, subsystem = "paramedic", "trigger"
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Subsystem: subsystem, Name: name, Help: help}, labels)
	}
	m := &Metrics{
		alerts: counter("alerts_total", "Alerts that triggers raised and resolved, without repetitions.", "kind", "rule", "status"),
		looks:  counter("probes_total", "Probes that triggers made, by what they saw.", "rule", "result"),
		errors: counter("errors_total", "Looks that triggers could not make.", "kind", "rule"),
		missed: counter("missed_starts_total", "Starts of schedules that nobody was there for in time, and that were passed over.", "rule"),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: namespace, Subsystem: subsystem, Name: "running",
			Help: "Triggers that this process runs: 0 where another does.",
		}, []string{"kind"}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.alerts, m.looks, m.errors, m.missed, m.running} {
		errs = append(errs, to.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("register the triggers' metrics: %w", err)
	}
	return m, nil
}

func (m *Metrics) decided(a alert.Alert) {
	kind := a.Source[len(rules.TriggerSource):]
	m.alerts.WithLabelValues(kind, a.Name, string(a.Status)).Inc()
}

func (m *Metrics) look(t rules.Trigger, ok bool) {
	result := "failed"
	if ok {
		result = "ok"
	}
	m.looks.WithLabelValues(t.Rule, result).Inc()
}
