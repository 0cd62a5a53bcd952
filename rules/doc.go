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
// Where things are: a shape (shape.go) lists the fields of one YAML object,
// those that later versions have among them; a scalar (scalar.go) maps a text's
// characters to where they stand in the file; an expression (expression.go) is
// one compiled piece of CEL and a place (place.go) says which names it sees; a
// template (template.go) is a text with ${...} in it. The rest is a file for
// each part of a rule.
//
// Tests: testdata holds *.good.yaml, which must compile, and *.bad.yaml with the
// messages that they must give (go test -update rewrites them); FuzzParse,
// FuzzMatch and FuzzScalar hold the properties.
package rules
