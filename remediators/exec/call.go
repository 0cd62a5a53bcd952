package exec

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// step is what a command is run for.
type step string

const (
	stepRun     step = "run"
	stepPlan    step = "plan"
	stepObserve step = "observe"
	stepUndo    step = "undo"
	stepProbe   step = "probe"
)

// call is one run of a program.
type call struct {
	name, path, dir string
	args, env       []string
	stdin           string
	timeout         time.Duration
	secrets         [][]byte
	stdout, stderr  *tail
}

// ended is how a run ended.
type ended struct {
	status int
	// exited says that it ended by itself, and stopped why it did not.
	exited  bool
	stopped string
	// readable says that nobody writes to the outputs any more.
	readable bool
	after    time.Duration
}

// newCall makes ready what a command runs for a task. The error is retryable: a
// secret that is missing may come.
func (c command) newCall(what step, t engine.Task, target engine.Target, p params) (call, error) {
	env, secrets, err := c.environment()
	if err != nil {
		return call{}, remediators.Retryable(0, "command %s: not run: %w", c.name, err)
	}
	env = append(env, ownVariables+"STEP="+string(what), ownVariables+"TARGET="+target.String(), ownVariables+"TASK="+t.ID)
	args := c.Args
	switch what {
	case stepPlan:
		args = c.Plan
	case stepObserve:
		args = c.Observe
	case stepUndo:
		env = append(env, ownVariables+"UNDOES="+t.Undoes)
	case stepRun, stepProbe:
	}
	keep := maxOutput + longest(secrets)
	return call{
		name: c.name, path: c.Path, dir: c.Dir, env: env, stdin: p.Stdin, timeout: c.Timeout, secrets: secrets,
		args:   append(append([]string{}, args...), p.Args...),
		stdout: &tail{keep: keep}, stderr: &tail{keep: keep},
	}, nil
}

// command is not bound to a context: its end is the process's own concern.
func (c call) command() *exec.Cmd {
	cmd := exec.Command(c.path, c.args...) //nolint:gosec,noctx // a path and arguments that the configuration allows
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.env, c.stdout, c.stderr
	if c.stdin != "" {
		cmd.Stdin = strings.NewReader(c.stdin)
	}
	return cmd
}

// start runs it. The error is classified, and is for one that was not started.
func (c call) start(ctx context.Context) (ended, error) {
	if err := ctx.Err(); err != nil {
		return ended{}, remediators.Retryable(0, "command %s: not run: %w", c.name, err)
	}
	end, err := c.run(ctx)
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ETXTBSY):
		return ended{}, remediators.Retryable(0, "command %s: not run: %w", c.name, err)
	case err != nil:
		return ended{}, remediators.Terminal("command %s: not run: %w", c.name, err)
	}
	return end, nil
}

// failure is the error of a run that did not succeed, nil for one that did. A run
// of which nothing is known has the class that is given.
func (c call) failure(end ended, exits map[int]engine.Class, otherwise engine.Class) error {
	if end.stopped == "" && end.exited && end.status == 0 {
		return nil
	}
	class, known := exits[end.status]
	if !known || end.stopped != "" || !end.exited {
		class = otherwise
	}
	return &remediators.Error{Class: class, Err: errors.New(c.describe(end))}
}

// maxSaid bounds what a sentence repeats of an output, in bytes.
const maxSaid = 600

// describe says how a run ended, with the last that it printed.
func (c call) describe(end ended) string {
	how := fmt.Sprintf("exit status %d", end.status)
	switch {
	case end.stopped != "":
		how = end.stopped
	case !end.exited:
		how = "it was killed"
	}
	text := fmt.Sprintf("command %s: %s after %s", c.name, how, end.after.Round(time.Millisecond))
	if said := c.said(end); said != "" {
		text += fmt.Sprintf(": %q", said)
	}
	return text
}

// said is the end of standard error, or else of standard output.
func (c call) said(end ended) string {
	if !end.readable {
		return ""
	}
	for _, output := range []*tail{c.stderr, c.stdout} {
		if text := strings.TrimSpace(output.shown(c.secrets)); text != "" {
			return strings.ToValidUTF8(text[max(0, len(text)-maxSaid):], "")
		}
	}
	return ""
}
