package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// probed says which resource a probe looks at; by default the target's.
type probed struct {
	Azure    string `json:"azure"`
	Resource string `json:"resource"`
}

// probedProperties is the part of a JSON Schema that describes it.
const probedProperties = `
    "azure": {"type": "string", "minLength": 1, "description": "The account's name in the configuration; by default the target's."},
    "resource": {"type": "string", "minLength": 1, "description": "The resource's id; by default the target's."}`

func (p probed) at(accounts Accounts, target engine.Target, kind string) (place, error) {
	if p.Azure == "" && p.Resource == "" && target.System != engine.SystemAzure {
		return place{}, remediators.Terminal("the target is no Azure resource: write azure and resource")
	}
	if p.Azure != "" || p.Resource != "" {
		named := engine.Target{System: engine.SystemAzure, Account: p.Azure, Name: strings.ToLower(p.Resource)}
		if named.Account == "" {
			named.Account = target.Account
		}
		if named.Name == "" {
			named.Name = target.Name
		}
		target = named
	}
	return accounts.at(target, kind)
}

// TrafficManagerProbe asks how Traffic Manager sees a profile, or one endpoint of it.
type TrafficManagerProbe struct{ accounts Accounts }

// NewTrafficManagerProbe makes the prober.
func NewTrafficManagerProbe(accounts Accounts) *TrafficManagerProbe {
	return &TrafficManagerProbe{accounts}
}

// Spec implements [verify.Prober].
func (*TrafficManagerProbe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    "azure.trafficmanager",
		Summary: "An Azure Traffic Manager profile, or an endpoint of it, is monitored as expected.",
		Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "dependentRequired": {"state": ["endpoint"], "type": ["endpoint"]},
  "properties": {` + probedProperties + `,
    "endpoint": {"type": "string", "minLength": 1, "description": "The endpoint's name; without it the profile is looked at."},
    "type": {"enum": ["azureEndpoints", "externalEndpoints", "nestedEndpoints"], "description": "Only needed where endpoints of two types have the name."},
    "state": {"enum": ["enabled", "disabled"], "description": "What it is set to."},
    "monitor": {"enum": ["online", "degraded", "disabled", "inactive", "checkingEndpoint", "checkingEndpoints", "stopped", "unmonitored"], "description": "What Traffic Manager finds it to be; online by default, unless state is given."}
  }
}`),
	}
}

// Probe implements [verify.Prober].
func (p *TrafficManagerProbe) Probe(ctx context.Context, target engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: p.Spec().Kind}
	var params struct {
		probed
		Endpoint string `json:"endpoint"`
		Type     string `json:"type"`
		State    string `json:"state"`
		Monitor  string `json:"monitor"`
	}
	if err := decodeProbe(raw, &params); err != nil {
		return check, remediators.Terminal("parameters of %s: %w", check.Kind, err)
	}
	if params.Endpoint == "" && (params.State != "" || params.Type != "") {
		return check, remediators.Terminal("parameters of %s: state and type are an endpoint's: name it", check.Kind)
	}
	at, err := params.at(p.accounts, target, kindProfile)
	if err != nil {
		return check, err
	}
	profile, err := at.profile(ctx)
	if err != nil {
		return check, err
	}
	if params.Monitor == "" && params.State == "" {
		params.Monitor = "online"
	}
	what, state, monitor := "profile "+at.String(), "", profile.monitor
	if params.Endpoint != "" {
		e, err := profile.endpoint(params.Endpoint, params.Type)
		if err != nil {
			return check, remediators.Terminal("azure: profile %s: %w", at, err)
		}
		what, state, monitor = "endpoint "+e.name+" of "+at.String(), text(e.properties.EndpointStatus), text(e.properties.EndpointMonitorStatus)
	}
	check.OK = (params.State == "" || strings.EqualFold(state, params.State)) && (params.Monitor == "" || strings.EqualFold(monitor, params.Monitor))
	check.Detail = strings.TrimSpace(fmt.Sprintf("%s: %s %s", what, state, monitor))
	return check, nil
}

// CosmosDBProbe asks whether a Cosmos DB account is as it should be, and which region
// it is written to in.
type CosmosDBProbe struct{ accounts Accounts }

// NewCosmosDBProbe makes the prober.
func NewCosmosDBProbe(accounts Accounts) *CosmosDBProbe { return &CosmosDBProbe{accounts} }

// Spec implements [verify.Prober].
func (*CosmosDBProbe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    "azure.cosmosdb",
		Summary: "An Azure Cosmos DB account is online, and written to in the region that is expected.",
		Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "properties": {` + probedProperties + `,
    "writeRegion": {"type": "string", "minLength": 1, "description": "The region that must be written to, such as Japan East."}
  }
}`),
	}
}

// Probe implements [verify.Prober].
func (p *CosmosDBProbe) Probe(ctx context.Context, target engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: p.Spec().Kind}
	var params struct {
		probed
		WriteRegion string `json:"writeRegion"`
	}
	if err := decodeProbe(raw, &params); err != nil {
		return check, remediators.Terminal("parameters of %s: %w", check.Kind, err)
	}
	at, err := params.at(p.accounts, target, kindCosmosDB)
	if err != nil {
		return check, err
	}
	c, err := at.cosmosDB(ctx)
	if err != nil {
		return check, err
	}
	check.OK = c.Properties.State == succeeded
	written := false
	var regions []string
	for _, w := range c.Properties.Writes {
		regions = append(regions, w.Location+" ("+w.State+")")
		check.OK = check.OK && w.State == succeeded
		written = written || folded(w.Location) == folded(params.WriteRegion)
	}
	check.OK = check.OK && len(regions) > 0 && (written || params.WriteRegion == "")
	check.Detail = fmt.Sprintf("Cosmos DB account %s: %s, written to in %s", at, c.Properties.State, strings.Join(regions, ", "))
	return check, nil
}

// decodeProbe reads a probe's parameters; none at all are an empty object.
func decodeProbe(raw json.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	return remediators.DecodeParams(raw, v)
}
