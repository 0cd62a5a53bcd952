package grafana_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/corpus"
)

// An entry's expectation is "STATUS/SEVERITY/NAME/RESOURCE/start T[ end T]; id=I",
// several joined by " ‖ ".
var expectation = regexp.MustCompile(`^([^/]*)/([^/]*)/([^/]*)/.*/start (.+?)(?: end (\S+))?; id=(.*)$`)

func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.Run(t, func(t *testing.T, e corpus.Entry, body []byte) {
		t.Helper()
		got, err := decode(string(body))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Alerts) != e.Alerts || len(got.Refused) > 0 || len(got.Warnings) > 0 {
			t.Fatalf("got %+v, want %d alerts", got, e.Alerts)
		}
		for i, want := range strings.Split(e.Expect, " ‖ ") {
			compare(t, got.Alerts[i], want)
		}
	}, "grafana", "grafana-legacy")
}

func compare(t *testing.T, got alert.Alert, expect string) {
	t.Helper()
	want := expectation.FindStringSubmatch(expect)
	if want == nil {
		t.Fatalf("the expectation %q has another form than this test knows", expect)
	}
	if strings.HasPrefix(want[2], "(none") {
		want[2] = ""
	}
	instant := func(s string) time.Time {
		// Legacy bodies have no time; when they were received would be another
		// start for each, and so another episode.
		if s == "" || s == "= receive time" {
			return time.Time{}
		}
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if want[6] == "ruleUrl host+orgId+ruleId" {
		want[6] = alert.Fingerprint(map[string]string{
			"grafana_host":    got.Labels["grafana_host"],
			"grafana_org_id":  got.Labels["grafana_org_id"],
			"grafana_rule_id": got.Labels["grafana_rule_id"],
		})
		if got.Labels["grafana_host"] == "" || got.Labels["grafana_rule_id"] == "" {
			t.Errorf("labels %v", got.Labels)
		}
	}
	if string(got.Status) != want[1] || got.Severity != want[2] || got.Name != want[3] || got.Fingerprint != want[6] ||
		!got.StartsAt.Equal(instant(want[4])) || !got.EndsAt.Equal(instant(want[5])) {
		t.Errorf("got %+v\nwant %s", got, expect)
	}
}
