package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// traffic is Traffic Manager behind the vendor's fake.
type traffic struct {
	mu       sync.Mutex
	profiles map[string]*armtrafficmanager.Profile
	effects  map[string]int
}

func newTraffic(t *testing.T) (*traffic, *front) {
	t.Helper()
	m := &traffic{profiles: map[string]*armtrafficmanager.Profile{}, effects: map[string]int{}}
	profiles := fake.NewProfilesServerTransport(&fake.ProfilesServer{Get: m.get})
	endpoints := fake.NewEndpointsServerTransport(&fake.EndpointsServer{Update: m.update})
	const profile = "/providers/Microsoft.Network/trafficmanagerprofiles/[^/]+"
	return m, newFront(t,
		route{http.MethodGet, profile, "ProfilesClient.Get", profiles},
		route{http.MethodPatch, profile + "/[^/]+/[^/]+", "EndpointsClient.Update", endpoints},
	)
}

func (m *traffic) get(_ context.Context, _, name string, _ *armtrafficmanager.ProfilesClientGetOptions) (
	resp azfake.Responder[armtrafficmanager.ProfilesClientGetResponse], failed azfake.ErrorResponder,
) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.profiles[name]; p != nil {
		resp.SetResponse(http.StatusOK, armtrafficmanager.ProfilesClientGetResponse{Profile: *p}, nil)
	} else {
		failed.SetResponseError(http.StatusNotFound, "ResourceNotFound")
	}
	return resp, failed
}

func (m *traffic) update(_ context.Context, _, name string, kind armtrafficmanager.EndpointType, endpoint string,
	patch armtrafficmanager.Endpoint, _ *armtrafficmanager.EndpointsClientUpdateOptions,
) (resp azfake.Responder[armtrafficmanager.EndpointsClientUpdateResponse], failed azfake.ErrorResponder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.find(name, string(kind), endpoint)
	if e == nil {
		failed.SetResponseError(http.StatusNotFound, "NotFound")
		return resp, failed
	}
	if s := patch.Properties.EndpointStatus; s != nil {
		e.Properties.EndpointStatus = s
		e.Properties.EndpointMonitorStatus = new(map[armtrafficmanager.EndpointStatus]armtrafficmanager.EndpointMonitorStatus{
			armtrafficmanager.EndpointStatusEnabled:  armtrafficmanager.EndpointMonitorStatusCheckingEndpoint,
			armtrafficmanager.EndpointStatusDisabled: armtrafficmanager.EndpointMonitorStatusDisabled,
		}[*s])
	}
	if w := patch.Properties.Weight; w != nil {
		e.Properties.Weight = w
	}
	m.effects[name]++
	resp.SetResponse(http.StatusOK, armtrafficmanager.EndpointsClientUpdateResponse{Endpoint: *e}, nil)
	return resp, failed
}

func (m *traffic) find(profile, kind, name string) *armtrafficmanager.Endpoint {
	if p := m.profiles[profile]; p != nil {
		for _, e := range p.Properties.Endpoints {
			if *e.Name == name && strings.HasSuffix(*e.Type, "/"+kind) {
				return e
			}
		}
	}
	return nil
}

// add makes a profile that routes by weight, with endpoints that are online.
func (m *traffic) add(names ...string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	profile := fmt.Sprintf("tm-%d", len(m.profiles))
	p := &armtrafficmanager.Profile{Properties: &armtrafficmanager.ProfileProperties{
		TrafficRoutingMethod: new(armtrafficmanager.TrafficRoutingMethodWeighted),
		MonitorConfig:        &armtrafficmanager.MonitorConfig{ProfileMonitorStatus: new(armtrafficmanager.ProfileMonitorStatusOnline)},
	}}
	for _, name := range names {
		p.Properties.Endpoints = append(p.Properties.Endpoints, &armtrafficmanager.Endpoint{
			Name: new(name), Type: new("Microsoft.Network/trafficManagerProfiles/externalEndpoints"),
			Properties: &armtrafficmanager.EndpointProperties{
				Target: new(name + ".example.org"), Weight: new(int64(1)),
				EndpointStatus:        new(armtrafficmanager.EndpointStatusEnabled),
				EndpointMonitorStatus: new(armtrafficmanager.EndpointMonitorStatusOnline),
			},
		})
	}
	m.profiles[profile] = p
	return profile
}

