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
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v6"
	computefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v6/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/redis/armredis/v3"
	redisfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/redis/armredis/v3/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// machines is Azure Compute and Azure Cache for Redis behind the vendor's fakes, which
// count what happens to each.
type machines struct {
	front *front

	mu      sync.Mutex
	known   map[string]string // power or provisioning state by name
	happens map[string][]string
}

const (
	vmPath    = "/providers/Microsoft.Compute/virtualMachines/"
	redisPath = "/providers/Microsoft.Cache/redis/"
)

func newMachines(t *testing.T) (*machines, *front) {
	t.Helper()
	m := &machines{known: map[string]string{}, happens: map[string][]string{}}
	vms := computefake.NewVirtualMachinesServerTransport(&computefake.VirtualMachinesServer{Get: m.getVM, BeginRestart: m.restart})
	caches := redisfake.NewServerTransport(&redisfake.Server{Get: m.getRedis, BeginFlushCache: m.flush, ForceReboot: m.reboot})
	m.front = newFront(t,
		route{http.MethodGet, vmPath + "[^/]+", "VirtualMachinesClient.Get", vms},
		route{http.MethodPost, vmPath + "[^/]+/restart", "VirtualMachinesClient.BeginRestart", vms},
		route{http.MethodGet, redisPath + "[^/]+", "Client.Get", caches},
		route{http.MethodPost, redisPath + "[^/]+/flush", "Client.BeginFlushCache", caches},
		route{http.MethodPost, redisPath + "[^/]+/forceReboot", "Client.ForceReboot", caches},
	)
	return m, m.front
}

func (m *machines) add(state string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := fmt.Sprintf("machine-%d", len(m.known))
	m.known[name] = state
	return name
}

// happen counts what somebody asked for; false if there is no such thing.
func (m *machines) happen(name, what string, failed *azfake.ErrorResponder) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[name] == "" {
		failed.SetResponseError(http.StatusNotFound, "ResourceNotFound")
		return false
	}
	m.happens[name] = append(m.happens[name], what)
	return true
}

func (m *machines) state(name string, failed *azfake.ErrorResponder) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[name] == "" {
		failed.SetResponseError(http.StatusNotFound, "ResourceNotFound")
	}
	return m.known[name]
}

func (m *machines) getVM(_ context.Context, _, name string, _ *armcompute.VirtualMachinesClientGetOptions) (
	resp azfake.Responder[armcompute.VirtualMachinesClientGetResponse], failed azfake.ErrorResponder,
) {
	provisioning, power, _ := strings.Cut(m.state(name, &failed), " ")
	resp.SetResponse(http.StatusOK, armcompute.VirtualMachinesClientGetResponse{VirtualMachine: armcompute.VirtualMachine{
		Properties: &armcompute.VirtualMachineProperties{
			ProvisioningState: new(provisioning),
			InstanceView: &armcompute.VirtualMachineInstanceView{Statuses: []*armcompute.InstanceViewStatus{
				{Code: new("ProvisioningState/succeeded")}, {Code: new("PowerState/" + power)},
			}},
		},
	}}, nil)
	return resp, failed
}

func (m *machines) restart(_ context.Context, _, name string, _ *armcompute.VirtualMachinesClientBeginRestartOptions) (
	resp azfake.PollerResponder[armcompute.VirtualMachinesClientRestartResponse], failed azfake.ErrorResponder,
) {
	if m.happen(name, "restart", &failed) {
		resp.AddNonTerminalResponse(http.StatusAccepted, nil)
		resp.SetTerminalResponse(http.StatusOK, armcompute.VirtualMachinesClientRestartResponse{}, nil)
	}
	return resp, failed
}

func (m *machines) getRedis(_ context.Context, _, name string, _ *armredis.ClientGetOptions) (
	resp azfake.Responder[armredis.ClientGetResponse], failed azfake.ErrorResponder,
) {
	state := m.state(name, &failed)
	resp.SetResponse(http.StatusOK, armredis.ClientGetResponse{ResourceInfo: armredis.ResourceInfo{
		Properties: &armredis.Properties{ProvisioningState: new(armredis.ProvisioningState(state)), ShardCount: new(int32(2))},
	}}, nil)
	return resp, failed
}

func (m *machines) flush(_ context.Context, _, name string, _ *armredis.ClientBeginFlushCacheOptions) (
	resp azfake.PollerResponder[armredis.ClientFlushCacheResponse], failed azfake.ErrorResponder,
) {
	if m.happen(name, "flush", &failed) {
		resp.AddNonTerminalResponse(http.StatusAccepted, nil)
		resp.SetTerminalResponse(http.StatusOK, armredis.ClientFlushCacheResponse{}, nil)
	}
	return resp, failed
}

