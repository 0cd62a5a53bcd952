package bus

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// collectTimeout bounds what a scrape waits for the stream's leader.
const collectTimeout = 2 * time.Second

// quarantineCollector asks when it is scraped.
type quarantineCollector struct {
	b                           *Bus
	messages, age, bytes, limit *prometheus.Desc
}

// QuarantineCollector returns series of what lies in quarantine. They are of the
// stream, so every process shows the same: take their maximum, not their sum.
// While the bus does not answer, they are left out.
func (b *Bus) QuarantineCollector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("paramedic_quarantine_"+name, help, labels, nil)
	}
	return &quarantineCollector{
		b: b,
		messages: desc("messages",
			"Bodies that lie in quarantine; one that is larger than a message counts several times.", "source"),
		age:   desc("oldest_age_seconds", "Age of the oldest body in quarantine; 0 without any. They are kept for 90 days."),
		bytes: desc("bytes", "Size of the quarantine on disk."),
		limit: desc("limit_bytes", "The most that the quarantine may have: above it, what cannot be decoded is refused with 503."),
	}
}

// Describe implements prometheus.Collector.
func (c *quarantineCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.messages, c.age, c.bytes, c.limit} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *quarantineCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(c.b.ctx, collectTimeout)
	defer cancel()
	s, err := c.b.QuarantineState(ctx)
	if err != nil {
		c.b.log.Debug("the quarantine's series are left out", "error", err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for source, n := range s.Messages {
		gauge(c.messages, float64(n), source)
	}
	gauge(c.age, s.Age.Seconds())
	gauge(c.bytes, float64(s.Bytes))
	gauge(c.limit, float64(s.Limit))
}
