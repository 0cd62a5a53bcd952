package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"

	"github.com/tripgen/paramedic/remediators"
)

// profile is a Traffic Manager profile as far as it is looked at.
type profile struct {
	routing   string
	monitor   string
	endpoints []endpoint
}

// endpoint is one of a profile's.
type endpoint struct {
	kind, name string // the kind as in a path: azureEndpoints
	properties armtrafficmanager.EndpointProperties
}

// profile reads the profile that the place is.
func (p place) profile(ctx context.Context) (profile, error) {
	answer, err := p.clients.profiles.Get(ctx, p.id.ResourceGroupName, p.id.Name, nil)
	if err != nil {
		return profile{}, p.readFailed(ctx, "profile "+p.String(), err)
	}
	if answer.Properties == nil {
		return profile{}, remediators.Retryable(0, "azure: profile %s: the answer has no properties", p)
	}
	read := profile{routing: text(answer.Properties.TrafficRoutingMethod)}
	if m := answer.Properties.MonitorConfig; m != nil {
		read.monitor = text(m.ProfileMonitorStatus)
	}
	for _, e := range answer.Properties.Endpoints {
		if e == nil || e.Name == nil || e.Type == nil || e.Properties == nil {
			return profile{}, remediators.Retryable(0, "azure: profile %s: the answer has an endpoint without a name, a type or properties", p)
		}
		kind := (*e.Type)[strings.LastIndex(*e.Type, "/")+1:]
		read.endpoints = append(read.endpoints, endpoint{kind: kind, name: *e.Name, properties: *e.Properties})
	}
	return read, nil
}

// text is what a pointer of the SDK's models points at.
func text[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// endpoint finds one by its name, and by its kind if that is given.
func (p profile) endpoint(name, kind string) (endpoint, error) {
	var found []endpoint
	var names []string
	for _, e := range p.endpoints {
		names = append(names, e.name)
		if strings.EqualFold(e.name, name) && (kind == "" || strings.EqualFold(e.kind, kind)) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return endpoint{}, fmt.Errorf("no endpoint is called %q: there are %s", name, strings.Join(names, ", "))
	}
	return endpoint{}, fmt.Errorf("endpoints of several types are called %q: give the type", name)
}

// key names it in its profile.
func (e endpoint) key() string { return e.kind + "/" + e.name }

func (e endpoint) enabled() bool {
	return text(e.properties.EndpointStatus) == string(armtrafficmanager.EndpointStatusEnabled)
}

// serves reports whether Traffic Manager answers with it, or is about to find out.
func (e endpoint) serves() bool {
	return e.enabled() && slices.Contains([]string{
		string(armtrafficmanager.EndpointMonitorStatusOnline),
		string(armtrafficmanager.EndpointMonitorStatusCheckingEndpoint),
		string(armtrafficmanager.EndpointMonitorStatusUnmonitored),
	}, text(e.properties.EndpointMonitorStatus))
}

func (e endpoint) routed() routed {
	r := routed{Status: text(e.properties.EndpointStatus)}
	if e.properties.Weight != nil {
		r.Weight = *e.properties.Weight
	}
	return r
}

// state is the endpoint's, with where it leads to and its priority as the rest.
func (e endpoint) state() (state, error) {
	value, err := json.Marshal(e.routed())
	if err != nil {
		return state{}, remediators.Terminal("azure: endpoint %s does not encode: %w", e.name, err)
	}
	rest := text(e.properties.Target) + " " + text(e.properties.TargetResourceID)
	if e.properties.Priority != nil {
		rest += fmt.Sprint(" ", *e.properties.Priority)
	}
	return state{Value: value, Rest: rest}, nil
}

// endpointSetting is an endpoint as something that is set.
type endpointSetting struct {
	at         place
	kind, name string
}

func endpointOf(at place, key string) endpointSetting {
	kind, name, _ := strings.Cut(key, "/")
	return endpointSetting{at: at, kind: kind, name: name}
}

func (s endpointSetting) String() string { return "endpoint " + s.name + " of " + s.at.String() }

func (s endpointSetting) read(ctx context.Context) (state, error) {
	profile, err := s.at.profile(ctx)
	if err != nil {
		return state{}, err
	}
	e, err := profile.endpoint(s.name, s.kind)
	if err != nil {
		return state{}, remediators.Terminal("azure: profile %s: %w: %w", s.at, errNotFound, err)
	}
	return e.state()
}

// write patches what is to be another, and nothing else.
func (s endpointSetting) write(ctx context.Context, from state, to json.RawMessage, _ marks) (*operation, error) {
	var is, want routed
	if err := errors.Join(json.Unmarshal(from.Value, &is), json.Unmarshal(to, &want)); err != nil {
		return nil, remediators.Terminal("azure: %s: %w", s, err)
	}
	var body armtrafficmanager.EndpointProperties
	if is.Status != want.Status {
		body.EndpointStatus = new(armtrafficmanager.EndpointStatus(want.Status))
	}
	if is.Weight != want.Weight {
		body.Weight = new(want.Weight)
	}
	answer, err := s.at.clients.endpoints.Update(ctx, s.at.id.ResourceGroupName, s.at.id.Name,
		armtrafficmanager.EndpointType(s.kind), s.name, armtrafficmanager.Endpoint{Properties: &body}, nil)
	if err != nil {
		return nil, err
	}
	if answer.Properties == nil || (endpoint{properties: *answer.Properties}).routed() != want {
		return nil, remediators.UnknownOutcome("azure: %s: answered with success, but not with what was asked for", s)
	}
	return nil, nil
}
