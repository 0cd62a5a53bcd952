package alertmanager_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/alertmanager"
	"github.com/tripgen/paramedic/receiver/corpus"
)

// An entry's expectation is "STATUS/SEVERITY/NAME/RESOURCE/start T[ end T]; id=I",
// several joined by " ‖ ", the last perhaps "… +2 more".
var expectation = regexp.MustCompile(`^([^/]*)/([^/]*)/([^/]*)/.*/start (\S+?)(?: end (\S+))?; id=(.*)$`)

func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.Run(t, func(t *testing.T, e corpus.Entry, body []byte) {
		t.Helper()
		got, err := new(alertmanager.Decoder).Decode("am", http.Header{}, body, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Alerts) != e.Alerts {
			t.Errorf("got %d alerts, want %d", len(got.Alerts), e.Alerts)
		}
		for i, want := range strings.Split(e.Expect, " ‖ ") {
			if strings.HasPrefix(want, "…") {
				break
			}
			compare(t, got.Alerts[i], want)
		}
	}, "alertmanager")
}

func compare(t *testing.T, got alert.Alert, expect string) {
	t.Helper()
	want := expectation.FindStringSubmatch(expect)
	if want == nil {
		t.Fatalf("the expectation %q has another form than this test knows", expect)
	}
	if want[6] == "hash(labels)" {
		want[6] = alert.Fingerprint(got.Labels)
	}
	instant := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	if string(got.Status) != want[1] || got.Severity != want[2] || got.Name != want[3] || got.Fingerprint != want[6] ||
		!got.StartsAt.Equal(instant(want[4])) || !got.EndsAt.Equal(instant(want[5])) {
		t.Errorf("got %+v\nwant %s", got, expect)
	}
}
