package azure

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/cosmos/armcosmos/v3"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/trafficmanager/armtrafficmanager"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// probeCase is a probe and what it must say: a detail, or else an error's text.
type probeCase struct {
	target engine.Target
	params string
	ok     bool
	says   string
	class  engine.Class
}

func probes(t *testing.T, p verify.Prober, cases map[string]probeCase) {
	t.Helper()
	schema := remediatortest.Schema(t, p.Spec().Params)
	for name, c := range cases {
		check, err := p.Probe(t.Context(), c.target, json.RawMessage(c.params))
		said := check.Detail
		if err != nil {
			said = err.Error()
		}
		if check.OK != c.ok || !strings.Contains(said, c.says) || (err != nil) != (c.class != "") || err != nil && remediators.ClassOf(err) != c.class {
			t.Errorf("%s: %+v, %v; want %t, %q", name, check, err, c.ok, c.says)
		}
		if c.class == "" && !remediatortest.Accepts(t, schema, c.params) {
			t.Errorf("%s: the schema refuses %s", name, c.params)
		}
	}
}

func TestTrafficManagerProbe(t *testing.T) {
	t.Parallel()
	m, f := newTraffic(t)
	profile := m.add("korea", "japan")
	m.with(profile, "japan", func(p *armtrafficmanager.EndpointProperties) {
		p.EndpointMonitorStatus = new(armtrafficmanager.EndpointMonitorStatusDegraded)
	})
	here, elsewhere := profileTarget(profile), engine.Target{System: "http", Name: "shop"}
	probes(t, NewTrafficManagerProbe(Accounts{"default": f.direct()}), map[string]probeCase{
		"the profile":       {target: here, params: `{}`, ok: true, says: "Online"},
		"online":            {target: here, params: `{"endpoint": "korea"}`, ok: true, says: "endpoint korea of " + profile + " in default: Enabled Online"},
		"degraded":          {target: here, params: `{"endpoint": "japan"}`, says: "Enabled Degraded"},
		"as wanted":         {target: here, params: `{"endpoint": "japan", "monitor": "degraded", "state": "enabled"}`, ok: true, says: "Degraded"},
		"its state only":    {target: here, params: `{"endpoint": "japan", "state": "enabled"}`, ok: true, says: "Enabled"},
		"another state":     {target: here, params: `{"endpoint": "japan", "state": "disabled"}`, says: "Enabled"},
		"named":             {target: elsewhere, params: `{"azure": "default", "resource": "` + here.Name + `"}`, ok: true, says: "Online"},
		"named in part":     {target: here, params: `{"resource": "` + strings.ToUpper(here.Name) + `"}`, ok: true, says: "Online"},
		"not named":         {target: elsewhere, params: `{}`, says: "write azure and resource", class: engine.ClassTerminal},
		"nobody's":          {target: profileTarget("nobody"), params: `{}`, says: "there is none", class: engine.ClassTerminal},
		"an unknown one":    {target: here, params: `{"endpoint": "mars"}`, says: "there are korea, japan", class: engine.ClassTerminal},
		"a profile's state": {target: here, params: `{"state": "enabled"}`, says: "name it", class: engine.ClassTerminal},
		"unknown":           {target: here, params: `{"x": 1}`, says: "unknown field", class: engine.ClassTerminal},
	})
}

func TestCosmosDBProbe(t *testing.T) {
	t.Parallel()
	c, f := newCosmos(t)
	name, offline := c.add("Korea Central", "Japan East"), c.add("Korea Central", "Japan East")
	for account, state := range map[string]string{name: "Succeeded", offline: "Offline"} {
		c.accounts[account].WriteLocations = []*armcosmos.Location{{LocationName: new("Korea Central"), ProvisioningState: new(state)}}
	}
	here := resource(cosmosPath(name))
	probes(t, NewCosmosDBProbe(Accounts{"default": f.direct()}), map[string]probeCase{
		"online":       {target: here, ok: true, params: `{}`, says: "Succeeded, written to in Korea Central (Succeeded)"},
		"written here": {target: here, ok: true, params: `{"writeRegion": "koreacentral"}`, says: "Korea Central"},
		"not there":    {target: here, params: `{"writeRegion": "Japan East"}`, says: "Korea Central"},
		"offline":      {target: resource(cosmosPath(offline)), params: `{}`, says: "Korea Central (Offline)"},
		"nobody's":     {target: resource(cosmosPath("nobody")), params: `{}`, says: "there is none", class: engine.ClassTerminal},
		"another type": {target: profileTarget("x"), params: `{}`, says: "want a Microsoft.DocumentDB", class: engine.ClassTerminal},
		"unknown":      {target: here, params: `{"x": 1}`, says: "unknown field", class: engine.ClassTerminal},
	})
}
