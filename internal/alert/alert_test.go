package alert_test

import (
	"maps"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

func TestEpisodeIsOnePerFiring(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	firing := alert.Alert{Source: "am", Fingerprint: "f", Status: alert.Firing, StartsAt: start}
	resolved := firing
	resolved.Status, resolved.EndsAt = alert.Resolved, start.Add(time.Minute)
	if firing.Episode() != resolved.Episode() {
		t.Error("the resolve has another episode than the firing that it ends")
	}
	elsewhere := firing
	elsewhere.StartsAt = start.In(time.FixedZone("KST", 9*3600))
	if firing.Episode() != elsewhere.Episode() {
		t.Error("a time zone changed the episode")
	}
	for name, change := range map[string]func(*alert.Alert){
		"source":      func(a *alert.Alert) { a.Source = "other" },
		"fingerprint": func(a *alert.Alert) { a.Fingerprint = "g" },
		"start":       func(a *alert.Alert) { a.StartsAt = start.Add(time.Nanosecond) },
		"no start":    func(a *alert.Alert) { a.StartsAt = time.Time{} },
	} {
		other := firing
		change(&other)
		if other.Episode() == firing.Episode() {
			t.Errorf("another %s is the same episode", name)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	if alert.Fingerprint(map[string]string{"a": `b",c="d`}) == alert.Fingerprint(map[string]string{"a": "b", "c": "d"}) {
		t.Error("a value can imitate two labels")
	}
	different := func(labels map[string]string, name, value string) bool {
		if old, ok := labels[name]; ok && old == value {
			return true
		}
		before := alert.Fingerprint(labels)
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = value
		after := alert.Fingerprint(labels)
		return after != before && alert.Fingerprint(maps.Clone(labels)) == after
	}
	if err := quick.Check(different, nil); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	whole := alert.Alert{Source: "am", Fingerprint: "f", Name: "ServiceDown", Status: alert.Firing}
	if err := whole.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*alert.Alert){
		"source":      func(a *alert.Alert) { a.Source = "" },
		"fingerprint": func(a *alert.Alert) { a.Fingerprint = "" },
		"status":      func(a *alert.Alert) { a.Status = "pending" },
		"alertname":   func(a *alert.Alert) { a.Labels = map[string]string{"alertname": "ServiceUp"} },
	} {
		broken := whole
		change(&broken)
		err := broken.Validate()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ServiceDown") {
			t.Errorf("without %s: %v", want, err)
		}
	}
}
