package azuremonitor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

const (
	fired  = `"firedDateTime": "2026-02-03T04:05:06.1234567Z"`
	target = `"alertTargetIDs": [`
)

func TestOddities(t *testing.T) {
	t.Parallel()
	at := func(text string) func(alert.Alert) bool {
		want, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return func(a alert.Alert) bool { return a.StartsAt.Equal(want) && a.StartsAt.Location() == time.UTC }
	}
	label := func(name, value string) func(alert.Alert) bool {
		return func(a alert.Alert) bool { return a.Labels[name] == value }
	}
	note := func(name, value string) func(alert.Alert) bool {
		return func(a alert.Alert) bool { return a.Annotations[name] == value }
	}
	for _, c := range []struct {
		name, body string
		replace    []string
		check      func(a alert.Alert) bool
		warning    string // a part of the only warning; empty: none
	}{
		{"two digits of a fraction", "metric_static", []string{"06.1234567Z", "06.12Z"}, at("2026-02-03T04:05:06.12Z"), ""},
		{"no fraction", "metric_static", []string{"06.1234567Z", "06Z"}, at("2026-02-03T04:05:06Z"), ""},
		{"no zone", "metric_static", []string{"06.1234567Z", "06.1234567"}, at("2026-02-03T04:05:06.1234567Z"), ""},
		{"another zone", "metric_static", []string{"06.1234567Z", "06.5+09:00"}, at("2026-02-02T19:05:06.5Z"), ""},
		{"a zone without a colon", "metric_static", []string{"06.1234567Z", "06.5+0900"}, at("2026-02-02T19:05:06.5Z"), ""},
		{"an American time", "log_v1_own_schema", []string{"2026-02-03T04:05:00Z", "2/3/2026 4:05:07 PM"}, at("2026-02-03T16:05:07Z"), ""},
		{
			"a zero time", "metric_static",
			[]string{"2026-02-03T04:05:06.1234567Z", "0001-01-01T00:00:00"},
			func(a alert.Alert) bool { return a.StartsAt.IsZero() }, "no time of firing",
		},
		{"no time", "metric_static", []string{fired, `"x": 1`}, func(a alert.Alert) bool { return a.StartsAt.IsZero() }, "no time of firing"},
		{
			"resolved without a time of firing", "metric_static_resolved",
			[]string{"firedDateTime", "x"},
			func(a alert.Alert) bool { return !a.EndsAt.IsZero() && a.StartsAt.Equal(a.EndsAt) }, "",
		},
		{
			"resolved at a nonsense time", "metric_static_resolved",
			[]string{"2026-02-03T04:15:00.12Z", "later"},
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.IsZero() }, `resolvedDateTime is "later"`,
		},
		{
			"resolved in no way known", "metric_static_resolved",
			[]string{`"resolvedDateTime"`, `"resolved"`},
			func(a alert.Alert) bool { return a.Status == alert.Resolved && a.EndsAt.IsZero() }, "",
		},
		{
			"fired, with a time of resolve", "metric_static_resolved",
			[]string{`"Resolved"`, `"FIRED"`},
			func(a alert.Alert) bool { return a.Status == alert.Firing && a.EndsAt.IsZero() }, "",
		},
		{
			"an activity log alert never resolves", "resource_health", nil,
			func(a alert.Alert) bool { return a.Status == alert.Firing && a.Labels["event_status"] == "Resolved" }, "",
		},
		{
			"severity null", "metric_static",
			[]string{`"Sev2"`, "null"},
			func(a alert.Alert) bool { _, set := a.Labels["severity"]; return a.Severity == "" && !set }, "",
		},
		{"severity a number, without the common schema", "metricalert_activated", []string{`"severity": "3"`, `"severity": 3`}, label("severity", "3"), ""},
		{"alertRuleId", "metric_static", []string{"alertRuleID", "alertRuleId", `"alertRule"`, `"x"`}, label("alertname", "orders-rule"), ""},
		{"no rule at all", "metric_dynamic", []string{`"alertRule"`, `"x"`}, func(a alert.Alert) bool { return a.Name == "" }, "no name"},
		{
			"a whole id as item", "metric_static",
			[]string{`"VM-Orders-1"`, `"/subscriptions/5ca1ab1e-0000-4000-8000-00000000c0de/resourceGroups/RG-Orders/providers/Microsoft.Compute/virtualMachines/VM-Orders-1"`},
			label("resource_group", "RG-Orders"), "",
		},
		{
			"the item is the second target", "metric_static",
			[]string{target, target + `"/subscriptions/s/resourceGroups/g/providers/a.b/c/d",`},
			func(a alert.Alert) bool {
				return a.Labels["resource_group"] == "rg-orders" && strings.HasPrefix(a.Labels["scope"], "/subscriptions/s/")
			}, "",
		},
		{"several items", "metric_static", []string{`"VM-Orders-1"`, `"VM-Orders-1", null, "", "VM-Orders-2"`}, note("configuration_items", "VM-Orders-1, VM-Orders-2"), ""},
		{
			"a host has not the group of its workspace", "log_v2", nil,
			func(a alert.Alert) bool {
				_, set := a.Labels["resource_group"]
				return !set && a.Labels["resource"] == "order-host-7"
			}, "",
		},
		{"no targets and no items", "metric_static", []string{"alertTargetIDs", "x", "configurationItems", "y"}, label("resource", ""), ""},
		{
			"a target that is no ARM id", "metric_dynamic",
			[]string{"/subscriptions/5ca1ab1e-0000-4000-8000-00000000c0de/resourcegroups/rg-orders/providers/microsoft.compute/virtualmachines/vm-orders-1", "/here", "VM-Orders-1", "/there"},
			func(a alert.Alert) bool {
				return a.Labels["resource"] == "/there" && a.Labels["resource_name"] == "/there"
			}, "",
		},
		{
			"an endless ARM id", "metric_dynamic",
			[]string{"VM-Orders-1", "/subscriptions/s" + strings.Repeat("/a/b", 100)},
			func(a alert.Alert) bool { _, set := a.Labels["resource_type"]; return !set }, "",
		},
		{
			"a nested resource", "metric_dynamic",
			[]string{"VM-Orders-1", "/subscriptions/s/resourceGroups/g/providers/Microsoft.Sql/servers/one/databases/two"},
			func(a alert.Alert) bool {
				return a.Labels["resource_type"] == "Microsoft.Sql/servers/databases" && a.Labels["resource_name"] == "two"
			}, "",
		},
		{
			"alertId without slashes", "metric_dynamic",
			[]string{"/subscriptions/5ca1ab1e-0000-4000-8000-00000000c0de/providers/Microsoft.AlertsManagement/alerts/00000002-aaaa-4bbb-8ccc-123456789abc", "ABC-1"},
			func(a alert.Alert) bool { return a.Fingerprint == "abc-1" }, "",
		},
		{
			"an endless alertId", "metric_dynamic",
			[]string{"00000002-aaaa-4bbb-8ccc-123456789abc", strings.Repeat("f", 200)},
			func(a alert.Alert) bool { return len(a.Fingerprint) == 16 }, "",
		},
		{"dimensions with strange names", "log_v2", []string{`"Computer"`, `"2nd.Computer é"`}, label("_2nd_Computer__", "order-host-7"), ""},
		{"a dimension without a name", "log_v2", []string{`"Computer"`, `""`}, label("Health_State", "down"), "is empty"},
		{"two dimensions of one name", "log_v2", []string{`"Computer"`, `"Health.State"`}, label("Health_State", "order-host-7"), "given twice"},
		{
			"a dimension may not pass for a resource", "log_v2",
			[]string{`"Computer"`, `"resource_group"`},
			func(a alert.Alert) bool {
				_, set := a.Labels["resource_group"]
				return !set && a.Labels["dimension_resource_group"] == "order-host-7"
			}, "",
		},
		{"a dimension may not pass for another's name", "metric_static", []string{`"microsoft.resourceId"`, `"metric_name"`}, label("metric_name", "Percentage CPU"), ""},
		{"threshold a number", "metric_dynamic", []string{`"0.3"`, "0.3"}, note("threshold", "0.3"), ""},
		{"custom properties an array", "metric_static", []string{`"customProperties": {`, `"customProperties": [], "x": {`}, note("team", "orders"), "data.customProperties is a JSON array"},
		{"impacted services", "service_health", nil, note("impacted_services", `[{"ServiceName":"Storage","ImpactedRegions":[{"RegionName":"Korea Central"}]}]`), ""},
		{"impacted services in a string", "activitylogs_service_health", nil, note("impacted_services", `[{"ServiceName":"Storage"}]`), ""},
		{"a context of no known shape", "smart_detection", []string{"SmartDetectorId", "New", "DetectionSummary", "Newer"}, label("alert_type", "other"), "data.alertContext has a shape"},
		{"no context", "metric_dynamic", []string{`"alertContext"`, `"x"`}, label("alert_type", "other"), ""},
		{"no schemaId", "metric_dynamic", []string{`"schemaId"`, `"x"`}, label("alert_type", "metric"), ""},
		{"schemaId in lower case", "metric_dynamic", []string{"azureMonitorCommonAlertSchema", "azuremonitorcommonalertschema"}, label("alert_type", "metric"), ""},
		{"the service's name does not count", "log_v2", []string{"Log Alerts V2", "Activity Log"}, label("alert_type", "log"), ""},
		{"classic, resolved", "classic_metric", []string{"Activated", "Resolved"}, func(a alert.Alert) bool { return a.Status == alert.Resolved }, ""},
		{"service health without a start of the impact", "activitylogs_service_health", []string{"impactStartTime", "x"}, at("2026-02-03T04:04:59.9876543Z"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(changed(t, c.body, c.replace...))
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got.Alerts[0]) {
				t.Errorf("got %+v", got.Alerts[0])
			}
			switch {
			case c.warning == "" && len(got.Warnings) > 0:
				t.Errorf("warnings %q, want none", got.Warnings)
			case c.warning != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.warning)):
				t.Errorf("warnings %q, want one with %q", got.Warnings, c.warning)
			}
		})
	}
}

// Claims hold parts of somebody's token.
func TestClaimsAreNotShown(t *testing.T) {
	t.Parallel()
	a := fixture(t, "activity_administrative_rule_id")
	for name, value := range a.Annotations {
		if strings.Contains(value, "not-to-be-shown") || strings.Contains(value, "nor-this") {
			t.Errorf("%s is %q", name, value)
		}
	}
}
