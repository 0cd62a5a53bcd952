// Package rules is the rule language: strict YAML around Alertmanager's
// matchers and typed CEL, compiled into the engine's rule set.
//
// [Load] reads files, [Parse] compiles them into a [Set] or says in [Findings]
// what is wrong, at file:line:column. A set is immutable, pure and safe for
// concurrent use; equal digests of one build decide equally.
//
// What a rule may call comes in as a [Catalog] value, so the language knows no
// remediator, prober or reporter by itself.
//
// # Expressions
//
// Expressions are CEL over declared types. Which names there are depends on the
// place:
//
//	when, target        alert, now
//	groupBy             alert
//	a budget's by       alert, target, run
//	check, do, verify   alert, target, run, attempt, now
//	report, otherwise   alert, target, run, now
//
// Labels and annotations are maps of texts. As in Prometheus, one that is missing
// reads as the empty text: alert.labels.team, or alert.labels["my-team"] for a
// name that CEL cannot write. alert.labels.get("team", "nobody") gives a default
// for one that is missing or empty; has(alert.labels.team) and "team" in
// alert.labels tell whether it is there.
//
// # What is decided here
//
// Rules that wait for each other are refused, over unless as well as over
// requires (idle, cured): the held runs of each would hold those of the others.
// What is required by the defaults of a file does not bind the required rule
// itself. An alert that fits the matchers of an unless is not held by another
// that does. The group of an alert has every value in quotes, so that no two
// lists of values are one group. A window without rules is for all rules of the
// set, also those of other files. Names are looked up when all files are read.
//
// A rule with a trigger takes the alerts that its own trigger raises, and no
// others; [Trigger] is what raises them, and [Set.Runnable] refuses a set whose
// triggers the build does not have.
//
// # Where things are
//
// A shape (shape.go) lists the fields of one YAML object; a scalar (scalar.go)
// maps a text's characters to where they stand in the file; an expression
// (expression.go) is one compiled piece of CEL and a place (place.go) says which
// names it sees; a template (template.go) is a text with ${...} in it; a
// reference (resolve.go) is the name of another rule. The rest is a file for each
// part of a rule.
//
// # Tests
//
// testdata holds *.good.yaml, which must compile, and *.bad.yaml with the
// messages that they must give (go test -update rewrites them); *.bad folders are
// sets of several files. TestEveryMessageHasAFixture holds that there is one for
// every message in the source. FuzzParse, FuzzMatch and FuzzScalar hold the
// properties.
package rules
