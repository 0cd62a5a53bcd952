package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// CosmosDBFailover makes another region of an Azure Cosmos DB account the one that is
// written to, or gives its regions another order. The target is the account.
//
// The change is a long-running operation without an ETag
// (https://learn.microsoft.com/rest/api/cosmos-db-resource-provider/database-accounts/failover-priority-change):
// what it is followed with is kept, and a call without an answer is not repeated. Azure
// needs both regions for it; while the write region is out of reach it is Azure that
// must fail over.
type CosmosDBFailover struct{ setter }

// NewCosmosDBFailover makes the action.
func NewCosmosDBFailover(accounts Accounts) *CosmosDBFailover {
	return &CosmosDBFailover{setter{
		accounts: accounts,
		kinds:    []string{kindCosmosDB},
		open:     func(at place, _ string) setting { return regionSetting{at} },
	}}
}

const (
	kindCosmosDB    = "Microsoft.DocumentDB/databaseAccounts"
	cosmosDBVersion = "2024-05-15"
)

const failoverSchema = `{
  "type": "object",
  "additionalProperties": false,
  "oneOf": [{"required": ["primary"]}, {"required": ["priorities"]}],
  "properties": {
    "primary": {"type": "string", "minLength": 1, "description": "The region to write to, such as Japan East. The others keep their order behind it."},
    "priorities": {"type": "array", "minItems": 2, "uniqueItems": true, "items": {"type": "string", "minLength": 1}, "description": "All regions of the account; the first is written to."}
  }
}`

// Spec implements [remediators.Remediator].
func (*CosmosDBFailover) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "azure.cosmosdb.failover",
		System:  engine.SystemAzure,
		Summary: "Changes the failover priorities of an Azure Cosmos DB account, and with the first of them the region that is written to.",
		Params:  json.RawMessage(failoverSchema),
	}
}

// Plan implements [remediators.Remediator].
func (c *CosmosDBFailover) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	var params struct {
		Primary    string   `json:"primary"`
		Priorities []string `json:"priorities"`
	}
	if err := decodeParams(t, &params); err != nil {
		return engine.Plan{}, err
	}
	if (params.Primary == "") == (len(params.Priorities) == 0) {
		return engine.Plan{}, badParams(t, "want one of primary and priorities")
	}
	at, err := c.accounts.at(t.Target, kindCosmosDB)
	if err != nil {
		return engine.Plan{}, err
	}
	is, err := at.cosmosDB(ctx)
	if err != nil {
		return engine.Plan{}, err
	}
	from := is.regions()
	to, err := ordered(from, params.Primary, params.Priorities)
	switch {
	case err != nil:
		return engine.Plan{}, remediators.Terminal("azure: Cosmos DB account %s: %w", at, err)
	case is.Properties.MultipleWrites:
		return engine.Plan{}, remediators.Terminal("azure: Cosmos DB account %s is written to in all of its regions: there is none to fail over to", at)
	}
	seen, err := is.state()
	if err != nil {
		return engine.Plan{}, err
	}
	if seen.busy != "" {
		return engine.Plan{}, remediators.Retryable(0, "azure: Cosmos DB account %s: Azure is at it: %s", at, seen.busy)
	}
	wanted, err := json.Marshal(to)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("azure: Cosmos DB account %s: %w", at, err)
	}
	p := engine.Plan{Target: at.target()}
	var done string
	switch {
	case slices.Equal(from, to):
		p.Summary = fmt.Sprintf("Cosmos DB account %s has the order %s already", at, strings.Join(from, ", "))
	case from[0] == to[0]:
		p.Summary = fmt.Sprintf("order the regions of Cosmos DB account %s as %s, instead of %s", at, strings.Join(to, ", "), strings.Join(from, ", "))
		done = fmt.Sprintf("ordered the regions of Cosmos DB account %s as %s", at, strings.Join(to, ", "))
	default:
		p.Summary = fmt.Sprintf("fail Cosmos DB account %s over from %s to %s", at, from[0], to[0])
		done = fmt.Sprintf("failed Cosmos DB account %s over from %s to %s", at, from[0], to[0])
	}
	for i, region := range to {
		if region != from[i] {
			p.Changes = append(p.Changes, engine.Change{Field: "failoverPolicies[" + strconv.Itoa(i) + "]", From: from[i], To: region})
		}
	}
	return c.plan(t, p, intent{From: seen, To: wanted, Done: done})
}

