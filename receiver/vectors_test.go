package receiver_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/corpus"
)

func TestCorpusSignatures(t *testing.T) {
	t.Parallel()
	for file, scheme := range map[string]string{"pagerduty_v3_vectors.json": "pagerduty", "slack_v0_vectors.json": "slack"} {
		text, there := corpus.File(t, "signatures/"+file)
		if !there {
			return
		}
		var vectors struct {
			Cases []struct {
				Name, Secret, Body, Signature, Timestamp string
				Now                                      int64
				Valid                                    bool
			}
		}
		if err := json.Unmarshal(text, &vectors); err != nil || len(vectors.Cases) == 0 {
			t.Fatalf("%d cases: %v", len(vectors.Cases), err)
		}
		for _, c := range vectors.Cases {
			s := preset(t, scheme, c.Secret, nil)
			h := headers(s.Header, c.Signature)
			if s.TimestampHeader != "" {
				h.Set(s.TimestampHeader, c.Timestamp)
			}
			err := judge(signer(t, s, time.Unix(c.Now, 0)), h, c.Body)
			if (err == nil) != c.Valid {
				t.Errorf("%s, %s: %v", scheme, c.Name, err)
			}
			if at, bad := strconv.ParseInt(c.Timestamp, 10, 64); bad == nil && max(c.Now-at, at-c.Now) > 300 && reasonOf(t, err) != receiver.ReasonStale {
				t.Errorf("%s, %s: refused for %v", scheme, c.Name, err)
			}
		}
		t.Logf("%s: %d", scheme, len(vectors.Cases))
	}
}
