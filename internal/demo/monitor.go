package demo

import (
	"context"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/receiver/alertmanager/webhook"
)

const (
	probeEvery = 250 * time.Millisecond
	// firesAfter failed probes in a row, and resolves after as many good ones.
	firesAfter = 2
)

// monitor does what Prometheus and Alertmanager do: it probes, and posts
// Alertmanager webhooks when a service goes down and when it is up again.
type monitor struct {
	client  *http.Client
	webhook webhook.Sender
	// base is the address of the services.
	base string
}

// watched is what the monitor knows of one service.
type watched struct {
	streak int
	down   bool
	since  time.Time
}

// watch probes the named services until ctx ends. It returns an error if
// Paramedic does not accept an alert.
func (m *monitor) watch(ctx context.Context, names []string) error {
	known := make(map[string]*watched, len(names))
	for _, n := range names {
		known[n] = &watched{}
	}
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		for _, n := range names {
			if err := m.look(ctx, n, known[n]); err != nil && ctx.Err() == nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (m *monitor) look(ctx context.Context, name string, w *watched) error {
	if m.up(ctx, name) != w.down {
		w.streak = 0
		return nil
	}
	if w.streak++; w.streak < firesAfter {
		return nil
	}
	w.streak, w.down = 0, !w.down
	now := time.Now()
	if w.down {
		w.since = now
		return m.send(ctx, m.alert("ServiceDown", name, w.since))
	}
	return m.send(ctx, m.alert("ServiceDown", name, w.since).Resolved(now))
}

func (m *monitor) up(ctx context.Context, name string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.base+"/"+name+"/actuator/health", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

func (m *monitor) alert(alertname, service string, since time.Time) webhook.Alert {
	a := webhook.Firing(map[string]string{
		"alertname": alertname, "severity": "critical", "job": service, "url": m.base + "/" + service,
	}, since)
	a.Annotations["summary"] = service + " does not answer its health check"
	return a
}

// send posts one webhook. That it is accepted at once is a part of the demo.
func (m *monitor) send(ctx context.Context, alerts ...webhook.Alert) error {
	_, err := m.webhook.Post(ctx, webhook.New(alerts...))
	return err
}
