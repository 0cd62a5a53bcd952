package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Alert is one alert as Prometheus posts it. Source: the postableAlert of Alertmanager's API v2,
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// StartsAt is when it began to fire; the zero time lets Alertmanager take the time of arrival.
	StartsAt time.Time `json:"startsAt,omitzero"`
	// EndsAt in the past makes it resolved; the zero time lets it fire until it is not posted again for the
	// configuration's resolve_timeout.
	EndsAt       time.Time `json:"endsAt,omitzero"`
	GeneratorURL string    `json:"generatorURL,omitempty"`
}

const answerLimit = 4 << 10

// Post hands the alerts to Alertmanager as Prometheus does.
func (a *Alertmanager) Post(ctx context.Context, alerts ...Alert) (err error) {
	body, err := json.Marshal(alerts)
	if err != nil {
		return fmt.Errorf("lab: post alerts: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL()+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("lab: post alerts: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("lab: post alerts: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, answerLimit)) // the status alone is enough of an error
		return fmt.Errorf("lab: post alerts: %s: %s", response.Status, answer)
	}
	return nil
}