// with changes an endpoint by somebody else's hand.
func (m *traffic) with(profile, endpoint string, change func(*armtrafficmanager.EndpointProperties)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(m.find(profile, "externalEndpoints", endpoint).Properties)
}

func profileTarget(name string) engine.Target {
	return resource("/providers/Microsoft.Network/trafficManagerProfiles/" + name)
}

func (m *traffic) scene(params string) remediatortest.Scene {
	profile := m.add("korea", "japan")
	others := 0
	return remediatortest.Scene{
		Task: engine.Task{Target: profileTarget(profile), Params: json.RawMessage(params)},
		Effects: func(*testing.T) int {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.effects[profile]
		},
		Change: func(*testing.T) {
			others++
			m.with(profile, "korea", func(p *armtrafficmanager.EndpointProperties) {
				p.EndpointStatus, p.EndpointMonitorStatus = new(armtrafficmanager.EndpointStatusEnabled), new(armtrafficmanager.EndpointMonitorStatusOnline)
				p.Weight = new(int64(500 + others))
			})
		},
		State: func(*testing.T) (s string) {
			m.with(profile, "korea", func(p *armtrafficmanager.EndpointProperties) { s = fmt.Sprint(*p.EndpointStatus, *p.Weight) })
			return s
		},
	}
}

func TestTrafficManagerConforms(t *testing.T) {
	t.Parallel()
	for _, params := range []string{
		`{"endpoint": "korea", "state": "disabled"}`,
		`{"endpoint": "Korea", "type": "externalEndpoints", "weight": 7}`,
		`{"endpoint": "korea", "state": "disabled", "weight": 7}`,
	} {
		t.Run(params, func(t *testing.T) {
			t.Parallel()
			m, f := newTraffic(t)
			f.conforms(t, func(a Accounts) remediators.Remediator { return NewTrafficManagerEndpoint(a) },
				func(*testing.T) remediatortest.Scene { return m.scene(params) },
				engine.Task{Target: profileTarget("nobody"), Params: json.RawMessage(params)})
		})
	}
}

func planEndpoint(t *testing.T, f *front, profile, params string) (engine.Plan, error) {
	t.Helper()
	return NewTrafficManagerEndpoint(Accounts{"default": f.direct()}).Plan(t.Context(),
		engine.Task{ID: "t", Target: profileTarget(profile), Params: json.RawMessage(params)})
}

func TestTrafficManagerPlans(t *testing.T) {
	t.Parallel()
	m, f := newTraffic(t)
	profile := m.add("korea", "japan", "oregon")
	for name, c := range map[string]struct {
		params, summary string
		noop            bool
		health          engine.Health
	}{
		"disable": {`{"endpoint": "korea", "state": "disabled"}`, "disable endpoint korea of " + profile + " in default", false, engine.Health{Total: 3, Healthy: 3, Disrupts: 1}},
		"weight":  {`{"endpoint": "korea", "weight": 3}`, "endpoint korea of " + profile + " in default: weight 3 instead of 1", false, engine.Health{Total: 3, Healthy: 3}},
		"both": {
			`{"endpoint": "korea", "weight": 3, "state": "disabled"}`, "disable endpoint korea of " + profile + " in default: weight 3 instead of 1", false,
			engine.Health{Total: 3, Healthy: 3, Disrupts: 1},
		},
		"nothing":    {`{"endpoint": "korea", "state": "enabled"}`, "endpoint korea of " + profile + " in default is enabled already", true, engine.Health{Total: 3, Healthy: 3}},
		"its weight": {`{"endpoint": "korea", "weight": 1}`, "endpoint korea of " + profile + " in default is enabled already, with weight 1", true, engine.Health{Total: 3, Healthy: 3}},
	} {
		p, err := planEndpoint(t, f, profile, c.params)
		if err != nil || p.Summary != c.summary || p.Noop != c.noop || p.Health == nil || *p.Health != c.health {
			t.Errorf("%s: %+v %+v, %v", name, p, p.Health, err)
		}
	}
}

