// Package corpus reads the collection of real webhook bodies that may lie beside
// the repository, for tests only. Where it is not, it says so: the project's own
// fixtures always run.
package corpus

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// folders are the collection's place, as seen from a decoder's own folder and
// from the receiver's.
func folders() []string { return []string{"../../../shared/payloads", "../../shared/payloads"} }

// Entry is what the collection's index says of one body.
type Entry struct {
	Format string `json:"format"`
	File   string `json:"file"`
	// Alerts is how many a decoder finds in it, Expect what they are.
	Alerts int    `json:"alerts"`
	Expect string `json:"expect"`
}

// Run runs a test on every body of these formats. A format that the collection
// has nothing of fails t.
func Run(t *testing.T, test func(t *testing.T, e Entry, body []byte), formats ...string) {
	t.Helper()
	index, there := File(t, "INDEX.json")
	if !there {
		return
	}
	var entries []Entry
	if err := json.Unmarshal(index, &entries); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for _, e := range entries {
		if !slices.Contains(formats, e.Format) {
			continue
		}
		ran[e.Format]++
		t.Run(filepath.Base(e.File), func(t *testing.T) {
			t.Parallel()
			body, _ := File(t, e.File)
			test(t, e, body)
		})
	}
	for _, format := range formats {
		if ran[format] == 0 {
			t.Errorf("the collection has no bodies of %s", format)
		}
	}
	t.Logf("real bodies: %v", ran)
}

// File reads a file of the collection, false if there is no collection. One that
// is missing from it fails t.
func File(t *testing.T, name string) ([]byte, bool) {
	t.Helper()
	for _, folder := range folders() {
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		text, err := fs.ReadFile(os.DirFS(folder), name)
		if err != nil {
			t.Fatal(err)
		}
		return text, true
	}
	t.Logf("NOT RUN: there is no collection of real bodies at %v beside the repository", folders())
	return nil, false
}
