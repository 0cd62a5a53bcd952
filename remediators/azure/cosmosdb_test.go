package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// cosmos is Cosmos DB behind the vendor's fake.
type cosmos struct {
	front *front

	mu       sync.Mutex
	accounts map[string]*armcosmos.DatabaseAccountGetProperties
	effects  map[string]int
	// fail makes operations end so.
	fail string
}

func newCosmos(t *testing.T) (*cosmos, *front) {
	t.Helper()
	c := &cosmos{accounts: map[string]*armcosmos.DatabaseAccountGetProperties{}, effects: map[string]int{}}
	server := fake.NewDatabaseAccountsServerTransport(&fake.DatabaseAccountsServer{Get: c.get, BeginFailoverPriorityChange: c.failover})
	const account = "/providers/Microsoft.DocumentDB/databaseAccounts/[^/]+"
	c.front = newFront(t,
		route{http.MethodGet, account, "DatabaseAccountsClient.Get", server},
		route{http.MethodPost, account + "/failoverPriorityChange", "DatabaseAccountsClient.BeginFailoverPriorityChange", server},
	)
	return c, c.front
}

func cosmosPath(name string) string {
	return strings.ToLower("/providers/Microsoft.DocumentDB/databaseAccounts/" + name)
}

func (c *cosmos) get(_ context.Context, _, name string, _ *armcosmos.DatabaseAccountsClientGetOptions) (
	resp azfake.Responder[armcosmos.DatabaseAccountsClientGetResponse], failed azfake.ErrorResponder,
) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[name]
	if a == nil {
		failed.SetResponseError(http.StatusNotFound, "ResourceNotFound")
		return resp, failed
	}
	a.ProvisioningState = new(succeeded)
	if c.working(name) {
		a.ProvisioningState = new("Updating")
	}
	resp.SetResponse(http.StatusOK, armcosmos.DatabaseAccountsClientGetResponse{
		DatabaseAccountGetResults: armcosmos.DatabaseAccountGetResults{Properties: a},
	}, nil)
	return resp, failed
}

// working is asked under the front's lock.
func (c *cosmos) working(name string) bool {
	for path := range c.front.busy {
		if strings.HasSuffix(path, "/"+name+"/failoverPriorityChange") {
			return true
		}
	}
	return false
}

func (c *cosmos) failover(_ context.Context, _, name string, to armcosmos.FailoverPolicies, _ *armcosmos.DatabaseAccountsClientBeginFailoverPriorityChangeOptions) (
	resp azfake.PollerResponder[armcosmos.DatabaseAccountsClientFailoverPriorityChangeResponse], failed azfake.ErrorResponder,
) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[name]
	if a == nil {
		failed.SetResponseError(http.StatusNotFound, "ResourceNotFound")
		return resp, failed
	}
	a.FailoverPolicies = to.FailoverPolicies
	c.effects[name]++
	resp.AddNonTerminalResponse(http.StatusAccepted, nil)
	resp.AddNonTerminalResponse(http.StatusAccepted, nil)
	if c.fail != "" {
		resp.SetTerminalError(http.StatusConflict, c.fail)
		return resp, failed
	}
	resp.SetTerminalResponse(http.StatusNoContent, armcosmos.DatabaseAccountsClientFailoverPriorityChangeResponse{}, nil)
	return resp, failed
}

func (c *cosmos) set(name string, regions ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var policies []*armcosmos.FailoverPolicy
	for i, region := range regions {
		policies = append(policies, &armcosmos.FailoverPolicy{LocationName: new(region), FailoverPriority: new(int32(i))})
	}
	if c.accounts[name] == nil {
		c.accounts[name] = &armcosmos.DatabaseAccountGetProperties{}
	}
	c.accounts[name].FailoverPolicies = policies
}

func (c *cosmos) add(regions ...string) string {
	c.mu.Lock()
	name := fmt.Sprintf("cosmos-%d", len(c.accounts))
	c.mu.Unlock()
	c.set(name, regions...)
	return name
}

func (c *cosmos) scene(params string) remediatortest.Scene {
	name := c.add("Korea Central", "Japan East", "East US")
	return remediatortest.Scene{
		Task: engine.Task{Target: resource(cosmosPath(name)), Params: json.RawMessage(params)},
		Effects: func(*testing.T) int {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.effects[name]
		},
		Change: func(*testing.T) { c.set(name, "East US", "Japan East", "Korea Central") },
		State: func(*testing.T) string {
			c.mu.Lock()
			defer c.mu.Unlock()
			var all []string
			for _, p := range c.accounts[name].FailoverPolicies {
				all = append(all, fmt.Sprint(*p.FailoverPriority, *p.LocationName))
			}
			return strings.Join(all, " ")
		},
	}
}

func TestCosmosDBConforms(t *testing.T) {
	t.Parallel()
	for _, params := range []string{`{"primary": "japaneast"}`, `{"priorities": ["Korea Central", "East US", "Japan East"]}`} {
		t.Run(params, func(t *testing.T) {
			t.Parallel()
			c, f := newCosmos(t)
			f.conforms(t, func(a Accounts) remediators.Remediator { return NewCosmosDBFailover(a) },
				func(*testing.T) remediatortest.Scene { return c.scene(params) },
				engine.Task{Target: resource(cosmosPath("nobody")), Params: json.RawMessage(params)})
		})
	}
}

