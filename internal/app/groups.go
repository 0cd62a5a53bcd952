package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

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
	catalog.Groups = groupsOf(c)
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

// groupsOf are the worker groups of what a configuration can reach, or knows that
// others do.
func groupsOf(c *config.Config) rules.Groups {
	g := rules.Groups{Clusters: map[string]string{}, Redis: map[string]string{}, Azure: map[string]string{}}
	for _, cluster := range c.Clusters {
		g.Clusters[cluster.Name] = cluster.Group
	}
	for _, r := range c.Redis {
		g.Redis[r.Name] = r.Group
	}
	for _, account := range c.Azure {
		g.Azure[account.Name] = account.Group
	}
	return g
}

// checkReach holds that a worker can reach what its group is to work on.
func (a *App) checkReach() error {
	c := a.o.Config
	own := func(group string, reachable bool) bool {
		return a.has(RoleWorker) && group == c.Worker.Group && !reachable
	}
	const works = "its group is %q, and this process works for that group: write how to reach it"
	for _, cluster := range c.Clusters {
		if own(cluster.Group, cluster.Reachable()) {
			return fmt.Errorf("cluster %q: "+works+", {kubeconfig: FILE, context: NAME} or {inCluster: true}", cluster.Name, cluster.Group)
		}
	}
	for _, r := range c.Redis {
		if own(r.Group, r.Reachable()) {
			return fmt.Errorf("redis %q: "+works+", with address, sentinel or cluster", r.Name, r.Group)
		}
	}
	for _, account := range c.Azure {
		if own(account.Group, account.Reachable()) {
			return fmt.Errorf("azure account %q: "+works+", with subscription and credential", account.Name, account.Group)
		}
	}
	return nil
}

// knownGroups are the worker groups that rules can send tasks to, sorted.
func knownGroups(c rules.Catalog) []string {
	groups := map[string]bool{rules.DefaultGroup: true}
	for _, of := range []map[string]string{c.Groups.Clusters, c.Groups.Redis, c.Groups.Azure} {
		for _, group := range of {
			groups[group] = true
		}
	}
	for _, action := range c.Actions {
		groups[action.Group] = true
	}
	delete(groups, "")
	return slices.Sorted(maps.Keys(groups))
}

// checkLookers refuses rules whose probes are to be taken by a group that nobody
// works for.
func checkLookers(set *rules.Set, c rules.Catalog) error {
	known := knownGroups(c)
	var errs []error
	for _, r := range set.Rules() {
		for _, attempt := range r.Attempts {
			if attempt.From != "" && !slices.Contains(known, attempt.From) {
				errs = append(errs, fmt.Errorf("rule %s: attempt %s: from: %s is no worker group that this configuration knows, which are %s: give it to what its workers work on, as clusters: {NAME: {group: %s}}",
					r.Name, attempt.Name, attempt.From, strings.Join(known, ", "), attempt.From))
			}
		}
	}
	return errors.Join(errs...)
}

// makeGroups makes what the workers of every group that rules can name find when
// they join: whoever decides makes it, since a worker's credentials cannot.
func (a *App) makeGroups(ctx context.Context) error {
	for _, group := range knownGroups(a.catalog) {
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
