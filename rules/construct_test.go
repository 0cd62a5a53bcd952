package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// set wraps rules, each the fields of one, into a set under what spec says
// beside them.
func set(t testing.TB, spec string, ruleFields ...string) *rules.Set {
	t.Helper()
	var text strings.Builder
	text.WriteString("apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: test}\nspec:\n")
	if spec != "" {
		text.WriteString("  " + strings.ReplaceAll(strings.TrimSpace(spec), "\n", "\n  ") + "\n")
	}
	text.WriteString("  rules:\n")
	for _, fields := range ruleFields {
		text.WriteString("    - " + strings.ReplaceAll(strings.TrimSpace(fields), "\n", "\n      ") + "\n")
	}
	return mustParse(t, source("set.yaml", text.String()))
}

// watched is a rule that only looks.
func watched(name string, more ...string) string {
	return fmt.Sprintf("name: %s\ntarget: {http: x}\nmode: observe\n", name) + strings.Join(more, "\n")
}

func TestUnlessHoldsAsInhibitionDoes(t *testing.T) {
	t.Parallel()
	s := set(t, "", watched("one", `on: {alerts: ['alertname=~"ServiceDown|RegionDown"']}`,
		`unless: [{alerts: ['alertname="RegionDown"', 'severity=~"critical|"'], equal: [region, zone]}, {rule: two}]`),
		watched("two", `on: {alerts: ['alertname="B"']}`))
	r, _ := s.Rule("one")
	if len(r.Unless) != 2 || r.Unless[1].Rule != "two" || r.Unless[1].Alert != nil || r.Unless[0].AlertName != "RegionDown" {
		t.Fatalf("%+v", r.Unless)
	}
	label := func(name, severity, region, zone string) alert.Alert {
		return firing(map[string]string{"alertname": name, "severity": severity, "region": region, "zone": zone})
	}
	none := firing(map[string]string{"alertname": "RegionDown"})
	for _, c := range []struct {
		own, other alert.Alert
		want       bool
	}{
		{label("ServiceDown", "", "korea", "a"), label("RegionDown", "critical", "korea", "a"), true},
		{label("ServiceDown", "", "korea", "a"), label("RegionDown", "critical", "korea", "b"), false},
		{label("ServiceDown", "", "korea", "a"), label("RegionDown", "warning", "korea", "a"), false},
		{label("ServiceDown", "", "korea", "a"), label("ServiceDown", "critical", "korea", "a"), false},
		// A missing label equals an empty one.
		{label("ServiceDown", "", "", ""), none, true},
		{label("ServiceDown", "", "korea", ""), none, false},
		// What fits the matchers itself is not held by its like.
		{label("RegionDown", "critical", "korea", "a"), label("RegionDown", "", "korea", "a"), false},
	} {
		if got := r.Unless[0].Alert(c.own, c.other); got != c.want {
			t.Errorf("%v is held by %v: %v, want %v", c.own.Labels, c.other.Labels, got, c.want)
		}
	}
}

func TestGroupsDoNotCollide(t *testing.T) {
	t.Parallel()
	s := set(t, "", watched("one", `on: {alerts: ['alertname="A"']}`, `groupBy: [namespace, "${alert.labels.zone}", "x${alert.labels.zone}${alert.labels.b}"]`))
	group := func(namespace, zone, b string) string {
		matches := s.Match(firing(map[string]string{"alertname": "A", "namespace": namespace, "zone": zone, "b": b}), now)
		if len(matches) != 1 || matches[0].Err != nil {
			t.Fatalf("%+v", matches)
		}
		return matches[0].Group
	}
	if got := group(`n"`, "z", ""); got != `namespace="n\"","z","xz"` {
		t.Errorf("group %s", got)
	}
	same := func(n1, z1, b1, n2, z2, b2 string) bool {
		return (group(n1, z1, b1) == group(n2, z2, b2)) == (n1 == n2 && z1 == z2 && z1+b1 == z2+b2)
	}
	if err := quick.Check(same, nil); err != nil {
		t.Error(err)
	}
	if group(`a","b`, "c", "") == group("a", `b","c`, "") || group("", "", "") == "" || group("\xff", "", "") == group("�", "", "") {
		t.Error("two lists of values give one group")
	}
	bare := set(t, "", watched("one", `on: {alerts: ['alertname="A"']}`))
	if m := bare.Match(firing(map[string]string{"alertname": "A"}), now); len(m) != 1 || m[0].Group != "" {
		t.Errorf("without groupBy: %+v", m)
	}
	broken := set(t, "", watched("one", `on: {alerts: ['alertname="A"']}`, `groupBy: ["${string(int(alert.labels.n))}"]`))
	if m := broken.Match(firing(map[string]string{"alertname": "A", "n": "x"}), now); len(m) != 1 || m[0].Err == nil || !strings.Contains(m[0].Err.Error(), `rule "one": groupBy: set.yaml:10:`) {
		t.Errorf("what cannot be told: %+v", m)
	}
}

