package grafana_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
)

func TestDecodesLegacy(t *testing.T) {
	t.Parallel()
	got, err := decode(fixture(t, "legacy.good.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := receiver.Decoded{Alerts: []alert.Alert{{
		Source: "gf", Name: "Busy web", Status: alert.Firing, Severity: "warning",
		Fingerprint: alert.Fingerprint(map[string]string{
			"grafana_host": "grafana.test:3000", "grafana_org_id": "2", "grafana_rule_id": "17",
		}),
		Labels: map[string]string{
			"alertname": "Busy web", "severity": "warning", "team": "ours", "instance": "web-1", "job": "node",
			"grafana_host": "grafana.test:3000", "grafana_org_id": "2", "grafana_rule_id": "17",
		},
		Annotations: map[string]string{
			"summary": "[Alerting] Busy web", "description": "The processors are busy",
			"grafana_image_url": "https://images.test/cpu.png", "grafana_dashboard_id": "5", "grafana_panel_id": "8",
			"grafana_eval_matches": `[{"value":97.5,"metric":"user","tags":{"instance":"web-1","job":"node","cpu":"0","team":"theirs"}},` +
				`{"value":98,"metric":"user","tags":{"instance":"web-1","job":"node","cpu":"1","team":"theirs","more":"x"}}]`,
		},
		URL: "https://Grafana.test:3000/d/abc/web?fullscreen&tab=alert&panelId=8&orgId=2",
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

const legacyRule = `"ruleId":7,"ruleName":"R","ruleUrl":"http://g.test/d?orgId=1"`

func TestLegacyStates(t *testing.T) {
	t.Parallel()
	firing, err := decode(`{` + legacyRule + `,"state":"alerting","evalMatches":[{"tags":{"instance":"a"}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	resolved, err := decode(`{` + legacyRule + `,"state":"ok","evalMatches":[]}`)
	if err != nil {
		t.Fatal(err)
	}
	a, b := firing.Alerts[0], resolved.Alerts[0]
	if a.Status != alert.Firing || b.Status != alert.Resolved || a.Episode() != b.Episode() || !a.StartsAt.IsZero() || !b.EndsAt.IsZero() {
		t.Errorf("alerting %+v\nok %+v", a, b)
	}
	for _, state := range []string{"paused", "pending", "no_data"} {
		got, err := decode(`{` + legacyRule + `,"state":"` + state + `"}`)
		if err != nil || len(got.Alerts) > 0 || !strings.Contains(got.Ignored, state) {
			t.Errorf("%s: %+v, %v", state, got, err)
		}
	}
}

func TestLegacyIdentity(t *testing.T) {
	t.Parallel()
	id := func(members string) string {
		got, err := decode(`{` + members + `,"state":"alerting","ruleName":"R"}`)
		if err != nil {
			t.Fatalf("%s: %v", members, err)
		}
		return got.Alerts[0].Fingerprint
	}
	base := id(`"ruleId":7,"orgId":1,"ruleUrl":"http://g.test/d/x"`)
	for name, same := range map[string]string{
		"organisation in the URL":  `"ruleId":7,"ruleUrl":"https://g.test/d/x?fullscreen&orgId=1"`,
		"organisation null":        `"ruleId":7,"orgId":null,"ruleUrl":"https://g.test/?orgId=1"`,
		"another dashboard":        `"ruleId":7,"orgId":1,"ruleUrl":"http://g.test/d/y?panelId=3"`,
		"the host in capitals":     `"ruleId":7,"orgId":1,"ruleUrl":"http://G.Test/"`,
		"the number in quotes":     `"ruleId":"7","orgId":"1","ruleUrl":"http://g.test/"`,
		"the organisation's first": `"ruleId":7,"orgId":1,"ruleUrl":"http://g.test/?orgId=2"`,
	} {
		if id(same) != base {
			t.Errorf("%s: another rule", name)
		}
	}
	for name, other := range map[string]string{
		"rule":                    `"ruleId":8,"orgId":1,"ruleUrl":"http://g.test/"`,
		"organisation":            `"ruleId":7,"orgId":2,"ruleUrl":"http://g.test/"`,
		"no organisation":         `"ruleId":7,"ruleUrl":"http://g.test/"`,
		"host":                    `"ruleId":7,"orgId":1,"ruleUrl":"http://h.test/"`,
		"port":                    `"ruleId":7,"orgId":1,"ruleUrl":"http://g.test:3000/"`,
		"no host":                 `"ruleId":7,"orgId":1`,
		"a number beyond 53 bits": `"ruleId":7533874832689366674,"orgId":1,"ruleUrl":"http://g.test/"`,
	} {
		if id(other) == base {
			t.Errorf("another %s: the same rule", name)
		}
	}
	if id(`"ruleId":9007199254740993`) == id(`"ruleId":9007199254740992`) {
		t.Error("numbers beyond 53 bits are rounded")
	}
}

func TestLegacyOddities(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, members string
		check         func(a alert.Alert) bool
		warning       string
	}{
		{
			"tags null", `,"tags":null,"evalMatches":[{"tags":null}]`,
			func(a alert.Alert) bool { return len(a.Labels) == 4 }, "",
		},
		{
			"tags a list", `,"tags":[1]`,
			func(a alert.Alert) bool { return len(a.Labels) == 4 }, "tags is not an object",
		},
		{
			"endless tags", `,"tags":{"a":"` + strings.Repeat("x", 70_000) + `"}`,
			func(a alert.Alert) bool { return len(a.Labels) == 4 }, "tags is not an object of 65536 bytes",
		},
		{
			"a match's endless tags", `,"evalMatches":[{"tags":{"a":"` + strings.Repeat("x", 70_000) + `"}}]`,
			func(a alert.Alert) bool { return len(a.Labels) == 4 }, "evalMatches[0]",
		},
		{
			"a tag a number", `,"tags":{"relay":7,"none":null,"on-ok":"x"}`,
			func(a alert.Alert) bool {
				return a.Labels["relay"] == "7" && a.Labels["on-ok"] == "x" && len(a.Labels) == 6
			}, "",
		},
		{
			"a tag that would be the identity", `,"tags":{"grafana_rule_id":"1"},"evalMatches":[{"tags":{"grafana_host":"x"}}]`,
			func(a alert.Alert) bool {
				return a.Labels["grafana_rule_id"] == "7" && a.Labels["grafana_host"] == "g.test"
			}, "",
		},
		{
			"evalMatches an object", `,"evalMatches":{"a":1}`,
			func(a alert.Alert) bool { return a.Annotations["grafana_eval_matches"] == `{"a":1}` }, "evalMatches is not an array",
		},
		{
			"a match a number", `,"evalMatches":[{"tags":{"a":"b"}},5]`,
			func(a alert.Alert) bool { return a.Labels["a"] == "" }, "evalMatches[1] is not an object",
		},
		{
			"a match's tags a list", `,"evalMatches":[{"tags":[]}]`,
			func(a alert.Alert) bool { return len(a.Labels) == 4 }, "evalMatches[0]",
		},
		{
			"nothing in common", `,"evalMatches":[{"tags":{"a":"b"}},{"tags":{"a":"c"}},{"tags":{"a":"b"}}]`,
			func(a alert.Alert) bool { return len(a.Labels) == 4 }, "",
		},
		{
			"title an object", `,"title":{ "a" : 1 },"message":null`,
			func(a alert.Alert) bool {
				_, described := a.Annotations["description"]
				return a.Annotations["summary"] == `{"a":1}` && !described
			}, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := decode(`{` + legacyRule + `,"state":"alerting"` + c.members + `}`)
			if err != nil {
				t.Fatal(err)
			}
			if !c.check(got.Alerts[0]) {
				t.Errorf("got %+v", got.Alerts[0])
			}
			if c.warning == "" && len(got.Warnings) > 0 || !strings.Contains(strings.Join(got.Warnings, "\n"), c.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, c.warning)
			}
		})
	}
	got, err := decode(`{"ruleId":7,"ruleUrl":"::","state":"alerting","tags":{"alertname":"T"}}`)
	if err != nil || len(got.Warnings) != 2 || got.Alerts[0].Name != "T" {
		t.Errorf("neither name nor host: %+v, %v", got, err)
	}
}

func TestLegacyTestNotification(t *testing.T) {
	t.Parallel()
	const said = `"message":"Someone is testing the alert notification within grafana."`
	for members, ignored := range map[string]bool{
		`"ruleName":"Test notification",` + said:           true,
		`"ruleName":"Test notification","message":"mine"`:  false,
		`"ruleName":"R",` + said:                           false,
		`"ruleName":"Test notification","message":[` + `]`: false,
	} {
		got, err := decode(`{"ruleId":0,"ruleUrl":"http://g.test/","state":"alerting",` + members + `}`)
		if err != nil || (got.Ignored != "") != ignored || (len(got.Alerts) == 0) != ignored {
			t.Errorf("%s: %+v, %v", members, got, err)
		}
	}
}
