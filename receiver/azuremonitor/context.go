package azuremonitor

import (
	"strings"
)

func (d *decoding) context(c object, kind string) {
	switch kind {
	case metric, availability, logQuery:
		if c.has("condition") {
			d.label("condition_type", c.loose("conditionType"))
			d.criteria(c.object("condition"))
		} else {
			d.search(c)
		}
		d.properties = d.collect(d.properties, c, "properties")
	case prometheus:
		d.prometheus(c)
	case activityLog, serviceHealth, resourceHealth:
		d.event(c)
	case smartDetection:
		d.smartDetection(c)
	case budget:
		d.budget(c)
	case backup:
		d.backup(c)
	}
}

// criteria reads what was compared with what. Several criteria are one alert:
// all of them are met.
func (d *decoding) criteria(condition object) {
	var all []string
	for i, c := range condition.objects("allOf") {
		if i == 0 {
			d.labels(c, [2]string{"metric_name", "metricName"}, [2]string{"metric_namespace", "metricNamespace"},
				[2]string{"web_test", "webTestName"})
			d.notes(c, [2]string{"operator", "operator"}, [2]string{"threshold", "threshold"},
				[2]string{"metric_value", "metricValue"}, [2]string{"time_aggregation", "timeAggregation"},
				[2]string{"alert_sensitivity", "alertSensitivity"}, [2]string{"query", "searchQuery"})
			d.link(c.loose("linkToFilteredSearchResultsUI", "linkToSearchResultsUI"))
		}
		d.dimensionsOf(c, "dimensions")
		what := firstOf(c.loose("webTestName"), c.loose("metricName"), c.loose("metricMeasureColumn"), "query")
		all = append(all, strings.Join(nonEmpty(what, c.loose("timeAggregation"), c.loose("metricValue"),
			c.loose("operator"), c.loose("threshold")), " "))
	}
	d.note("condition", strings.Join(all, "; "))
	d.note("window_size", condition.loose("windowSize"))
	d.noteInstant("window_start", condition, "windowStartTime")
	d.noteInstant("window_end", condition, "windowEndTime")
}

// search reads a log alert of version 1, in the common schema and without one.
func (d *decoding) search(c object) {
	d.notes(c, [2]string{"query", "SearchQuery"}, [2]string{"result_count", "ResultCount"},
		[2]string{"measure", "AlertType"}, [2]string{"severity_description", "SeverityDescription"})
	d.note("operator", c.loose("Operator", "AlertThresholdOperator"))
	d.note("threshold", c.loose("Threshold", "AlertThresholdValue"))
	d.noteInstant("window_start", c, "SearchIntervalStartTimeUtc")
	d.noteInstant("window_end", c, "SearchIntervalEndtimeUtc")
	d.dimensionsOf(c, "Dimensions")
	d.link(c.loose("LinkToFilteredSearchResultsUI", "LinkToSearchResults"))
}

// link is where a person sees the results, if there is no better place.
func (d *decoding) link(url string) {
	d.note("search_results", url)
	if d.alert.URL == "" {
		d.alert.URL = url
	}
}

// prometheus reads an alert of a managed Prometheus. Its name is "group/alert".
func (d *decoding) prometheus(c object) {
	d.ruleLabels = d.collect(d.ruleLabels, c, "labels")
	d.ruleAnnotations = d.collect(d.ruleAnnotations, c, "annotations")
	d.notes(c, [2]string{"expression", "expression"}, [2]string{"expression_value", "expressionValue"},
		[2]string{"for", "for"}, [2]string{"interval", "interval"}, [2]string{"rule_group", "ruleGroup"})
}

func (d *decoding) smartDetection(c object) {
	d.label("detector", c.loose("SmartDetectorId", "SmartDetectorName"))
	d.notes(c, [2]string{"summary", "DetectionSummary"}, [2]string{"detector_name", "SmartDetectorName"},
		[2]string{"detected_value", "DetectedValue"}, [2]string{"normal_value", "NormalValue"},
		[2]string{"query", "PresentationInsightEventRequest"})
	d.noteInstant("occurred", c, "FormattedOccurrenceTime")
	d.noteInstant("analysed", c, "AnalysisTimestamp")
}

// budget reads a cost alert. Its amounts have a currency's sign and commas.
func (d *decoding) budget(c object) {
	data := c.object("AlertData")
	name := data.text("BudgetName")
	if d.alert.Name == "" {
		d.alert.Name = firstOf(name, c.loose("AlertCategory"))
	}
	d.resources(nonEmpty(firstOf(data.text("BudgetId"), data.text("Scope"))), nil)
	d.label("scope", data.text("Scope"))
	d.label("budget_name", name)
	d.labels(data, [2]string{"threshold_type", "ThresholdType"})
	d.amounts(data)
	d.note("category", c.loose("AlertCategory"))
}

// amounts are the same in both schemas of budgets.
func (d *decoding) amounts(o object) {
	d.notes(o, [2]string{"budget_type", "BudgetType"}, [2]string{"unit", "Unit"},
		[2]string{"threshold", "NotificationThresholdAmount"}, [2]string{"forecast", "ForecastedTotalForPeriod"},
		[2]string{"budget_start", "BudgetStartDate"}, [2]string{"budget_creator", "BudgetCreator"})
	d.note("budget", o.loose("BudgetThreshold", "Budget"))
	d.note("spent", o.loose("SpentAmount", "SpendingAmount"))
}

// identifyBudget: an alertId of a budget is used for all of its thresholds.
func (d *decoding) identifyBudget(data object, alertID string) {
	id := fold(firstOf(data.text("BudgetId"), data.text("BudgetName"), alertID))
	if id == "" {
		d.fail("%s is missing; nothing identifies the alert", data.at("BudgetId"))
		return
	}
	d.identifyBy(map[string]string{
		"budget": id, "scope": fold(data.text("Scope")),
		"type": data.text("ThresholdType"), "threshold": data.loose("NotificationThresholdAmount"),
	})
}

// backup reads an alert of a vault. The vault is the resource: what was to be
// backed up is the linked one.
func (d *decoding) backup(c object) {
	if id, ok := resourceID(c.loose("sourceId")); ok {
		d.label("backup_item", id.Name)
	}
	d.labels(c, [2]string{"source_type", "sourceType"}, [2]string{"category", "category"},
		[2]string{"linked_resource", "linkedResourceId"}, [2]string{"linked_resource_name", "linkedResourceName"})
	d.notes(c, [2]string{"source_id", "sourceId"}, [2]string{"protected_item_id", "protectedItemId"})
	if c.has("extendedInfo") && c.members["extendedInfo"].Kind() == '{' {
		d.notes(c.object("extendedInfo"), [2]string{"job_id", "jobId"}, [2]string{"possible_causes", "possibleCauses"},
			[2]string{"recommended_actions", "recommendedActions"}, [2]string{"occurrence_count", "occurrenceCount"})
	}
}
