package failover_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/lab/azure"
)

// libraryRules is the library's file as it is.
func libraryRules(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "rules", "library", "region-failover.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fitted is the library's file with addresses of this world and shorter times. The pairs are what is replaced and what
// it becomes; whatever of them is not found is an error, as the library has changed then.
func fitted(text string, pairs ...string) (string, error) {
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			return "", fmt.Errorf("the library's rule has no %q any more", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text, nil
}

// hours are the times of the library, shortened. Within is how long the failover has to show.
func hours(within string) []string {
	return []string{
		"every: 30s", "every: 1s", "timeout: 5s", "timeout: 500ms",
		// How long a call of a worker that was killed is taken to go on.
		"timeout: 20m", "timeout: 8s", "- name: fail-over", "- name: fail-over\n          timeout: 8s",
		"- name: resync", "- name: resync\n          timeout: 8s", "- name: fail-back", "- name: fail-back\n          timeout: 8s",
		"within: 90s", "within: 3s", "stable: 30s", "stable: 1s",
		"within: 20m", "within: " + within, "within: 30m", "within: 2m", "stable: 1m", "stable: 1s",
		"cooldown: 2h", "cooldown: 1s", "cooldown: 1h", "cooldown: 1s", "cooldown: 10m", "cooldown: 1s",
		"holdDown: 1h", "holdDown: 3s", "holdDown: 30m", "holdDown: 2s", "holdDown: 10m", "holdDown: 2s",
		"00000000-0000-4000-8000-000000000000", azure.Subscription,
	}
}

// addresses are those of the library, of this world's services. From is the second place to look from.
func (w *world) addresses(from string) []string {
	return []string{
		"https://korea.tripgen.example", w.korea.server.URL, "https://japan.tripgen.example", w.japan.server.URL,
		"https://counts.tripgen.example/korea/places", w.counts.server.URL + "/api/places/count",
		"from: japan", "from: " + from,
	}
}
