// Package pagerduty decodes the webhooks of PagerDuty, version 3.
// https://developer.pagerduty.com/docs/webhooks-overview
//
// A body is one event. An event that carries the incident itself (data.type
// "incident": triggered, acknowledged, unacknowledged, escalated, delegated,
// reassigned, priority_updated, reopened, resolved and whatever else is added)
// becomes one alert, which lives as long as the incident:
//
//	fingerprint  the incident's id
//	status       resolved once the incident is; triggered and acknowledged are
//	             firing, so everything between the two ends is a repeat
//	startsAt     created_at, or the later reopened_at; not known in bodies of 2021,
//	             which have neither: the id alone tells their incidents apart
//	endsAt       occurred_at of incident.resolved
//	at           occurred_at: events are redelivered for two days, and a late one must
//	             neither open again what has ended nor look fresh
//	severity     the priority's name (P1 ...), or, without one, the urgency
//
// Its labels, each only if the body has it, are for matchers:
//
//	alertname          the incident's title
//	severity           as above
//	status             triggered, acknowledged or resolved
//	urgency            high or low
//	priority           the priority's name
//	service            the service's name; service_id its id
//	escalation_policy  the policy's name
//	teams              the teams' names, sorted, with "," between them
//	incident_type      the type's name
//	incident_key       what the incident's events are deduplicated by
//
// The annotations event_type, event_id, incident_number, assignees and
// resolve_reason describe it. The status is that of the incident in the body,
// and only without one that of the event: deliveries are tried again for two
// days and may come in any order, and this one is the later word of the two.
// An incident that was merged into another is resolved, and resolve_reason says
// so, and a warning, as nothing has been cured by that.
//
// All other events (notes, status updates, responders, workflows, services, the
// pagey.ping of a new subscription) are about something else than the incident's
// state, and are ignored.
//
// What identifies is read strictly; what only describes is read loosely. As
// three answers of 4xx in a row disable a subscription, a body that cannot be
// decoded is answered with 202, and is in quarantine.
//
// # Use
//
// [Decoder] is a value for receiver.Source. It is pure and safe for concurrent
// use. What PagerDuty signs, receiver.HMAC checks by the preset "pagerduty".
//
// # Testing
//
// Tables and a fuzz target; and, where the collection of real bodies is present
// beside the repository, all of it.
package pagerduty
