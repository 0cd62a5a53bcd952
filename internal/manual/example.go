package manual

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed examples
var examples embed.FS

// Examples are the languages that there is a worker in, sorted.
func Examples() []string { return []string{"node", "python"} }

// Example gives the files of the worker in a language, by their names.
func Example(language string) (map[string][]byte, error) {
	folder := path.Join("examples", language)
	entries, err := fs.ReadDir(examples, folder)
	if err != nil {
		return nil, fmt.Errorf("there is no example in %q, only in %s", language, strings.Join(Examples(), ", "))
	}
	files := map[string][]byte{}
	for _, e := range entries {
		text, err := fs.ReadFile(examples, path.Join(folder, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("the example in %s: %w", language, err)
		}
		files[e.Name()] = text
	}
	return files, nil
}
