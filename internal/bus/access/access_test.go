package access_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/bus/access"
)

func open(t *testing.T, dir string) *access.Access {
	t.Helper()
	a, err := access.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func save(t *testing.T, a *access.Access) []string {
	t.Helper()
	fresh, err := a.Save()
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// seed is the secret in a seed file.
func seed(t *testing.T, file string) string {
	t.Helper()
	lines := strings.Split(read(t, file), "\n")
	if len(lines) != 4 || !strings.HasPrefix(lines[1], "SU") {
		t.Fatalf("%s is no seed file", file)
	}
	return lines[1]
}

func TestRunningAgainAddsAndRevokes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	a := open(t, dir)
	if err := a.Add("seoul"); err != nil {
		t.Fatal(err)
	}
	if fresh := save(t, a); !slices.Equal(fresh, []string{"hub", "seoul"}) {
		t.Errorf("new are %v", fresh)
	}
	first := seed(t, a.SeedFile("seoul"))

	a = open(t, dir)
	for _, group := range []string{"seoul", "tokyo"} {
		if err := a.Add(group); err != nil {
			t.Fatal(err)
		}
	}
	if fresh := save(t, a); !slices.Equal(fresh, []string{"tokyo"}) {
		t.Errorf("new are %v", fresh)
	}
	if seed(t, a.SeedFile("seoul")) != first {
		t.Error("a group that had a key got another")
	}
	hub := seed(t, a.SeedFile("hub"))

	// The seeds need not stay in the folder.
	if err := os.Remove(a.SeedFile("seoul")); err != nil {
		t.Fatal(err)
	}
	a = open(t, dir)
	for _, name := range []string{"seoul", "hub"} {
		if err := a.Rotate(name); err != nil {
			t.Fatal(err)
		}
		if n := a.Keys(name); n != 2 {
			t.Errorf("%s has %d keys", name, n)
		}
	}
	if fresh := save(t, a); !slices.Equal(fresh, []string{"hub", "seoul"}) {
		t.Errorf("new are %v", fresh)
	}
	if seed(t, a.SeedFile("seoul")) == first || seed(t, a.SeedFile("hub")) == hub {
		t.Error("a key was not replaced")
	}

	a = open(t, dir)
	if err := a.Retire("seoul"); err != nil || a.Keys("seoul") != 1 || a.Keys("hub") != 2 {
		t.Errorf("%v: %d and %d keys", err, a.Keys("seoul"), a.Keys("hub"))
	}
	if err := a.Remove("tokyo"); err != nil {
		t.Fatal(err)
	}
	if fresh := save(t, a); len(fresh) != 0 {
		t.Errorf("new are %v", fresh)
	}
	a = open(t, dir)
	if groups := a.Groups(); !slices.Equal(groups, []string{"seoul"}) {
		t.Errorf("groups are %v", groups)
	}
	if strings.Contains(string(a.Accounts()), "tokyo") {
		t.Error("a removed group is among the accounts")
	}
}

func TestNobodyElseReadsTheFilesAndTheServersHaveNoSecret(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := open(t, dir)
	if err := a.Add("seoul"); err != nil {
		t.Fatal(err)
	}
	save(t, a)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
		}
		if strings.HasSuffix(e.Name(), ".nk") {
			continue
		}
		for _, name := range []string{"hub", "seoul"} {
			if strings.Contains(read(t, filepath.Join(dir, e.Name())), seed(t, a.SeedFile(name))) {
				t.Errorf("%s has the seed of %s", e.Name(), name)
			}
		}
	}
	if want := []string{"access.json", "hub.nk", "paramedic-accounts.conf", "seoul.nk"}; !slices.Equal(names, want) {
		t.Errorf("files are %v, want %v", names, want)
	}
}

func TestNamesAreHeldToWhatASubjectCarries(t *testing.T) {
	t.Parallel()
	a := open(t, t.TempDir())
	for _, bad := range []string{"", "hub", "Seoul", "a.b", "a*", "a>", "a b", "-a", "seoul-verify", "a\"b", strings.Repeat("a", 64)} {
		if err := access.CheckGroup(bad); err == nil {
			t.Errorf("%q is taken for a group", bad)
		}
		if err := a.Add(bad); err == nil && bad != access.Hub {
			t.Errorf("%q was added", bad)
		}
	}
	for _, change := range []func(string) error{a.Rotate, a.Retire, a.Remove} {
		if err := change("tokyo"); err == nil || !strings.Contains(err.Error(), "tokyo") {
			t.Errorf("a group without a key: %v", err)
		}
	}
	if err := a.Remove(access.Hub); err == nil {
		t.Error("the hub was removed")
	}
}

func TestAStateThatIsNotOneIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	save(t, open(t, dir))
	file := filepath.Join(dir, "access.json")
	good := []byte(read(t, file))
	var s struct{ Keys map[string][]string }
	if err := json.Unmarshal(good, &s); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"no JSON": []byte("{"), "no hub": []byte(`{"keys":{}}`),
		"another key":  bytes.Replace(good, []byte(s.Keys["hub"][0]), []byte("UABC"), 1),
		"another name": bytes.Replace(good, []byte(`"hub"`), []byte(`"a\"}"`), 1),
	} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := access.Open(dir); err == nil || !strings.Contains(err.Error(), "access.json") && !strings.Contains(err.Error(), "group") {
			t.Errorf("%s: %v, %v", name, a, err)
		}
	}
}
