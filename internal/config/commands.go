package config

import (
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Command is a program that rules may run by its name, as action and probe exec.
type Command struct {
	Name string
	// Path is the program's, absolute, and Args are its own arguments.
	Path string
	Args []string
	// Accepts are regular expressions, one for each argument that a rule may add.
	Accepts []string
	// Stdin says that a rule may hand over a text as standard input.
	Stdin bool
	// Env are the variables of its environment, each a text or a secret.
	Env map[string]EnvValue
	// Dir is its working folder; empty leaves the choice to the action.
	Dir string
	// Timeout bounds one run; 0 leaves the choice to the action.
	Timeout time.Duration
	// Idempotent says that running it twice is the same as once, Probe that it only reads.
	Idempotent, Probe bool
	// Plan and Observe take the place of Args to say what would be done, and whether it was; nil where it cannot.
	Plan, Observe []string
	// Undo is the name of the command that puts back what this one does; empty for none.
	Undo string
	// Exits says what exit statuses mean: retryable, terminal or plan-changed.
	Exits map[int]string
}

// EnvValue is what an environment variable is set to: Secret, or Text where that is not set.
type EnvValue struct {
	Text   string
	Secret Secret
}

const (
	maxCommandTimeout = time.Hour
	maxExitStatus     = 255
)

func (f field) commands() []Command {
	entries, _ := f.entries()
	at, list := map[string]field{}, []Command(nil)
	known := map[string]Command{}
	for _, e := range entries {
		c := e.value.command(e.value.at(e.key).name(), at)
		list, known[c.Name] = append(list, c), c
	}
	for _, c := range list {
		other, ok := known[c.Undo]
		switch {
		case c.Undo == "":
		case !ok:
			at[c.Name].badValue(c.Undo, "there is no command of this name: add it, or remove undo")
		case !other.Idempotent:
			at[c.Name].badValue(c.Undo, "what puts back may be run again: write idempotent: true there, if it is so")
		}
	}
	return list
}

// command notes in undo where it names another.
func (f field) command(name string, undo map[string]field) Command {
	c := Command{Name: name}
	if !f.mapping(fields{
		"path":       func(f field) { c.Path = f.absolute() },
		"args":       func(f field) { c.Args = f.texts() },
		"accepts":    func(f field) { c.Accepts = f.patterns() },
		"stdin":      func(f field) { c.Stdin = f.bool() },
		"env":        func(f field) { c.Env = f.environment() },
		"dir":        func(f field) { c.Dir = f.absolute() },
		"timeout":    func(f field) { c.Timeout = f.duration(100*time.Millisecond, maxCommandTimeout) },
		"idempotent": func(f field) { c.Idempotent = f.bool() },
		"probe":      func(f field) { c.Probe = f.bool() },
		"plan":       func(f field) { c.Plan = f.texts() },
		"observe":    func(f field) { c.Observe = f.texts() },
		"undo":       func(f field) { c.Undo, _ = f.text(); undo[name] = f },
		"exits":      func(f field) { c.Exits = f.exits() },
	}) {
		return c
	}
	if f.lacks("path") {
		f.bad("the command has no path: write the program's, such as path: /usr/local/bin/%s", name)
	}
	return c
}

// absolute is a path that means the same wherever the file lies, as what is run must.
func (f field) absolute() string {
	text, ok := f.text()
	if ok && !filepath.IsAbs(text) {
		f.badValue(text, "write an absolute path: commands are not searched for")
	}
	return text
}

// texts is never nil, so that an empty list is told from none.
func (f field) texts() []string {
	list := []string{}
	for _, e := range f.list() {
		text, _ := e.text()
		list = append(list, text)
	}
	return list
}

func (f field) patterns() []string {
	list := []string{}
	for _, e := range f.list() {
		text, ok := e.text()
		if _, err := regexp.Compile(text); ok && err != nil {
			e.badValue(text, "this is no regular expression: %v", err)
		}
		list = append(list, text)
	}
	return list
}

func (f field) environment() map[string]EnvValue {
	entries, _ := f.entries()
	env := map[string]EnvValue{}
	for _, e := range entries {
		name := e.key.Value
		if !variable.MatchString(name) || name == "PATH" || strings.HasPrefix(name, "PARAMEDIC_") {
			e.value.at(e.key).badValue(name, "write a name of letters, digits and _, and neither PATH nor one that begins with PARAMEDIC_, which are set anyhow")
			continue
		}
		if e.value.isMapping() {
			env[name] = EnvValue{Secret: e.value.secret()}
			continue
		}
		text, _ := e.value.text()
		env[name] = EnvValue{Text: text}
	}
	return env
}

// exits lists statuses by what they mean, and so may not list one twice.
func (f field) exits() map[int]string {
	exits := map[int]string{}
	of := func(class string) func(field) {
		return func(f field) {
			for _, e := range f.list() {
				status := e.integer(1, maxExitStatus)
				if status < 1 || status > maxExitStatus {
					continue // which was noted
				}
				if other, twice := exits[status]; twice {
					e.badValue(e.node.Value, "this exit status means %s already: write it once", other)
				}
				exits[status] = class
			}
		}
	}
	f.mapping(fields{"retryable": of("retryable"), "terminal": of("terminal"), "plan-changed": of("plan-changed")})
	return exits
}
