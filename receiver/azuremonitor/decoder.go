package azuremonitor

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

// Decoder decodes the webhooks of Azure Monitor's action groups. The zero value
// is ready.
type Decoder struct{}

// Traits implements [receiver.Decoder]. Azure sends again only after 408, 429,
// 503 and 504, and after five of those stops calling for 15 minutes. 400 does
// neither, so it may be said freely: the body is in quarantine.
func (Decoder) Traits() receiver.Traits {
	return receiver.Traits{
		MediaTypes:        []string{"application/json"},
		UndecodableStatus: http.StatusBadRequest,
	}
}

// Decode implements [receiver.Decoder]. It refuses a body that is not exactly
// one JSON object in valid UTF-8, has a key twice in one object, is of no schema
// known here, or whose alert cannot be identified. A body has one alert.
func (Decoder) Decode(source string, _ http.Header, body []byte, receivedAt time.Time) (receiver.Decoded, error) {
	if err := sound(body); err != nil {
		return receiver.Decoded{}, err
	}
	d := &decoding{
		alert: alert.Alert{
			Source:      source,
			Status:      alert.Firing,
			Labels:      map[string]string{},
			Annotations: map[string]string{},
		},
		receivedAt: receivedAt,
	}
	d.body(d.open("", body))
	if d.err != nil {
		return receiver.Decoded{}, d.err
	}
	d.finish()
	if d.err != nil {
		return receiver.Decoded{}, d.err
	}
	return receiver.Decoded{Alerts: []alert.Alert{d.alert}, Warnings: d.warnings.All()}, nil
}

// decoding is one body being decoded.
type decoding struct {
	alert      alert.Alert
	receivedAt time.Time
	// dimensions, ruleLabels and properties are named by whoever wrote the rule.
	// They become labels and annotations last, in names that are free then.
	dimensions, ruleLabels, properties, ruleAnnotations []pair
	warnings                                            remark.Warnings
	err                                                 error
}

type pair struct{ name, value string }

// fail notes why the body cannot be used: the first reason counts.
func (d *decoding) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// The schemas by their schemaId. Two have none.
const (
	commonSchema   = "azureMonitorCommonAlertSchema"
	metricSchema   = "AzureMonitorMetricAlert"
	activitySchema = "Microsoft.Insights/activityLogs"
	logSchema      = "Microsoft.Insights/LogAlert"
	budgetSchema   = "AIP Budget Notification"
)

func (d *decoding) body(root object) {
	schema := root.text("schemaId")
	if d.err != nil {
		return
	}
	data := root
	if schema != "" {
		if data = root.object("data"); !root.has("data") {
			d.fail("data is missing; schema %q has the alert there", remark.Clip(schema))
			return
		}
	}
	switch {
	case strings.EqualFold(schema, commonSchema):
		d.common(data)
	case strings.EqualFold(schema, metricSchema):
		d.metricAlert(data)
	case strings.EqualFold(schema, activitySchema):
		d.activityAlert(data)
	case strings.EqualFold(schema, logSchema):
		d.logAlert(data)
	case strings.EqualFold(schema, budgetSchema):
		d.budgetNotification(data)
	case schema != "":
		d.fail("schemaId is %q; it must be %s, %s, %s, %s or %s", remark.Clip(schema),
			commonSchema, metricSchema, activitySchema, logSchema, budgetSchema)
	case root.has("data"):
		// Some relays drop schemaId. Only the common schema can be told without it.
		if data = root.object("data"); data.has("essentials") {
			d.common(data)
			return
		}
		d.fail("schemaId is missing, and data.essentials too: nothing says what schema the body has")
	case root.has("context"):
		d.metricAlert(root)
	case root.has("AlertRuleName") && root.has("SearchQuery"):
		d.logAlert(root)
	default:
		d.fail("schemaId is missing, and the body is neither a classic metric alert (\"context\") " +
			"nor a log alert (\"AlertRuleName\" and \"SearchQuery\")")
	}
}

// status reads Fired and Resolved, and what older schemas call them.
func (d *decoding) status(o object, name string) {
	switch sent := o.text(name); strings.ToLower(sent) {
	case "fired", "activated":
		d.alert.Status = alert.Firing
	case "resolved", "deactivated":
		d.alert.Status = alert.Resolved
	case "":
		d.fail("%s is missing; it must say whether the alert fires or has resolved", o.at(name))
	default:
		d.fail("%s is %q; it must be Fired or Resolved, or Activated or Deactivated", o.at(name), remark.Clip(sent))
	}
}

// finish sets what depends on all the rest.
func (d *decoding) finish() {
	a := &d.alert
	d.label("alertname", a.Name)
	d.label("severity", a.Severity)
	d.adopt(a.Labels, "dimension_", labelName, d.dimensions)
	d.adopt(a.Labels, "label_", labelName, d.ruleLabels)
	d.adopt(a.Annotations, "property_", nil, d.properties)
	d.adopt(a.Annotations, "annotation_", nil, d.ruleAnnotations)
	if a.Name == "" {
		d.warnings.Addf("the alert has no name")
	}
	if a.Status == alert.Resolved && a.StartsAt.IsZero() {
		// Newer than any firing that it can end: with no start it would be older.
		a.StartsAt = a.EndsAt
	}
	if a.StartsAt.IsZero() {
		d.warnings.Addf("the alert has no time of firing: its firings cannot be told apart")
	}
	if a.Status == alert.Firing {
		a.EndsAt = time.Time{}
	}
	if err := a.Validate(); err != nil {
		d.fail("%w", err)
	}
}
