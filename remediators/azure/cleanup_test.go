package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v6"
	computefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v6/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v6"
	networkfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v6/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// attic is Azure Compute and Network behind the vendor's fakes: disks and public IPs by
// resource group and name.
type attic struct {
	mu      sync.Mutex
	disks   map[string]map[string]*armcompute.Disk
	ips     map[string]map[string]*armnetwork.PublicIPAddress
	deleted map[string][]string // by resource group
	made    int
	// before is called before a deletion, with the lock held.
	before func(name string)
}

const (
	diskPath = "/providers/Microsoft.Compute/disks"
	ipPath   = "/providers/Microsoft.Network/publicIPAddresses"
)

func newAttic(t *testing.T) (*attic, *front) {
	t.Helper()
	a := &attic{disks: map[string]map[string]*armcompute.Disk{}, ips: map[string]map[string]*armnetwork.PublicIPAddress{}, deleted: map[string][]string{}}
	disks := computefake.NewDisksServerTransport(&computefake.DisksServer{
		NewListByResourceGroupPager: func(group string, _ *armcompute.DisksClientListByResourceGroupOptions) (p azfake.PagerResponder[armcompute.DisksClientListByResourceGroupResponse]) {
			a.mu.Lock()
			defer a.mu.Unlock()
			group = strings.ToLower(group) // as Azure does
			p.AddPage(http.StatusOK, armcompute.DisksClientListByResourceGroupResponse{DiskList: armcompute.DiskList{Value: slices.Collect(maps.Values(a.disks[group]))}}, nil)
			return p
		},
		Get: func(_ context.Context, group, name string, _ *armcompute.DisksClientGetOptions) (
			resp azfake.Responder[armcompute.DisksClientGetResponse], failed azfake.ErrorResponder,
		) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if d := a.disks[strings.ToLower(group)][name]; d != nil {
				resp.SetResponse(http.StatusOK, armcompute.DisksClientGetResponse{Disk: *d}, nil)
			} else {
				failed.SetResponseError(http.StatusNotFound, "NotFound")
			}
			return resp, failed
		},
		BeginDelete: func(_ context.Context, group, name string, _ *armcompute.DisksClientBeginDeleteOptions) (
			resp azfake.PollerResponder[armcompute.DisksClientDeleteResponse], failed azfake.ErrorResponder,
		) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if group = strings.ToLower(group); a.before != nil {
				a.before(name)
			}
			if d := a.disks[group][name]; d == nil || d.ManagedBy != nil {
				failed.SetResponseError(http.StatusConflict, "OperationNotAllowed")
				return resp, failed
			}
			delete(a.disks[group], name)
			a.deleted[group] = append(a.deleted[group], name)
			resp.AddNonTerminalResponse(http.StatusAccepted, nil)
			resp.SetTerminalResponse(http.StatusOK, armcompute.DisksClientDeleteResponse{}, nil)
			return resp, failed
		},
	})
	return a, newFront(t,
		route{http.MethodGet, diskPath, "DisksClient.NewListByResourceGroupPager", disks},
		route{http.MethodGet, diskPath + "/[^/]+", "DisksClient.Get", disks},
		route{http.MethodDelete, diskPath + "/[^/]+", "DisksClient.BeginDelete", disks},
		route{http.MethodGet, ipPath, "PublicIPAddressesClient.NewListPager", a.network()},
		route{http.MethodGet, ipPath + "/[^/]+", "PublicIPAddressesClient.Get", a.network()},
		route{http.MethodDelete, ipPath + "/[^/]+", "PublicIPAddressesClient.BeginDelete", a.network()},
	)
}

