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
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v6"
	aksfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/containerservice/armcontainerservice/v6/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// fleets is Azure Compute and AKS behind the vendor's fakes: ETags are compared, and
// each change takes its time.
type fleets struct {
	front *front

	mu      sync.Mutex
	all     map[string]*fleetFake
	version int
}

type fleetFake struct {
	count     int
	etag      string
	tags      map[string]*string
	effects   int
	autoscale bool
	stopped   bool
	labels    map[string]*string // of a pool's nodes: what nobody may lose
}

const (
	setPath     = "/providers/Microsoft.Compute/virtualMachineScaleSets/"
	clusterPath = "/providers/Microsoft.ContainerService/managedClusters/aks"
	autoscaling = group + "/providers/Microsoft.Insights/autoscaleSettings"
)

func newFleets(t *testing.T) (*fleets, *front) {
	t.Helper()
	s := &fleets{all: map[string]*fleetFake{}}
	sets := computefake.NewVirtualMachineScaleSetsServerTransport(&computefake.VirtualMachineScaleSetsServer{Get: s.getSet, BeginUpdate: s.updateSet})
	pools := aksfake.NewAgentPoolsServerTransport(&aksfake.AgentPoolsServer{Get: s.getPool, BeginCreateOrUpdate: s.putPool})
	s.front = newFront(t,
		route{http.MethodGet, setPath + "[^/]+", "VirtualMachineScaleSetsClient.Get", sets},
		route{http.MethodPatch, setPath + "[^/]+", "VirtualMachineScaleSetsClient.BeginUpdate", sets},
		route{http.MethodGet, clusterPath + "/agentPools/[^/]+", "AgentPoolsClient.Get", pools},
		route{http.MethodPut, clusterPath + "/agentPools/[^/]+", "AgentPoolsClient.BeginCreateOrUpdate", pools},
	)
	s.front.lists[autoscaling] = `{"value": []}`
	return s, s.front
}

// provisioning is asked under the front's lock.
func (s *fleets) provisioning(name string) *string {
	for path := range s.front.busy {
		if strings.HasSuffix(path, "/"+name) {
			return new("Updating")
		}
	}
	return new(succeeded)
}

// change is somebody's write; match is nil for the other hand's.
func (s *fleets) change(name string, match *string, count int, tags map[string]*string, failed *azfake.ErrorResponder) bool {
	f := s.all[name]
	switch {
	case f == nil:
		failed.SetResponseError(http.StatusNotFound, "NotFound")
		return false
	case failed != nil && (match == nil || *match != f.etag):
		failed.SetResponseError(http.StatusPreconditionFailed, "PreconditionFailed")
		return false
	}
	s.version++
	f.etag, f.count = fmt.Sprint("etag-", s.version), count
	if failed != nil {
		f.tags = tags
		f.effects++
	}
	return true
}

func (s *fleets) getSet(_ context.Context, _, name string, _ *armcompute.VirtualMachineScaleSetsClientGetOptions) (
	resp azfake.Responder[armcompute.VirtualMachineScaleSetsClientGetResponse], failed azfake.ErrorResponder,
) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.all[name]
	if f == nil {
		failed.SetResponseError(http.StatusNotFound, "ResourceNotFound")
		return resp, failed
	}
	resp.SetResponse(http.StatusOK, armcompute.VirtualMachineScaleSetsClientGetResponse{VirtualMachineScaleSet: armcompute.VirtualMachineScaleSet{
		Etag: new(f.etag), Tags: f.tags, SKU: &armcompute.SKU{Capacity: new(int64(f.count)), Name: new("Standard_D2s_v5")},
		Properties: &armcompute.VirtualMachineScaleSetProperties{ProvisioningState: s.provisioning(name)},
	}}, nil)
	return resp, failed
}

func (s *fleets) updateSet(_ context.Context, _, name string, to armcompute.VirtualMachineScaleSetUpdate, o *armcompute.VirtualMachineScaleSetsClientBeginUpdateOptions) (
	resp azfake.PollerResponder[armcompute.VirtualMachineScaleSetsClientUpdateResponse], failed azfake.ErrorResponder,
) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.change(name, o.IfMatch, int(*to.SKU.Capacity), to.Tags, &failed) {
		resp.AddNonTerminalResponse(http.StatusOK, nil)
		resp.AddNonTerminalResponse(http.StatusOK, nil)
		resp.SetTerminalResponse(http.StatusOK, armcompute.VirtualMachineScaleSetsClientUpdateResponse{}, nil)
	}
	return resp, failed
}

