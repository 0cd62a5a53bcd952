package rules_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/rules"
)

// many is a set of n rules, each for one job of one alert.
func many(b *testing.B, n int) *rules.Set {
	b.Helper()
	var text strings.Builder
	text.WriteString("apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: bench}\nspec:\n  rules:\n")
	for i := range n {
		fmt.Fprintf(&text, `    - name: rule-%d
      on: {alerts: ['alertname="ServiceDown"', 'job="service-%d"', 'severity=~"critical|warning"']}
      when: alert.severity == "critical"
      target: {cluster: korea, namespace: production, deployment: "${alert.labels.job}"}
      try: [{name: go, do: [{kubernetes.restart: {}}]}]
`, i, i)
	}
	return mustParse(b, source("bench.yaml", text.String()))
}

// BenchmarkMatch is the cost of one alert that one rule is for, out of so many.
// The metric of 10,000 rules is their cost in times of that of 100, and must be
// at most 2.
func BenchmarkMatch(b *testing.B) {
	a := firing(map[string]string{
		"alertname": "ServiceDown", "job": "service-7", "severity": "critical",
		"cluster": "korea", "namespace": "production", "pod": "service-7-abcde", "instance": "10.0.0.1:8080",
	})
	var base time.Duration
	for _, n := range []int{10, 100, 1_000, 10_000} {
		set := many(b, n)
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := set.Match(a, now); len(got) != 1 || got[0].Err != nil {
					b.Fatalf("%+v", got)
				}
			}
			each := b.Elapsed() / time.Duration(b.N)
			switch {
			case n == 100:
				base = each
			case n == 10_000 && base > 0:
				b.ReportMetric(float64(each)/float64(base), "x-of-100-rules")
			}
		})
	}
}

// BenchmarkParse is the cost of compiling 1,000 rules.
func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	text.WriteString("apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: bench}\nspec:\n  rules:\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "    - name: rule-%d\n      on: {alerts: ['alertname=\"A\"']}\n      when: alert.severity == \"s%d\"\n      target: {http: \"${alert.labels.job}\"}\n      try: [{name: go, do: [{http.request: {path: \"/${target.name}\"}}]}]\n", i, i)
	}
	files := source("bench.yaml", text.String())
	for b.Loop() {
		if _, findings := rules.Parse(files, catalog()); findings.Failed() {
			b.Fatal(findings.Format())
		}
	}
}
