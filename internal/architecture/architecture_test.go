package architecture

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rules are all rules, by what they hold.
func rules() map[string]func(*tree) []string {
	return map[string]func(*tree) []string{
		"arrows point down":           arrowsPointDown,
		"SDKs stay out":               sdksStayOut,
		"packages are named":          noDrawers,
		"pure is pure":                pureIsPure,
		"nobody sleeps":               nobodySleeps,
		"no package-level state":      noState,
		"every package is documented": everyPackageIsDocumented,
		"files are short":             filesAreShort,
		"the top level is fixed":      theTopLevelIsFixed,
		"nothing names a machine":     nothingNamesAMachine,
	}
}

func TestTheRepositoryKeepsEveryRule(t *testing.T) {
	repository, err := load(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	if len(repository.files) < 50 {
		t.Fatalf("only %d files were found", len(repository.files))
	}
	for name, rule := range rules() {
		t.Run(name, func(t *testing.T) {
			for _, finding := range rule(repository) {
				t.Error(finding)
			}
		})
	}
}

// TestABadTreeBreaksEveryRule proves that the rules find something. With UPDATE_GOLDEN set it writes what they find.
func TestABadTreeBreaksEveryRule(t *testing.T) {
	bad, err := load(filepath.Join("testdata", "bad"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rules())) {
		findings := rules()[name](bad)
		if len(findings) == 0 {
			t.Errorf("%s: nothing was found", name)
		}
		for _, finding := range findings {
			got.WriteString(name + ": " + finding + "\n")
		}
	}
	golden := filepath.Join("testdata", "bad.txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