// folded is a region's name without what differs between its spellings, Japan East and
// japaneast.
func folded(region string) string { return strings.ToLower(strings.ReplaceAll(region, " ", "")) }

// ordered is the new order of regions, in the account's spelling.
func ordered(is []string, primary string, priorities []string) ([]string, error) {
	if primary != "" {
		priorities = []string{primary}
		for _, region := range is {
			if folded(region) != folded(primary) {
				priorities = append(priorities, region)
			}
		}
	}
	var to []string
	for _, want := range priorities {
		i := slices.IndexFunc(is, func(region string) bool { return folded(region) == folded(want) })
		if i < 0 {
			return nil, fmt.Errorf("it is not in the region %q: it is in %s", want, strings.Join(is, ", "))
		}
		if slices.Contains(to, is[i]) {
			return nil, fmt.Errorf("region %q is given twice", want)
		}
		to = append(to, is[i])
	}
	if len(to) != len(is) {
		return nil, fmt.Errorf("priorities leave a region out: it is in %s", strings.Join(is, ", "))
	}
	return to, nil
}

// cosmosDB is an account as far as it is looked at.
type cosmosDB struct {
	Properties struct {
		State          string         `json:"provisioningState"`
		MultipleWrites bool           `json:"enableMultipleWriteLocations"`
		Policies       []regionPolicy `json:"failoverPolicies"`
		Writes         []struct {
			Location string `json:"locationName"`
			State    string `json:"provisioningState"`
		} `json:"writeLocations"`
	} `json:"properties"`
}

type regionPolicy struct {
	Location string `json:"locationName"`
	Priority int    `json:"failoverPriority"`
}

// regions are in the order of their priorities.
func (c cosmosDB) regions() []string {
	sorted := slices.SortedFunc(slices.Values(c.Properties.Policies), func(a, b regionPolicy) int { return a.Priority - b.Priority })
	names := make([]string, 0, len(sorted))
	for _, p := range sorted {
		names = append(names, p.Location)
	}
	return names
}

func (p place) cosmosDB(ctx context.Context) (cosmosDB, error) {
	var c cosmosDB
	if err := p.get(ctx, "Cosmos DB account "+p.String(), p.path(kindCosmosDB), cosmosDBVersion, nil, &c); err != nil {
		return c, err
	}
	if len(c.Properties.Policies) == 0 {
		return c, remediators.Retryable(0, "azure: Cosmos DB account %s: the answer has no failover policies", p)
	}
	return c, nil
}

func (c cosmosDB) state() (state, error) {
	value, err := json.Marshal(c.regions())
	if err != nil {
		return state{}, remediators.Terminal("azure: regions do not encode: %w", err)
	}
	s := state{Value: value}
	if c.Properties.State != succeeded {
		s.busy = c.Properties.State
	}
	return s, nil
}

// succeeded is the state of a resource that Azure has made as it was asked for.
const succeeded = "Succeeded"

// regionSetting is the order of an account's regions as something that is set.
type regionSetting struct{ at place }

func (s regionSetting) String() string { return "Cosmos DB account " + s.at.String() }

func (s regionSetting) read(ctx context.Context) (state, error) {
	c, err := s.at.cosmosDB(ctx)
	if err != nil {
		return state{}, err
	}
	return c.state()
}

func (s regionSetting) write(ctx context.Context, _ state, to json.RawMessage, _ marks) (*operation, error) {
	var regions []string
	if err := json.Unmarshal(to, &regions); err != nil {
		return nil, remediators.Terminal("azure: %s: %w", s, err)
	}
	policies := make([]regionPolicy, 0, len(regions))
	for i, region := range regions {
		policies = append(policies, regionPolicy{Location: region, Priority: i})
	}
	return s.at.begin(ctx, request{
		method: http.MethodPost, path: s.at.path(kindCosmosDB) + "/failoverPriorityChange", version: cosmosDBVersion,
		body: map[string]any{"failoverPolicies": policies},
	})
}
