package manual_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/rules"
)

// TestThePageOnFailover holds that its configurations load, and that the library's rules do in the order what the page says.
func TestThePageOnFailover(t *testing.T) {
	t.Parallel()
	systems := map[string]bool{}
	for _, text := range blocks(t, manual.Failover, "yaml") {
		c := load(t, text)
		for _, r := range c.Redis {
			systems[r.Name] = true
		}
		for _, a := range c.Azure {
			systems[a.Name] = true
			if (a.Name == "stack") != (a.Private != nil) {
				t.Errorf("account %s: %+v", a.Name, a)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "rules", "library", "region-failover.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tools, err := app.NewTools(app.Systems{}, time.Now, "test")
	if err != nil {
		t.Fatal(err)
	}
	set, findings := rules.Parse([]engine.Source{{Name: "region-failover.yaml", Text: string(text)}}, tools.Catalog(app.ReporterNames()))
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	for name, does := range map[string]string{
		"region-failover": "azure.trafficmanager.endpoint azure.cosmosdb.failover redis.promote azure.dns.record",
		"region-resync":   "redis.replicate azure.datafactory.run http.request",
		"region-failback": "redis.promote azure.cosmosdb.failover azure.dns.record azure.trafficmanager.endpoint",
	} {
		rule, ok := set.Rule(name)
		if !ok || !strings.Contains(manual.Failover, "| "+name+" |") {
			t.Fatalf("the page, or the library, has no %s", name)
		}
		var actions []string
		for _, a := range rule.Attempts[len(rule.Attempts)-1].Do {
			actions = append(actions, a.Name)
		}
		if got := strings.Join(actions, " "); got != does {
			t.Errorf("%s does %s, and the page says %s", name, got, does)
		}
	}
	for _, system := range []string{"default", "place-cache-korea", "place-cache-japan"} {
		if !systems[system] {
			t.Errorf("the page does not show the system %s of the rules", system)
		}
	}
}
