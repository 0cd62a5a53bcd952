package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Probe is the prober behind `promql`.
type Probe struct{ servers Servers }

// NewProbe makes the prober.
func NewProbe(servers Servers) *Probe { return &Probe{servers: servers} }

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    "promql",
		Summary: "Every series that a PromQL query gives is above, below or equal to a number, or to what another query gives.",
		Params:  json.RawMessage(schema),
	}
}

// Probe implements [verify.Prober]. A server that cannot be reached is an error: it
// is not what is asked about.
func (p *Probe) Probe(ctx context.Context, _ engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: p.Spec().Kind}
	params, err := paramsOf(raw)
	if err != nil {
		return check, remediators.Terminal("parameters of promql: %w", err)
	}
	server, err := p.servers.named(params.Server)
	if err != nil {
		return check, fmt.Errorf("parameters of promql: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, params.timeout)
	defer cancel()
	found, err := server.ask(ctx, params.Query, params.timeout)
	if err != nil {
		return check, fmt.Errorf("promql: %w", err)
	}
	if len(found.series) == 0 {
		check.OK, check.Detail = params.Empty == emptyPasses, "the query has no result"
		if !check.OK {
			check.Detail += "; where that is well, write empty: pass"
		}
		check.Detail += warned(found.warnings)
		return check, nil
	}
	compare := params.comparison()
	var baseline *answer
	if compare.to.query != "" {
		other, err := server.ask(ctx, compare.to.query, params.timeout)
		if err != nil {
			return check, fmt.Errorf("promql: threshold: %w", err)
		}
		baseline = &other
		found.warnings = append(found.warnings, other.warnings...)
	}
	check.OK, check.Detail = compare.all(found.series, baseline)
	check.Detail += warned(found.warnings)
	return check, nil
}

// mostWarning bounds what is shown of the server's warnings, in bytes.
const mostWarning = 300

func warned(warnings []string) string {
	if len(warnings) == 0 {
		return ""
	}
	warnings = slices.Clone(warnings)
	slices.Sort(warnings)
	text := strings.Join(slices.Compact(warnings), "; ")
	if len(text) > mostWarning {
		text = strings.ToValidUTF8(text[:mostWarning], "") + "..."
	}
	return "; the server warns: " + text
}
