package azuremonitor_test

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/golden"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/azuremonitor"
)

var (
	update   = flag.Bool("update", false, "write the golden files instead of comparing with them")
	received = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
)

func decode(body string) (receiver.Decoded, error) {
	return azuremonitor.Decoder{}.Decode("azure", http.Header{}, []byte(body), received)
}

// fixture is what one of the bodies in testdata becomes, with replacements made
// in its text first, in pairs; each must be there.
func fixture(t *testing.T, name string, replace ...string) alert.Alert {
	t.Helper()
	got, err := decode(changed(t, name, replace...))
	if err != nil {
		t.Fatal(err)
	}
	return got.Alerts[0]
}

func changed(t *testing.T, name string, replace ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	body := string(text)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(body, replace[i]) {
			t.Fatalf("%s has no %s", name, replace[i])
		}
		body = strings.ReplaceAll(body, replace[i], replace[i+1])
	}
	return body
}

// Each format becomes what the golden file beside it says.
func TestDecodesEachFormat(t *testing.T) {
	t.Parallel()
	bodies, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(bodies) == 0 {
		t.Fatalf("no bodies: %v", err)
	}
	for _, file := range bodies {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(changed(t, name))
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.MarshalIndent(got, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, *update, strings.TrimSuffix(file, ".json")+".golden", string(text)+"\n")
		})
	}
}

func TestFiredAndResolvedAreOneEpisode(t *testing.T) {
	t.Parallel()
	fired, resolved := fixture(t, "metric_static"), fixture(t, "metric_static_resolved")
	if fired.Episode() != resolved.Episode() || resolved.Status != alert.Resolved || resolved.EndsAt.IsZero() {
		t.Errorf("fired %+v\nresolved %+v", fired, resolved)
	}
	again := fixture(t, "metric_static", "2026-02-03T04:05:06.1234567Z", "2026-02-03T05:05:06.12Z")
	if again.Series() != fired.Series() || again.Episode() == fired.Episode() {
		t.Errorf("fired again: %+v", again)
	}
}

// Without alertId the two have but the series in common. The resolve has to be
// the newer one, or the firing would never end.
func TestResolveWithoutAStartIsNewerThanItsFiring(t *testing.T) {
	t.Parallel()
	fired, resolved := fixture(t, "metricalert_activated"), fixture(t, "metricalert_deactivated")
	if fired.Series() != resolved.Series() || !resolved.StartsAt.After(fired.StartsAt) || !resolved.EndsAt.Equal(resolved.StartsAt) {
		t.Errorf("fired %+v\nresolved %+v", fired, resolved)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string
		replace    []string
		same       bool
	}{
		{"classic: ids in another case", "classic_metric", []string{"rg-old", "RG-OLD"}, true},
		{"classic: another resource", "classic_metric", []string{"sites/site-old", "sites/site-new"}, false},
		{"classic: another rule", "classic_metric", []string{"TooMany", "TooFew"}, false},
		{"metric alert: another dimension", "metricalert_activated", []string{`"value": "Microsoft.Compute`, `"value": "Microsoft.Other`}, false},
		{"log: another dimension", "log_appinsights", []string{"192.0.2.7", "192.0.2.8"}, false},
		{"log: another workspace", "log_v1_own_schema", []string{"workspaces/logs-orders", "workspaces/logs-cart"}, false},
		{"log: another result", "log_v1_own_schema", []string{`"ResultCount": 2`, `"ResultCount": 3`}, true},
		{"budget: another threshold", "budget", []string{"$1,600.00", "$2,000.00"}, false},
		{"budget: another kind of threshold", "budget", []string{"Forecasted", "Actual"}, false},
		{"budget: another amount", "budget", []string{"$1,234.00", "$1,300.00"}, true},
		{"AIP budget: another threshold", "aip_budget", []string{"800.0", "900.0"}, false},
		{"AIP budget: another amount", "aip_budget", []string{"812.50", "850.00"}, true},
		{"service health: an update", "service_health", []string{`"stage": "Resolved"`, `"stage": "Active"`, "0000000b-aaaa", "0000000c-aaaa"}, true},
		{"service health: another incident", "service_health", []string{"0RD3-RS1", "0RD3-RS2"}, false},
		{"service health: another subscription", "service_health", []string{"00000000c0de", "00000000c0d0"}, false},
		{"activity: another event of a rule", "activity_administrative_rule_id", []string{"E0E0E0E0", "F0F0F0F0"}, false},
		{"activity: a rule, and no event", "activity_administrative_rule_id", []string{`"eventDataId"`, `"x"`}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one, other := fixture(t, c.body), fixture(t, c.body, c.replace...)
			if (one.Series() == other.Series()) != c.same {
				t.Errorf("series %s and %s", one.Series(), other.Series())
			}
		})
	}
}

func TestTraits(t *testing.T) {
	t.Parallel()
	switch (azuremonitor.Decoder{}).Traits().UndecodableStatus {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		t.Error("Azure would send it again, and then stop sending anything")
	}
}
