// Package cloudevents decodes CloudEvents 1.0 over HTTP, in binary, structured
// and batch mode, and events of Azure Event Grid's own schema; and it answers
// the handshakes that come before them.
// https://github.com/cloudevents/spec/tree/v1.0.2
// https://learn.microsoft.com/azure/event-grid/event-schema
//
// The mode follows the Content-Type. Plain application/json, or none, is told
// by what is in it: an object is one CloudEvent, an array holds CloudEvents and
// Event Grid events. Attributes are read by the CloudEvents SDK, after a pass of
// our own that it needs: it takes a repeated or an empty name for granted, and
// cuts fractions off numbers.
//
// # What an event becomes
//
// An event says that something happened, an alert that something is wrong. The
// convention is conservative: an event fires unless it says that it resolves.
//
//   - The name is the type. A last part ".firing" or ".resolved" is the status,
//     not the name, so that the two make a pair.
//   - The status is data.status if that is firing or resolved, else such a last
//     part of the type, else firing. Other words are not understood: "ok" may
//     be about anything.
//   - The fingerprint is a hash of name, source and subject. Azure resource ids
//     in them are compared without regard to case.
//   - startsAt is the time. Each event of a series is thus a firing of its own,
//     which ends the one before it; a resolving event ends the last.
//   - The severity is the extension severity, else data.severity.
//   - Labels are alertname, severity, type, source, subject and the extensions.
//     Annotations are id, dataschema and the data, flattened: data.disk.free.
//   - Azure's AvailabilityStatusChanged resolves where the availability state is
//     Available; it and ResourceAnnotated start at their occurredTime.
//
// An event that cannot be used is refused by itself. What is not sound JSON
// refuses the whole body.
//
// # Use
//
// [Decoder] is a value for receiver.Source. It is pure and safe for concurrent
// use. It fetches nothing: neither validationUrl nor a callback.
//
// # Testing
//
// Tables and a fuzz target; and, where the collection of real bodies is present
// beside the repository, all of it.
package cloudevents
