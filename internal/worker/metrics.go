package worker

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	tasks      *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	busy       prometheus.Gauge
	redeliver  prometheus.Counter
	observed   *prometheus.CounterVec
	postponed  *prometheus.CounterVec
	left       prometheus.Counter
	dead       prometheus.Counter
	heartbeats prometheus.Counter
}

func newMetrics(r prometheus.Registerer) (metrics, error) {
	m := metrics{
		tasks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_worker_tasks_total",
			Help: "Tasks answered, by the class of the failure or ok or unverified.",
		}, []string{"kind", "action", "class"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "paramedic_worker_task_duration_seconds",
			Help:    "From a task's delivery to its answer being stored.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900},
		}, []string{"kind", "action"}),
		busy: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "paramedic_worker_busy", Help: "Tasks in hand.",
		}),
		redeliver: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paramedic_worker_redeliveries_total", Help: "Deliveries of a task after its first.",
		}),
		observed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_worker_observations_total",
			Help: "Observations of a call whose outcome nobody saw, by what was found, or error.",
		}, []string{"action", "effect"}),
		postponed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "paramedic_worker_postponed_total", Help: "Deliveries put back for later, by reason.",
		}, []string{"reason"}),
		left: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paramedic_worker_left_total", Help: "Deliveries left to another worker, which holds the claim.",
		}),
		dead: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paramedic_worker_dead_letters_total", Help: "Tasks put among the dead letters.",
		}),
		heartbeats: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "paramedic_worker_heartbeat_failures_total", Help: "Attempts to keep a task alive that failed.",
		}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{
		m.tasks, m.duration, m.busy, m.redeliver, m.observed, m.postponed, m.left, m.dead, m.heartbeats,
	} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}
