package exec

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

const (
	// maxStdin and maxArg bound what a rule hands over, in bytes.
	maxStdin = 64 << 10
	maxArg   = 4 << 10
)

// params are those of [Run] and, but for stdin, of [Probe].
type params struct {
	Command string   `json:"command"`
	Args    []string `json:"args"`
	Stdin   string   `json:"stdin"`
}

const commonProperties = `
    "command": {"type": "string", "minLength": 1, "description": "A command of the worker's own list."},
    "args": {"type": "array", "items": {"type": "string", "maxLength": 4096}, "description": "Arguments after the command's own, as far as it accepts them."}`

const runSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["command"],
  "properties": {` + commonProperties + `,
    "stdin": {"type": "string", "maxLength": 65536, "description": "Its standard input, if it takes any."}
  }
}`

const probeSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["command"],
  "properties": {` + commonProperties + `
  }
}`

// task is what a rule asks for: a command that is allowed, with what it accepts.
func (c Commands) task(t engine.Task) (command, params, error) {
	var p params
	if err := remediators.DecodeParams(t.Params, &p); err != nil {
		return command{}, p, remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	found, err := c.find(p.Command)
	if err != nil {
		return command{}, p, err
	}
	if err := found.accept(p); err != nil {
		return command{}, p, remediators.Terminal("command %s: %w", found.name, err)
	}
	return found, p, nil
}

// accept says what of a rule's parameters the command does not take.
func (c command) accept(p params) error {
	if len(p.Args) > len(c.accepts) {
		return fmt.Errorf("%d arguments, and it accepts %d", len(p.Args), len(c.accepts))
	}
	for i, arg := range p.Args {
		switch {
		case len(arg) > maxArg:
			return fmt.Errorf("argument %d has %d bytes, want %d at most", i+1, len(arg), maxArg)
		case strings.ContainsRune(arg, 0):
			return fmt.Errorf("argument %d has a zero byte, which no argument can have", i+1)
		case !c.accepts[i].MatchString(arg):
			return fmt.Errorf("argument %d, %q, is not of the form that it accepts, %s", i+1, arg, c.Accepts[i])
		}
	}
	switch {
	case p.Stdin != "" && !c.Stdin:
		return errors.New("it takes no stdin")
	case len(p.Stdin) > maxStdin:
		return fmt.Errorf("stdin has %d bytes, want %d at most", len(p.Stdin), maxStdin)
	}
	return nil
}
