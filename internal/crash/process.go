package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	pollEvery = 50 * time.Millisecond
	// endWithin bounds an orderly end, which the app itself bounds by less.
	endWithin = 90 * time.Second
)

// process is one life of a child.
type process struct {
	cmd    *exec.Cmd
	input  io.Closer // stays open, so that the child ends with this process
	output *statusReader
	log    string
	timer  *time.Timer
	done   chan struct{} // closed once it has ended and been waited for
	err    error         // how; read it after done
}

// start begins a life. It gets the listener's address from whoever lived before.
func start(program string, o order, listener *net.TCPListener, log string) (p *process, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	shared, err := listener.File()
	if err != nil {
		return nil, fmt.Errorf("share the listener: %w", err)
	}
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600) //nolint:gosec // a path of our own
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log: %w", err), shared.Close())
	}
	// The child has its own once it is started.
	defer func() { err = errors.Join(err, shared.Close(), file.Close()) }()
	cmd := exec.Command(program) //nolint:noctx // ended by end and kill, never by a context
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.ExtraFiles = []*os.File{shared}
	output := &statusReader{}
	cmd.Stdout, cmd.Stderr = output, file
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("the child's input: %w", err)
	}
	p = &process{cmd: cmd, input: input, output: output, log: log, done: make(chan struct{})}
	if err := p.begin(o.Kill); err != nil {
		return nil, err
	}
	return p, nil
}

// begin starts the child, and the clock of a kill at a random time.
func (p *process) begin(k kill) error {
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start the child: %w", err)
	}
	if k.Point == atRandom {
		p.timer = time.AfterFunc(k.After, p.kill)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
		if p.timer != nil {
			p.timer.Stop()
		}
	}()
	return nil
}

// kill ends the life at once. A life that has ended already stays as it ended.
func (p *process) kill() { _ = p.cmd.Process.Kill() }

// killed says, after done, that it ended by SIGKILL.
func (p *process) killed() bool {
	ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// end asks the child to end in order, and waits for it.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ask the child to end: %w", err)
	}
	late := time.NewTimer(endWithin)
	defer late.Stop()
	select {
	case <-p.done:
		return nil
	case <-late.C:
		p.kill()
		<-p.done
		return fmt.Errorf("the child did not end within %v of being asked", endWithin)
	}
}

// statusReader takes the child's output and keeps its last status.
type statusReader struct {
	mu   sync.Mutex
	rest []byte
	last status
	err  error
}

// Write implements io.Writer for exec.Cmd.
func (r *statusReader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rest = append(r.rest, b...)
	for {
		line, rest, whole := bytes.Cut(r.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		r.rest = rest
		if err := json.Unmarshal(line, &r.last); err != nil {
			r.err = fmt.Errorf("status %q: %w", line, err)
		}
	}
}

func (r *statusReader) status() (status, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, r.err
}

// poll calls until it says yes, an error ends it, or ctx does.
func poll(ctx context.Context, every time.Duration, until func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if yes, err := until(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
