package main

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

const (
	sourceName = "alertmanager"
	// requestWithin bounds one try. A dead child's connections are only answered
	// once the next one accepts them.
	requestWithin = 5 * time.Second
	retryEvery    = 200 * time.Millisecond
	repeatEvery   = time.Second
)

// message is Alertmanager's webhook, version 4, as far as it says anything.
// Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
type message struct {
	Version  string       `json:"version"`
	GroupKey string       `json:"groupKey"`
	Receiver string       `json:"receiver"`
	Status   alert.Status `json:"status"`
	Alerts   []sentAlert  `json:"alerts"`
}

type sentAlert struct {
	Status      alert.Status      `json:"status"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	Fingerprint string            `json:"fingerprint"`
}

func newAlert(namespace, deployment string, at time.Time) sentAlert {
	labels := map[string]string{"alertname": "ServiceDown", "severity": "critical", "namespace": namespace, "deployment": deployment}
	return sentAlert{
		Status: alert.Firing, Labels: labels, Annotations: map[string]string{}, StartsAt: at.UTC(),
		Fingerprint: alert.Fingerprint(labels),
	}
}

func (a sentAlert) deployment() string { return a.Labels["deployment"] }

func (a sentAlert) episode() alert.EpisodeID {
	return alert.Alert{Source: sourceName, Fingerprint: a.Fingerprint, StartsAt: a.StartsAt}.Episode()
}

// sender posts as Alertmanager does: again until it is accepted.
type sender struct {
	client *http.Client
	url    string
	token  string
}

func newSender(address, token string) *sender {
	return &sender{
		client: &http.Client{Timeout: requestWithin, Transport: &http.Transport{}},
		url:    "http://" + address + "/v1/webhooks/" + sourceName, token: token,
	}
}

// deliver returns nil once the alerts got their 202. A 4xx is an error, since no
// repeat will change it.
func (s *sender) deliver(ctx context.Context, alerts []sentAlert) error {
	m := message{Version: "4", GroupKey: `{}:{alertname="ServiceDown"}`, Receiver: "paramedic", Status: alert.Resolved, Alerts: alerts}
	for _, a := range alerts {
		if a.Status == alert.Firing {
			m.Status = alert.Firing
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	var last error
	err = poll(ctx, retryEvery, func() (bool, error) {
		var code int
		code, last = s.post(ctx, body)
		if code/100 == 4 {
			return false, fmt.Errorf("refused with %d", code)
		}
		return code == http.StatusAccepted, nil
	})
	if err != nil {
		return fmt.Errorf("post a webhook: %w", errors.Join(err, last))
	}
	return nil
}

// post tries once. The error says why it was not accepted; without an answer the
// code is 0.
func (s *sender) post(ctx context.Context, body []byte) (code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("send: %w", err)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode != http.StatusAccepted {
		err = errors.Join(fmt.Errorf("answered with %s: %s", resp.Status, answer), err)
	} else {
		err = nil // the status is the whole answer
	}
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}
