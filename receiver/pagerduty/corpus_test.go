package pagerduty_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/corpus"
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.Run(t, func(t *testing.T, e corpus.Entry, body []byte) {
		t.Helper()
		got, err := decode(string(body))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Alerts) != e.Alerts || (got.Ignored != "") != (e.Alerts == 0) || len(got.Warnings) > 0 {
			t.Fatalf("got %+v, want %d alerts", got, e.Alerts)
		}
		for _, a := range got.Alerts {
			compare(t, a, e.Expect)
		}
	}, "pagerduty-v3")
}

// An expectation is "STATUS/SEVERITY/TITLE/SERVICE/start or end; id=I", of which
// the index leaves out what does not matter to it.
func compare(t *testing.T, got alert.Alert, expect string) {
	t.Helper()
	status := alert.Firing
	if strings.HasPrefix(expect, "resolved") {
		status = alert.Resolved
	}
	if got.Status != status {
		t.Errorf("status %s, want %s", got.Status, expect)
	}
	what, _, _ := strings.Cut(expect, ";")
	if parts := strings.SplitN(what, "/", 5); len(parts) >= 4 {
		if !strings.Contains(parts[1], got.Severity) || got.Severity == "" || got.Name != parts[2] || got.Labels["service"] != parts[3] {
			t.Errorf("got %+v, want %s", got, expect)
		}
	}
	for pattern, have := range map[string]string{
		`id=(?:data\.id )?(\S+)$`:       got.Fingerprint,
		`severity → (\S+);`:             got.Severity,
		`start data\.created_at (\S+);`: got.StartsAt.Format(time.RFC3339Nano),
		`end (?:occurred_at )?(\S+);`:   got.EndsAt.Format(time.RFC3339Nano),
	} {
		if want := regexp.MustCompile(pattern).FindStringSubmatch(expect); len(want) == 2 && want[1] != have {
			t.Errorf("%s: got %s, want %s", pattern, have, want[1])
		}
	}
	// Bodies of 2021 do not say when the incident began. When the event occurred
	// would be another time for each event, and so another episode.
	if strings.Contains(expect, "no created_at") && !got.StartsAt.IsZero() {
		t.Errorf("starts at %s", got.StartsAt)
	}
}
