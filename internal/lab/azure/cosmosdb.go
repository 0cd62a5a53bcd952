package azure

import (
	"net/http"
	"slices"
)

const (
	succeeded  = "Succeeded"
	inProgress = "InProgress"
)

// account is one of Cosmos DB.
type account struct {
	cloud   *Cloud
	name    string
	regions []string // by their priority
	doing   *operation
}

// AddCosmosDB makes an account that is written to in the first of its regions, and returns its id.
func (c *Cloud) AddCosmosDB(name string, regions ...string) string {
	return c.add("Microsoft.DocumentDB/databaseAccounts/"+name, &account{cloud: c, name: name, regions: regions})
}

// Regions are those of a Cosmos DB account, by their priority.
func (c *Cloud) Regions(name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.resources {
		if a, ok := r.(*account); ok && a.name == name {
			a.pass()
			return slices.Clone(a.regions)
		}
	}
	return nil
}

func (*account) version() string { return "2024-05-15" }

// pass lets the time of the operation that goes on pass.
func (a *account) pass() {
	if a.doing != nil && a.doing.status() != inProgress {
		a.doing = nil
	}
}

func (a *account) serve(r request) (answer, *change, error) {
	a.pass()
	switch {
	case r.rest == "" && r.method == http.MethodGet:
		return answer{status: http.StatusOK, body: a.shown()}, nil, nil
	case r.rest != "failoverPriorityChange" || r.method != http.MethodPost:
		return answer{}, nil, strangef("an account knows no %s %q", r.method, r.rest)
	}
	var asked struct {
		Policies []struct {
			Location string `json:"locationName"`
			Priority int    `json:"failoverPriority"`
		} `json:"failoverPolicies"`
	}
	if err := decode(r.body, &asked); err != nil {
		return answer{}, nil, err
	}
	to := make([]string, len(asked.Policies))
	for _, p := range asked.Policies {
		if p.Priority < 0 || p.Priority >= len(to) || to[p.Priority] != "" || !slices.Contains(a.regions, p.Location) {
			return answer{}, nil, strangef("the policies %v are no order of the regions %v", asked.Policies, a.regions)
		}
		to[p.Priority] = p.Location
	}
	if len(to) != len(a.regions) {
		return answer{}, nil, strangef("the policies %v leave one of the regions %v out", asked.Policies, a.regions)
	}
	return answer{}, &change{kind: FailoverChange, apply: func(f Fault) (answer, bool) {
		if a.pass(); a.doing != nil {
			return refusal(http.StatusConflict, "PreconditionFailed", "There is already an operation in progress."), false
		}
		a.doing = a.cloud.begin(a.version(), f, func() { a.regions = to })
		return a.doing.accepted(), true
	}}, nil
}

func (a *account) shown() map[string]any {
	state := succeeded
	if a.doing != nil {
		state = "Updating"
	}
	policies := []any{}
	for i, region := range a.regions {
		policies = append(policies, map[string]any{"locationName": region, "failoverPriority": i})
	}
	return map[string]any{"name": a.name, "type": "Microsoft.DocumentDB/databaseAccounts", "properties": map[string]any{
		"provisioningState": state, "enableMultipleWriteLocations": false, "failoverPolicies": policies,
		"writeLocations": []any{map[string]any{"locationName": a.regions[0], "provisioningState": state}},
	}}
}
