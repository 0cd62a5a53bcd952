package azuremonitor

import (
	"strings"

	"github.com/tripgen/paramedic/internal/alert"
)

// The values of the label alert_type: what an alert's context is the shape of.
const (
	metric         = "metric"
	availability   = "availability"
	logQuery       = "log"
	prometheus     = "prometheus"
	activityLog    = "activity_log"
	serviceHealth  = "service_health"
	resourceHealth = "resource_health"
	smartDetection = "smart_detection"
	budget         = "budget"
	backup         = "backup"
	other          = "other"
)

// common reads the common alert schema: essentials, which all alerts have, and
// a context, whose shape depends on what raised the alert.
func (d *decoding) common(data object) {
	if !data.has("essentials") {
		d.fail("%s is missing; the common alert schema has the alert there", data.at("essentials"))
		return
	}
	essentials, context := data.object("essentials"), data.object("alertContext")
	kind := shape(context)
	d.label("alert_type", kind)
	d.essentials(essentials, kind)
	if kind == other && len(context.members) > 0 {
		d.warnings.Addf("%s has a shape not known here; only the essentials are used", context.path)
	}
	d.properties = d.collect(d.properties, data, "customProperties")
	d.context(context, kind)
	d.identifyCommon(essentials, context, kind)
	if d.alert.Name == "" {
		// A rule's id ends in its name.
		if id, ok := resourceID(essentials.loose("alertRuleID", "alertRuleId")); ok {
			d.alert.Name = id.Name
		}
	}
}

func (d *decoding) essentials(e object, kind string) {
	a := &d.alert
	if kind != budget || e.has("monitorCondition") {
		d.status(e, "monitorCondition")
	}
	a.Name = e.text("alertRule")
	a.Severity = e.text("severity")
	a.StartsAt = d.start(e, "firedDateTime")
	if a.Status == alert.Resolved {
		a.EndsAt = d.looseInstant(e, "resolvedDateTime")
	}
	a.URL = e.loose("investigationLink")
	d.labels(e, [2]string{"monitoring_service", "monitoringService"}, [2]string{"signal_type", "signalType"})
	d.notes(e, [2]string{"description", "description"}, [2]string{"alert_id", "alertId"},
		[2]string{"origin_alert_id", "originAlertId"})
	d.note("alert_rule_id", e.loose("alertRuleID", "alertRuleId"))
	targets, items := e.texts("alertTargetIDs"), e.texts("configurationItems")
	if kind != budget {
		// Budgets name the kind of thing there: "budgets".
		d.resources(targets, items)
	}
}

// shape tells contexts apart by their members.
func shape(c object) string {
	switch {
	case c.has("condition"):
		return criteriaShape(c)
	case c.has("SearchQuery"):
		return logQuery
	case c.has("labels") && (c.has("expression") || c.has("ruleGroup")):
		return prometheus
	case c.has("operationName") || c.has("eventDataId"):
		return eventShape(c)
	case c.has("AlertData"):
		return budget
	case c.has("SmartDetectorId") || c.has("DetectionSummary"):
		return smartDetection
	case c.has("sourceId") && c.has("sourceType"):
		return backup
	default:
		return other
	}
}

// criteriaShape tells the three apart that have criteria.
func criteriaShape(c object) string {
	for _, criterion := range c.object("condition").objects("allOf") {
		switch {
		case criterion.has("searchQuery"):
			return logQuery
		case criterion.has("webTestName"):
			return availability
		}
	}
	switch condition := strings.ToLower(c.loose("conditionType")); {
	case strings.HasPrefix(condition, "logquery"):
		return logQuery
	case strings.HasPrefix(condition, "webtest"):
		return availability
	default:
		return metric
	}
}

// eventShape tells the events of the activity log apart.
func eventShape(c object) string {
	operation, p := strings.ToLower(c.loose("operationName")), c.object("properties")
	switch {
	case p.has("trackingId") || strings.HasPrefix(operation, "microsoft.servicehealth/"):
		return serviceHealth
	case p.has("currentHealthStatus") || strings.HasPrefix(operation, "microsoft.resourcehealth/"):
		return resourceHealth
	default:
		return activityLog
	}
}

// identifyCommon sets the fingerprint. doc.go says why so.
func (d *decoding) identifyCommon(e, c object, kind string) {
	id := e.text("alertId")
	switch {
	case kind == budget:
		d.identifyBudget(c.object("AlertData"), id)
		return
	case kind == serviceHealth && c.object("properties").text("trackingId") != "":
		d.identifyIncident(c.object("properties").text("trackingId"))
		return
	case id == "":
		d.fail("%s is missing; nothing identifies the alert", e.at("alertId"))
		return
	}
	if own := instance(id); own != "" {
		d.identify(own)
		return
	}
	if event := c.loose("eventDataId"); event != "" {
		d.identify(strings.ToLower(event))
		return
	}
	parts := d.series(id, d.alert.Labels["resource"])
	parts["name"] = d.alert.Name
	d.identifyBy(parts)
}