func TestTrafficManagerRefuses(t *testing.T) {
	t.Parallel()
	m, f := newTraffic(t)
	profile, alone, sick, byPriority := m.add("korea", "japan"), m.add("korea"), m.add("korea", "japan"), m.add("korea", "japan")
	m.with(sick, "japan", func(p *armtrafficmanager.EndpointProperties) {
		p.EndpointMonitorStatus = new(armtrafficmanager.EndpointMonitorStatusDegraded)
	})
	m.profiles[byPriority].Properties.TrafficRoutingMethod = new(armtrafficmanager.TrafficRoutingMethodPriority)
	for name, c := range map[string]struct{ profile, params, says string }{
		"no endpoint":         {profile, `{"state": "disabled"}`, "endpoint is missing"},
		"an unknown one":      {profile, `{"endpoint": "mars", "state": "disabled"}`, "there are korea, japan"},
		"an unknown type":     {profile, `{"endpoint": "korea", "type": "pod", "state": "disabled"}`, `type is "pod"`},
		"another type":        {profile, `{"endpoint": "korea", "type": "azureEndpoints", "state": "disabled"}`, "no endpoint is called"},
		"nothing to do":       {profile, `{"endpoint": "korea"}`, "want state, weight or both"},
		"an unknown state":    {profile, `{"endpoint": "korea", "state": "off"}`, `state is "off"`},
		"too much weight":     {profile, `{"endpoint": "korea", "weight": 1001}`, "want 1 to 1000"},
		"no weight":           {profile, `{"endpoint": "korea", "weight": 0}`, "want 1 to 1000"},
		"the last one":        {alone, `{"endpoint": "korea", "state": "disabled"}`, "no other endpoint"},
		"the last one online": {sick, `{"endpoint": "korea", "state": "disabled"}`, "no other endpoint"},
		"a weight of none":    {byPriority, `{"endpoint": "korea", "weight": 2}`, "routes by Priority"},
		"a profile of nobody": {"nobody", `{"endpoint": "korea", "weight": 2}`, "there is none: HTTP 404 Not Found (ResourceNotFound)"},
	} {
		if _, err := planEndpoint(t, f, c.profile, c.params); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// Without an answer only the activity log can tell that the call was the task's.
func TestTheActivityLogTells(t *testing.T) {
	t.Parallel()
	m, f := newTraffic(t)
	scene := m.scene(`{"endpoint": "korea", "state": "disabled"}`)
	action := NewTrafficManagerEndpoint(Accounts{"default": f.direct()})
	task := scene.Task
	task.ID = "run-1/0/azure.trafficmanager.endpoint/execute/1"
	p, err := action.Plan(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	f.logged("another", "Succeeded")
	f.logged(task.ID, "Failed")
	f.logged(task.ID, "Started")
	if effect, err := action.Observe(t.Context(), task, p); effect != engine.Unknown || err != nil {
		t.Errorf("%s, %v", effect, err)
	}
	f.logged(task.ID, "Succeeded")
	if effect, err := action.Observe(t.Context(), task, p); effect != engine.Applied || err != nil {
		t.Errorf("%s, %v", effect, err)
	}
}

// Nothing at Azure refuses a stale plan here, so the action looks before it writes.
func TestAStaleEndpointIsLeftAlone(t *testing.T) {
	t.Parallel()
	m, f := newTraffic(t)
	action := NewTrafficManagerEndpoint(Accounts{"default": f.direct()})
	for name, change := range map[string]func(*armtrafficmanager.EndpointProperties){
		"its state": func(p *armtrafficmanager.EndpointProperties) {
			p.EndpointStatus = new(armtrafficmanager.EndpointStatusDisabled)
		},
		"its weight":        func(p *armtrafficmanager.EndpointProperties) { p.Weight = new(int64(9)) },
		"where it leads to": func(p *armtrafficmanager.EndpointProperties) { p.Target = new("elsewhere.example.org") },
		"its priority":      func(p *armtrafficmanager.EndpointProperties) { p.Priority = new(int64(3)) },
	} {
		profile := m.add("korea", "japan")
		task := engine.Task{ID: "t", Target: profileTarget(profile), Params: json.RawMessage(`{"endpoint": "korea", "state": "disabled"}`)}
		p, err := action.Plan(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		m.with(profile, "korea", change)
		if _, err := action.Execute(t.Context(), task, p); remediators.ClassOf(err) != engine.ClassPlanChanged || m.effects[profile] != 0 {
			t.Errorf("%s: %v, after %d changes", name, err, m.effects[profile])
		}
	}
}
