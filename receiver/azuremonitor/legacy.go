package azuremonitor

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// metricAlert reads AzureMonitorMetricAlert and the classic metric alert, which
// has the same context and no schemaId. Both say when the alert changed, so of a
// resolve the start is not known.
func (d *decoding) metricAlert(data object) {
	d.status(data, "status")
	if !data.has("context") {
		d.fail("%s is missing; a metric alert has its rule and resource there", data.at("context"))
		return
	}
	c := data.object("context")
	condition := c.object("condition")
	d.label("alert_type", criteriaShape(c))
	d.label("condition_type", c.loose("conditionType"))
	d.alert.Name = c.text("name")
	d.alert.Severity = c.loose("severity")
	d.alert.URL = c.loose("portalLink")
	d.alert.StartsAt = d.start(c, "timestamp")
	if d.alert.Status == alert.Resolved {
		d.alert.StartsAt, d.alert.EndsAt = time.Time{}, d.alert.StartsAt
	}
	d.notes(c, [2]string{"description", "description"}, [2]string{"alert_rule_id", "id"},
		[2]string{"resource_region", "resourceRegion"})
	if condition.has("allOf") {
		d.criteria(condition)
	} else {
		d.labels(condition, [2]string{"metric_name", "metricName"})
		d.notes(condition, [2]string{"metric_value", "metricValue"}, [2]string{"metric_unit", "metricUnit"},
			[2]string{"operator", "operator"}, [2]string{"threshold", "threshold"},
			[2]string{"time_aggregation", "timeAggregation"}, [2]string{"window_size", "windowSize"})
	}
	d.properties = d.collect(d.properties, data, "properties")
	resource := c.text("resourceId")
	d.resources(nonEmpty(resource), nil)
	// For what is no ARM id.
	for _, part := range [][2]string{
		{"resource_name", "resourceName"},
		{"resource_type", "resourceType"},
		{"resource_group", "resourceGroupName"},
		{"subscription", "subscriptionId"},
	} {
		if d.alert.Labels[part[0]] == "" {
			d.label(part[0], c.loose(part[1]))
		}
	}
	rule := firstOf(c.text("id"), d.alert.Name)
	if rule == "" {
		d.fail("%s and %s are missing; nothing identifies the alert", c.at("id"), c.at("name"))
		return
	}
	d.identifyBy(d.series(rule, firstOf(resource, c.loose("resourceName"))))
}

// logAlert reads a log alert of version 1 outside the common schema: that of
// Application Insights, Microsoft.Insights/LogAlert, and that of Log Analytics,
// which has neither schemaId nor data. It never resolves.
func (d *decoding) logAlert(o object) {
	d.label("alert_type", logQuery)
	d.alert.Name = o.text("AlertRuleName")
	if d.alert.Name == "" {
		d.fail("%s is missing; nothing identifies the alert", o.at("AlertRuleName"))
		return
	}
	d.alert.Severity = o.loose("Severity")
	d.alert.StartsAt = d.start(o, "SearchIntervalEndtimeUtc")
	d.note("description", o.loose("Description"))
	d.search(o)
	for _, p := range [][2]string{{"workspace_id", "WorkspaceId"}, {"application_id", "ApplicationId"}} {
		d.note(p[0], o.loose(p[1]))
	}
	resource := firstOf(o.text("ResourceId"), o.text("WorkspaceId"), o.text("ApplicationId"))
	d.resources(nonEmpty(resource), nil)
	subscription := o.text("SubscriptionId")
	if d.alert.Labels["subscription"] == "" {
		d.label("subscription", subscription)
	}
	parts := d.series(d.alert.Name, resource)
	parts["subscription"] = fold(subscription)
	d.identifyBy(parts)
}

// budgetNotification reads AIP Budget Notification. It has no time: the budget's
// start is that of the budget.
func (d *decoding) budgetNotification(data object) {
	d.label("alert_type", budget)
	name, subscription := data.text("BudgetName"), data.text("SubscriptionId")
	if name == "" {
		d.fail("%s is missing; nothing identifies the alert", data.at("BudgetName"))
		return
	}
	d.alert.Name = name
	d.alert.StartsAt = d.receivedAt.UTC()
	d.label("budget_name", name)
	scope := subscriptionID(subscription)
	if group := data.text("ResourceGroup"); group != "" && scope != "" {
		scope += "/resourceGroups/" + group
	}
	d.resources(nonEmpty(scope), nil)
	d.amounts(data)
	d.notes(data, [2]string{"subscription_name", "SubscriptionName"}, [2]string{"department", "DepartmentName"},
		[2]string{"account", "AccountName"}, [2]string{"enrollment", "EnrollmentNumber"},
		[2]string{"billing_account", "BillingAccountId"})
	d.identifyBy(map[string]string{
		"budget": name, "scope": fold(scope), "threshold": data.loose("NotificationThresholdAmount"),
		"account": fold(data.loose("BillingAccountId")),
	})
}
