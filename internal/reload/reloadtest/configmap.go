// Package reloadtest changes files as those do who change rule files: it is for
// tests only.
package reloadtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The names that the kubelet uses in a volume (AtomicWriter of
// k8s.io/kubernetes/pkg/volume/util).
const (
	data    = "..data"
	dataTmp = "..data_tmp"
)

// ConfigMap is a folder as a Kubernetes volume of a ConfigMap: each file is a link
// to ..data/file, and ..data a link to a folder of one version.
type ConfigMap struct {
	Folder  string
	version int
}

// Write puts a version in place as the kubelet does: its folder first, whole; then
// ..data is renamed over; then links of new files are made and of old ones
// removed, and at last the folder of the version before.
func (m *ConfigMap) Write(t *testing.T, files map[string]string) {
	t.Helper()
	old, err := os.Readlink(filepath.Join(m.Folder, data))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	m.version++
	version := fmt.Sprintf("..2026_01_02_03_04_05.%d", m.version)
	must(t, os.Mkdir(filepath.Join(m.Folder, version), 0o750))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(m.Folder, version, name), []byte(text), 0o600))
	}
	must(t, os.Symlink(version, filepath.Join(m.Folder, dataTmp)))
	must(t, os.Rename(filepath.Join(m.Folder, dataTmp), filepath.Join(m.Folder, data)))

	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := os.Symlink(filepath.Join(data, name), filepath.Join(m.Folder, name)); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(m.Folder)
	must(t, err)
	for _, e := range entries {
		if _, kept := files[e.Name()]; !kept && e.Name()[0] != '.' {
			must(t, os.Remove(filepath.Join(m.Folder, e.Name())))
		}
	}
	if old != "" {
		must(t, os.RemoveAll(filepath.Join(m.Folder, old)))
	}
}

// Replace writes a file beside its place and renames it over, as editors do.
func Replace(t *testing.T, file, text string) {
	t.Helper()
	must(t, os.WriteFile(file+".swp", []byte(text), 0o600))
	must(t, os.Rename(file+".swp", file))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
