package grafana_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// corpus is a collection of real bodies beside the repository.
const corpus = "../../../shared/payloads"

// An entry's expectation is "STATUS/SEVERITY/NAME/RESOURCE/start T[ end T]; id=I",
// several joined by " ‖ ".
var expectation = regexp.MustCompile(`^([^/]*)/([^/]*)/([^/]*)/.*/start (.+?)(?: end (\S+))?; id=(.*)$`)

func TestCorpus(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile(filepath.Join(corpus, "INDEX.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("NOT RUN: there is no collection of real bodies at %s beside the repository", corpus)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var entries []struct {
		Format string `json:"format"`
		File   string `json:"file"`
		Alerts int    `json:"alerts"`
		Expect string `json:"expect"`
	}
	if err := json.Unmarshal(index, &entries); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{"grafana": 0, "grafana-legacy": 0}
	for _, e := range entries {
		if _, ours := ran[e.Format]; !ours {
			continue
		}
		ran[e.Format]++
		t.Run(filepath.Base(e.File), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join(corpus, filepath.FromSlash(e.File)))
			if err != nil {
				t.Fatal(err)
			}
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
		})
	}
	for format, n := range ran {
		if n == 0 {
			t.Errorf("the collection has no bodies of %s", format)
		}
	}
	t.Logf("real bodies: %v", ran)
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
