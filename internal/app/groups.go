package app

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// joins is the worker group for which this process only joins a bus that others
// have set up: it does nothing else than work, so its credentials may allow that
// group's subjects only. It is empty for every other process.
func (a *App) joins() string {
	other := func(r Role) bool { return r != RoleWorker }
	if !a.has(RoleWorker) || slices.ContainsFunc(a.o.Roles, other) || a.o.Config.Bus.URL == "" {
		return ""
	}
	return a.o.Config.Worker.Group
}

// Configured describes the tools to the rule language, together with what a
// configuration adds: actions of workers in other languages, and the groups that
// work on clusters. It reads the files of the actions' schemas.
func (t Tools) Configured(c *config.Config) (rules.Catalog, error) {
	catalog := t.Catalog(ReporterNames())
	catalog.Groups = map[string]string{}
	for _, cluster := range c.Clusters {
		if cluster.Group != "" {
			catalog.Groups[cluster.Name] = cluster.Group
		}
	}
	for _, a := range c.Actions {
		if _, taken := catalog.Actions[a.Name]; taken || a.Name == engine.VerifyAction {
			return rules.Catalog{}, fmt.Errorf("action %q: this program has one of that name itself: choose another", a.Name)
		}
		schema, err := os.ReadFile(a.Params)
		if err != nil {
			return rules.Catalog{}, fmt.Errorf("action %q: the schema of its parameters: %w", a.Name, err)
		}
		if !json.Valid(schema) {
			return rules.Catalog{}, fmt.Errorf("action %q: %s is no JSON: write the JSON Schema of its parameters there", a.Name, a.Params)
		}
		catalog.Actions[a.Name] = rules.ActionSpec{System: a.System, Schema: schema, Group: a.Group, Undoable: a.Undo, Health: a.Health}
	}
	return catalog, nil
}

// makeGroups makes what the workers of every group that rules can name find when
// they join: whoever decides makes it, since a worker's credentials cannot.
func (a *App) makeGroups(ctx context.Context) error {
	groups := map[string]bool{rules.DefaultGroup: true}
	for _, group := range a.catalog.Groups {
		groups[group] = true
	}
	for _, action := range a.catalog.Actions {
		if action.Group != "" {
			groups[action.Group] = true
		}
	}
	for group := range groups {
		if err := a.bus.EnsureClaims(ctx, group); err != nil {
			return err
		}
		for _, queue := range []string{group, engine.VerifyGroup(group)} {
			if err := a.bus.EnsureWork(ctx, queue, a.o.AckWait); err != nil {
				return err
			}
		}
	}
	return nil
}
