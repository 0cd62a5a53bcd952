package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Env is what a configuration takes from its surroundings. All fields must be set.
type Env struct {
	LookupEnv func(name string) (string, bool)
	ReadFile  func(path string) ([]byte, error)
	Now       func() time.Time
}

// ProcessEnv is the surroundings of this process.
func ProcessEnv() Env { return Env{LookupEnv: os.LookupEnv, ReadFile: os.ReadFile, Now: time.Now} }

// maxFile bounds the file, in bytes.
const maxFile = 1 << 20

// Load reads and checks a configuration file. Secrets are not read; see [Config.CheckSecrets]. The error is
// [Problems] if the file could be read at all.
func Load(path string, env Env) (*Config, error) {
	content, err := env.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	d := &decoder{file: path, folder: filepath.Dir(path), env: env, lines: linesOf(content)}
	root, err := d.parse(content)
	if err != nil {
		return nil, Problems{{File: path, Message: err.Error()}}
	}
	if root == nil {
		return nil, d.problems.orNil()
	}
	c := d.config(*root)
	if err := d.problems.orNil(); err != nil {
		return nil, err
	}
	return &c, nil
}

// parse makes the one document of the file into a field. It returns nil after it has noted a problem with a place.
func (d *decoder) parse(content []byte) (*field, error) {
	if len(content) > maxFile {
		return nil, fmt.Errorf("the file has %d bytes: a configuration has at most %d", len(content), maxFile)
	}
	reader := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	switch err := reader.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("the file is empty: write at least the sources, or {} for none")
	case err != nil:
		d.syntax(err)
		return nil, nil
	}
	switch err := reader.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntax(err)
		return nil, nil
	default:
		d.problems = append(d.problems, place{file: d.file, line: second.Line, column: second.Column}.problem(
			"a second YAML document begins here: a configuration is one document: remove the --- or what follows it"))
		return nil, nil
	}
	if len(document.Content) != 1 {
		return nil, errors.New("the file has no content: write at least the sources, or {} for none")
	}
	return &field{node: document.Content[0], d: d}, nil
}

// linesOf are the lines of a file, without what ends them.
func linesOf(content []byte) []string {
	return strings.Split(strings.ReplaceAll(string(content), "\r\n", "\n"), "\n")
}

var parserLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// syntax notes what the YAML parser says. It tells the line within its text, or nothing.
func (d *decoder) syntax(err error) {
	at := place{file: d.file, line: 1, column: 1}
	message := err.Error()
	if m := parserLine.FindStringSubmatch(message); m != nil {
		if line, err := strconv.Atoi(m[1]); err == nil {
			at.line, message = line, m[2]
		}
	}
	d.problems = append(d.problems, at.problem("this is not YAML: %s", message))
}
