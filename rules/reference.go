package rules

import _ "embed"

// Reference is the language's documentation for whoever writes rules, in
// Markdown.
//
//go:embed reference.md
var Reference string
