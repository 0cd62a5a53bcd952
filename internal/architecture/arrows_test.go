package architecture

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// layer is a package and what of this module it may import beside what is below it by name.
type layer struct {
	// pkg is a folder; with /... it stands for every folder below it, too.
	pkg  string
	uses []string
}

// arrows is the design's picture as a table, lowest first: edges → responder, worker → rules, remediators → engine →
// alert. A package that is not here fails the test, and so does an import that is not.
func arrows() []layer {
	return []layer{
		{"internal/alert", nil},
		{"internal/engine", []string{"internal/alert"}},
		{"internal/engine/simulation", []string{"internal/engine", "internal/alert"}},
		{"internal/engine/rehearsal", []string{"internal/engine"}},
		{"internal/calendar", nil},
		{"internal/ledger", []string{"internal/engine"}},
		{"internal/explain", []string{"internal/engine", "internal/alert"}},
		{"internal/bus", nil},
		{"internal/bus/access", []string{"internal/bus", "internal/engine"}},
		{"internal/config", nil},
		{"internal/manual", nil},

		{"rules/...", []string{"rules/...", "internal/calendar", "internal/engine/...", "internal/explain", "internal/alert"}},
		{"remediators", []string{"internal/engine"}},
		{"internal/verify", []string{"remediators", "internal/engine"}},
		{"remediators/remediatortest", []string{"remediators", "internal/engine"}},
		{"remediators/webapi", nil},
		{"remediators/...", []string{"remediators", "internal/verify", "internal/engine"}},
		{"remediators/prometheus", []string{"remediators", "remediators/webapi", "internal/verify", "internal/engine"}},
		{"remediators/alertmanager", []string{"remediators", "remediators/webapi", "internal/verify", "internal/engine"}},

		{"internal/responder", []string{"internal/bus", "internal/ledger", "internal/engine", "internal/alert"}},
		{"internal/reload", []string{"internal/engine"}},
		{"internal/reload/reloadtest", nil}, // for tests only
		{"internal/worker", []string{"internal/bus", "internal/verify", "remediators", "internal/engine"}},
		{"internal/worker/conformance", []string{"internal/bus", "internal/bus/access", "internal/engine"}},

		{"receiver", []string{"internal/alert"}},
		{"receiver/...", []string{"receiver/...", "internal/alert"}},
		{"receiver/remark", nil},
		{"receiver/corpus", nil}, // for tests only
		{"internal/trigger", []string{
			"internal/bus", "internal/calendar", "internal/verify", "remediators", "rules", "internal/engine", "internal/alert",
		}},
		{"internal/report", []string{"internal/engine", "internal/alert"}},
		{"internal/report/...", []string{"internal/report", "internal/engine"}},
		{"internal/web/api", []string{"internal/engine", "internal/alert"}},
		{"internal/web", []string{
			"internal/web/api", "internal/explain", "internal/ledger", "internal/bus", "internal/engine", "internal/alert",
		}},
		{"internal/web/webtest", []string{ // for tests only
			"internal/web/...", "internal/responder", "internal/ledger", "internal/bus", "internal/engine", "internal/alert",
		}},
		{"internal/client", []string{"internal/web/api", "internal/engine", "internal/alert"}},

		// The only wiring.
		{"internal/app", []string{
			"receiver/...", "remediators/...", "rules/...", "internal/alert", "internal/engine", "internal/ledger", "internal/bus",
			"internal/responder", "internal/worker", "internal/verify", "internal/trigger", "internal/report/...", "internal/web",
			"internal/web/api", "internal/config", "internal/explain", "internal/reload",
		}},

		// Programs, and what only programs and tests use.
		{"internal/lab/...", []string{"internal/lab/..."}},
		{"internal/demo", []string{
			"internal/app", "internal/config", "internal/bus", "internal/ledger", "internal/explain", "internal/engine",
			"receiver/alertmanager/webhook",
		}},
		{"internal/e2e/...", []string{ // from outside: it starts the built program and uses its API
			"internal/e2e", "internal/lab", "internal/client", "internal/web/api", "internal/explain", "internal/ledger",
			"internal/engine", "internal/alert", "remediators/kubernetes",
		}},
		{"internal/crash/...", []string{"internal/...", "receiver/...", "remediators/...", "rules/..."}},
		{"internal/architecture", nil},
		{"internal/golden", nil}, // for tests only
		{"cmd/paramedic", []string{
			"internal/app", "internal/config", "internal/client", "internal/demo", "internal/explain", "internal/ledger", "internal/manual",
			"internal/bus/access", "internal/worker/conformance", "internal/web/api", "internal/engine", "internal/alert", "rules/...", "receiver/...",
		}},
	}
}