func TestTriggersTakeTheirOwnAlertsOnly(t *testing.T) {
	t.Parallel()
	s := set(t, "",
		watched("nightly", `on: {schedule: {cron: "0 2 * * *"}}`, `when: alert.source.startsWith("trigger/")`),
		watched("by-hand", `on: {manual: {inputs: [region]}}`),
		watched("all", `on: {alerts: ['alertname=~".+"']}`),
		watched("named", `on: {alerts: ['alertname="nightly"']}`))
	for _, c := range []struct{ source, name, want string }{
		{"trigger/schedule", "nightly", "nightly"},
		{"trigger/manual", "by-hand", "by-hand"},
		{"trigger/manual", "nightly", ""},
		{"trigger/schedule", "all", ""},
		{"trigger/", "nightly", ""},
		{"alertmanager", "nightly", "all named"},
		{"triggers", "x", "all"},
	} {
		a := firing(map[string]string{"alertname": c.name})
		a.Source = c.source
		var got []string
		for _, m := range s.Match(a, now) {
			got = append(got, m.Rule.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s of %s sets off %v, want %s", c.name, c.source, got, c.want)
		}
	}
	triggers := s.Triggers()
	if len(triggers) != 2 || triggers[0].Rule != "nightly" || triggers[0].Source() != "trigger/schedule" || triggers[1].Manual.Inputs[0] != "region" {
		t.Errorf("triggers %+v", triggers)
	}
	if err := s.Runnable([]string{"manual", "schedule"}); err != nil {
		t.Error(err)
	}
	if err := s.Runnable([]string{"manual"}); err == nil || !strings.Contains(err.Error(), "this build cannot run the triggers of nightly (on.schedule): take") {
		t.Errorf("a trigger that cannot run: %v", err)
	}
}

func TestWindowsGoToTheRulesThatTheyAreFor(t *testing.T) {
	t.Parallel()
	on := `on: {alerts: ['alertname="A"']}`
	s := set(t, `windows:
  - {name: some, start: "0 2 * * *", duration: 2h, timezone: Asia/Seoul, rules: [one, two]}
  - {name: every, start: "0 9 * * *", duration: 8h, effect: allow}`,
		watched("one", on), watched("two", on), watched("three", on), watched("free", on, "guards: {windows: off}"))
	for name, want := range map[string]string{"one": "some:hold every:allow", "two": "some:hold every:allow", "three": "every:allow", "free": ""} {
		r, _ := s.Rule(name)
		var got []string
		for _, w := range r.Guards.Windows {
			got = append(got, w.Name+":"+string(w.Effect))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the windows %v, want %s", name, got, want)
		}
	}
	r, _ := s.Rule("one")
	start := time.Date(2026, 3, 4, 17, 0, 0, 0, time.UTC) // 02:00 in Seoul
	if open, until := r.Guards.Windows[0].Open(start.Add(time.Minute)); !open || !until.Equal(start.Add(2*time.Hour)) {
		t.Errorf("open %v until %s", open, until)
	}
}

func TestARequiredRuleIsNotBoundByTheDefault(t *testing.T) {
	t.Parallel()
	on := `on: {alerts: ['alertname="A"']}`
	s := set(t, `defaults: {guards: {requires: {failover: idle, other: trusted}, concurrent: 3, minHealthy: 2}}`,
		watched("failover", on), watched("one", on), watched("other", on, "guards: {requires: off, concurrent: off, minHealthy: off}"))
	for name, want := range map[string]int{"failover": 1, "one": 2, "other": 0} {
		if r, _ := s.Rule(name); len(r.Guards.Requires) != want {
			t.Errorf("%s requires %v", name, r.Guards.Requires)
		}
	}
	if r, _ := s.Rule("other"); r.Guards.Concurrent != 0 || r.Guards.MinHealthy != (engine.Share{}) {
		t.Errorf("guards that are off: %+v", r.Guards)
	}
}

func TestRoutesAreRendered(t *testing.T) {
	t.Parallel()
	s := set(t, `defaults: {otherwise: {webhook: "x-${alert.labels.team}"}}`, watched("one", `on: {alerts: ['alertname="A"']}`,
		`report: {log: , webhook: "${run.rule} ${target.name} ${int(alert.labels.n)} $${x}"}`))
	r, _ := s.Rule("one")
	scope := engine.Scope{
		Alert: firing(map[string]string{"n": "7", "team": "a"}), Run: engine.RunScope{Rule: "one"}, Target: engine.Target{Name: "place"},
	}
	if r.Report[0].To != nil || r.Report[0].Reporter != "log" {
		t.Errorf("a route without a place: %+v", r.Report[0])
	}
	if to, err := r.Report[1].To(scope); err != nil || to != "one place 7 ${x}" {
		t.Errorf("%q, %v", to, err)
	}
	if to, err := r.Otherwise[0].To(scope); err != nil || to != "x-a" {
		t.Errorf("%q, %v", to, err)
	}
	if to, err := r.Report[1].To(engine.Scope{}); err == nil || !strings.HasPrefix(err.Error(), "report.webhook: set.yaml:") {
		t.Errorf("what cannot be told: %q, %v", to, err)
	}
	empty := set(t, "", watched("one", `on: {alerts: ['alertname="A"']}`, `report: {log: "${alert.labels.team}"}`))
	r, _ = empty.Rule("one")
	if to, err := r.Report[0].To(engine.Scope{}); err == nil || !strings.Contains(err.Error(), "report.log: it is empty") {
		t.Errorf("an empty place: %q, %v", to, err)
	}
}

func TestTargetsOfEveryKind(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{
		"{cluster: c, namespace: n, deployment: x}":                   "kubernetes/c/n/Deployment/x",
		"{cluster: c, namespace: n, statefulset: x}":                  "kubernetes/c/n/StatefulSet/x",
		"{cluster: c, namespace: n, daemonset: x}":                    "kubernetes/c/n/DaemonSet/x",
		"{cluster: c, namespace: n, replicaset: x}":                   "kubernetes/c/n/ReplicaSet/x",
		"{cluster: c, namespace: n, pod: x}":                          "kubernetes/c/n/Pod/x",
		"{cluster: c, namespace: n, job: x}":                          "kubernetes/c/n/Job/x",
		"{cluster: c, namespace: n, cronjob: x}":                      "kubernetes/c/n/CronJob/x",
		"{cluster: c, namespace: n, service: x}":                      "kubernetes/c/n/Service/x",
		"{cluster: c, namespace: n, persistentvolumeclaim: x}":        "kubernetes/c/n/PersistentVolumeClaim/x",
		"{cluster: c, namespace: n}":                                  "kubernetes/c//Namespace/n",
		"{cluster: c, node: x}":                                       "kubernetes/c//Node/x",
		"{cluster: c, persistentvolume: x}":                           "kubernetes/c//PersistentVolume/x",
		"{http: x}":                                                   "http/x",
		"{http: x, cluster: c}":                                       "http/c/x",
		"{azure: a, resource: '/subscriptions/S/resourceGroups/Rg/'}": "azure/a/%2Fsubscriptions%2Fs%2Fresourcegroups%2Frg",
	} {
		s := set(t, "", "name: one\non: {alerts: ['alertname=\"A\"']}\nmode: observe\ntarget: "+target)
		got := s.Match(firing(map[string]string{"alertname": "A"}), now)
		if len(got) != 1 || got[0].Err != nil || got[0].Target.String() != want {
			t.Errorf("%s gives %+v, want %s", target, got, want)
		}
	}
}
