package app

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
	"github.com/tripgen/paramedic/receiver/azuremonitor"
	"github.com/tripgen/paramedic/receiver/cloudevents"
	"github.com/tripgen/paramedic/receiver/grafana"
	"github.com/tripgen/paramedic/receiver/pagerduty"
)

// receiverSources makes the receiver's sources from the configured ones.
func receiverSources(configured []config.Source) ([]receiver.Source, error) {
	sources := make([]receiver.Source, len(configured))
	for i, s := range configured {
		decoder, err := decoderOf(s.Type)
		if err != nil {
			return nil, fmt.Errorf("source %q: %w", s.Name, err)
		}
		sources[i] = receiver.Source{Name: s.Name, Decoder: decoder, Auth: authenticators(s.Auth)}
	}
	return sources, nil
}

// decoderOf is the list of source types.
func decoderOf(sourceType string) (receiver.Decoder, error) {
	switch sourceType {
	case "alertmanager":
		return &alertmanager.Decoder{}, nil
	case "azuremonitor":
		return &azuremonitor.Decoder{}, nil
	case "cloudevents":
		return &cloudevents.Decoder{}, nil
	case "grafana":
		return &grafana.Decoder{}, nil
	case "pagerduty":
		return &pagerduty.Decoder{}, nil
	}
	return nil, fmt.Errorf("type %q: this version decodes alertmanager, azuremonitor, cloudevents, grafana and pagerduty", sourceType)
}

func authenticators(a config.Auth) []receiver.Authenticator {
	if a.None {
		return []receiver.Authenticator{receiver.Anonymous()}
	}
	var auth []receiver.Authenticator
	for _, token := range a.Bearer {
		auth = append(auth, receiver.Bearer(token.Read))
	}
	for _, b := range a.Basic {
		auth = append(auth, receiver.Basic(b.Username, b.Password.Read))
	}
	if len(a.MTLS) > 0 {
		auth = append(auth, receiver.ClientCertificate(a.MTLS...))
	}
	return auth
}
