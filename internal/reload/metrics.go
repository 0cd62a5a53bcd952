package reload

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The results of a reload.
const (
	resultUsed    = "used"
	resultRefused = "refused"
)

// Metrics are for alerts on rules that were changed and are not in use.
type Metrics struct {
	success   prometheus.Gauge
	timestamp prometheus.Gauge
	info      *prometheus.GaugeVec
	reloads   *prometheus.CounterVec
}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paramedic_rules_reload_success", Help: "1 if the rule files are in use as they are now, 0 if they were changed and refused.",
		}),
		timestamp: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paramedic_rules_reload_success_timestamp_seconds", Help: "When this process last took rules from its files.",
		}),
		info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "paramedic_rules_info", Help: "1, for the digest of the rules that this process has taken from its files; the leader puts its own in force.",
		}, []string{"digest"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_rules_reloads_total", Help: "Changes of the rule files, by whether they are used or refused.",
		}, []string{"result"}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.success, m.timestamp, m.info, m.reloads} {
		errs = append(errs, reg.Register(c))
	}
	for _, result := range []string{resultUsed, resultRefused} {
		m.reloads.WithLabelValues(result) // so that the first one is an increase
	}
	return m, errors.Join(errs...)
}

func (m *Metrics) used(digest string, at time.Time) {
	m.success.Set(1)
	m.timestamp.Set(float64(at.UnixNano()) / float64(time.Second))
	m.info.Reset()
	m.info.WithLabelValues(digest).Set(1)
}

func (m *Metrics) refused() {
	m.success.Set(0)
	m.reloads.WithLabelValues(resultRefused).Inc()
}
