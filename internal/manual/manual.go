// Package manual holds pages of documentation that are part of the program: what
// "paramedic help" prints on sources, responses, workers and failing a region over. The page on the rule
// language is rules.Reference. The JSON Schemas of workers' messages, and workers to
// begin from, are here as well.
//
// The pages are Markdown without links, so that they read well in a terminal,
// too. What they show is held by tests: configurations load, mappings compile
// and make of the body beside them what stands there, and the table of answers
// is what the receiver answers. Everything here is read only.
package manual

import _ "embed"

// Sources is the page on sources: how each type of sender and Paramedic are
// configured for each other, what identifies an alert, and each kind of
// authentication.
//
//go:embed sources.md
var Sources string

// Responses is the page on what the receiver answers, and what senders make of
// it.
//
//go:embed responses.md
var Responses string

// Workers is the page on workers elsewhere: groups, credentials, and the protocol
// for those in another language.
//
//go:embed workers.md
var Workers string

// Failover is the page on failing a region over and back with the library's rules.
//
//go:embed failover.md
var Failover string

// TaskSchema is the JSON Schema (draft 2020-12) of a task as it comes to a worker.
//
//go:embed task.schema.json
var TaskSchema string

// ResultSchema is that of the message in which a worker answers.
//
//go:embed result.schema.json
var ResultSchema string
