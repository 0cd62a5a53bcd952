package pagerduty_test

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
	"github.com/tripgen/paramedic/receiver/pagerduty"
)

// corpus is a collection of real bodies beside the repository.
const corpus = "../../../shared/payloads"

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
		if e.Format != "pagerduty-v3" {
			continue
		}
		ran++
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
			if len(got.Alerts) != e.Alerts || (got.Ignored != "") != (e.Alerts == 0) || len(got.Warnings) > 0 {
				t.Fatalf("got %+v, want %d alerts", got, e.Alerts)
			}
			for _, a := range got.Alerts {
				compare(t, a, e.Expect)
			}
		})
	}
	if ran == 0 {
		t.Error("the collection has no bodies of PagerDuty")
	}
	t.Logf("%d real bodies", ran)
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

func TestCorpusSignatures(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(corpus, "signatures", "pagerduty_v3_vectors.json"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Logf("NOT RUN: there is no collection of real bodies at %s beside the repository", corpus)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Cases []struct {
			Name, Secret, Body, Signature string
			Valid                         bool
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Cases) == 0 {
		t.Fatalf("%d cases: %v", len(vectors.Cases), err)
	}
	for _, c := range vectors.Cases {
		if got := pagerduty.ValidSignature([]byte(c.Secret), []byte(c.Body), c.Signature); got != c.Valid {
			t.Errorf("%s: %t", c.Name, got)
		}
	}
}
