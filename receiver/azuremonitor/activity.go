package azuremonitor

import (
	"strings"
)

// event reads an event of the activity log, in the common schema and in its own.
// Of a Service Health event some members are numbers.
func (d *decoding) event(e object) {
	p := e.object("properties")
	d.labels(e, [2]string{"operation_name", "operationName"}, [2]string{"event_source", "eventSource"},
		[2]string{"level", "level"}, [2]string{"event_status", "status"})
	d.labels(p, [2]string{"event_category", "eventCategory"}, [2]string{"stage", "stage"},
		[2]string{"incident_type", "incidentType"}, [2]string{"service", "service"}, [2]string{"region", "region"},
		[2]string{"current_health_status", "currentHealthStatus"},
		[2]string{"previous_health_status", "previousHealthStatus"},
		[2]string{"event_type", "type"}, [2]string{"cause", "cause"},
		[2]string{"recommendation_category", "recommendationCategory"},
		[2]string{"recommendation_impact", "recommendationImpact"}, [2]string{"threat_severity", "severity"})
	d.notes(e, [2]string{"description", "description"}, [2]string{"description", "Activity Log Event Description"},
		[2]string{"caller", "caller"}, [2]string{"correlation_id", "correlationId"},
		[2]string{"event_id", "eventDataId"}, [2]string{"operation_id", "operationId"},
		[2]string{"event_sub_status", "subStatus"})
	d.noteInstant("event_time", e, "eventTimestamp")
	d.notes(p, [2]string{"title", "title"}, [2]string{"details", "details"}, [2]string{"message", "message"},
		[2]string{"event_description", "description"}, [2]string{"tracking_id", "trackingId"},
		[2]string{"communication", "communication"}, [2]string{"impacted_services", "impactedServices"},
		[2]string{"recommendation", "recommendationName"}, [2]string{"policies", "policies"},
		[2]string{"old_instances", "oldInstancesCount"}, [2]string{"new_instances", "newInstancesCount"},
		[2]string{"scaled_resource", "resourceName"}, [2]string{"threat_status", "threatStatus"},
		[2]string{"threat_category", "category"}, [2]string{"compromised_entity", "compromisedEntity"},
		[2]string{"action_taken", "actionTaken"}, [2]string{"remediation_steps", "remediationSteps"})
	d.noteInstant("impact_start", p, "impactStartTime")
	d.noteInstant("impact_mitigation", p, "impactMitigationTime")
	if d.alert.URL == "" {
		d.alert.URL = p.loose("recommendationResourceLink")
	}
	if d.alert.Name == "" {
		d.alert.Name = firstOf(p.loose("title"), p.loose("recommendationName"), e.loose("operationName"))
	}
	if d.alert.Labels["resource"] == "" {
		d.resources(nonEmpty(firstOf(e.text("resourceId"), subscriptionID(e.text("subscriptionId")))), nil)
	}
}

// activityAlert reads the schema Microsoft.Insights/activityLogs. It does not
// say which rule matched the event: the alert is named after the event.
func (d *decoding) activityAlert(data object) {
	d.status(data, "status")
	context := data.object("context")
	if !context.has("activityLog") {
		d.fail("%s is missing; the schema has the event there", context.at("activityLog"))
		return
	}
	e := context.object("activityLog")
	kind := eventShape(e)
	d.label("alert_type", kind)
	d.alert.Severity = e.loose("level")
	d.event(e)
	d.properties = d.collect(d.properties, data, "properties")

	d.alert.StartsAt = d.start(e, "eventTimestamp")
	p := e.object("properties")
	tracking := p.text("trackingId")
	switch event := e.text("eventDataId"); {
	case kind == serviceHealth && tracking != "":
		d.identifyIncident(tracking)
		if p.has("impactStartTime") {
			// Of the event's time only the update would be known, not the incident.
			d.alert.StartsAt = d.start(p, "impactStartTime")
		}
	case event != "":
		d.identify(strings.ToLower(event))
	default:
		d.fail("%s is missing; nothing identifies the event", e.at("eventDataId"))
	}
}

// subscriptionID is the ARM id of a subscription.
func subscriptionID(guid string) string {
	if guid == "" {
		return ""
	}
	return "/subscriptions/" + guid
}
