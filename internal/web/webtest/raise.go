package webtest

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Raise is a web.Raiser for the rules of a world: both ask for the label service.
func Raise(_ context.Context, rule string, labels map[string]string, by, reason string) (*alert.Delivery, error) {
	if _, ok := (ruleSet{}).Rule(rule); !ok {
		return nil, fmt.Errorf("rule %q cannot be set off by hand", rule)
	}
	if labels["service"] == "" {
		return nil, fmt.Errorf("rule %q asks for the label service", rule)
	}
	now := time.Now().UTC()
	a := alert.Alert{
		Source: "trigger/manual", Name: rule, Fingerprint: labels["service"], Status: alert.Firing, StartsAt: now,
		Labels:      map[string]string{"rule": rule, "service": labels["service"]},
		Annotations: map[string]string{"by": by, "description": reason},
	}
	return &alert.Delivery{ID: "raised-" + labels["service"], Source: a.Source, ReceivedAt: now, Alerts: []alert.Alert{a}}, nil
}
