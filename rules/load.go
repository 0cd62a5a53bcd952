package rules

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
)

// testSuffix is of rule tests, which lie beside the rules that they test.
const testSuffix = "_test.yaml"

// Load reads the files that paths name. A path may be a pattern as
// path/filepath.Match has them; a pattern does not stand for rule tests
// (*_test.yaml). One that stands for nothing is an error.
func Load(paths ...string) ([]engine.Source, error) {
	if len(paths) == 0 {
		return nil, errors.New("no rule files are given")
	}
	var names []string
	for _, p := range paths {
		found, err := expand(p)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	sources := make([]engine.Source, 0, len(names))
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			return nil, fmt.Errorf("rules: %s is a folder: name its files, as %s", name, filepath.Join(name, "*.yaml"))
		}
		text, err := os.ReadFile(name) //nolint:gosec // the operator names the files
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		sources = append(sources, engine.Source{Name: filepath.ToSlash(name), Text: string(text)})
	}
	return sources, nil
}

func expand(p string) ([]string, error) {
	if !strings.ContainsAny(p, `*?[`) {
		return []string{filepath.Clean(p)}, nil
	}
	found, err := filepath.Glob(p)
	if err != nil {
		return nil, fmt.Errorf("rules: %q: %w", p, err)
	}
	found = slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, testSuffix) })
	if len(found) == 0 {
		return nil, fmt.Errorf("rules: no file fits %q", p)
	}
	for i, name := range found {
		found[i] = filepath.Clean(name)
	}
	return found, nil
}
