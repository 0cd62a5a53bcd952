package binaries

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// tiny is a store over a module whose one dependency lies in its own folder and is a small program, so that building
// takes a moment and no network.
func tiny(t *testing.T) (*Store, Bundle, *lines) {
	t.Helper()
	source := filepath.Join(t.TempDir(), "build")
	for name, content := range map[string]string{
		"go.mod": "module lab.invalid/build\n\ngo 1.26.0\n\ntool lab.invalid/tiny\n\n" +
			"require lab.invalid/tiny v1.2.3\n\nreplace lab.invalid/tiny => ./tiny\n",
		"go.sum":               "",
		"tiny/go.mod":          "module lab.invalid/tiny\n\ngo 1.26.0\n",
		"tiny/main.go":         "package main\n\nvar version string\n\nfunc main() { print(version) }\n",
		"tiny/stages/b.yaml":   "b: 2\n\n",
		"tiny/stages/a.yaml":   "a: 1",
		"tiny/stages/a.json":   "{}",
		"tiny/other/last.yaml": "z: 3\n",
	} {
		file := filepath.Join(source, "tiny", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	said := &lines{}
	bundle := Bundle{
		Name: "tiny", Module: "lab.invalid/tiny",
		Programs: map[string]string{"tiny": "lab.invalid/tiny"},
		stamps:   map[string]string{"main.version": "{major}/{minor}/{bare}/{version}"},
		Files:    map[string][]string{"joined.yaml": {"stages/*.yaml", "other/last.yaml"}},
	}
	return &Store{root: t.TempDir(), source: source, progress: said}, bundle, said
}

type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

func TestEnsure(t *testing.T) {
	t.Parallel()
	store, bundle, said := tiny(t)
	folder, err := store.Ensure(t.Context(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(folder, "tiny")).CombinedOutput()
	if want := "1/2/1.2.3/v1.2.3"; err != nil || string(out) != want {
		t.Errorf("the program prints %q (%v), want %q", out, err, want)
	}
	joined, err := os.ReadFile(filepath.Join(folder, "joined.yaml"))
	if want := "---\na: 1\n---\nb: 2\n---\nz: 3\n"; err != nil || string(joined) != want {
		t.Errorf("joined %q (%v), want %q", joined, err, want)
	}
	if again, err := store.Ensure(t.Context(), bundle); err != nil || again != folder {
		t.Errorf("again: %s, %v; want %s", again, err, folder)
	}
	if n := said.count("built "); n != 1 {
		t.Errorf("built %d times, want once", n)
	}

	// An entry that lost a file is built again.
	if err := os.Remove(filepath.Join(folder, "tiny")); err != nil {
		t.Fatal(err)
	}
	if again, err := store.Ensure(t.Context(), bundle); err != nil || again != folder || !complete(folder, bundle) {
		t.Errorf("damaged: %s, %v; want %s whole", again, err, folder)
	}
	// Another pin is another entry.
	if err := os.WriteFile(filepath.Join(store.source, "tiny", "go.sum"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := store.Ensure(t.Context(), bundle); err != nil || other == folder {
		t.Errorf("after a change of go.sum: %s, %v; want another entry than before", other, err)
	}
}

func TestEnsureBuildsOnceForMany(t *testing.T) {
	t.Parallel()
	store, bundle, said := tiny(t)
	var builders sync.WaitGroup
	for range 5 {
		builders.Go(func() {
			if _, err := store.Ensure(t.Context(), bundle); err != nil {
				t.Error(err)
			}
		})
	}
	builders.Wait()
	if n := said.count("built "); n != 1 {
		t.Errorf("built %d times, want once", n)
	}
}

func TestEnsureFails(t *testing.T) {
	t.Parallel()
	store, bundle, _ := tiny(t)
	for name, spoil := range map[string]func(b *Bundle){
		"no such folder":       func(b *Bundle) { b.Name = "none" },
		"no such module":       func(b *Bundle) { b.Module = "lab.invalid/none" },
		"a program that fails": func(b *Bundle) { b.Programs = map[string]string{"x": "lab.invalid/tiny/none"} },
		"no file":              func(b *Bundle) { b.Files = map[string][]string{"x": {"*.none"}} },
	} {
		spoilt := bundle
		spoil(&spoilt)
		if folder, err := store.Ensure(t.Context(), spoilt); err == nil {
			t.Errorf("%s: got %s", name, folder)
		}
	}
	left, err := filepath.Glob(filepath.Join(store.root, "*.staging"))
	if err != nil || len(left) > 0 {
		t.Errorf("failed builds left %v (%v)", left, err)
	}
}

func TestLockWaitsAsLongAsTheContext(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "x.lock")
	unlock, err := lockFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := lockFile(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("second lock: error %v, want the deadline", err)
	}
	unlock()
	unlock, err = lockFile(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestBundlesArePinned(t *testing.T) {
	t.Parallel()
	store, err := Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, bundle := range All() {
		mod, err := os.ReadFile(filepath.Join(store.source, bundle.Name, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for _, pkg := range bundle.Programs {
			// Only what a tool directive names is kept in go.sum by go mod tidy.
			if !strings.Contains(string(mod), "tool "+pkg+"\n") && !strings.Contains(string(mod), "\t"+pkg+"\n") {
				t.Errorf("%s: go.mod has no tool directive for %s", bundle.Name, pkg)
			}
		}
	}
}

func TestLinkerFlags(t *testing.T) {
	t.Parallel()
	flags, err := KubernetesBundle().linkerFlags("v1.36.1")
	const v = "-X k8s.io/component-base/version."
	if want := "-s -w " + v + "gitMajor=1 " + v + "gitMinor=36 " + v + "gitVersion=v1.36.1"; err != nil || flags != want {
		t.Errorf("flags %q (%v), want %q", flags, err, want)
	}
	for _, version := range []string{"", "1.36.1", "v1.36"} {
		if flags, err := KubernetesBundle().linkerFlags(version); err == nil {
			t.Errorf("version %q gave %q", version, flags)
		}
	}
}

// TestEnsureFilesAlone: a bundle without programs is fetched, not built.
func TestEnsureFilesAlone(t *testing.T) {
	t.Parallel()
	store, bundle, said := tiny(t)
	bundle.Programs = nil
	folder, err := store.Ensure(t.Context(), bundle)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "joined.yaml")); err != nil {
		t.Error(err)
	}
	if n := said.count("building "); n != 0 {
		t.Errorf("said %d times that it builds", n)
	}
}
