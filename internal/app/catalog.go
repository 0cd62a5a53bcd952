package app

import (
	"time"

	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	httpremediator "github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/tcp"
	"github.com/tripgen/paramedic/rules"
)

// Tools are the actions and probes of this build.
type Tools struct {
	Remediators *remediators.Registry
	Probers     *verify.Registry
}

// NewTools lists them. Without clusters they can be described, not used.
func NewTools(clusters kubernetes.Clusters, now func() time.Time, version string) (Tools, error) {
	client := httpremediator.NewClient(version, nil)
	actions, err := remediators.NewRegistry(
		kubernetes.NewRestart(clusters, now),
		kubernetes.NewScale(clusters),
		httpremediator.NewRequest(client, now),
	)
	if err != nil {
		return Tools{}, err
	}
	probers, err := verify.NewRegistry(
		kubernetes.NewRollout(clusters),
		httpremediator.NewProbe(client, now),
		tcp.NewProbe(),
	)
	return Tools{Remediators: actions, Probers: probers}, err
}

// Catalog describes the tools to the rule language.
func (t Tools) Catalog(reporters []string) rules.Catalog {
	c := rules.Catalog{
		Actions: map[string]rules.ActionSpec{}, Probes: map[string]rules.ProbeSpec{}, Reporters: reporters,
		Triggers: TriggerKinds(),
	}
	for _, name := range t.Remediators.Names() {
		m, _ := t.Remediators.Get(name)
		s := m.Spec()
		_, undoable := m.(remediators.Undoer)
		c.Actions[name] = rules.ActionSpec{System: s.System, Schema: s.Params, Undoable: undoable, Health: s.Health}
	}
	for _, s := range t.Probers.Specs() {
		c.Probes[s.Kind] = rules.ProbeSpec{System: s.System, Schema: s.Params}
	}
	return c
}
