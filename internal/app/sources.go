package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
	"github.com/tripgen/paramedic/receiver/azuremonitor"
	"github.com/tripgen/paramedic/receiver/cloudevents"
	"github.com/tripgen/paramedic/receiver/grafana"
	"github.com/tripgen/paramedic/receiver/jsonmap"
	"github.com/tripgen/paramedic/receiver/pagerduty"
)

// CheckSources reports what is wrong with the sources and cannot be seen in the
// file alone: the expressions of mappings, as [config.Problems] at their places,
// and what authenticators refuse. It reads no secret and fetches nothing.
func CheckSources(c *config.Config) error {
	_, err := newSourceMaker(time.Now, slog.New(slog.DiscardHandler)).sources(c.Sources)
	return err
}

// startSources makes the sources before anything is started that would only
// have to end again, should one of them be wrong.
func (a *App) startSources(context.Context) (err error) {
	// The API replays what is in quarantine by their decoders.
	if a.has(RoleReceiver) || a.servesAPI() {
		a.sources, err = newSourceMaker(time.Now, a.o.Logger.With("part", "receiver")).sources(a.o.Config.Sources)
	}
	return err
}

// sourceMaker makes the receiver's sources from the configured ones.
type sourceMaker struct {
	now func() time.Time
	log *slog.Logger
	// client fetches the keys that tokens are checked with.
	client *http.Client
}

// fetchTimeout bounds one fetch of keys: senders wait for it, some for 5 s.
const fetchTimeout = 4 * time.Second

func newSourceMaker(now func() time.Time, log *slog.Logger) sourceMaker {
	return sourceMaker{now: now, log: log, client: &http.Client{Timeout: fetchTimeout}}
}

// sources tells all that is wrong at once.
func (m sourceMaker) sources(configured []config.Source) ([]receiver.Source, error) {
	made := make([]receiver.Source, len(configured))
	var errs []error
	for i, s := range configured {
		decoder, err := decoderOf(s)
		if err != nil {
			errs = append(errs, err)
		}
		auth, err := m.authenticators(s.Auth)
		if err != nil {
			errs = append(errs, fmt.Errorf("source %q: %w", s.Name, err))
		}
		made[i] = receiver.Source{Name: s.Name, Decoder: decoder, Auth: auth, Allow: s.Allow}
	}
	return made, errors.Join(errs...)
}

// decoderOf is the list of source types.
func decoderOf(s config.Source) (receiver.Decoder, error) {
	switch s.Type {
	case "alertmanager":
		return &alertmanager.Decoder{}, nil
	case "azuremonitor":
		return &azuremonitor.Decoder{}, nil
	case "cloudevents":
		return &cloudevents.Decoder{}, nil
	case "grafana":
		return &grafana.Decoder{}, nil
	case "json":
		return mapped(s)
	case "pagerduty":
		return &pagerduty.Decoder{}, nil
	}
	return nil, fmt.Errorf("source %q: type %q: this version decodes %v", s.Name, s.Type, config.SourceTypes())
}

// mapped compiles a mapping. What is wrong in its CEL is told at its place in
// the configuration file.
func mapped(s config.Source) (receiver.Decoder, error) {
	m := s.Mapping
	if m == nil {
		return nil, fmt.Errorf("source %q: type json has no mapping", s.Name)
	}
	decoder, err := jsonmap.New(jsonmap.Mapping{
		Alerts: m.Alerts.Text, Name: m.Name.Text, Status: m.Status.Text, Severity: m.Severity.Text,
		Fingerprint: m.Fingerprint.Text, StartsAt: m.StartsAt.Text, URL: m.URL.Text,
		Labels: texts(m.Labels), Annotations: texts(m.Annotations),
	})
	if err == nil {
		return decoder, nil
	}
	mistakes, ok := errors.AsType[jsonmap.Mistakes](err)
	if !ok {
		return nil, fmt.Errorf("source %q: %w", s.Name, err)
	}
	problems := make(config.Problems, len(mistakes))
	for i, one := range mistakes {
		problems[i] = m.Problem(one.Field, one.Line, one.Column, one.Message)
	}
	slices.SortStableFunc(problems, func(a, b config.Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return nil, problems
}

func texts(expressions map[string]config.Expression) map[string]string {
	if expressions == nil {
		return nil
	}
	list := make(map[string]string, len(expressions))
	for name, e := range expressions {
		list[name] = e.Text
	}
	return list
}