func (a *attic) network() *networkfake.PublicIPAddressesServerTransport {
	return networkfake.NewPublicIPAddressesServerTransport(&networkfake.PublicIPAddressesServer{
		NewListPager: func(group string, _ *armnetwork.PublicIPAddressesClientListOptions) (p azfake.PagerResponder[armnetwork.PublicIPAddressesClientListResponse]) {
			a.mu.Lock()
			defer a.mu.Unlock()
			group = strings.ToLower(group)
			p.AddPage(http.StatusOK, armnetwork.PublicIPAddressesClientListResponse{
				PublicIPAddressListResult: armnetwork.PublicIPAddressListResult{Value: slices.Collect(maps.Values(a.ips[group]))},
			}, nil)
			return p
		},
		Get: func(_ context.Context, group, name string, _ *armnetwork.PublicIPAddressesClientGetOptions) (
			resp azfake.Responder[armnetwork.PublicIPAddressesClientGetResponse], failed azfake.ErrorResponder,
		) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if ip := a.ips[strings.ToLower(group)][name]; ip != nil {
				resp.SetResponse(http.StatusOK, armnetwork.PublicIPAddressesClientGetResponse{PublicIPAddress: *ip}, nil)
			} else {
				failed.SetResponseError(http.StatusNotFound, "NotFound")
			}
			return resp, failed
		},
		BeginDelete: func(_ context.Context, group, name string, _ *armnetwork.PublicIPAddressesClientBeginDeleteOptions) (
			resp azfake.PollerResponder[armnetwork.PublicIPAddressesClientDeleteResponse], failed azfake.ErrorResponder,
		) {
			a.mu.Lock()
			defer a.mu.Unlock()
			group = strings.ToLower(group)
			delete(a.ips[group], name)
			a.deleted[group] = append(a.deleted[group], name)
			resp.SetTerminalResponse(http.StatusNoContent, armnetwork.PublicIPAddressesClientDeleteResponse{}, nil)
			return resp, failed
		},
	})
}

func groupTarget(group string) engine.Target {
	return engine.Target{System: engine.SystemAzure, Account: "default", Name: "/subscriptions/" + subscription + "/resourcegroups/" + group}
}

func idOf(group, path, name string) *string {
	return new("/subscriptions/" + subscription + "/resourceGroups/" + strings.ToUpper(group) + path + "/" + name)
}

// disk adds one that has been unattached for so long.
func (a *attic) disk(group, name string, unused time.Duration, change ...func(*armcompute.Disk)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made++
	if a.disks[group] == nil {
		a.disks[group] = map[string]*armcompute.Disk{}
	}
	if name == "" {
		return
	}
	d := &armcompute.Disk{ID: idOf(group, diskPath, name), Properties: &armcompute.DiskProperties{
		DiskState: new(armcompute.DiskStateUnattached), UniqueID: new(fmt.Sprint("unique-", a.made)),
		TimeCreated: new(time.Now().Add(-1000 * time.Hour)), LastOwnershipUpdateTime: new(time.Now().Add(-unused)),
	}}
	for _, c := range change {
		c(d)
	}
	a.disks[group][name] = d
}

func (a *attic) ip(group, name string, unused time.Duration, change ...func(*armnetwork.PublicIPAddress)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.made++
	if a.ips[group] == nil {
		a.ips[group] = map[string]*armnetwork.PublicIPAddress{}
	}
	p := &armnetwork.PublicIPAddress{
		ID: idOf(group, ipPath, name), Tags: map[string]*string{unusedTag: new(time.Now().Add(-unused).Format(time.RFC3339))},
		Properties: &armnetwork.PublicIPAddressPropertiesFormat{ResourceGUID: new(fmt.Sprint("unique-", a.made))},
	}
	for _, c := range change {
		c(p)
	}
	a.ips[group][name] = p
}

func (a *attic) gone(group string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.deleted[group])
}

func TestCleanupConforms(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"disks", "public-ips"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			a, f := newAttic(t)
			next := 0
			for _, path := range []string{diskPath, ipPath} {
				f.lists["/subscriptions/"+subscription+"/resourceGroups/nobody"+path] = "" // a list of the fake's is never missing
			}
			params := json.RawMessage(`{"what": "` + what + `", "olderThan": "1d", "max": 3}`)
			f.conforms(t, func(a Accounts) remediators.Remediator { return NewCleanup(a) }, func(*testing.T) remediatortest.Scene {
				next++
				group, more := fmt.Sprintf("rg-%d", next), 0
				add := func(*testing.T) {
					more++
					if what == "disks" {
						a.disk(group, fmt.Sprint("d", more), 48*time.Hour)
					} else {
						a.ip(group, fmt.Sprint("ip", more), 48*time.Hour)
					}
				}
				add(nil)
				return remediatortest.Scene{
					Task: engine.Task{Target: groupTarget(group), Params: params}, Change: add,
					Effects: func(*testing.T) int { return len(a.gone(group)) },
				}
			}, engine.Task{Target: groupTarget("nobody"), Params: params})
		})
	}
}

