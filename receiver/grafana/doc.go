// Package grafana decodes the webhooks of Grafana: those of unified alerting,
// and those of the legacy alerting of Grafana 4 to 8.
// https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
// https://grafana.com/docs/grafana/v8.5/alerting/old-alerting/notifications/
//
// Which one a body is, its members say: "alerts" is unified; "ruleId",
// "ruleName", "ruleUrl" or "evalMatches" without it is legacy.
//
// # Unified alerting
//
// The shape is Alertmanager's, so package alertmanager reads it, as strictly.
// What Grafana adds to an alert becomes annotations, unless the alert has one of
// that name: grafana_values (JSON), grafana_value_string, grafana_image_url,
// grafana_dashboard_url, grafana_panel_url, grafana_silence_url and
// grafana_org_id. They are no labels, as they are no part of Grafana's own
// fingerprint.
//
// What the Test button sends is ignored, with an answer that says so: it fires
// with labels as somebody typed them, and would never resolve. Its groupKey,
// "CONTACT-FINGERPRINT-SECONDS", tells it from a group, whose key begins with "{".
//
// # Legacy alerting
//
// A body is one rule, thus one alert:
//
//	fingerprint  a hash of the host in ruleUrl, orgId (or the one in ruleUrl), and ruleId
//	status       alerting is firing, ok is resolved
//	startsAt     not known: all firings of a rule are one episode, opened again each time
//	labels       alertname is ruleName; grafana_host, grafana_org_id and grafana_rule_id;
//	             the rule's tags; and those tags that all evalMatches have alike
//	annotations  summary is title, description is message; grafana_image_url,
//	             grafana_dashboard_id, grafana_panel_id, and grafana_eval_matches (JSON)
//
// Of labels of the same name the one further left stays, but for alertname. The
// states paused, pending and no_data are ignored: the rule neither fires nor is
// well, so what was known of it stays. Who wants missing data to be acted on
// says so in Grafana, which then sends alerting.
//
// # Use
//
// [Decoder] is a value for receiver.Source. It is pure and safe for concurrent
// use. What Grafana 12 and later signs, receiver.HMAC checks by the preset
// "grafana".
//
// # Testing
//
// Tables and a fuzz target; and, where the collection of real bodies is present
// beside the repository, all of it.
package grafana