func TestCosmosDBPlans(t *testing.T) {
	t.Parallel()
	c, f := newCosmos(t)
	name, multi := c.add("Korea Central", "Japan East", "East US"), c.add("Korea Central", "Japan East")
	c.accounts[multi].EnableMultipleWriteLocations = new(true)
	action := NewCosmosDBFailover(Accounts{"default": f.direct()})
	for params, want := range map[string]string{
		`{"primary": "East US"}`:                                  "fail Cosmos DB account " + name + " in default over from Korea Central to East US",
		`{"primary": "koreacentral"}`:                             "Cosmos DB account " + name + " in default has the order Korea Central, Japan East, East US already",
		`{"priorities": ["koreacentral", "eastus", "japaneast"]}`: "order the regions of Cosmos DB account " + name + " in default as Korea Central, East US, Japan East, instead of Korea Central, Japan East, East US",
		`{}`: "want one of primary and priorities",
		`{"primary": "Mars", "priorities": ["a", "b"]}`:               "want one of primary and priorities",
		`{"primary": "Mars"}`:                                         "it is in Korea Central, Japan East, East US",
		`{"priorities": ["koreacentral", "eastus"]}`:                  "leave a region out",
		`{"priorities": ["koreacentral", "eastus", "Korea Central"]}`: "given twice",
	} {
		p, err := action.Plan(t.Context(), engine.Task{ID: "t", Target: resource(cosmosPath(name)), Params: json.RawMessage(params)})
		if said := p.Summary + fmt.Sprint(err); !strings.Contains(said, want) || err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %s, want %s", params, said, want)
		}
		if p.Noop != strings.Contains(want, "already") {
			t.Errorf("%s: noop is %t", params, p.Noop)
		}
	}
	_, err := action.Plan(t.Context(), engine.Task{ID: "t", Target: resource(cosmosPath(multi)), Params: json.RawMessage(`{"primary": "Japan East"}`)})
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "written to in all of its regions") {
		t.Errorf("several write regions: %v", err)
	}
}

// started executes a failover whose checkpoint is taken, and returns what happened.
func (c *cosmos) started(t *testing.T, action remediators.Remediator, name string, on func(context.CancelFunc)) (engine.Task, engine.Plan, json.RawMessage, error) {
	t.Helper()
	task := engine.Task{ID: "run-1/execute/" + name, Target: resource(cosmosPath(name)), Params: json.RawMessage(`{"primary": "Japan East"}`)}
	p, err := action.Plan(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	var kept json.RawMessage
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err = action.Execute(remediators.WithKeeper(ctx, func(k json.RawMessage) error {
		kept = k
		on(cancel)
		return nil
	}), task, p)
	return task, p, kept, err
}

func TestAnOutcomeComesAfterItsOperation(t *testing.T) {
	t.Parallel()
	c, f := newCosmos(t)
	name := c.add("Korea Central", "Japan East")
	_, _, kept, err := c.started(t, NewCosmosDBFailover(Accounts{"default": f.direct()}), name, func(context.CancelFunc) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !c.working(name) {
			t.Error("kept when it was over")
		}
	})
	if err != nil || kept == nil || c.working(name) {
		t.Errorf("%v, kept %s, it goes on: %t", err, kept, c.working(name))
	}
}

// A successor that has no time finds the operation going on, and one that has learns
// how it ended.
func TestAnOperationAcrossAKill(t *testing.T) {
	t.Parallel()
	for fail, want := range map[string]engine.Effect{"": engine.Applied, "Failed": engine.Unknown} {
		c, f := newCosmos(t)
		c.fail = fail
		name := c.add("Korea Central", "Japan East")
		action := NewCosmosDBFailover(Accounts{"default": f.direct()})
		task, p, kept, err := c.started(t, action, name, func(kill context.CancelFunc) { kill() })
		if remediators.ClassOf(err) != engine.ClassUnknown {
			t.Fatalf("killed: %v", err)
		}
		successor := f.direct()
		successor.poll = time.Hour
		brief, cancel := context.WithTimeout(remediators.WithCheckpoint(t.Context(), kept), 50*time.Millisecond)
		effect, err := NewCosmosDBFailover(Accounts{"default": successor}).Observe(brief, task, p)
		cancel()
		if effect != engine.Unknown || remediators.ClassOf(err) != engine.ClassRetryable {
			t.Errorf("in the middle: %s, %v", effect, err)
		}
		effect, err = action.Observe(remediators.WithCheckpoint(t.Context(), kept), task, p)
		if effect != want || err != nil || c.effects[name] != 1 {
			t.Errorf("at the end %q: %s, %v, after %d changes", fail, effect, err, c.effects[name])
		}
	}
}

func TestAFailedOperationIsUnknown(t *testing.T) {
	t.Parallel()
	c, f := newCosmos(t)
	c.fail = "RegionOffline"
	_, _, _, err := c.started(t, NewCosmosDBFailover(Accounts{"default": f.direct()}), c.add("Korea Central", "Japan East"), func(context.CancelFunc) {})
	if remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "Azure has accepted it, but then") || errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestForeignCheckpointsTellNothing(t *testing.T) {
	t.Parallel()
	a := accountAt(t, remediatortest.End{URL: "https://127.0.0.1:1"})
	for _, kept := range []string{`{}`, `7`, `{"operation": "x"}`, `{"operation": "{\"type\": \"x\"}"}`} {
		if effect, err := a.resumed(t.Context(), "x", json.RawMessage(kept)); effect != engine.Unknown || err != nil {
			t.Errorf("%s: %s, %v", kept, effect, err)
		}
	}
}