func (m *machines) reboot(_ context.Context, _, name string, p armredis.RebootParameters, _ *armredis.ClientForceRebootOptions) (
	resp azfake.Responder[armredis.ClientForceRebootResponse], failed azfake.ErrorResponder,
) {
	what := "reboot " + string(*p.RebootType)
	if p.ShardID != nil {
		what += fmt.Sprint(" ", *p.ShardID)
	}
	if m.happen(name, what, &failed) {
		resp.SetResponse(http.StatusOK, armredis.ClientForceRebootResponse{}, nil)
	}
	return resp, failed
}

func TestPressConforms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open                func(Accounts) remediators.Remediator
		path, state, params string
	}{
		"restart": {func(a Accounts) remediators.Remediator { return NewVMRestart(a) }, vmPath, "Succeeded running", `{}`},
		"flush":   {func(a Accounts) remediators.Remediator { return NewRedisFlush(a) }, redisPath, succeeded, `{}`},
		"reboot":  {func(a Accounts) remediators.Remediator { return NewRedisReboot(a) }, redisPath, succeeded, `{"nodes": "primary", "shard": 1}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, f := newMachines(t)
			f.conforms(t, c.open, func(*testing.T) remediatortest.Scene {
				name := m.add(c.state)
				return remediatortest.Scene{
					Task: engine.Task{Target: resource(c.path + name), Params: json.RawMessage(c.params)},
					Effects: func(*testing.T) int {
						m.mu.Lock()
						defer m.mu.Unlock()
						return len(m.happens[name])
					},
				}
			}, engine.Task{Target: resource(c.path + "nobody"), Params: json.RawMessage(c.params)})
		})
	}
}

func TestPressPlans(t *testing.T) {
	t.Parallel()
	m, f := newMachines(t)
	accounts := Accounts{"default": f.direct()}
	restart, flush, reboot := NewVMRestart(accounts), NewRedisFlush(accounts), NewRedisReboot(accounts)
	running, stopped, busyVM := m.add("Succeeded running"), m.add("Succeeded deallocated"), m.add("Updating running")
	cache, busy := m.add(succeeded), m.add("Scaling")
	for name, c := range map[string]struct {
		action               remediators.Remediator
		target, params, says string
		class                engine.Class
	}{
		"restart":         {restart, vmPath + running, ``, "restart virtual machine " + running + " in default", ""},
		"stopped":         {restart, vmPath + stopped, ``, "it is deallocated, not running", engine.ClassTerminal},
		"busy":            {restart, vmPath + busyVM, ``, "Azure is at it: Updating", engine.ClassRetryable},
		"flush":           {flush, redisPath + cache, ``, "delete all keys of Redis cache " + cache + " in default", ""},
		"busy cache":      {flush, redisPath + busy, ``, "Azure is at it: Scaling", engine.ClassRetryable},
		"a machine":       {flush, vmPath + running, ``, "want a Microsoft.Cache/redis", engine.ClassTerminal},
		"reboot":          {reboot, redisPath + cache, `{"nodes": "all"}`, "reboot all nodes of Redis cache " + cache + " in default", ""},
		"a shard's":       {reboot, redisPath + cache, `{"nodes": "secondary", "shard": 1}`, "reboot the secondary node of shard 1 of Redis cache " + cache, ""},
		"no shard":        {reboot, redisPath + cache, `{"nodes": "all", "shard": 2}`, "has no shard 2: it has 2", engine.ClassTerminal},
		"no nodes":        {reboot, redisPath + cache, `{}`, `nodes is ""`, engine.ClassTerminal},
		"a shard below":   {reboot, redisPath + cache, `{"nodes": "all", "shard": -1}`, "has no shard -1", engine.ClassTerminal},
		"a busy reboot":   {reboot, redisPath + busy, `{"nodes": "all"}`, "Azure is at it", engine.ClassRetryable},
		"not a parameter": {restart, vmPath + running, `{"force": true}`, "unknown field", engine.ClassTerminal},
	} {
		p, err := c.action.Plan(t.Context(), engine.Task{ID: "t", Target: resource(c.target), Params: json.RawMessage(c.params)})
		class := engine.Class("")
		if err != nil {
			class = remediators.ClassOf(err)
		}
		if said := p.Summary + fmt.Sprint(err); !strings.Contains(said, c.says) || class != c.class {
			t.Errorf("%s: %s, want %s (%s)", name, said, c.says, c.class)
		}
	}
}

func TestRebootSaysWhat(t *testing.T) {
	t.Parallel()
	m, f := newMachines(t)
	action := NewRedisReboot(Accounts{"default": f.direct()})
	cache := m.add(succeeded)
	task := engine.Task{ID: "t", Target: resource(redisPath + cache), Params: json.RawMessage(`{"nodes": "all", "shard": 0}`)}
	p, err := action.Plan(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	o, err := action.Execute(t.Context(), task, p)
	if want := "rebooted all nodes of shard 0 of Redis cache " + cache + " in default"; err != nil || o.Summary != want {
		t.Errorf("%+v, %v", o, err)
	}
	if got := m.happens[cache]; len(got) != 1 || got[0] != "reboot AllNodes 0" {
		t.Errorf("%q", got)
	}
}
