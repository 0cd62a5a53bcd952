package rules_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/matcher/parse"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

var (
	_   engine.RuleSet = (*rules.Set)(nil)
	now                = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

func firing(labels map[string]string) alert.Alert {
	return alert.Alert{
		Source: "am", Fingerprint: "f", Name: labels["alertname"], Severity: labels["severity"],
		Status: alert.Firing, Labels: labels, Annotations: map[string]string{}, StartsAt: now.Add(-time.Minute),
	}
}

// one compiles a rule file with one rule that has this selector, condition and
// deployment.
func one(t testing.TB, matchers, when, deployment string) *rules.Set {
	t.Helper()
	text := "name: one\non: {alerts: [" + matchers + "]}\n"
	if when != "" {
		text += "when: " + when + "\n"
	}
	text += "target: {cluster: korea, namespace: production, deployment: " + deployment + "}\n" +
		"try: [{name: go, do: [{kubernetes.restart: {}}]}]\n"
	return mustParse(t, source("one.yaml", wrap(text)))
}

func TestMatchers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		matchers string
		labels   map[string]string
		want     bool
	}{
		{`'alertname="A"'`, map[string]string{"alertname": "A"}, true},
		{`'alertname="A"'`, map[string]string{"alertname": "B"}, false},
		{`'alertname="A"'`, map[string]string{}, false},
		{`'alertname="A"', 'job!="x"'`, map[string]string{"alertname": "A"}, true},
		{`'alertname="A"', 'job=""'`, map[string]string{"alertname": "A"}, true},
		{`'alertname="A"', 'job=""'`, map[string]string{"alertname": "A", "job": "x"}, false},
		{`'{alertname="A", job=~"x|y"}'`, map[string]string{"alertname": "A", "job": "y"}, true},
		{`'alertname="A",job=~"x|y"'`, map[string]string{"alertname": "A", "job": "xy"}, false},
		{`'job=~"(profile|place)-service|[ab]"'`, map[string]string{"job": "place-service"}, true},
		{`'job=~"(profile|place)-service|[ab]"'`, map[string]string{"job": "b"}, true},
		{`'job=~"(profile|place)-service|[ab]"'`, map[string]string{"job": "c"}, false},
		{`'job=~"(?i)place"'`, map[string]string{"job": "PLACE"}, true},
		{`'job=~".+"'`, map[string]string{"job": "anything"}, true},
		{`'job=~".+"'`, map[string]string{}, false},
		{`'a="1"', 'b!~"x.*"'`, map[string]string{"a": "1", "b": "xy"}, false},
		{`'"with space"="é"'`, map[string]string{"with space": "é"}, true},
	} {
		got := one(t, c.matchers, "", "x").Match(firing(c.labels), now)
		if (len(got) == 1) != c.want {
			t.Errorf("[%s] and %v: %d matches, want %v", c.matchers, c.labels, len(got), c.want)
		}
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	a := firing(map[string]string{"alertname": "A", "severity": "critical", "job": "place", "empty": ""})
	a.Annotations = map[string]string{"summary": "down"}
	for condition, want := range map[string]bool{
		`alert.severity == "critical"`:                                     true,
		`alert.severity in ["warning", "info"]`:                            false,
		`alert.source == "am" && alert.status == "firing"`:                 true,
		`alert.name.startsWith("A") && alert.fingerprint == "f"`:           true,
		`alert.annotations.summary == "down"`:                              true,
		`alert.labels.missing == ""`:                                       true,
		`alert.labels["mis-sing"] == ""`:                                   true,
		`has(alert.labels.missing)`:                                        false,
		`has(alert.labels.empty)`:                                          true,
		`"missing" in alert.labels || !("job" in alert.labels)`:            false,
		`size(alert.labels) == 4`:                                          true,
		`alert.labels.exists(l, alert.labels[l] == "place")`:               true,
		`[alert.labels].exists(l, has(l.missing))`:                         false,
		`alert.labels.map(l, l) == ["alertname","empty","job","severity"]`: true,
		`now - alert.startsAt > duration("30s")`:                           true,
		`now.getHours("Asia/Seoul") == 14`:                                 true,
		`alert.labels.job.matches("^pl.ce$")`:                              true,
		`alert.labels.job.split("a")[1] == "ce"`:                           true,
		`alert.url == ""`:                                                  true,
		`alert.labels.get("job", "none") == "place"`:                       true,
		`alert.labels.get("missing", "none") == "none"`:                    true,
		`alert.labels.get("empty", "none") == "none"`:                      true,
		`alert.annotations.get("summary", alert.name) == "down"`:           true,
		`{"a": "b"}.get("a", "x") + {"a": "b"}.get("c", "x") == "bx"`:      true,
		`alert.labels["job"] == alert.labels["pl" + "ace"]`:                false,
	} {
		quoted := "'" + strings.ReplaceAll(condition, "'", "''") + "'"
		got := one(t, `'alertname="A"'`, quoted, "x").Match(a, now)
		switch {
		case len(got) > 0 && got[0].Err != nil:
			t.Errorf("%s: %v", condition, got[0].Err)
		case (len(got) == 1) != want:
			t.Errorf("%s is %v, want %v", condition, len(got) == 1, want)
		}
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	a := firing(map[string]string{"alertname": "A", "job": "place", "n": "7"})
	for deployment, want := range map[string]string{
		`"${alert.labels.job}"`:                         "place",
		`"${alert.labels.job}-v${1 + 1}"`:               "place-v2",
		`"$${alert.labels.job}"`:                        "${alert.labels.job}",
		`"$5 {x} $${"`:                                  "$5 {x} ${",
		`'${{"place": "it}"}[alert.labels.job] + "{"}'`: "it}{",
		`'${"""a"}b""" + r"\"}'`:                        `a"}b\`,
		`'${int(alert.labels.n) + 1}'`:                  "8",
	} {
		got := one(t, `'alertname="A"'`, "", deployment).Match(a, now)
		if len(got) != 1 || got[0].Err != nil || got[0].Target.Name != want {
			t.Errorf("%s gives %+v, want %q", deployment, got, want)
			continue
		}
		if s := got[0].Target; s.System != "kubernetes" || s.Cluster != "korea" || s.Namespace != "production" || s.Kind != "Deployment" {
			t.Errorf("%s gives %v", deployment, s)
		}
	}
}

// What cannot be evaluated, or points at nothing, is neither a match nor none.
func TestWhatCannotBeToldIsAnError(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 2_000_000)
	for name, c := range map[string]struct{ when, deployment, label, want string }{
		"empty target":     {"", `"${alert.labels.missing}"`, "", "no name"},
		"failing target":   {"", `"${int(alert.labels.job)}"`, "x", "the target's name: one.yaml:8:"},
		"failing when":     {`int(alert.labels.job) > 1`, "x", "x", `rule "one": when: one.yaml:8:13`},
		"division by zero": {`1 / int(alert.labels.job) > 1`, "x", "0", "division by zero"},
		"cost":             {`alert.labels.exists(l, alert.labels[l].contains(alert.name + "y"))`, "x", big, "cost limit exceeded"},
	} {
		a := firing(map[string]string{"alertname": "A", "job": c.label})
		got := one(t, `'alertname="A"'`, c.when, c.deployment).Match(a, now)
		if len(got) != 1 || got[0].Err == nil || !strings.Contains(got[0].Err.Error(), c.want) {
			t.Errorf("%s: %.300v, want an error with %q", name, got, c.want)
		}
	}
}

func TestMatchesComeInTheOrderWritten(t *testing.T) {
	t.Parallel()
	rule := func(name, matcher string) string {
		return "name: " + name + "\non: {alerts: ['" + matcher + "']}\ntarget: {http: x}\ntry: [{name: go, do: [{http.request: {path: /}}]}]"
	}
	files := []engine.Source{
		{Name: "b.yaml", Text: wrap(rule("third", `severity=~"c.*"`))},
		{Name: "a.yaml", Text: wrap(rule("first", `severity="critical"`)) + "    - " + strings.ReplaceAll(rule("second", `alertname="A"`), "\n", "\n      ") + "\n"},
	}
	var got []string
	for _, m := range mustParse(t, files).Match(firing(map[string]string{"alertname": "A", "severity": "critical"}), now) {
		got = append(got, m.Rule.Name)
	}
	if strings.Join(got, " ") != "first second third" {
		t.Errorf("order %v", got)
	}
}

// selectors is a set of rules with random matchers, and those matchers.
func selectors(t testing.TB, random *rand.Rand, n int) (*rules.Set, [][]string) {
	t.Helper()
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var text strings.Builder
	text.WriteString("apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: test}\nspec:\n  rules:\n")
	all := make([][]string, n)
	for i := range n {
		// One that demands something keeps the selector from being refused.
		all[i] = []string{pick("a", "b", "c") + pick(`="x"`, `="y"`, `=~"x|y"`, `=~"x?y"`, `=~".+"`, `=~"(?i)x"`, `!=""`)}
		for range random.IntN(3) {
			all[i] = append(all[i], pick("d", "e")+pick(`="x"`, `!="x"`, `=~"x|"`, `!~"x|y"`, `=""`, `=~"[w-y]z?"`))
		}
		fmt.Fprintf(&text, "    - name: rule-%d\n      on: {alerts: ['%s']}\n      target: {http: x}\n      mode: observe\n", i, strings.Join(all[i], "','"))
	}
	set, findings := rules.Parse(source("random.yaml", text.String()), catalog())
	if findings.Failed() {
		// Two matchers of one label contradict each other.
		return nil, nil
	}
	return set, all
}

// The index finds what asking every rule finds.
func TestIndexFindsWhatAskingEveryRuleFinds(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	tried := 0
	for tried < 60 {
		set, all := selectors(t, random, 1+random.IntN(6))
		if set == nil {
			continue
		}
		tried++
		for range 50 {
			labels := map[string]string{}
			for _, name := range []string{"a", "b", "c", "d", "e"} {
				if v := []string{"", "x", "y", "X", "w", "xz", "-"}[random.IntN(7)]; v != "-" {
					labels[name] = v
				}
			}
			compareWithEvery(t, set, all, labels)
		}
	}
}

func compareWithEvery(t *testing.T, set *rules.Set, all [][]string, labels map[string]string) {
	t.Helper()
	var want, got []string
	for i, matchers := range all {
		ms, err := parse.Matchers(strings.Join(matchers, ","))
		if err != nil {
			t.Fatal(err)
		}
		fits := true
		for _, m := range ms {
			fits = fits && m.Matches(labels[m.Name])
		}
		if fits {
			want = append(want, fmt.Sprintf("rule-%d", i))
		}
	}
	for _, m := range set.Match(firing(labels), now) {
		got = append(got, m.Rule.Name)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("%v sets off %v, want %v, of the rules %q", labels, got, want, all)
	}
}

func FuzzMatch(f *testing.F) {
	sets := make([]*rules.Set, 0, 8)
	selected := make([][][]string, 0, 8)
	random := rand.New(rand.NewPCG(3, 4))
	for len(sets) < 8 {
		if set, all := selectors(f, random, 5); set != nil {
			sets, selected = append(sets, set), append(selected, all)
		}
	}
	rendering := mustParse(f, source("f.yaml", wrap(`name: render
on: {alerts: ['a=~"(?s).+"']}
when: size(alert.labels) > 0 && (alert.labels.get("b", "x") == "x" || alert.labels.c.split(",").size() > 0)
unless: [{alerts: ['b=~".+"'], equal: [c]}]
groupBy: [a, "${alert.labels.b}-${alert.labels.c}"]
report: {log: "${alert.labels.a}"}
target: {cluster: "${alert.labels.a}", namespace: "x-${alert.labels.b}", pod: "${alert.labels.c.replace('x', 'y')}"}
try: [{name: go, do: [{kubernetes.restart: {}}]}]`)))
	f.Add("a", "x", "b", "y", "c", "x")
	f.Add("d", "", "a", "X", "e", "z\x00\xff")
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2, n3, v3 string) {
		labels := map[string]string{n1: v1, n2: v2, n3: v3}
		for i, set := range sets {
			compareWithEvery(t, set, selected[i], labels)
		}
		for _, m := range rendering.Match(firing(labels), now) {
			if m.Err == nil && (m.Target.Validate() != nil || m.Group == "") {
				t.Errorf("%q gives the target %v and the group %q", labels, m.Target, m.Group)
			}
			for _, other := range []alert.Alert{firing(labels), firing(map[string]string{n1: v2, n2: v1})} {
				if i := m.Rule.Unless[0]; i.Alert(other, other) || i.Alert(firing(labels), other) && i.Alert(other, firing(labels)) {
					t.Errorf("%q and %q hold each other", labels, other.Labels)
				}
			}
			if to, err := m.Rule.Report[0].To(engine.Scope{Alert: firing(labels)}); err == nil && to == "" {
				t.Errorf("%q is reported nowhere", labels)
			}
		}
	})
}