func (s *fleets) getPool(_ context.Context, _, _, name string, _ *armcontainerservice.AgentPoolsClientGetOptions) (
	resp azfake.Responder[armcontainerservice.AgentPoolsClientGetResponse], failed azfake.ErrorResponder,
) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.all[name]
	if f == nil {
		failed.SetResponseError(http.StatusNotFound, "NotFound")
		return resp, failed
	}
	code := armcontainerservice.CodeRunning
	if f.stopped {
		code = armcontainerservice.CodeStopped
	}
	resp.SetResponse(http.StatusOK, armcontainerservice.AgentPoolsClientGetResponse{AgentPool: armcontainerservice.AgentPool{
		Properties: &armcontainerservice.ManagedClusterAgentPoolProfileProperties{
			ETag: new(f.etag), Tags: f.tags, Count: new(int32(f.count)), EnableAutoScaling: new(f.autoscale), NodeLabels: f.labels,
			ProvisioningState: s.provisioning(name), PowerState: &armcontainerservice.PowerState{Code: new(code)}, NodeImageVersion: new("told"),
		},
	}}, nil)
	return resp, failed
}

func (s *fleets) putPool(_ context.Context, _, _, name string, to armcontainerservice.AgentPool, o *armcontainerservice.AgentPoolsClientBeginCreateOrUpdateOptions) (
	resp azfake.PollerResponder[armcontainerservice.AgentPoolsClientCreateOrUpdateResponse], failed azfake.ErrorResponder,
) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := to.Properties
	if p.ETag != nil || p.ProvisioningState != nil || p.NodeImageVersion != nil || p.PowerState == nil {
		failed.SetResponseError(http.StatusBadRequest, "ReadOnlyProperties")
		return resp, failed
	}
	if s.change(name, o.IfMatch, int(*p.Count), p.Tags, &failed) {
		s.all[name].labels = p.NodeLabels
		resp.AddNonTerminalResponse(http.StatusOK, nil)
		resp.AddNonTerminalResponse(http.StatusOK, nil)
		resp.SetTerminalResponse(http.StatusOK, armcontainerservice.AgentPoolsClientCreateOrUpdateResponse{}, nil)
	}
	return resp, failed
}

func (s *fleets) add() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	name := fmt.Sprintf("fleet%d", len(s.all))
	s.all[name] = &fleetFake{
		count: 4, etag: fmt.Sprint("etag-", s.version),
		tags: map[string]*string{"owner": new("platform")}, labels: map[string]*string{"zone": new("a")},
	}
	return name
}

func (s *fleets) scene(target, params string) remediatortest.Scene {
	name := s.add()
	return remediatortest.Scene{
		Task: engine.Task{Target: resource(strings.ReplaceAll(target, "NAME", name)), Params: json.RawMessage(strings.ReplaceAll(params, "NAME", name))},
		Effects: func(*testing.T) int {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.all[name].effects
		},
		Change: func(*testing.T) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.change(name, nil, 20+s.version%50, nil, nil)
		},
		State: func(*testing.T) string {
			s.mu.Lock()
			defer s.mu.Unlock()
			f := s.all[name]
			return fmt.Sprint(f.count, *f.tags["owner"], *f.labels["zone"])
		},
	}
}

func TestScaleConforms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		open           func(Accounts) *Scale
		target, params string
		missing        string
	}{
		"vmss, by a step":        {NewVMSSScale, setPath + "NAME", `{"step": 2, "max": 90}`, setPath + "nobody"},
		"vmss, to a number":      {NewVMSSScale, setPath + "NAME", `{"count": 7, "allowDown": true}`, setPath + "nobody"},
		"aks, by a factor":       {NewAKSScale, clusterPath, `{"nodePool": "NAME", "factor": 1.5, "max": 900}`, "/providers/Microsoft.ContainerService/managedClusters/nobody"},
		"aks, to a number, down": {NewAKSScale, clusterPath + "/agentPools/NAME", `{"nodePool": "NAME", "count": 2, "allowDown": true}`, clusterPath + "/agentPools/NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, f := newFleets(t)
			f.conforms(t, func(a Accounts) remediators.Remediator { return c.open(a) },
				func(*testing.T) remediatortest.Scene { return s.scene(c.target, c.params) },
				engine.Task{Target: resource(c.missing), Params: json.RawMessage(c.params)})
		})
	}
}

