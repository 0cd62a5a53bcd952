package exec

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Command is one command that rules may name.
type Command struct {
	// Path is the program's, absolute. It is not searched for.
	Path string
	// Args come first, before those of the rule.
	Args []string
	// Accepts are regular expressions (RE2), one for each argument that a rule may
	// add; the whole argument must match. Without any, a rule adds none.
	Accepts []string
	// Stdin says that a rule may hand over a text as standard input. Of what reads
	// programs there, such as a shell, that makes the rule its author.
	Stdin bool
	// Env are variables of its environment, read at each run; Secret ones are kept
	// out of whatever the command prints.
	Env map[string]Variable
	// Dir is the working folder, absolute; empty means /.
	Dir string
	// Timeout bounds one run; zero means [DefaultTimeout].
	Timeout time.Duration
	// Idempotent says that running it twice does what running it once does.
	Idempotent bool
	// Probe says that it only reads, so that it may be asked as a probe.
	Probe bool
	// Plan and Observe, if they are not nil, take the place of Args for a run that
	// only reads: Plan prints what would be done, the same for the same state;
	// Observe exits with 0 if the task has been done, with 1 if it has not.
	Plan, Observe []string
	// Undo names the command that puts back what this one has done; empty if none
	// does. It must be idempotent, and is given the same arguments. If its Stdin is
	// set, it gets what this one printed to standard output.
	Undo string
	// Exits says what an exit status other than 0 means, of those classes that
	// promise that nothing was changed: retryable, terminal, plan-changed.
	Exits map[int]engine.Class
}

// Variable is the value of an environment variable.
type Variable struct {
	// Read gives the present value. Its error shows no secret.
	Read   func() (string, error)
	Secret bool
}

// DefaultTimeout bounds a run of a command that says nothing else.
const DefaultTimeout = 30 * time.Second

// Commands are those that are allowed, by name. It is not changed once made; the
// zero value allows none.
type Commands struct{ byName map[string]command }

// command is a Command that was checked.
type command struct {
	Command
	name    string
	accepts []*regexp.Regexp
}

const ownVariables = "PARAMEDIC_"

var variableName = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*\z`)

// NewCommands checks commands. The error says what is wrong with which.
func NewCommands(all map[string]Command) (Commands, error) {
	checked := Commands{byName: make(map[string]command, len(all))}
	var found []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c, err := check(name, all[name])
		if err == nil {
			err = undoable(all[name], all)
		}
		if err != nil {
			found = append(found, fmt.Errorf("command %q: %w", name, err))
		}
		checked.byName[name] = c
	}
	if err := errors.Join(found...); err != nil {
		return Commands{}, err
	}
	return checked, nil
}

func check(name string, c Command) (command, error) {
	if c.Dir == "" {
		c.Dir = "/"
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	switch {
	case !filepath.IsAbs(c.Path):
		return command{}, fmt.Errorf("path %q is not absolute: nothing is searched for", c.Path)
	case !filepath.IsAbs(c.Dir):
		return command{}, fmt.Errorf("dir %q is not absolute", c.Dir)
	case c.Timeout < 0:
		return command{}, fmt.Errorf("timeout %v is below 0", c.Timeout)
	}
	for _, variable := range slices.Sorted(maps.Keys(c.Env)) {
		if !variableName.MatchString(variable) || strings.HasPrefix(variable, ownVariables) || variable == "PATH" {
			return command{}, fmt.Errorf("env: %q: want a name of letters, digits and _, and neither PATH nor one that begins with %s", variable, ownVariables)
		}
	}
	for code, class := range c.Exits {
		if code < 1 || code > 255 || class != engine.ClassRetryable && class != engine.ClassTerminal && class != engine.ClassPlanChanged {
			return command{}, fmt.Errorf("exits: %d: %q: want a status from 1 to 255, and retryable, terminal or plan-changed", code, class)
		}
	}
	ready := command{Command: c, name: name}
	for _, pattern := range c.Accepts {
		whole, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
		if err != nil {
			return command{}, fmt.Errorf("accepts: %w", err)
		}
		ready.accepts = append(ready.accepts, whole)
	}
	return ready, nil
}

// undoable holds that what puts back may be called again, as an undo task is.
func undoable(c Command, all map[string]Command) error {
	if c.Undo == "" {
		return nil
	}
	other, ok := all[c.Undo]
	switch {
	case !ok:
		return fmt.Errorf("undo: there is no command %q", c.Undo)
	case !other.Idempotent:
		return fmt.Errorf("undo: command %q is not idempotent, and what puts back may be run again", c.Undo)
	}
	return nil
}

// find is the command of that name. The error is terminal and says which there
// are.
func (c Commands) find(name string) (command, error) {
	if found, ok := c.byName[name]; ok {
		return found, nil
	}
	if len(c.byName) == 0 {
		return command{}, remediators.Terminal("command %q is not allowed: no commands are configured here", name)
	}
	return command{}, remediators.Terminal("command %q is not allowed; allowed are: %s", name, strings.Join(slices.Sorted(maps.Keys(c.byName)), ", "))
}

// environment reads the configured variables: what to set, and what to hide.
func (c command) environment() (env []string, secrets [][]byte, err error) {
	env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		value, err := c.Env[name].Read()
		if err != nil {
			return nil, nil, fmt.Errorf("variable %s: %w", name, err)
		}
		env = append(env, name+"="+value)
		if c.Env[name].Secret && value != "" {
			secrets = append(secrets, []byte(value))
		}
	}
	return env, secrets, nil
}
