// Package azuremonitor decodes the webhooks of Azure Monitor's action groups:
// the common alert schema, and the older schemas that are still sent.
// https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
// https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-non-common-schema-definitions
//
// A body is one alert. Which kind it is, is read from the shape of its context,
// not from monitoringService, whose strings vary. What identifies an alert is
// read strictly; what only describes it, loosely, with a warning. What is not
// sound JSON, a repeated key included, is refused.
//
// # Identity
//
// The fingerprint is the last part of alertId, in lower case, and StartsAt is
// firedDateTime: both are the same when the alert fires and when it resolves.
// Where that does not hold:
//
//   - alertId is something else than an alert, such as its rule: the event's
//     eventDataId, or else a hash of alertId, rule, resource and dimensions.
//   - Service Health: trackingId and subscription, so that the updates of an
//     incident are one series. Each update fires anew, also the one whose stage
//     is Resolved: match the label stage.
//   - Budgets: a hash of the budget, the type and the amount of its threshold.
//   - Schemas without alertId: a hash of rule, resource and dimensions. When
//     such an alert is deactivated, the body has the time of that only. It is
//     then StartsAt, too, so that it is newer than the firing, and ends it.
//   - AIP Budget Notification has no time: it starts when it is received.
//
// Alerts of the activity log, service and resource health, smart detection and
// budgets are always sent as fired, whatever status the event in them has; that
// is the label event_status.
//
// # Labels
//
//	alertname            alertRule; else the budget, title or operation
//	severity             as sent: Sev0 to Sev4, 0 to 4, a level, or none
//	alert_type           metric, availability, log, prometheus, activity_log,
//	                     service_health, resource_health, smart_detection,
//	                     budget, backup, other
//	monitoring_service, signal_type, condition_type
//	resource             what is affected: an ARM id as sent, or a name where
//	                     Azure sends no more, such as a host of a workspace
//	resource_name, resource_type, resource_group, subscription
//	                     parts of that ARM id, by the Azure SDK's own parser
//	scope                what the rule watches: the first of alertTargetIDs
//	metric_name, metric_namespace, web_test       of the first criterion
//	operation_name, event_source, level, event_status, stage, incident_type,
//	service, region, current_health_status, previous_health_status, cause,
//	event_type, event_category, recommendation_category,
//	recommendation_impact, threat_severity        of activity log events
//	budget_name, threshold_type, detector
//	backup_item, source_type, category, linked_resource,
//	linked_resource_name                          of backups
//
// A dimension, or a label of a Prometheus rule, is a label of its own name, with
// "_" for what a label's name cannot have. It becomes dimension_NAME or label_NAME
// where that name is set, or is one of those above from alertname to scope: what
// a query returns must not pass for the resource that a rule mends. So the alert
// of a Prometheus rule is label_alertname, as alertname is "group/alert".
//
// Where only a name is known, resource_group and resource_type are not set:
// those of the workspace are not the host's.
//
// ARM ids are compared without regard to case, as Azure changes it between two
// fields of one body, and shown as sent. Matchers do regard it: write
// resource_group=~"(?i:rg-prod)".
//
// # Annotations
//
// Custom properties under their own names (property_NAME where that is taken),
// description, alert_id, alert_rule_id, the condition and its values, and what
// else explains. The URL is the investigation link, or that of the search
// results, the resource or the recommendation. Claims and authorization, which
// hold parts of tokens, are left out.
//
// # Use
//
// [Decoder] is a value for receiver.Source. It is pure and safe for concurrent
// use.
//
// # Testing
//
// Bodies of every format, tables of oddities and refusals, and a fuzz target;
// and, where the collection of real bodies is present beside the repository, all
// of it.
package azuremonitor
