package report

import (
	"context"
	"log/slog"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/engine"
)

// nowhere is the reporter of a route that leads to none.
const nowhere = ""

// routing decides which notices go to one reporter.
type routing struct {
	names map[string]bool // the reporters there are
	own   string
	all   bool
}

// resolve names the reporter of a route.
func (r routing) resolve(to engine.Route) string {
	if one := to.Reporter + "/" + to.To; to.To != "" && r.names[one] {
		return one
	}
	if r.names[to.Reporter] {
		return to.Reporter
	}
	return nowhere
}

// take returns the notice with the reporter's own routes, and whether it wants it at all.
func (r routing) take(n Notice) (Notice, bool) {
	var own []engine.Route
	for _, route := range n.Routes {
		if r.resolve(route) == r.own && !slices.Contains(own, route) {
			own = append(own, route)
		}
	}
	n.Routes = own
	return n, r.all || len(own) > 0
}

const unroutedName = "unrouted"

// unrouted gets the notices whose routes lead nowhere: a rule names a reporter that is not configured.
type unrouted struct {
	log   *slog.Logger
	count *prometheus.CounterVec
	told  map[string]bool
}

// Name is what the progress is kept under.
func (u *unrouted) Name() string { return unroutedName }

// Report counts, and tells of each name once.
func (u *unrouted) Report(ctx context.Context, n Notice) error {
	for _, route := range n.Routes {
		u.count.WithLabelValues(route.Reporter).Inc()
		name := route.Reporter + "/" + route.To
		if u.told[name] {
			continue
		}
		u.told[name] = true
		u.log.LogAttrs(ctx, slog.LevelError, "a rule reports to a reporter that is not configured: add it under reporters, or change the rule",
			slog.String("rule", n.Rule), slog.String("reporter", route.Reporter), slog.String("to", route.To))
	}
	return nil
}
