package app

import (
	"context"
	"slices"

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

// catalog is what rules may call in this process, and which group does it.
func (a *App) catalog() rules.Catalog {
	c := a.tools.Catalog(ReporterNames())
	c.Groups = map[string]string{}
	for _, cluster := range a.o.Config.Clusters {
		if cluster.Group != "" {
			c.Groups[cluster.Name] = cluster.Group
		}
	}
	return c
}

// makeGroups makes what the workers of every group that rules can name find when
// they join: whoever decides makes it, since a worker's credentials cannot.
func (a *App) makeGroups(ctx context.Context) error {
	catalog := a.catalog()
	groups := map[string]bool{rules.DefaultGroup: true}
	for _, group := range catalog.Groups {
		groups[group] = true
	}
	for _, action := range catalog.Actions {
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
