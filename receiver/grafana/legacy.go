package grafana

import (
	"bytes"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// rule is a body of legacy alerting. What only describes may be any JSON.
type rule struct {
	RuleID      jsontext.Value `json:"ruleId"`
	RuleName    string         `json:"ruleName"`
	RuleURL     string         `json:"ruleUrl"`
	State       string         `json:"state"`
	OrgID       jsontext.Value `json:"orgId"`
	DashboardID jsontext.Value `json:"dashboardId"`
	PanelID     jsontext.Value `json:"panelId"`
	Title       jsontext.Value `json:"title"`
	Message     jsontext.Value `json:"message"`
	ImageURL    jsontext.Value `json:"imageUrl"`
	Tags        jsontext.Value `json:"tags"`
	EvalMatches jsontext.Value `json:"evalMatches"`
}

// maxTags bounds the tags of a rule or a match, in bytes of JSON: very many tiny
// ones take far more memory than their text.
const maxTags = 64 << 10

// number is how an identifier is written. Longer ones do not fit into 64 bits.
var number = regexp.MustCompile(`^\d{1,20}$`)

func legacy(source string, body []byte) (receiver.Decoded, error) {
	var r rule
	if err := json.Unmarshal(body, &r); err != nil {
		return receiver.Decoded{}, fmt.Errorf("legacy alerting: %w", err)
	}
	if r.test() {
		return receiver.Decoded{Ignored: "a test notification of Grafana's Send Test button; it stands for no alert"}, nil
	}
	var status alert.Status
	switch r.State {
	case "alerting":
		status = alert.Firing
	case "ok":
		status = alert.Resolved
	case "paused", "pending", "no_data":
		return receiver.Decoded{Ignored: fmt.Sprintf("the rule's state is %s: it neither fires nor is well", r.State)}, nil
	default:
		return receiver.Decoded{}, fmt.Errorf(
			"state is %.64q; it must be alerting, ok, paused, pending or no_data", r.State)
	}
	return r.normalise(source, status)
}

// test reports whether this is what the Send Test button sends: both its name
// and its message are fixed, and no rule has both by accident.
func (r rule) test() bool {
	return r.RuleName == "Test notification" &&
		strings.EqualFold(alertmanager.Text(r.Message), "Someone is testing the alert notification within Grafana.")
}

func (r rule) normalise(source string, status alert.Status) (receiver.Decoded, error) {
	id := alertmanager.Text(r.RuleID)
	if !number.MatchString(id) {
		return receiver.Decoded{}, fmt.Errorf("ruleId is %.64q; it must be a number, as nothing else identifies the rule", id)
	}
	var warnings []string
	host, org := "", alertmanager.Text(r.OrgID)
	if u, err := url.Parse(r.RuleURL); err == nil {
		// Percent signs in it are decoded, to any bytes.
		host = strings.ToLower(strings.ToValidUTF8(u.Host, "?"))
		if org == "" {
			org = u.Query().Get("orgId")
		}
	}
	if host == "" {
		warnings = append(warnings, fmt.Sprintf("ruleUrl is %.64q, without a host: rules of several Grafanas cannot be told apart", r.RuleURL))
	}
	if org != "" && !number.MatchString(org) {
		return receiver.Decoded{}, fmt.Errorf("orgId is %.64q; it must be a number", org)
	}
	if r.RuleName == "" {
		warnings = append(warnings, "ruleName is not given")
	}
	identity := map[string]string{"grafana_host": host, orgID: org, "grafana_rule_id": id}
	labels := map[string]string{}
	for _, more := range []map[string]string{
		{"alertname": r.RuleName}, identity, r.tags(&warnings), r.common(&warnings),
	} {
		for name, value := range more {
			if _, taken := labels[name]; !taken && value != "" {
				labels[name] = value
			}
		}
	}
	annotations := map[string]string{}
	for name, value := range map[string]jsontext.Value{
		"summary": r.Title, "description": r.Message, imageURL: r.ImageURL,
		"grafana_dashboard_id": r.DashboardID, "grafana_panel_id": r.PanelID, "grafana_eval_matches": r.EvalMatches,
	} {
		if text := alertmanager.Text(value); text != "" && text != "[]" {
			annotations[name] = text
		}
	}
	return receiver.Decoded{Warnings: warnings, Alerts: []alert.Alert{{
		Source:      source,
		Fingerprint: alert.Fingerprint(identity),
		Name:        labels["alertname"],
		Status:      status,
		Severity:    labels["severity"],
		Labels:      labels,
		Annotations: annotations,
		URL:         r.RuleURL,
	}}}, nil
}

// tags are those of the rule.
func (r rule) tags(warnings *[]string) map[string]string {
	all, ok := pairs(r.Tags)
	if !ok {
		*warnings = append(*warnings, fmt.Sprintf("tags is not an object of %d bytes at most; left out", maxTags))
	}
	return all
}

// common returns the tags that all matches have, with the same value.
func (r rule) common(warnings *[]string) map[string]string {
	switch r.EvalMatches.Kind() {
	case '[':
	case 'n', 0:
		return nil
	default:
		*warnings = append(*warnings, "evalMatches is not an array; its tags are left out")
		return nil
	}
	// One by one: a body may have very many tiny ones.
	in := jsontext.NewDecoder(bytes.NewBuffer(r.EvalMatches))
	if _, err := in.ReadToken(); err != nil {
		return nil
	}
	var all map[string]string
	for i := 0; in.PeekKind() != ']'; i++ {
		var match struct {
			Tags jsontext.Value `json:"tags"`
		}
		value, err := in.ReadValue()
		if err != nil {
			return nil
		}
		ok := value.Kind() == '{' && json.Unmarshal(value, &match) == nil
		tags, sound := pairs(match.Tags)
		switch {
		case !ok || !sound:
			*warnings = append(*warnings, fmt.Sprintf("evalMatches[%d] is not an object with tags of %d bytes at most; the tags of all are left out", i, maxTags))
			return nil
		case i == 0:
			all = tags
		}
		for name, value := range all {
			if tags[name] != value {
				delete(all, name)
			}
		}
	}
	return all
}

// pairs reads an object as texts, and null as none; it reports whether value is
// either, and not too large.
func pairs(value jsontext.Value) (map[string]string, bool) {
	switch value.Kind() {
	case '{':
	case 'n', 0:
		return nil, true
	default:
		return nil, false
	}
	if len(value) > maxTags {
		return nil, false
	}
	in := jsontext.NewDecoder(bytes.NewBuffer(value))
	all := make(map[string]string)
	err := members(in, func(name string) error {
		value, err := in.ReadValue()
		if err != nil {
			return fmt.Errorf("%.64q: %w", name, err)
		}
		all[name] = alertmanager.Text(value)
		return nil
	})
	return all, err == nil
}