func TestScaleRefuses(t *testing.T) {
	t.Parallel()
	s, f := newFleets(t)
	set, owned, watched := s.add(), s.add(), s.add()
	s.all[owned].tags["aks-managed-poolName"] = new("workers")
	pool, elastic, stopped := s.add(), s.add(), s.add()
	s.all[elastic].autoscale, s.all[stopped].stopped = true, true
	setting := func(of, enabled string) string {
		return `{"name": "nightly", "properties": {"targetResourceUri": "` + group + setPath + of + `"` + enabled + `}}`
	}
	f.lists[autoscaling] = `{"value": [` + setting(watched, "") + "," + setting(set, `, "enabled": false`) + `]}`
	for name, c := range map[string]struct {
		open                 func(Accounts) *Scale
		target, params, says string
	}{
		"of a node pool":    {NewVMSSScale, setPath + owned, `{"step": 1}`, "belongs to the AKS node pool workers"},
		"autoscaled":        {NewVMSSScale, setPath + watched, `{"step": 1}`, "the autoscale setting nightly would undo it"},
		"not any more":      {NewVMSSScale, setPath + set, `{"step": 1}`, "scale VM scale set " + set + " in default from 4 to 5 instances"},
		"down":              {NewVMSSScale, setPath + set, `{"count": 1}`, "write allowDown: true"},
		"its pool's scaler": {NewAKSScale, clusterPath, `{"nodePool": "` + elastic + `", "step": 1}`, "the cluster autoscaler would undo it"},
		"stopped":           {NewAKSScale, clusterPath, `{"nodePool": "` + stopped + `", "step": 1}`, "it is stopped"},
		"no pool":           {NewAKSScale, clusterPath, `{"step": 1}`, "nodePool is missing"},
		"another pool":      {NewAKSScale, clusterPath + "/agentPools/x", `{"nodePool": "` + pool + `", "step": 1}`, "the target is the node pool x"},
		"as it is":          {NewAKSScale, clusterPath, `{"nodePool": "` + pool + `", "count": 4}`, "node pool " + pool + " of aks in default has 4 instances already"},
	} {
		p, err := c.open(Accounts{"default": f.direct()}).Plan(t.Context(), engine.Task{ID: "t", Target: resource(c.target), Params: json.RawMessage(c.params)})
		if said := p.Summary + fmt.Sprint(err); !strings.Contains(said, c.says) || err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %s, want %s", name, said, c.says)
		}
	}
}

func TestScaleParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, NewVMSSScale(nil).Spec().Params)
	for _, c := range []struct {
		params   string
		from, to int
		says     string
	}{
		{`{"count": 7}`, 4, 7, ""},
		{`{"count": 0, "allowDown": true}`, 4, 0, ""},
		{`{"count": 3}`, 0, 3, ""},
		{`{"factor": 1.1, "max": 90}`, 10, 11, ""},
		{`{"factor": 2, "max": 5}`, 4, 5, ""},
		{`{"factor": 2, "max": 4}`, 4, 0, "between 1 and 4"},
		{`{"factor": 2, "max": 3, "allowDown": true}`, 4, 0, "between 1 and 3"},
		{`{"factor": 0.5, "max": 9, "allowDown": true}`, 4, 2, ""},
		{`{"factor": 0.5, "max": 9}`, 4, 0, "write allowDown"},
		{`{"step": -9, "allowDown": true}`, 4, 1, ""},
		{`{"step": -9, "min": 2, "allowDown": true}`, 4, 2, ""},
		{`{"step": -1, "min": 6, "allowDown": true}`, 4, 0, "between 6"},
		{`{"step": 1}`, 0, 0, "somebody meant"},
		{`{"step": 1}`, maxInstances, 0, "no number"},
		{`{}`, 4, 0, "exactly one"},
		{`{"count": 1, "step": 1}`, 4, 0, "exactly one"},
		{`{"count": -1}`, 4, 0, "count is -1"},
		{`{"count": 1001}`, 4, 0, "count is 1001"},
		{`{"factor": 1, "max": 9}`, 4, 0, "factor is 1"},
		{`{"factor": 2}`, 4, 0, "factor without max"},
		{`{"step": 0}`, 4, 0, "step is 0"},
		{`{"step": 1, "min": 0}`, 4, 0, "min is 0"},
		{`{"step": 1, "max": 0}`, 4, 0, "max is 0"},
		{`{"step": 1, "min": 5, "max": 4}`, 4, 0, "min 5 is more than max 4"},
		{`{"count": 5, "max": 4}`, 4, 0, "min and max are for factor and step"},
	} {
		var p scaleParams
		if err := json.Unmarshal([]byte(c.params), &p); err != nil {
			t.Fatal(err)
		}
		err := p.check(engine.Task{ID: "t", Action: "scale"})
		to := 0
		if err == nil {
			to, err = p.from(c.from)
		}
		if to != c.to || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s of %d: %d, %v; want %d, %q", c.params, c.from, to, err, c.to, c.says)
		}
		if c.says == "" && !remediatortest.Accepts(t, schema, c.params) {
			t.Errorf("the schema refuses %s", c.params)
		}
	}
}
