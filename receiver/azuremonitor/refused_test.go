package azuremonitor_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, body string // a fixture's name if there are replacements
		replace    []string
		want       string
	}{
		{"nothing", "", nil, "the body is empty"},
		{"white space", " \n", nil, "the body is empty"},
		{"an array", "[]", nil, "the body is a JSON array"},
		{"a number", "7", nil, "the body is a JSON number"},
		{"no JSON", "status=Fired", nil, "not JSON"},
		{"cut off", `{"schemaId":"azureMonitorCommonAlertSchema","data":{`, nil, "not JSON"},
		{"a second document", `{"schemaId":"x"}{"schemaId":"y"}`, nil, "goes on after"},
		{"rubbish behind", `{"schemaId":"x"}%`, nil, "after the JSON object's end"},
		{"a key twice", `{"schemaId":"x","schemaId":"y"}`, nil, "not JSON"},
		{"a key twice, deep down", `{"schemaId":"x","data":{"a":[{"b":1,"b":2}]}}`, nil, "/data/a/0"},
		{"invalid UTF-8", "{\"schemaId\":\"\xff\"}", nil, "not JSON"},
		{"too deep", `{"a":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}", nil, "not JSON"},
		{"an endless key twice", fmt.Sprintf(`{%[1]q:1,%[1]q:2}`, strings.Repeat("k", 5000)), nil, "not JSON"},
		{"an empty object", "{}", nil, "schemaId is missing"},
		{"schemaId a number", `{"schemaId":7}`, nil, "schemaId is a JSON number; it must be a string"},
		{"an unknown schemaId", `{"schemaId":"Microsoft.New","data":{}}`, nil, `schemaId is "Microsoft.New"; it must be azureMonitorCommonAlertSchema`},
		{"no data", `{"schemaId":"azureMonitorCommonAlertSchema"}`, nil, "data is missing"},
		{"data an array", `{"schemaId":"azureMonitorCommonAlertSchema","data":[]}`, nil, "data is a JSON array; it must be an object"},
		{"data of no schema", `{"data":{"x":1}}`, nil, "data.essentials too"},
		{"no essentials", `{"schemaId":"azureMonitorCommonAlertSchema","data":{}}`, nil, "data.essentials is missing"},
		{"too many members", `{"x":[` + strings.Repeat("{},", 1200) + `{}],"schemaId":"AIP Budget Notification","data":{` + members(1200) + `}}`, nil, "data has more than 1000 members"},
		{"a status of no kind", "metric_static", []string{`"Fired"`, `"Maybe"`}, `data.essentials.monitorCondition is "Maybe"`},
		{"no status", "metric_static", []string{`"Fired"`, `null`}, "data.essentials.monitorCondition is missing"},
		{"a status that is a boolean", "metric_static", []string{`"Fired"`, `true`}, "data.essentials.monitorCondition is a JSON boolean"},
		{"no alertId", "metric_static", []string{`"alertId"`, `"x"`}, "data.essentials.alertId is missing"},
		{"alertId an object", "metric_static", []string{`"alertId": `, `"alertId": {}, "x": `}, "data.essentials.alertId is a JSON object"},
		{"a time that is none", "metric_static", []string{fired, `"firedDateTime": "now"`}, `data.essentials.firedDateTime is "now"; it must be a time`},
		{"a time that is a number", "metric_static", []string{fired, `"firedDateTime": 1772357400`}, "data.essentials.firedDateTime is a JSON number"},
		{"a time far away", "metric_static", []string{"2026-02-03T04:05:06", "9999-02-03T04:05:06"}, "before the year 2262"},
		{"targets a string", "metric_static", []string{target, `"alertTargetIDs": "a", "x": [`}, "data.essentials.alertTargetIDs is a JSON string; it must be an array"},
		{"a target that is a number", "metric_static", []string{target, target + "7,"}, "data.essentials.alertTargetIDs[0] is a JSON number"},
		{"the context a string", "metric_static", []string{`"alertContext": {`, `"alertContext": "", "x": {`}, "data.alertContext is a JSON string"},
		{"a criterion that is null", "metric_static", []string{`"allOf": [`, `"allOf": [null,`}, "data.alertContext.condition.allOf[0] is a JSON null"},
		{"a dimension that is a string", "metricalert_activated", []string{`"dimensions": [`, `"dimensions": ["a",`}, "data.context.condition.allOf[0].dimensions[0] is a JSON string"},
		{"a budget without anything", "budget", []string{"BudgetId", "x", "BudgetName", "y", `"alertId"`, `"z"`}, "data.alertContext.AlertData.BudgetId is missing"},
		{"a metric alert without a context", "metricalert_activated", []string{`"context"`, `"x"`}, "data.context is missing"},
		{"a metric alert without a rule", "classic_metric", []string{`"id"`, `"x"`, `"name"`, `"y"`}, "context.id and context.name are missing"},
		{"a classic status", "classic_metric", []string{"Activated", "OK"}, `status is "OK"`},
		{"a log alert without a rule", "log_appinsights", []string{"AlertRuleName", "x"}, "data.AlertRuleName is missing"},
		{"an activity log alert without an event", "activitylogs_administrative", []string{"activityLog\"", "x\""}, "data.context.activityLog is missing"},
		{"an event without an id", "activitylogs_administrative", []string{"eventDataId", "x"}, "data.context.activityLog.eventDataId is missing"},
		{"an AIP budget without a name", "aip_budget", []string{"BudgetName", "x"}, "data.BudgetName is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := c.body
			if c.replace != nil {
				body = changed(t, c.body, c.replace...)
			}
			got, err := decode(body)
			if err == nil {
				t.Fatalf("decoded to %+v", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not say %q: %v", c.want, err)
			}
			if len(err.Error()) > 400 {
				t.Errorf("the error has %d characters", len(err.Error()))
			}
		})
	}
}

func members(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	return strings.Join(all, ",")
}
