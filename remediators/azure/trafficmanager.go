package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// TrafficManagerEndpoint takes an endpoint of a Traffic Manager profile out of the
// answers to DNS queries or back in, or changes its weight. The target is the profile,
// so that no two runs take two endpoints of one profile away at once.
//
// The API of Traffic Manager has no ETags
// (https://learn.microsoft.com/rest/api/trafficmanager/endpoints/update): nothing
// refuses a late call. So the endpoint is read once more right before it is written,
// and a call without an answer is not repeated.
type TrafficManagerEndpoint struct{ setter }

// NewTrafficManagerEndpoint makes the action.
func NewTrafficManagerEndpoint(accounts Accounts) *TrafficManagerEndpoint {
	return &TrafficManagerEndpoint{setter{
		accounts: accounts,
		kinds:    []string{kindProfile},
		open:     func(at place, key string) setting { return endpointOf(at, key) },
	}}
}

const kindProfile = "Microsoft.Network/trafficManagerProfiles"

const endpointSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["endpoint"],
  "anyOf": [{"required": ["state"]}, {"required": ["weight"]}],
  "properties": {
    "endpoint": {"type": "string", "minLength": 1, "description": "The endpoint's name in the profile."},
    "type": {"enum": ["azureEndpoints", "externalEndpoints", "nestedEndpoints"], "description": "Only needed where endpoints of two types have the name."},
    "state": {"enum": ["enabled", "disabled"], "description": "Disabled endpoints are not answered with. The last endpoint that can be answered with is never disabled."},
    "weight": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "In a profile that routes by weight."}
  }
}`

type endpointParams struct {
	Endpoint string `json:"endpoint"`
	Type     string `json:"type"`
	State    string `json:"state"`
	Weight   *int64 `json:"weight"`
}

func endpointParamsOf(t engine.Task) (endpointParams, error) {
	var p endpointParams
	if err := decodeParams(t, &p); err != nil {
		return p, err
	}
	switch {
	case p.Endpoint == "":
		return p, badParams(t, "endpoint is missing: want the name of one in the profile")
	case p.Type != "" && p.Type != "azureEndpoints" && p.Type != "externalEndpoints" && p.Type != "nestedEndpoints":
		return p, badParams(t, "type is %q: want azureEndpoints, externalEndpoints or nestedEndpoints", p.Type)
	case p.State != "" && p.State != "enabled" && p.State != "disabled":
		return p, badParams(t, "state is %q: want enabled or disabled", p.State)
	case p.State == "" && p.Weight == nil:
		return p, badParams(t, "want state, weight or both")
	case p.Weight != nil && (*p.Weight < 1 || *p.Weight > 1000):
		return p, badParams(t, "weight is %d: want 1 to 1000", *p.Weight)
	}
	return p, nil
}

// Spec implements [remediators.Remediator].
func (*TrafficManagerEndpoint) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "azure.trafficmanager.endpoint",
		System:  engine.SystemAzure,
		Summary: "Enables or disables an endpoint of an Azure Traffic Manager profile, or sets its weight; never disables the last one that serves.",
		Params:  json.RawMessage(endpointSchema),
		Health:  true,
	}
}

// routed is what the action can change of an endpoint.
type routed struct {
	Status string `json:"status"`
	Weight int64  `json:"weight,omitempty"`
}

// Plan implements [remediators.Remediator].
func (e *TrafficManagerEndpoint) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := endpointParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	at, err := e.accounts.at(t.Target, kindProfile)
	if err != nil {
		return engine.Plan{}, err
	}
	profile, err := at.profile(ctx)
	if err != nil {
		return engine.Plan{}, err
	}
	found, err := profile.endpoint(params.Endpoint, params.Type)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("azure: profile %s: %w", at, err)
	}
	from := found.routed()
	to, health, err := profile.change(found, params)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("azure: endpoint %s of %s: %w", found.name, at, err)
	}
	p := engine.Plan{Target: at.target(), Health: &health}
	what, done := "", ""
	if to.Status != from.Status {
		p.Changes = append(p.Changes, engine.Change{Field: "properties.endpointStatus", From: from.Status, To: to.Status})
		verb := strings.TrimSuffix(strings.ToLower(to.Status), "d")
		what, done = verb+" ", verb+"d "
	}
	what, done = what+"endpoint "+found.name+" of "+at.String(), done+"endpoint "+found.name+" of "+at.String()
	if to.Weight != from.Weight {
		p.Changes = append(p.Changes, engine.Change{Field: "properties.weight", From: strconv.FormatInt(from.Weight, 10), To: strconv.FormatInt(to.Weight, 10)})
		weight := fmt.Sprintf("weight %d instead of %d", to.Weight, from.Weight)
		what, done = what+": "+weight, done+": "+weight
	}
	if p.Summary = what; to == from {
		p.Summary = what + " is " + strings.ToLower(from.Status) + " already"
		if params.Weight != nil {
			p.Summary += fmt.Sprintf(", with weight %d", from.Weight)
		}
	}
	seen, err := found.state()
	if err != nil {
		return engine.Plan{}, err
	}
	wanted, err := json.Marshal(to)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("azure: %s: %w", p.Summary, err)
	}
	return e.plan(t, p, intent{Key: found.key(), From: seen, To: wanted, Done: done})
}

// change works out what an endpoint is to be, and what that does to the health of its
// profile.
func (p profile) change(e endpoint, params endpointParams) (routed, engine.Health, error) {
	from := e.routed()
	to := from
	var health engine.Health
	others := 0 // that can be answered with
	for _, each := range p.endpoints {
		if !each.enabled() {
			continue
		}
		health.Total++
		if each.serves() {
			health.Healthy++
		}
		if each.serves() && each.key() != e.key() {
			others++
		}
	}
	switch {
	case params.State == "enabled":
		to.Status = string(armtrafficmanager.EndpointStatusEnabled)
	case params.State == "disabled" && e.enabled() && others == 0:
		return to, health, fmt.Errorf("it is not disabled: no other endpoint of the profile is enabled and can be answered with")
	case params.State == "disabled":
		to.Status = string(armtrafficmanager.EndpointStatusDisabled)
		if e.serves() {
			health.Disrupts = 1
		}
	}
	if params.Weight != nil {
		if p.routing != string(armtrafficmanager.TrafficRoutingMethodWeighted) {
			return to, health, fmt.Errorf("a weight has no effect: the profile routes by %s", p.routing)
		}
		to.Weight = *params.Weight
	}
	return to, health, nil
}
