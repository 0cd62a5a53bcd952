package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/receiver/alertmanager/webhook"
)

const (
	sourceName = "alertmanager"
	// requestWithin bounds one try. A dead child's connections are only answered
	// once the next one accepts them.
	requestWithin = 5 * time.Second
	retryEvery    = 200 * time.Millisecond
	repeatEvery   = time.Second
)

func newAlert(namespace, deployment string, at time.Time) webhook.Alert {
	return webhook.Firing(map[string]string{
		"alertname": "ServiceDown", "severity": "critical", "namespace": namespace, "deployment": deployment,
	}, at.UTC())
}

func deploymentOf(a webhook.Alert) string { return a.Labels["deployment"] }

// sender posts as Alertmanager does: again until it is accepted.
type sender struct{ webhook.Sender }

func newSender(address, token string) *sender {
	return &sender{webhook.Sender{
		Client: &http.Client{Timeout: requestWithin, Transport: &http.Transport{}},
		URL:    "http://" + address + "/v1/webhooks/" + sourceName, Token: token,
	}}
}

// deliver returns nil once the alerts got their 202. A 4xx is an error, since no
// repeat will change it.
func (s *sender) deliver(ctx context.Context, alerts []webhook.Alert) error {
	var last error
	err := poll(ctx, retryEvery, func() (bool, error) {
		var code int
		code, last = s.Post(ctx, webhook.New(alerts...))
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
