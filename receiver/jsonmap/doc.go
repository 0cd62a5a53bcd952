// Package jsonmap decodes JSON of any shape by a mapping: one CEL expression
// for each field of an alert. It is for senders that have no decoder of their
// own. https://github.com/google/cel-spec/blob/v0.25.1/doc/langdef.md
//
// An expression knows two variables: body, the whole document, and item, the
// element that becomes an alert. [Mapping.Alerts] gives the elements; without
// it they are those of the body if it is an array, else the body itself. JSON
// numbers are ints where they are whole and fit into 64 bits, else doubles.
// Objects are gone through in the order in which they are written. CEL's strings
// extension and optional values are there: item.?team.orValue("none").
//
// What is not in an element is an error where an expression reads it, as it is
// in CEL. What identifies an alert (name, status, severity, fingerprint, start,
// labels) is strict: an error refuses the alert, by itself. What only describes
// it (annotations, URL) is left out with a warning. null and an absent optional
// value leave a field out, also of the labels.
//
// An expression is bounded in length, nesting and cost, as in rules; all of a
// body's together as well, and so is the text that they make.
//
// # Use
//
// [New] compiles a [Mapping], with errors that name field, line and column. The
// [Decoder] is pure and safe for concurrent use.
//
// # Testing
//
// Tables and a fuzz target.
package jsonmap
