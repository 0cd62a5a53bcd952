package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

const kind = "alertmanager"

// Probe is the prober behind `alertmanager`.
type Probe struct{ servers Servers }

// NewProbe makes the prober.
func NewProbe(servers Servers) *Probe { return &Probe{servers: servers} }

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    kind,
		Summary: "No alert with these matchers fires at an Alertmanager.",
		Params:  json.RawMessage(schema),
	}
}

// Probe implements [verify.Prober]. A server that cannot be reached is an error: it
// is not what is asked about.
func (p *Probe) Probe(ctx context.Context, _ engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: kind}
	params, err := paramsOf(raw)
	if err != nil {
		return check, remediators.Terminal("parameters of %s: %w", kind, err)
	}
	server, err := p.servers.named(params.Server)
	if err != nil {
		return check, fmt.Errorf("parameters of %s: %w", kind, err)
	}
	ctx, cancel := context.WithTimeout(ctx, params.timeout)
	defer cancel()
	found, err := server.firing(ctx, params.Matchers)
	if err != nil {
		return check, fmt.Errorf("%s: %w", kind, err)
	}
	asked := brief(strings.Join(params.Matchers, ", "))
	if len(found) == 0 {
		check.OK, check.Detail = true, "no alert fires with "+asked
		return check, nil
	}
	check.Detail = fmt.Sprintf("%d firing with %s: %s", len(found), asked, shown(found))
	return check, nil
}

const (
	// mostShown is how many alerts are named, mostText how long a text is, in bytes.
	mostShown = 3
	mostText  = 200
)

func shown(alerts []alert) string {
	more := ""
	if n := len(alerts) - mostShown; n > 0 {
		alerts, more = alerts[:mostShown], fmt.Sprintf("; and %d more", n)
	}
	names := make([]string, 0, len(alerts))
	for _, a := range alerts {
		pairs := make([]string, 0, len(a.Labels))
		for _, name := range slices.Sorted(maps.Keys(a.Labels)) {
			pairs = append(pairs, fmt.Sprintf("%s=%q", name, a.Labels[name]))
		}
		names = append(names, brief("{"+strings.Join(pairs, ", ")+"}"))
	}
	return strings.Join(names, "; ") + more
}

func brief(text string) string {
	if len(text) > mostText {
		return strings.ToValidUTF8(text[:mostText], "") + "..."
	}
	return text
}
