// Package golden compares what a test got with a file that lies in its testdata:
// it is for tests only. Whoever uses it has a flag by which the file is written
// anew, and reads the difference in version control before it is kept:
//
//	var update = flag.Bool("update", false, "write the golden files instead of comparing with them")
//
//	golden.Check(t, *update, "testdata/report.golden", got)
//
// It may be used by several tests at a time, each with its own file.
package golden

import (
	"os"
	"testing"
)

// Check fails the test if got is not what the file has. With update it writes the
// file instead.
func Check(t testing.TB, update bool, file, got string) {
	t.Helper()
	if update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file) //nolint:gosec // the test names its file
	if err != nil {
		t.Fatalf("%v (write it with go test -update)", err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (rewrite it with go test -update)\n--- got\n%s--- want\n%s", file, got, want)
	}
}
