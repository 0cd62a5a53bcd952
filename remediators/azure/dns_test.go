package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
	dnsfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"
	privatefake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// names is Azure DNS and Azure Private DNS behind the vendor's fakes: record sets
// by name, whose ETags are compared.
type names struct {
	mu      sync.Mutex
	sets    map[string]*armdns.RecordSet
	version int
	effects map[string]int
	auto    map[string]bool // registered by virtual machines
}

func newNames(t *testing.T) (*names, *front) {
	t.Helper()
	n := &names{sets: map[string]*armdns.RecordSet{}, effects: map[string]int{}, auto: map[string]bool{}}
	public := dnsfake.NewRecordSetsServerTransport(&dnsfake.RecordSetsServer{
		Get: func(_ context.Context, _, _, name string, _ armdns.RecordType, _ *armdns.RecordSetsClientGetOptions) (
			resp azfake.Responder[armdns.RecordSetsClientGetResponse], failed azfake.ErrorResponder,
		) {
			set := n.get(name, &failed)
			resp.SetResponse(http.StatusOK, armdns.RecordSetsClientGetResponse{RecordSet: set}, nil)
			return resp, failed
		},
		Update: func(_ context.Context, _, _, name string, _ armdns.RecordType, to armdns.RecordSet, o *armdns.RecordSetsClientUpdateOptions) (
			resp azfake.Responder[armdns.RecordSetsClientUpdateResponse], failed azfake.ErrorResponder,
		) {
			set := n.update(name, *o.IfMatch, to, &failed)
			resp.SetResponse(http.StatusOK, armdns.RecordSetsClientUpdateResponse{RecordSet: set}, nil)
			return resp, failed
		},
	})
	private := privatefake.NewRecordSetsServerTransport(&privatefake.RecordSetsServer{
		Get: func(_ context.Context, _, _ string, _ armprivatedns.RecordType, name string, _ *armprivatedns.RecordSetsClientGetOptions) (
			resp azfake.Responder[armprivatedns.RecordSetsClientGetResponse], failed azfake.ErrorResponder,
		) {
			set := privately(n.get(name, &failed))
			set.Properties.IsAutoRegistered = new(n.auto[name])
			resp.SetResponse(http.StatusOK, armprivatedns.RecordSetsClientGetResponse{RecordSet: set}, nil)
			return resp, failed
		},
		Update: func(_ context.Context, _, _ string, _ armprivatedns.RecordType, name string, to armprivatedns.RecordSet, o *armprivatedns.RecordSetsClientUpdateOptions) (
			resp azfake.Responder[armprivatedns.RecordSetsClientUpdateResponse], failed azfake.ErrorResponder,
		) {
			public := armdns.RecordSet{Properties: &armdns.RecordSetProperties{TTL: to.Properties.TTL, Metadata: to.Properties.Metadata}}
			for _, a := range to.Properties.ARecords {
				public.Properties.ARecords = append(public.Properties.ARecords, &armdns.ARecord{IPv4Address: a.IPv4Address})
			}
			set := privately(n.update(name, *o.IfMatch, public, &failed))
			resp.SetResponse(http.StatusOK, armprivatedns.RecordSetsClientUpdateResponse{RecordSet: set}, nil)
			return resp, failed
		},
	})
	const in, of = "/providers/Microsoft.Network/dnsZones/example.org/A/[^/]+", "/providers/Microsoft.Network/privateDnsZones/example.org/A/[^/]+"
	return n, newFront(t,
		route{http.MethodGet, in, "RecordSetsClient.Get", public}, route{http.MethodPatch, in, "RecordSetsClient.Update", public},
		route{http.MethodGet, of, "RecordSetsClient.Get", private}, route{http.MethodPatch, of, "RecordSetsClient.Update", private},
	)
}

// privately is a record set as Azure Private DNS has it.
func privately(s armdns.RecordSet) armprivatedns.RecordSet {
	p := armprivatedns.RecordSet{Etag: s.Etag, Properties: &armprivatedns.RecordSetProperties{}}
	if s.Properties == nil {
		return p
	}
	p.Properties.TTL, p.Properties.Metadata = s.Properties.TTL, s.Properties.Metadata
	for _, a := range s.Properties.ARecords {
		p.Properties.ARecords = append(p.Properties.ARecords, &armprivatedns.ARecord{IPv4Address: a.IPv4Address})
	}
	return p
}

