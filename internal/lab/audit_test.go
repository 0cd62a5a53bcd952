package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	begun    = `{"stage":"RequestReceived","auditID":"a","verb":"create","user":{"username":"u"},"objectRef":{"resource":"deployments","namespace":"n"},"requestReceivedTimestamp":"2026-01-01T00:00:02Z"}` + "\n"
	finished = `{"stage":"ResponseComplete","auditID":"a","verb":"create","user":{"username":"u"},"objectRef":{"resource":"deployments","namespace":"n","name":"x"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-01-01T00:00:02Z"}` + "\n"
	earlier  = `{"stage":"ResponseComplete","auditID":"b","verb":"patch","user":{"username":"u"},"objectRef":{"resource":"deployments","namespace":"n","name":"x"},"responseStatus":{"code":403},"requestReceivedTimestamp":"2026-01-01T00:00:01Z"}` + "\n"
)

func TestAuditLog(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		log    string
		filter AuditFilter
		want   string // the ids
		open   bool
		fails  bool
	}{
		"empty":                           {},
		"finished, in order of reception": {log: begun + finished + earlier, want: "b a"},
		"still being served":              {log: earlier + begun, open: true},
		"served for somebody else":        {log: earlier + begun, filter: AuditFilter{Verb: "patch"}, want: "b"},
		"a new object has no name yet":    {log: begun, filter: AuditFilter{Name: "x"}, open: true},
		"another name":                    {log: begun + finished, filter: AuditFilter{Name: "y"}},
		"half a line":                     {log: begun + finished[:50], open: true},
		"no JSON":                         {log: "{\n", fails: true},
	} {
		// Read at every moment of its being written, it says the same in the end.
		path := filepath.Join(t.TempDir(), "audit.log")
		var log auditLog
		for _, n := range []int{0, len(test.log) / 3, len(test.log) / 2, len(test.log)} {
			if err := os.WriteFile(path, []byte(test.log[:n]), 0o600); err != nil {
				t.Fatal(err)
			}
			lines, half, err := log.read(path)
			if n < len(test.log) {
				continue
			}
			entries, open := settled(lines, test.filter)
			var ids []string
			for i := range entries {
				ids = append(ids, entries[i].ID)
			}
			if got := strings.Join(ids, " "); got != test.want || (open != "" || half) != test.open || (err != nil) != test.fails {
				t.Errorf("%s: entries %q, open %q, half a line %t, error %v; want %q, open %v, error %v", name, got, open, half, err, test.want, test.open, test.fails)
			}
		}
	}
}
