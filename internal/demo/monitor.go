package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
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
	webhook string
	token   string
	// base is the address of the services.
	base string
}

// message is the part of Alertmanager's webhook, version 4, that identifies and
// describes alerts.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type message struct {
	Version  string        `json:"version"`
	GroupKey string        `json:"groupKey"`
	Receiver string        `json:"receiver"`
	Status   alert.Status  `json:"status"`
	Alerts   []sampleAlert `json:"alerts"`
}

type sampleAlert struct {
	Status      alert.Status      `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
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
	status := alert.Resolved
	if w.down {
		status, w.since = alert.Firing, time.Now()
	}
	return m.send(ctx, []sampleAlert{m.alert("ServiceDown", name, status, w.since)})
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

func (m *monitor) alert(alertname, service string, status alert.Status, since time.Time) sampleAlert {
	labels := map[string]string{
		"alertname": alertname, "severity": "critical", "job": service, "url": m.base + "/" + service,
	}
	a := sampleAlert{
		Status: status, Labels: labels, StartsAt: since, Fingerprint: alert.Fingerprint(labels),
		Annotations: map[string]string{"summary": service + " does not answer its health check"},
	}
	if status == alert.Resolved {
		a.EndsAt = time.Now()
	}
	return a
}

// send posts one webhook, as Alertmanager does: version 4 of the format.
func (m *monitor) send(ctx context.Context, alerts []sampleAlert) error {
	body, err := json.Marshal(message{
		Version: "4", GroupKey: `{}:{alertname="` + alerts[0].Labels["alertname"] + `"}`,
		Receiver: "paramedic", Status: alerts[0].Status, Alerts: alerts,
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.webhook, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+m.token)
	resp, err := m.client.Do(req)
	if err != nil {
		return fmt.Errorf("post the alerts: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusAccepted {
		answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return fmt.Errorf("post the alerts: %s: %s (%w)", resp.Status, answer, err)
	}
	return nil
}
