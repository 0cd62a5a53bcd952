package rules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/rules"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b.yaml", "a.yaml", "a_test.yaml", "c.yml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("# "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	files, err := rules.Load(in("*.yaml"), in("b.yaml"), in("c.yml"), in("./a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, filepath.Base(f.Name)+" "+f.Text)
	}
	if want := "a.yaml # a.yaml, b.yaml # b.yaml, c.yml # c.yml"; strings.Join(got, ", ") != want {
		t.Errorf("loaded %q, want %s", got, want)
	}
	for _, paths := range [][]string{nil, {in("*.json")}, {in("missing.yaml")}, {dir}, {in("[")}} {
		if files, err := rules.Load(paths...); err == nil {
			t.Errorf("%v loads %d files", paths, len(files))
		}
	}
	if _, err := rules.Load(dir); err == nil || !strings.Contains(err.Error(), "name its files, as "+in("*.yaml")) {
		t.Errorf("of a folder it is said: %v", err)
	}
}
