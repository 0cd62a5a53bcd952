// Package webhook sends what Alertmanager sends: the other end of package
// alertmanager, for whoever plays a monitoring system.
//
// A Message is made by New and posted by a Sender, once a call; trying again is
// the caller's, who knows how long. Both may be used by many goroutines. The
// test has package alertmanager decode what is sent here.
package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Message is the part of Alertmanager's webhook, version 4, that identifies and
// describes alerts.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type Message struct {
	Version  string       `json:"version"`
	GroupKey string       `json:"groupKey"`
	Receiver string       `json:"receiver"`
	Status   alert.Status `json:"status"`
	Alerts   []Alert      `json:"alerts"`
}

// Alert is one alert of a message.
type Alert struct {
	Status      alert.Status      `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
}

// Firing is an alert that fires since then.
func Firing(labels map[string]string, since time.Time) Alert {
	return Alert{
		Status: alert.Firing, Labels: labels, Annotations: map[string]string{}, StartsAt: since,
		Fingerprint: alert.Fingerprint(labels),
	}
}

// Resolved is the same alert once it has ended.
func (a Alert) Resolved(at time.Time) Alert {
	a.Status, a.EndsAt = alert.Resolved, at
	return a
}

// Episode is the identity that the alert gets by way of that source.
func (a Alert) Episode(source string) alert.EpisodeID {
	return alert.Alert{Source: source, Fingerprint: a.Fingerprint, StartsAt: a.StartsAt}.Episode()
}

// New groups alerts. The group fires while any of them does.
func New(alerts ...Alert) Message {
	m := Message{Version: "4", GroupKey: "{}:{}", Receiver: "paramedic", Status: alert.Resolved, Alerts: alerts}
	for _, a := range alerts {
		if a.Status == alert.Firing {
			m.Status = alert.Firing
		}
	}
	return m
}

// Sender posts messages with a bearer token.
type Sender struct {
	Client *http.Client
	URL    string
	Token  string
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 4 << 10

// Post tries once. It returns nil only for a 202; otherwise the error says what
// came in its place, and the code is 0 if no answer came at all.
func (s Sender) Post(ctx context.Context, m Message) (code int, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.Token)
	resp, err := s.Client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("webhook: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode == http.StatusAccepted {
		return resp.StatusCode, nil // the status is the whole answer
	}
	return resp.StatusCode, errors.Join(fmt.Errorf("webhook: answered with %s: %s", resp.Status, answer), err)
}
