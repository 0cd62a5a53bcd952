package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	// restartAfter is how long a worker that has ended is left so.
	restartAfter = 200 * time.Millisecond
	// mostRestarts bounds how often a worker may end by itself.
	mostRestarts = 20
	lastWords    = 2 << 10
)

// process is the worker's command, started again whenever it has ended: workers
// may end where they know no better.
type process struct {
	command, env []string
	log          io.Writer
	cancel       context.CancelFunc
	// alive ends with the last of its runs.
	alive context.Context //nolint:containedctx // it is the process's own life

	mu      sync.Mutex
	running *exec.Cmd
	said    []byte // the end of what it printed
	gaveUp  error
}

func startProcess(ctx context.Context, command, env []string, log io.Writer) *process {
	ctx, cancel := context.WithCancel(ctx)
	alive, over := context.WithCancel(context.WithoutCancel(ctx))
	p := &process{command: command, env: append(os.Environ(), env...), log: log, cancel: cancel, alive: alive}
	go func() {
		defer over()
		p.supervise(ctx)
	}()
	return p
}

func (p *process) supervise(ctx context.Context) {
	for range mostRestarts {
		err := p.once(ctx)
		if ctx.Err() != nil {
			return
		}
		_, _ = fmt.Fprintln(p, "--- the worker ended, and is started again:", err) // for people only
		again := time.NewTimer(restartAfter)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gaveUp = fmt.Errorf("the worker ended %d times; its last words: %s", mostRestarts, p.said)
}

// once runs the command to its end.
func (p *process) once(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...) //nolint:gosec // the command whose worker is tried
	cmd.Env, cmd.Stdout, cmd.Stderr = p.env, p, p
	whole(cmd)
	cmd.Cancel = func() error { return killAll(cmd) }
	cmd.WaitDelay = time.Second // for what it started and that still holds its output
	p.mu.Lock()
	err := cmd.Start()
	if err == nil {
		p.running = cmd
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	err = cmd.Wait()
	p.mu.Lock()
	p.running = nil
	p.mu.Unlock()
	return err
}

// kill ends the process where it is, with all that it started.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		_ = killAll(p.running) // it may have ended by itself
	}
}

// stop ends it for good.
func (p *process) stop() {
	p.cancel()
	<-p.alive.Done()
}

// while is a context for waiting for the worker: it ends, too, once that is
// given up.
func (p *process) while(ctx context.Context, within time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, within)
	stop := context.AfterFunc(p.alive, cancel)
	return ctx, func() { stop(); cancel() }
}

// failure is why there is no worker any more, and what it said.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gaveUp != nil {
		return p.gaveUp
	}
	if said := bytes.TrimSpace(p.said); len(said) > 0 {
		return fmt.Errorf("the worker's last words: %s", bytes.ReplaceAll(said, []byte("\n"), []byte(" | ")))
	}
	return errors.New("the worker says nothing")
}

// Write takes what the worker prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, b...)
	if more := len(p.said) - lastWords; more > 0 {
		p.said = p.said[more:]
	}
	return p.log.Write(b)
}