func cleanup(t *testing.T, f *front, params string, between func()) (engine.Plan, engine.Outcome, error) {
	t.Helper()
	action := NewCleanup(Accounts{"default": f.direct()})
	task := engine.Task{ID: "t", Target: groupTarget("rg"), Params: json.RawMessage(params)}
	p, err := action.Plan(t.Context(), task)
	if err != nil || p.Noop {
		return p, engine.Outcome{}, err
	}
	if between != nil {
		between()
	}
	o, err := action.Execute(t.Context(), task, p)
	return p, o, err
}

func TestOnlyLeftoversAreDeleted(t *testing.T) {
	t.Parallel()
	a, f := newAttic(t)
	old, young := 48*time.Hour, 23*time.Hour
	a.disk("rg", "left", old)
	a.disk("rg", "young", young)
	a.disk("rg", "attached", old, func(d *armcompute.Disk) { d.ManagedBy = new("/subscriptions/x/vm") })
	a.disk("rg", "shared", old, func(d *armcompute.Disk) { d.ManagedByExtended = []*string{new("vm")} })
	a.disk("rg", "reserved", old, func(d *armcompute.Disk) { d.Properties.DiskState = new(armcompute.DiskStateReserved) })
	a.disk("rg", "kept", old, func(d *armcompute.Disk) { d.Tags = map[string]*string{"Paramedic-Keep": new("")} })
	a.disk("rg", "new", old, func(d *armcompute.Disk) { d.Properties.TimeCreated = new(time.Now()) })
	a.disk("rg", "timeless", old, func(d *armcompute.Disk) {
		d.Properties.TimeCreated, d.Properties.LastOwnershipUpdateTime = nil, nil
	})
	a.disk("rg", "nameless", old, func(d *armcompute.Disk) { d.Properties.UniqueID = nil })
	a.ip("rg", "left", old)
	a.ip("rg", "young", young)
	a.ip("rg", "used", old, func(p *armnetwork.PublicIPAddress) {
		p.Properties.IPConfiguration = &armnetwork.IPConfiguration{ID: new("nic")}
	})
	a.ip("rg", "gateway's", old, func(p *armnetwork.PublicIPAddress) { p.Properties.NatGateway = &armnetwork.NatGateway{ID: new("g")} })
	a.ip("rg", "kept", old, func(p *armnetwork.PublicIPAddress) { p.Tags[keepTag] = new("yes") })
	a.ip("rg", "untagged", old, func(p *armnetwork.PublicIPAddress) { delete(p.Tags, unusedTag) })
	a.ip("rg", "mistagged", old, func(p *armnetwork.PublicIPAddress) { p.Tags[unusedTag] = new("long ago") })
	for _, what := range []string{"disks", "public-ips"} {
		p, o, err := cleanup(t, f, `{"what": "`+what+`", "olderThan": "1d", "max": 9}`, nil)
		if err != nil || len(p.Changes) != 1 || !strings.HasSuffix(p.Changes[0].Field, "/left") || o.Summary != "deleted 1 of the "+what+" of rg in default: left" {
			t.Errorf("%s: %+v, %+v, %v", what, p, o, err)
		}
		if p, _, err := cleanup(t, f, `{"what": "`+what+`", "olderThan": "24h", "max": 9}`, nil); err != nil || !p.Noop {
			t.Errorf("%s: %+v, %v", what, p, err)
		}
	}
	if got := a.gone("rg"); !slices.Equal(got, []string{"left", "left"}) {
		t.Errorf("deleted %q", got)
	}
}

