package rules_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/rules"
)

// A mistake in an expression is reported where it stands, however the text
// around it is written. The mistake is the dot before a field that is not there.
func TestMistakesAreReportedWhereTheyStand(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	for style, write := range styles() {
		for range 60 {
			text := "apiVersion: paramedic.dev/v1\nkind: RuleSet\nmetadata: {name: test}\nspec:\n  rules:\n    - name: one\n" +
				"      on: {alerts: ['alertname=\"A\"']}\n      target: {http: x}\n      mode: observe\n      report:\n        log: " +
				write(random) + "\n        webhook: x\n"
			before, _, ok := strings.Cut(text, ".nope}")
			if !ok {
				t.Fatalf("%s: %q has no mistake in it", style, text)
			}
			line := strings.Count(before, "\n") + 1
			column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
			_, findings := rules.Parse(source("p.yaml", text), catalog())
			if len(findings) != 1 || findings[0].Line != line || findings[0].Column != column || !strings.HasPrefix(findings[0].Message, `alert has no field "nope"`) {
				t.Fatalf("%s: want one finding at %d:%d\n%s\n%s", style, line, column, findings.Format(), text)
			}
		}
	}
}

// styles write a text with a mistake in it in every way that YAML has.
func styles() map[string]func(*rand.Rand) string {
	const mistake, indent = "${alert.nope}", "          "
	pick := func(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }
	words := func(r *rand.Rand, of ...string) string {
		var b strings.Builder
		for range r.IntN(5) {
			b.WriteString(pick(r, of...))
		}
		return b.String()
	}
	plain := []string{"a", "한 ", "é", " b", `"`, "'", "$", "}", "😀", " $${x} ", `\`}
	lines := func(r *rand.Rand, inner ...string) string {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteString(indent + "w" + words(r, "a", "한", " é", `"`, "'") + pick(r, inner...) + pick(r, "\n", "\n\n", "\n\n\n"))
		}
		return b.String()
	}
	return map[string]func(*rand.Rand) string{
		"plain":         func(r *rand.Rand) string { return "w" + words(r, plain...) + "w" + mistake + words(r, "a", "é") },
		"single quoted": func(r *rand.Rand) string { return "'" + words(r, "a", "''", "한 ", `"`, "\\") + mistake + "''é'" },
		"double quoted": func(r *rand.Rand) string {
			return `"` + words(r, "a", `\"`, `\t`, `\u00e9`, `\x41`, `\U0001F600`, "'", `\\`, "한") + mistake + `\n"`
		},
		"literal": func(r *rand.Rand) string {
			return pick(r, "|", "|-", "|+", "| # why") + "\n" + lines(r, "", "  ") + indent + "x " + mistake
		},
		"folded": func(r *rand.Rand) string {
			return pick(r, ">", ">-", ">+") + "\n" + lines(r, "", "  ") + indent + pick(r, "", "  ") + "x " + mistake
		},
		"plain, lines": func(r *rand.Rand) string { return "w\n" + lines(r, "", " ") + indent + "x " + mistake },
		"single, lines": func(r *rand.Rand) string {
			return "'w" + words(r, "''", "a") + "\n" + indent + words(r, "''", "한") + "\n\n" + indent + mistake + "'"
		},
		"double, lines": func(r *rand.Rand) string {
			return `"w` + words(r, `\"`, "a") + "\n" + indent + words(r, `\t`, "한") + "\n\n" + indent + mistake + `"`
		},
		"double, joined": func(r *rand.Rand) string {
			return `"w` + words(r, `\"`, "a") + "\\\n" + indent + pick(r, "", `\ `) + "x" + mistake + `"`
		},
		"below, in quotes": func(r *rand.Rand) string { return "\n\n" + indent + "'" + words(r, "''", "a") + mistake + "'" },
	}
}

// What would make one place in the file stand for several is refused.
func TestOnePlaceStandsForOneThing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"log: &a x":        "anchors (&a) are not read",
		"log: *a":          "aliases (*a) are not read",
		"<<: {log: x}":     "merge keys (<<) are not read",
		"log: !!str x":     "tags (!!str) are not read",
		"log: !x y":        "tags (!x) are not read",
		"log: &a [*a]":     "anchors (&a) are not read",
		"{log: &a x}":      "anchors (&a) are not read",
		"? &a log\n  : x":  "anchors (&a) are not read",
		"log: x\n  log: y": `"log" is written twice`,
	} {
		set, findings := rules.Parse(source("p.yaml", "apiVersion: paramedic.dev/v1\nspec:\n  "+text+"\n"), catalog())
		if set != nil || !strings.Contains(findings.Format(), want) && !strings.Contains(findings.Format(), "unknown anchor") {
			t.Errorf("%s: want %s\n%s", text, want, findings.Format())
		}
	}
}
