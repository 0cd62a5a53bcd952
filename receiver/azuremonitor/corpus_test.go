package azuremonitor_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/azuremonitor"
	"github.com/tripgen/paramedic/receiver/corpus"
)

// An entry's expectation is "STATUS/SEVERITY/NAME/RESOURCE/start T[ end T][; id=I][; svc=S]",
// or with "end = … T (no start)". "…" stands for what was left out.
var (
	expectation = regexp.MustCompile(`^([^/ (]*)(?:\([^)]*\))?/([^/]*)/(.*)/((?:start|end) .*)$`)
	times       = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)`)
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.Run(t, func(t *testing.T, e corpus.Entry, body []byte) {
		t.Helper()
		got, err := azuremonitor.Decoder{}.Decode("azure", http.Header{}, body, received)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Alerts) != e.Alerts {
			t.Errorf("got %d alerts, want %d", len(got.Alerts), e.Alerts)
		}
		if len(got.Warnings) != 0 {
			t.Errorf("warnings about an ordinary body: %q", got.Warnings)
		}
		compare(t, got.Alerts[0], e.Expect)
	}, "azure-common", "azure-noncommon")
}

func compare(t *testing.T, got alert.Alert, expect string) {
	t.Helper()
	facts := strings.Split(expect, "; ")
	want := expectation.FindStringSubmatch(facts[0])
	if want == nil {
		t.Fatalf("the expectation %q has another form than this test knows", expect)
	}
	if string(got.Status) != want[1] {
		t.Errorf("status %q", got.Status)
	}
	severity, _, _ := strings.Cut(strings.Trim(want[2], `"`), " ")
	if strings.HasPrefix(severity, "none") {
		severity = ""
	}
	if got.Severity != severity {
		t.Errorf("severity %q", got.Severity)
	}
	if !names(got, want[3]) {
		t.Errorf("name %q, labels %v", got.Name, got.Labels)
	}
	compareTimes(t, got, want[4])
	for _, fact := range facts[1:] {
		key, value, _ := strings.Cut(fact, "=")
		switch key {
		case "svc":
			if got.Labels["monitoring_service"] != value {
				t.Errorf("monitoring_service %q", got.Labels["monitoring_service"])
			}
		case "id":
			if !identifies(got, value) {
				t.Errorf("fingerprint %q, annotations %v", got.Fingerprint, got.Annotations)
			}
		default:
			t.Errorf("the expectation %q has a part that this test does not know", fact)
		}
	}
	if t.Failed() {
		t.Logf("want %s", expect)
	}
}

// names reports whether NAME/RESOURCE are those of a. Both may have slashes.
func names(a alert.Alert, expect string) bool {
	if strings.HasPrefix(expect, "VM health") { // the collection's abbreviation
		expect = strings.Replace(expect, "VM", "Virtual Machine", 1)
	}
	for i, r := range expect {
		if r != '/' {
			continue
		}
		name, _, _ := strings.Cut(expect[:i], " (AlertData")
		resource := strings.TrimPrefix(strings.TrimPrefix(expect[i+1:], "subscription "), "ApplicationId ")
		if !abbreviates(name, a.Name) {
			continue
		}
		switch {
		case abbreviates(resource, a.Labels["resource_name"]), abbreviates(resource, a.Labels["resource"]):
			return true
		case resource == "BudgetId":
			return strings.Contains(a.Labels["resource"], "/budgets/")
		case resource == "workspace (ResourceId)":
			return strings.EqualFold(a.Labels["resource_type"], "Microsoft.OperationalInsights/workspaces")
		}
	}
	return false
}

func abbreviates(expect, got string) bool {
	start, cut := strings.CutSuffix(expect, "…")
	return expect == got || cut && strings.HasPrefix(got, start)
}

func compareTimes(t *testing.T, got alert.Alert, expect string) {
	t.Helper()
	var all []time.Time
	for _, s := range times.FindAllString(expect, -1) {
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, at)
	}
	start, end := time.Time{}, time.Time{}
	switch {
	case expect == "start = receive time":
		start = received
	case strings.HasSuffix(expect, "(no start)") && len(all) == 1:
		start, end = all[0], all[0] // the decoder's own choice: see its documentation
	case len(all) == 2:
		start, end = all[0], all[1]
	case len(all) == 1:
		start = all[0]
	default:
		t.Fatalf("the expectation %q has another form than this test knows", expect)
	}
	if !got.StartsAt.Equal(start) || !got.EndsAt.Equal(end) {
		t.Errorf("from %s to %s", got.StartsAt, got.EndsAt)
	}
}

// identifies reports whether I is the fingerprint, or the alertId that another
// fingerprint stands for because it is not one episode's.
func identifies(a alert.Alert, expect string) bool {
	hash := regexp.MustCompile(`^[0-9a-f]{16}$`)
	switch {
	case strings.Contains(expect, "+"): // of several parts
		return hash.MatchString(a.Fingerprint)
	case expect == "eventDataId":
		return a.Fingerprint == a.Annotations["event_id"]
	case strings.HasPrefix(expect, "trackingId "):
		return strings.HasPrefix(a.Fingerprint, strings.TrimPrefix(expect, "trackingId ")+"@")
	}
	tail := strings.TrimPrefix(expect, "…")
	if !strings.HasSuffix(a.Annotations["alert_id"], tail) {
		return false
	}
	switch {
	case a.Labels["alert_type"] == "service_health":
		return strings.HasPrefix(a.Fingerprint, a.Annotations["tracking_id"]+"@")
	case strings.Contains(tail, "/"): // of a rule
		return a.Fingerprint == a.Annotations["event_id"]
	default:
		return strings.HasSuffix(a.Fingerprint, tail)
	}
}