func TestWhatChangedSinceIsSpared(t *testing.T) {
	t.Parallel()
	a, f := newAttic(t)
	const params = `{"what": "disks", "olderThan": "1d", "max": 4}`
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		a.disk("rg", name, 48*time.Hour)
	}
	p, o, err := cleanup(t, f, params, func() {
		a.disk("rg", "b", 48*time.Hour) // another one of the same name
		a.disk("rg", "c", 0)            // used meanwhile
		a.mu.Lock()
		delete(a.disks["rg"], "d")
		a.mu.Unlock()
	})
	if err != nil || o.Summary != "deleted 1 of the disks of rg in default: a; spared, since they are not as they were: b, c, d" || !strings.Contains(p.Summary, "delete 4 of the disks") ||
		!strings.Contains(p.Summary, "and leave more of them, for max is 4") || !slices.Equal(a.gone("rg"), []string{"a"}) {
		t.Errorf("%+v, %+v, %v, deleted %q", p, o, err, a.gone("rg"))
	}
	_, _, err = cleanup(t, f, params, func() {
		for _, name := range []string{"b", "e"} {
			a.disk("rg", name, 0)
		}
	})
	if remediators.ClassOf(err) != engine.ClassPlanChanged || len(a.gone("rg")) != 1 {
		t.Errorf("%v, deleted %q", err, a.gone("rg"))
	}
}

// Azure refuses what was attached at the very last moment; what is done by then is told.
func TestADeletionInPartIsUnknown(t *testing.T) {
	t.Parallel()
	a, f := newAttic(t)
	a.disk("rg", "a", 48*time.Hour)
	a.disk("rg", "b", 48*time.Hour)
	a.before = func(name string) {
		if name == "b" {
			a.disks["rg"]["b"].ManagedBy = new("vm")
		}
	}
	_, _, err := cleanup(t, f, `{"what": "disks", "olderThan": "1d", "max": 4}`, nil)
	if remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "deleted a; then: ") || !slices.Equal(a.gone("rg"), []string{"a"}) {
		t.Errorf("%v, deleted %q", err, a.gone("rg"))
	}
}

func TestCleanupParams(t *testing.T) {
	t.Parallel()
	_, f := newAttic(t)
	for params, says := range map[string]string{
		`{"olderThan": "1d", "max": 1}`:                               `what is ""`,
		`{"what": "vms", "olderThan": "1d", "max": 1}`:                `what is "vms"`,
		`{"what": "disks", "max": 1}`:                                 `olderThan is ""`,
		`{"what": "disks", "olderThan": "59m", "max": 1}`:             "of at least 1h0m0s",
		`{"what": "disks", "olderThan": "-3d", "max": 1}`:             "of at least 1h0m0s",
		`{"what": "disks", "olderThan": "99999999999999d", "max": 1}`: "olderThan is",
		`{"what": "disks", "olderThan": "999999d", "max": 1}`:         "olderThan is",
		`{"what": "disks", "olderThan": "1d"}`:                        "max is 0",
		`{"what": "disks", "olderThan": "1d", "max": 51}`:             "max is 51",
	} {
		if _, _, err := cleanup(t, f, params, nil); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", params, err, says)
		}
	}
}

// The vendor's fake pages by paths of its own, so pages are tried on a server.
func TestListsAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	const list = "/subscriptions/" + subscription + "/resourceGroups/rg" + diskPath
	for name, c := range map[string]struct {
		next, says string
		want       int
	}{
		"two pages": {"HOST" + list + "?api-version=" + diskVersion + "&$skiptoken=x", "", 2},
		"elsewhere": {"https://example.org/other", "leads elsewhere", 0},
		"endless":   {"SAME", "too many pages", 0},
	} {
		var server *httptest.Server
		server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			link := strings.Replace(strings.Replace(c.next, "HOST", server.URL, 1), "SAME", server.URL+list+"?api-version=1", 1)
			if r.URL.Query().Get("$skiptoken") != "" {
				link = ""
			}
			body, err := json.Marshal(map[string]any{"nextLink": link, "value": []any{map[string]any{"id": *idOf("rg", diskPath, "d")}}})
			if err != nil {
				t.Error(err)
			}
			reply(http.StatusOK, string(body))(w, r)
		}))
		t.Cleanup(server.Close)
		at, err := Accounts{"default": accountAt(t, remediatortest.End{URL: server.URL})}.at(groupTarget("rg"), kindGroup)
		if err != nil {
			t.Fatal(err)
		}
		all, err := disks{}.list(t.Context(), at)
		if c.says == "" && (err != nil || len(all) != c.want) || c.says != "" && (remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %d, %v", name, len(all), err)
		}
	}
}