func (n *names) get(name string, failed *azfake.ErrorResponder) armdns.RecordSet {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.sets[name]; s != nil {
		return *s
	}
	failed.SetResponseError(http.StatusNotFound, "NotFound")
	return armdns.RecordSet{}
}

func (n *names) update(name, match string, to armdns.RecordSet, failed *azfake.ErrorResponder) armdns.RecordSet {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.sets[name]
	switch {
	case s == nil:
		failed.SetResponseError(http.StatusNotFound, "NotFound")
		return armdns.RecordSet{}
	case match != "*" && match != *s.Etag:
		failed.SetResponseError(http.StatusPreconditionFailed, "PreconditionFailed")
		return armdns.RecordSet{}
	}
	to.Properties.TargetResource = s.Properties.TargetResource
	n.put(name, to.Properties)
	n.effects[name]++
	return *n.sets[name]
}

// put is called with mu held.
func (n *names) put(name string, p *armdns.RecordSetProperties) {
	n.version++
	n.sets[name] = &armdns.RecordSet{Name: new(name), Etag: new(fmt.Sprint("etag-", n.version)), Properties: p}
}

// set makes a record set by somebody else's hand.
func (n *names) set(name string, ttl int64, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := &armdns.RecordSetProperties{TTL: new(ttl), Metadata: map[string]*string{"owner": new("platform")}}
	for _, a := range addresses {
		p.ARecords = append(p.ARecords, &armdns.ARecord{IPv4Address: new(a)})
	}
	if s := n.sets[name]; s != nil {
		p.Metadata = maps.Clone(s.Properties.Metadata)
	}
	n.put(name, p)
}

// state is all of a record set but its marks.
func (n *names) state(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.sets[name].Properties
	said := fmt.Sprint("ttl ", *p.TTL, " owner ", *p.Metadata["owner"])
	var addresses []string
	for _, a := range p.ARecords {
		addresses = append(addresses, *a.IPv4Address)
	}
	slices.Sort(addresses) // their order means nothing
	return said + " " + strings.Join(addresses, " ")
}

func (n *names) scene(zone, params string) remediatortest.Scene {
	n.mu.Lock()
	name := fmt.Sprintf("www-%d", len(n.sets))
	n.mu.Unlock()
	n.set(name, 300, "192.0.2.7", "192.0.2.1")
	return remediatortest.Scene{
		Task: engine.Task{Target: resource(zone), Params: json.RawMessage(fmt.Sprintf(params, name))},
		Effects: func(*testing.T) int {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.effects[name]
		},
		Change: func(*testing.T) { n.set(name, 300, "203.0.113.200") },
		State:  func(*testing.T) string { return n.state(name) },
	}
}

const (
	publicZone  = "/providers/Microsoft.Network/dnsZones/example.org"
	privateZone = "/providers/Microsoft.Network/privateDnsZones/example.org"
)

func TestDNSConforms(t *testing.T) {
	t.Parallel()
	for zone, open := range map[string]func(Accounts) *DNSRecord{publicZone: NewDNSRecord, privateZone: NewPrivateDNSRecord} {
		for _, params := range []string{`{"name": %q, "addresses": ["198.51.100.4"]}`, `{"name": %q, "addresses": ["198.51.100.4", "192.0.2.1"], "ttl": 30}`} {
			t.Run(zone+params, func(t *testing.T) {
				t.Parallel()
				n, f := newNames(t)
				f.conforms(t, func(a Accounts) remediators.Remediator { return open(a) },
					func(*testing.T) remediatortest.Scene { return n.scene(zone, params) },
					engine.Task{Target: resource(zone), Params: json.RawMessage(fmt.Sprintf(params, "nobody"))})
			})
		}
	}
}

