package azure

import (
	"net/http"
	"strings"
)

// Endpoint is one of a profile of Traffic Manager, an external one.
type Endpoint struct {
	// Name and Target are its own; without a target it is at NAME.example.org.
	Name, Target string
	// Status is Enabled or Disabled, and Monitor what Traffic Manager finds it to be; Enabled and Online if empty.
	Status, Monitor string
	Weight          int
}

// profile is one of Traffic Manager. It has no ETag, as the real one's API has none.
type profile struct {
	name      string
	endpoints []*Endpoint
}

// AddProfile makes a profile that routes by priority, and returns its id.
func (c *Cloud) AddProfile(name string, endpoints ...Endpoint) string {
	p := &profile{name: name}
	for _, e := range endpoints {
		if e.Target == "" {
			e.Target = e.Name + ".example.org"
		}
		if e.Status == "" {
			e.Status = "Enabled"
		}
		if e.Monitor == "" {
			e.Monitor = "Online"
		}
		if e.Weight == 0 {
			e.Weight = 1
		}
		p.endpoints = append(p.endpoints, &e)
	}
	return c.add("Microsoft.Network/trafficManagerProfiles/"+name, p)
}

// add makes a resource, and returns its id.
func (c *Cloud) add(name string, r resource) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := group + "/providers/" + name
	c.resources[strings.ToLower(id)] = r
	return id
}

// Endpoint is one of a profile, as it is now. The name of the profile is that which it was made with.
func (c *Cloud) Endpoint(profileName, name string) Endpoint {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.profile(profileName).endpoint(name); e != nil {
		return *e
	}
	return Endpoint{}
}

// SetMonitor says what Traffic Manager finds an endpoint to be.
func (c *Cloud) SetMonitor(profileName, name, monitor string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.profile(profileName).endpoint(name); e != nil {
		e.Monitor = monitor
	}
}

func (c *Cloud) profile(name string) *profile {
	for _, r := range c.resources {
		if p, ok := r.(*profile); ok && p.name == name {
			return p
		}
	}
	return &profile{}
}

func (p *profile) endpoint(name string) *Endpoint {
	for _, e := range p.endpoints {
		if strings.EqualFold(e.Name, name) {
			return e
		}
	}
	return nil
}

const externalEndpoints = "externalEndpoints"

func (*profile) version() string { return "2022-04-01" }

func (p *profile) serve(r request) (answer, *change, error) {
	kind, name, _ := strings.Cut(r.rest, "/")
	switch {
	case r.rest == "" && r.method == http.MethodGet:
		return answer{status: http.StatusOK, body: p.shown()}, nil, nil
	case !strings.EqualFold(kind, externalEndpoints) || p.endpoint(name) == nil:
		return refusal(http.StatusNotFound, "NotFound", "there is no endpoint %s", r.rest), nil, nil
	case r.method == http.MethodGet:
		return answer{status: http.StatusOK, body: p.endpoint(name).shown()}, nil, nil
	case r.method != http.MethodPatch && r.method != http.MethodPut:
		return answer{}, nil, strangef("an endpoint knows no %s", r.method)
	}
	var asked struct {
		Properties struct {
			Target string `json:"target"`
			Status string `json:"endpointStatus"`
			Weight int    `json:"weight"`
		} `json:"properties"`
	}
	if err := decode(r.body, &asked); err != nil {
		return answer{}, nil, err
	}
	to := asked.Properties
	switch {
	case to.Status != "" && to.Status != "Enabled" && to.Status != "Disabled":
		return answer{}, nil, strangef("endpointStatus is %q", to.Status)
	case to.Weight < 0 || to.Weight > 1000:
		return answer{}, nil, strangef("weight is %d", to.Weight)
	case r.method == http.MethodPut && to.Target == "":
		return answer{}, nil, strangef("a PUT without a target")
	case to.Status == "" && to.Weight == 0:
		return answer{}, nil, strangef("nothing is to be changed")
	}
	return answer{}, &change{kind: EndpointChange, apply: func(Fault) (answer, bool) {
		e := p.endpoint(name)
		if to.Status != "" {
			e.Status = to.Status
			e.Monitor = map[string]string{"Enabled": "Online", "Disabled": "Disabled"}[to.Status]
		}
		if to.Weight != 0 {
			e.Weight = to.Weight
		}
		return answer{status: http.StatusOK, body: e.shown()}, true
	}}, nil
}

func (p *profile) shown() map[string]any {
	monitor := "Inactive"
	shown := []any{}
	for _, e := range p.endpoints {
		if e.Monitor == "Online" {
			monitor = "Online"
		}
		shown = append(shown, e.shown())
	}
	return map[string]any{"name": p.name, "type": "Microsoft.Network/trafficManagerProfiles", "location": "global", "properties": map[string]any{
		"trafficRoutingMethod": "Priority", "profileStatus": "Enabled", "monitorConfig": map[string]any{"profileMonitorStatus": monitor}, "endpoints": shown,
	}}
}

func (e *Endpoint) shown() map[string]any {
	return map[string]any{"name": e.Name, "type": "Microsoft.Network/trafficManagerProfiles/" + externalEndpoints, "properties": map[string]any{
		"target": e.Target, "endpointStatus": e.Status, "endpointMonitorStatus": e.Monitor, "weight": e.Weight,
	}}
}
