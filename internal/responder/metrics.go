package responder

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/engine"
)

// Metrics are what the ledger adds up to, for Prometheus.
type Metrics struct {
	events   *prometheus.CounterVec
	runs     *prometheus.CounterVec
	held     *prometheus.CounterVec
	active   prometheus.Gauge
	leader   prometheus.Gauge
	lines    prometheus.Counter
	toAllow  prometheus.Histogram
	toAction prometheus.Histogram
}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	seconds := []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900}
	m := &Metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "paramedic_ledger_events_total", Help: "Events that the engine concluded, by kind."}, []string{"kind"}),
		runs:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "paramedic_runs_ended_total", Help: "Runs that ended, by rule and outcome."}, []string{"rule", "outcome"}),
		held:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "paramedic_runs_held_total", Help: "Times that a guard held a run, by rule and guard."}, []string{"rule", "guard"}),
		active: prometheus.NewGauge(prometheus.GaugeOpts{Name: "paramedic_runs_active", Help: "Runs that have not ended."}),
		leader: prometheus.NewGauge(prometheus.GaugeOpts{Name: "paramedic_engine_leading", Help: "1 while this process decides."}),
		lines:  prometheus.NewCounter(prometheus.CounterOpts{Name: "paramedic_inbox_undecodable_lines_total", Help: "Lines of INBOX that could not be decoded and were passed over."}),
		toAllow: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "paramedic_acceptance_to_decision_seconds", Help: "From an alert's acceptance to the decision that lets its run act.", Buckets: seconds,
		}),
		toAction: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "paramedic_acceptance_to_action_seconds", Help: "From an alert's acceptance to the end of the first action of its run.", Buckets: seconds,
		}),
	}
	for _, c := range []prometheus.Collector{m.events, m.runs, m.held, m.active, m.leader, m.lines, m.toAllow, m.toAction} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// record counts what this process decided; what others decided, they count.
func (m *Metrics) record(st *engine.State, at time.Time, events []engine.Event, decided bool) {
	m.active.Set(float64(st.Active()))
	if !decided {
		return
	}
	for _, ev := range events {
		m.events.WithLabelValues(ev.Kind()).Inc()
		switch e := ev.(type) {
		case engine.RunHeld:
			if run := st.Runs[e.Run]; run != nil {
				m.held.WithLabelValues(run.Rule, e.Guard).Inc()
			}
		case engine.RunEnded:
			if run := st.Runs[e.Run]; run != nil {
				m.runs.WithLabelValues(run.Rule, string(e.Outcome)).Inc()
			}
		case engine.RunAllowed:
			if accepted, ok := accepted(st, e.Run); ok && e.Attempt == 0 {
				m.toAllow.Observe(at.Sub(accepted).Seconds())
			}
		case engine.TaskAnswered:
			if run := st.Runs[e.Run]; run != nil && e.Result.Outcome != nil && run.Acted == 1 {
				if accepted, ok := accepted(st, e.Run); ok {
					m.toAction.Observe(e.Result.At.Sub(accepted).Seconds())
				}
			}
		}
	}
}

// accepted is when the newest notification of a run's first episode came in.
func accepted(st *engine.State, run string) (time.Time, bool) {
	r := st.Runs[run]
	if r == nil {
		return time.Time{}, false
	}
	ep := st.Episodes[r.Episodes[0]]
	if ep == nil {
		return time.Time{}, false
	}
	return ep.LastFiring, true
}

func (m *Metrics) leading(yes bool) {
	if yes {
		m.leader.Set(1)
		return
	}
	m.leader.Set(0)
}

func (m *Metrics) undecodable() { m.lines.Inc() }