func TestDNSPlans(t *testing.T) {
	t.Parallel()
	n, f := newNames(t)
	n.set("www", 300, "192.0.2.7", "192.0.2.1")
	n.set("alias", 300)
	n.sets["alias"].Properties.TargetResource = &armdns.SubResource{ID: new("/subscriptions/x/trafficManagerProfiles/tm")}
	n.set("vm", 10, "192.0.2.1")
	n.auto["vm"] = true
	const was = "192.0.2.1, 192.0.2.7 (ttl 300)"
	for name, c := range map[string]struct{ target, params, says string }{
		"set":            {publicZone, `{"name": "www", "addresses": ["192.0.2.9"], "ttl": 60}`, "set A record www of example.org in default to 192.0.2.9 (ttl 60), instead of " + was},
		"the record":     {publicZone + "/A/WWW", `{"name": "www", "addresses": ["192.0.2.9"]}`, "set A record www of example.org in default to 192.0.2.9 (ttl 300), instead of " + was},
		"as it is":       {publicZone, `{"name": "www", "addresses": ["192.0.2.7", "192.0.2.1"]}`, "A record www of example.org in default is " + was + " already"},
		"another record": {publicZone + "/A/mail", `{"name": "www", "addresses": ["192.0.2.9"]}`, `name is "www", but the target is the record mail`},
		"another type":   {publicZone + "/CNAME/www", `{"name": "www", "addresses": ["192.0.2.9"]}`, "want a Microsoft.Network/dnsZones or a Microsoft.Network/dnsZones/A"},
		"a private zone": {privateZone, `{"name": "www", "addresses": ["192.0.2.9"]}`, "want a Microsoft.Network/dnsZones"},
		"a way out":      {publicZone, `{"name": "../../x", "addresses": ["192.0.2.9"]}`, "want its id"},
		"an alias":       {publicZone, `{"name": "alias", "addresses": ["192.0.2.9"]}`, "it is an alias of /subscriptions/x/trafficManagerProfiles/tm"},
		"no name":        {publicZone, `{"addresses": ["192.0.2.9"]}`, "name is missing"},
		"no address":     {publicZone, `{"name": "www", "addresses": []}`, "there are 0 addresses"},
		"no IPv4":        {publicZone, `{"name": "www", "addresses": ["2001:db8::1"]}`, "is no IPv4 address"},
		"not one at all": {publicZone, `{"name": "www", "addresses": ["0.0.0.0"]}`, "is no IPv4 address"},
		"twice":          {publicZone, `{"name": "www", "addresses": ["192.0.2.9", "192.0.2.9"]}`, "given twice"},
		"no time":        {publicZone, `{"name": "www", "addresses": ["192.0.2.9"], "ttl": 0}`, "ttl is 0"},
		"nobody's":       {publicZone, `{"name": "nobody", "addresses": ["192.0.2.9"]}`, "there is none"},
	} {
		task := engine.Task{ID: "t", Target: resource(c.target), Params: json.RawMessage(c.params)}
		p, err := NewDNSRecord(Accounts{"default": f.direct()}).Plan(t.Context(), task)
		if said := p.Summary + fmt.Sprint(err); !strings.Contains(said, c.says) || err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %s, want %s", name, said, c.says)
		}
		if err == nil && p.Target != resource(publicZone+"/A/www") {
			t.Errorf("%s: target %s", name, p.Target)
		}
	}
	task := engine.Task{ID: "t", Target: resource(privateZone), Params: json.RawMessage(`{"name": "vm", "addresses": ["192.0.2.9"]}`)}
	if _, err := NewPrivateDNSRecord(Accounts{"default": f.direct()}).Plan(t.Context(), task); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "a virtual machine has registered it") {
		t.Errorf("registered by itself: %v", err)
	}
}

func TestWithoutAnETagNothingIsWritten(t *testing.T) {
	t.Parallel()
	n, f := newNames(t)
	n.set("www", 300, "192.0.2.1")
	action := NewDNSRecord(Accounts{"default": f.direct()})
	task := engine.Task{ID: "t", Target: resource(publicZone), Params: json.RawMessage(`{"name": "www", "addresses": ["192.0.2.9"]}`)}
	p, err := action.Plan(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	p.Precondition = json.RawMessage(strings.Replace(string(p.Precondition), `"etag"`, `"other"`, 1))
	if _, err := action.Execute(t.Context(), task, p); remediators.ClassOf(err) != engine.ClassTerminal || n.effects["www"] != 0 {
		t.Errorf("%v, after %d changes", err, n.effects["www"])
	}
	task.Target, task.Undoes = p.Target, "x"
	if err := action.Undo(t.Context(), task, engine.Outcome{Before: p.Precondition}); remediators.ClassOf(err) != engine.ClassTerminal || n.effects["www"] != 0 {
		t.Errorf("%v, after %d changes", err, n.effects["www"])
	}
}