// sdks says which packages may use a foreign module. Everything else may use the standard library only.
func sdks() []layer {
	return []layer{
		{"k8s.io/...", []string{
			"remediators/kubernetes", "internal/verify", "internal/app", "internal/lab/...", "internal/e2e/...", "internal/crash/...",
		}},
		{"github.com/nats-io/...", []string{"internal/bus/..."}},
		{"golang.org/x/sys/...", []string{"internal/bus", "internal/lab/...", "remediators/exec"}},
		{"golang.org/x/net/dns/dnsmessage", []string{"remediators/dns"}},
		{"golang.org/x/net/http/httpguts", []string{"remediators/http"}},
		{"golang.org/x/time/...", []string{"internal/app", "receiver"}},
		{"github.com/coreos/go-oidc/...", []string{"receiver/oidc"}},
		{"github.com/go-jose/go-jose/...", []string{"receiver/oidc"}},
		{"github.com/redis/go-redis/...", []string{"remediators/redis"}},
		{"golang.org/x/term", []string{"cmd/paramedic"}},
		{"github.com/Azure/azure-sdk-for-go/...", []string{"remediators/azure"}},
		{"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm", []string{"receiver/azuremonitor", "remediators/azure"}}, // parses resource ids
		{"github.com/labstack/echo/...", []string{"receiver", "internal/web/...", "internal/app"}},
		{"github.com/go-json-experiment/json/...", []string{"receiver/...", "internal/engine", "internal/ledger"}},
		{"github.com/prometheus/client_golang/...", []string{
			"receiver", "internal/bus", "internal/responder", "internal/worker", "internal/report", "internal/web/...", "internal/app",
			"internal/trigger", "internal/reload", "rules/backtest/...", "remediators/prometheus",
		}},
		{"github.com/prometheus/alertmanager/...", []string{"rules/..."}},
		{"github.com/prometheus/common/...", []string{"rules/...", "remediators/prometheus"}},
		{"github.com/robfig/cron/v3", []string{"internal/calendar"}},
		{"github.com/google/cel-go/...", []string{"rules/...", "receiver/jsonmap"}},
		{"github.com/cloudevents/sdk-go/...", []string{"receiver/cloudevents"}},
		{"github.com/santhosh-tekuri/jsonschema/...", []string{"rules/...", "remediators", "remediators/remediatortest"}},
		{"sigs.k8s.io/yaml", []string{"internal/app"}},
		{"go.yaml.in/yaml/v3", []string{"rules/...", "internal/config", "internal/lab/..."}},
		{"github.com/spf13/cobra", []string{"cmd/paramedic"}},
		{"golang.org/x/tools/...", []string{"internal/architecture"}},
	}
}

// within reports whether a folder is the one that a pattern names, or, with /..., below it.
func within(folder, pattern string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return folder == base || (below && strings.HasPrefix(folder, base+"/"))
}

// find is the most specific entry for a folder: the longest, and of equals the one without /....
func find(table []layer, folder string) (layer, bool) {
	best, found := layer{}, false
	for _, l := range table {
		base := strings.TrimSuffix(l.pkg, "/...")
		if within(folder, l.pkg) && (!found || len(base) > len(strings.TrimSuffix(best.pkg, "/...")) || l.pkg == folder) {
			best, found = l, true
		}
	}
	return best, found
}

// arrowsPointDown checks imports of this module. Tests may import what they need.
func arrowsPointDown(t *tree) []string {
	var findings []string
	unknown := map[string]bool{}
	for _, f := range t.files {
		from, ok := find(arrows(), f.folder())
		if !ok && !unknown[f.folder()] {
			unknown[f.folder()] = true
			findings = append(findings, f.folder()+": the package is not in the table of arrows: decide its place there")
		}
		if !ok || f.isTest() {
			continue
		}
		for _, imported := range f.imports() {
			to, own := strings.CutPrefix(imported, module)
			if own && !slices.ContainsFunc(from.uses, func(p string) bool { return within(to, p) }) {
				findings = append(findings, fmt.Sprintf("%s: imports %s: %s may import only: %s", f.path, to, from.pkg, list(from.uses)))
			}
		}
	}
	return findings
}

// sdksStayOut checks imports of other modules.
func sdksStayOut(t *tree) []string {
	var findings []string
	for _, f := range t.files {
		if f.isTest() {
			continue
		}
		for _, imported := range f.imports() {
			domain, _, _ := strings.Cut(imported, "/")
			if strings.HasPrefix(imported, module) || !strings.Contains(domain, ".") {
				continue
			}
			sdk, ok := find(sdks(), imported)
			if !ok {
				findings = append(findings, fmt.Sprintf("%s: imports %s: it is not in the table of SDKs: decide there who may", f.path, imported))
			} else if !slices.ContainsFunc(sdk.uses, func(p string) bool { return within(f.folder(), p) }) {
				findings = append(findings, fmt.Sprintf("%s: imports %s: only these may: %s", f.path, imported, list(sdk.uses)))
			}
		}
	}
	return findings
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing of this module"
	}
	return strings.Join(names, ", ")
}

// noDrawers refuses packages that are named after no idea.
func noDrawers(t *tree) []string {
	drawers := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib", "tools", "types"}
	var findings []string
	for _, folder := range t.folders() {
		if slices.Contains(drawers, path.Base(folder)) {
			findings = append(findings, folder+": the name says nothing: name the package after its one idea")
		}
	}
	return findings
}
