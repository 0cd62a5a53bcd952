package alertmanager_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// corpus is a collection of real bodies beside the repository.
const corpus = "../../../shared/payloads"

// An entry's expectation is "STATUS/SEVERITY/NAME/RESOURCE/start T[ end T]; id=I",
// several joined by " ‖ ", the last perhaps "… +2 more".
var expectation = regexp.MustCompile(`^([^/]*)/([^/]*)/([^/]*)/.*/start (\S+?)(?: end (\S+))?; id=(.*)$`)

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
	ran := 0
	for _, e := range entries {
		if e.Format != "alertmanager" {
			continue
		}
		ran++
		t.Run(filepath.Base(e.File), func(t *testing.T) {
			t.Parallel()
			body, err := os.ReadFile(filepath.Join(corpus, filepath.FromSlash(e.File)))
			if err != nil {
				t.Fatal(err)
			}
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
		})
	}
	if ran == 0 {
		t.Error("the collection has no bodies of Alertmanager")
	}
	t.Logf("%d real bodies", ran)
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
